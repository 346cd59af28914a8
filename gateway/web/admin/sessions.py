"""Who is logged in to the dashboard, and ending that: `/admin/api/sessions`."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.operators.audit import Audit
from gateway.core.operators.roles import Operator, Role
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import CSRF_HEADER, Login, bearer
from gateway.web.admin.logins import AdminSession, AdminSessions
from gateway.web.http.query import only
from gateway.web.http.responses import json_answer


class SessionRow(msgspec.Struct, frozen=True):
    """A session as it is shown. Times are ms since 1970; `current`: it is the one that asks."""

    id: str
    name: str
    role: str
    address: str
    agent: str
    opened: int
    seen: int
    current: bool


class SessionEndpoints:
    """The handlers. `clock` answers monotonic seconds, `wall` ms since 1970."""

    def __init__(
        self,
        login: Login,
        sessions: AdminSessions,
        audit: Audit,
        clock: Callable[[], float],
        wall: Callable[[], int],
    ) -> None:
        self._login = login
        self._sessions = sessions
        self._audit = audit
        self._clock = clock
        self._wall = wall

    async def seen(self, request: web.Request) -> web.Response:
        """`GET /admin/api/sessions`: an admin sees all, others those under their own name."""
        only(request)
        return json_answer({"sessions": self.rows(request)})

    def rows(self, request: web.Request) -> Sequence[SessionRow]:
        """The sessions that who asks may see."""
        operator = self._login.reader(request, Role.VIEWER)
        current = None if bearer(request) is not None else self._login.session(request)
        return [self._row(each, current) for each in self._sessions.all() if _may_see(operator, each)]

    def others(self, request: web.Request) -> Sequence[str]:
        """The names of who else is logged in, as far as who asks may see them."""
        return sorted({f"{row.name} ({row.role})" for row in self.rows(request) if not row.current})

    async def end(self, request: web.Request) -> web.Response:
        """`DELETE /admin/api/sessions/{id}`: one's own always, those of others by an admin."""
        target = request.match_info["id"]
        self.finish(self._login.writer(request, request.headers.get(CSRF_HEADER), "logout", target), target)
        return json_answer({"id": target, "ended": True})

    def finish(self, operator: Operator, target: str) -> None:
        """End a session. Raises Refusal."""
        for session in self._sessions.all():
            if session.id == target and _may_see(operator, session):
                self._sessions.end(session)
                self._audit.note(operator, "logout", session.operator.name, "", "done")
                return
        self._audit.note(operator, "logout", target, "", "refused: no such session of his")
        operator.check(Role.ADMIN)
        raise Refusal(Code.NO_SUCH_USER, "there is no such session: it may be over already")

    def _row(self, session: AdminSession, current: AdminSession | None) -> SessionRow:
        moment = self._wall() - self._clock() * 1000
        return SessionRow(
            id=session.id,
            name=session.operator.name,
            role=session.operator.role.word,
            address=session.operator.source.rpartition(" ")[2],
            agent=session.agent,
            opened=int(moment + session.opened * 1000),
            seen=int(moment + session.seen * 1000),
            current=session is current,
        )


def _may_see(operator: Operator, session: AdminSession) -> bool:
    return operator.role >= Role.ADMIN or operator.name == session.operator.name


def routes(desk: SessionEndpoints) -> list[Any]:
    """The routes of the sessions."""
    return [web.get("/admin/api/sessions", desk.seen), web.delete("/admin/api/sessions/{id}", desk.end)]
