"""What stands around every page of the dashboard: who is logged in, how the gateway feels, the way to other pages."""

from typing import Any

import msgspec
from aiohttp import web

from gateway.core.operators import Role
from gateway.web.auth import AdminSession
from gateway.web.login import Login
from gateway.web.pages import Pages
from gateway.web.sessions import SessionEndpoints
from gateway.web.site import OriginPolicy
from gateway.web.summary import SummaryEndpoints

RESULTS = {
    "kicked": "Kicked.",
    "done": "Done.",
    "gone": "Already gone.",
    "refused": "Refused.",
    "banned": "Banned.",
    "muted": "Muted.",
    "lifted": "Lifted.",
    "ended": "The session is ended.",
    "announced": "Announced.",
}
"""What a form without script led to, as the page it comes back to says it."""


class AdminFrame:
    """Answers pages of the dashboard."""

    def __init__(
        self,
        login: Login,
        sessions: SessionEndpoints,
        desk: SummaryEndpoints,
        site: OriginPolicy,
        pages: Pages,
    ) -> None:
        self._login = login
        self._sessions = sessions
        self._desk = desk
        self._site = site
        self._pages = pages

    def enter(self, request: web.Request) -> AdminSession:
        """The session of who asks for a page. A stranger is sent to the login."""
        session = self._login.session(request)
        if session is None:
            raise web.HTTPSeeOther("/admin/login")
        return session

    async def answer(
        self, request: web.Request, session: AdminSession, template: str, here: str, **context: Any
    ) -> web.Response:
        """The page `template`, which the navigation knows as `here`, with its own context and everybody's."""
        operator = session.operator
        return await self._pages.answer_in_slices(
            template,
            here=here,
            summary=msgspec.to_builtins(self._desk.summary()),
            user={"name": operator.name, "role": operator.role.word},
            others=self._sessions.others(request),
            may_operate=operator.role >= Role.OPERATOR,
            may_administer=operator.role >= Role.ADMIN,
            csrf=session.csrf,
            result=RESULTS.get(request.query.get("result", "")),
            page_url=str(self._site.base(request)) + "/",
            **context,
        )
