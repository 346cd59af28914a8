"""The dashboard: its page, and the same as JSON.

What is asked for and not known is refused, never silently ignored.

The dashboard's pages besides the connections: rooms, bans, mutes, audit, sessions. Complete without script.

What stands around every page of the dashboard: who is logged in, how the gateway feels, the way to other pages.
"""

from typing import Any

import msgspec
from aiohttp import web

from gateway.core.operators.roles import Role
from gateway.core.ports import Measure
from gateway.web.admin.authorize import Login
from gateway.web.admin.logins import AdminSession
from gateway.web.admin.maintenance import MaintenanceEndpoints
from gateway.web.admin.moderation import ModerationEndpoints
from gateway.web.admin.sessions import SessionEndpoints
from gateway.web.admin.summary import SPAN_DEFAULT, SummaryEndpoints
from gateway.web.http.origin_policy import OriginPolicy, host_name
from gateway.web.http.query import number, only
from gateway.web.http.responses import json_answer
from gateway.web.options import WebOptions
from gateway.web.tables.columns import CONNECTIONS, ROOMS, shown_in
from gateway.web.tables.connection_row import WORDS
from gateway.web.tables.connections import SORT_DEFAULT, ConnectionTable, TablePage
from gateway.web.tables.filter import BadWord, without_each
from gateway.web.tables.paging import TableQuery, table_query
from gateway.web.tables.rooms import QUERY, ROOM_SORT, ROOM_WORDS, RoomPage, RoomTable
from gateway.web.templates import Pages

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


PANEL_ROWS = 12
"""Events and closed connections below the table."""


class Dashboard:
    """The handlers of `/admin` and `/admin/api/…` for who has a session."""

    def __init__(
        self,
        login: Login,
        table: ConnectionTable,
        desk: SummaryEndpoints,
        upkeep: MaintenanceEndpoints,
        shell: AdminFrame,
        site: OriginPolicy,
        options: WebOptions,
    ) -> None:
        self._login = login
        self._table = table
        self._desk = desk
        self._upkeep = upkeep
        self._shell = shell
        self._site = site
        self._options = options

    async def page(self, request: web.Request) -> web.StreamResponse:
        """`GET /admin`: complete without script. A stranger is sent to the login."""
        session = self._shell.enter(request)
        question = table_query(request, SORT_DEFAULT, also=frozenset(("result",)))
        snapshot = await self._table.snapshot()
        try:
            page, problem = await self._table.page(question), None
        except BadWord as bad:
            page, problem = TablePage([], 0, len(snapshot.rows), None, snapshot.wall, None), bad.place()
        closed = await self._table.page(TableQuery("-closed_at", PANEL_ROWS, state="closed"))
        ports = {listener.door: listener.port for listener in self._options.listeners()}
        return await self._shell.answer(
            request,
            session,
            "admin.html",
            "connections",
            columns=CONNECTIONS,
            shown=shown_in(question.state),
            page=msgspec.to_builtins(page),
            problem=problem,
            query=msgspec.to_builtins(question),
            examples=WORDS.examples,
            chosen=without_each(question.q) if problem is None else [],
            events=msgspec.to_builtins(self._upkeep.latest(PANEL_ROWS)),
            closed=msgspec.to_builtins(closed.connections),
            may_watch=self._options.watch and session.operator.role >= Role.ADMIN,
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


RESULT = frozenset(("result",))


class ListPages:
    """The handlers."""

    def __init__(
        self, shell: AdminFrame, rooms: RoomTable, operations: ModerationEndpoints, sessions: SessionEndpoints
    ) -> None:
        self._shell = shell
        self._rooms = rooms
        self._operations = operations
        self._sessions = sessions

    async def rooms(self, request: web.Request) -> web.Response:
        """`GET /admin/rooms`"""
        session = self._shell.enter(request)
        question = table_query(request, ROOM_SORT, known=QUERY, also=RESULT)
        try:
            page, problem = await self._rooms.page(question), None
        except BadWord as bad:
            page, problem = RoomPage([], 0, 0, None, 0), bad.place()
        return await self._shell.answer(
            request,
            session,
            "rooms.html",
            "rooms",
            columns=ROOMS,
            page=msgspec.to_builtins(page),
            problem=problem,
            query=msgspec.to_builtins(question),
            examples=ROOM_WORDS.examples,
            chosen=without_each(question.q) if problem is None else [],
        )

    async def bans(self, request: web.Request) -> web.Response:
        """`GET /admin/bans`"""
        return await self._sanctions(request, Measure.BAN)

    async def mutes(self, request: web.Request) -> web.Response:
        """`GET /admin/mutes`"""
        return await self._sanctions(request, Measure.MUTE)

    async def _sanctions(self, request: web.Request, measure: Measure) -> web.Response:
        session = self._shell.enter(request)
        page = self._operations.sanctions(request, measure)
        return await self._shell.answer(
            request,
            session,
            "bans.html",
            "bans",
            measure=measure.value,
            page=msgspec.to_builtins(page),
            q=request.query.get("q", ""),
        )

    async def audit(self, request: web.Request) -> web.Response:
        """`GET /admin/audit`"""
        session = self._shell.enter(request)
        page = await self._operations.entries(request)
        return await self._shell.answer(
            request,
            session,
            "audit.html",
            "audit",
            entries=[entry._asdict() for entry in page.entries],
            cursor=page.cursor,
            first=not request.query.get("cursor"),
            q=request.query.get("q", ""),
        )

    async def sessions(self, request: web.Request) -> web.Response:
        """`GET /admin/sessions`"""
        session = self._shell.enter(request)
        rows = msgspec.to_builtins(self._sessions.rows(request))
        return await self._shell.answer(request, session, "sessions.html", "sessions", sessions=rows)


def list_routes(pages: ListPages) -> list[Any]:
    """The routes of the pages."""
    return [
        web.get("/admin/rooms", pages.rooms),
        web.get("/admin/bans", pages.bans),
        web.get("/admin/mutes", pages.mutes),
        web.get("/admin/audit", pages.audit),
        web.get("/admin/sessions", pages.sessions),
    ]
