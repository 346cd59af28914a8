"""The dashboard: its page, and the same as JSON.

What is asked for and not known is refused, never silently ignored.
"""

from typing import Any

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.operators import Role
from gateway.web.answers import json_answer
from gateway.web.connections import SORT_DEFAULT, ConnectionTable, TablePage
from gateway.web.login import Login
from gateway.web.options import WebOptions
from gateway.web.pages import Pages
from gateway.web.question import question_of
from gateway.web.rooms import number, only
from gateway.web.site import Site, host_name
from gateway.web.summary import SPAN_DEFAULT, SummaryDesk
from gateway.web.words import BadWord

RESULTS = frozenset(("done", "gone"))


class Dashboard:
    """The handlers of `/admin` and `/admin/api/…` for who has a session."""

    def __init__(
        self,
        hub: Hub,
        login: Login,
        table: ConnectionTable,
        desk: SummaryDesk,
        site: Site,
        pages: Pages,
        options: WebOptions,
    ) -> None:
        self._hub = hub
        self._login = login
        self._table = table
        self._desk = desk
        self._site = site
        self._pages = pages
        self._options = options

    async def page(self, request: web.Request) -> web.StreamResponse:
        """`GET /admin`: complete without script. A stranger is sent to the login."""
        session = self._login.session(request)
        if session is None:
            raise web.HTTPSeeOther("/admin/login")
        question = question_of(request, SORT_DEFAULT, also=frozenset(("result",)))
        result = request.query.get("result")
        snapshot = await self._table.snapshot()
        try:
            page, problem = await self._table.page(question), None
        except BadWord as bad:
            page, problem = TablePage([], 0, len(snapshot.rows), None, snapshot.wall, None), bad.place()
        ports = {listener.door: listener.port for listener in self._options.listeners()}
        return self._pages.answer(
            "admin.html",
            summary=msgspec.to_builtins(self._desk.summary()),
            page=msgspec.to_builtins(page),
            problem=problem,
            query=msgspec.to_builtins(question),
            user={"name": session.operator.name, "role": session.operator.role.word},
            csrf=session.csrf,
            may_kick=session.operator.role >= Role.OPERATOR,
            result=result if result in RESULTS else None,
            page_url=str(self._site.base(request)) + "/",
            tcp_host=host_name(self._site.host(request)),
            tcp_port=ports.get("tcp"),
            telnet_port=ports.get("telnet"),
        )

    async def summary(self, request: web.Request) -> web.Response:
        """`GET /admin/api/summary`"""
        self._login.reader(request, Role.VIEWER)
        only(request)
        return json_answer(self._desk.summary())

    async def series(self, request: web.Request) -> web.Response:
        """`GET /admin/api/series?span=5m|1h|24h&since=`"""
        self._login.reader(request, Role.VIEWER)
        only(request, "span", "since")
        span = request.query.get("span", SPAN_DEFAULT)
        return json_answer(self._desk.series(span, number(request, "since")))


def routes(dashboard: Dashboard) -> list[Any]:
    """The routes of the dashboard."""
    return [
        web.get("/admin", dashboard.page),
        web.get("/admin/api/summary", dashboard.summary),
        web.get("/admin/api/series", dashboard.series),
    ]
