"""The dashboard's pages: connections, rooms, bans, mutes, audit, sessions. All of them are complete without script.

Around each stands the same frame: who is logged in, the gateway's health, the way to the other pages.
"""

from typing import Any

import msgspec
from aiohttp import web

from gateway.core.ports import Measure
from gateway.core.roles import Role
from gateway.web.admin.login import SessionEndpoints
from gateway.web.admin.maintenance import MaintenanceEndpoints
from gateway.web.admin.moderation import ModerationEndpoints
from gateway.web.admin.summary import SummaryEndpoints
from gateway.web.endpoint import Call
from gateway.web.http.origin_policy import OriginPolicy, host_name
from gateway.web.options import WebOptions
from gateway.web.tables.columns import CONNECTIONS, ROOMS, shown_in
from gateway.web.tables.connection_row import WORDS
from gateway.web.tables.connections import SORT_DEFAULT, ConnectionTable, TablePage
from gateway.web.tables.filter import BadWord, without_each
from gateway.web.tables.paging import TableQuery, table_query
from gateway.web.tables.rooms import ROOM_SORT, ROOM_WORDS, RoomPage, RoomTable
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
    """Renders pages of the dashboard."""

    def __init__(self, sessions: SessionEndpoints, summary: SummaryEndpoints, site: OriginPolicy, pages: Pages) -> None:
        self._sessions = sessions
        self._summary = summary
        self._site = site
        self._pages = pages

    async def answer(self, call: Call[None], template: str, here: str, **context: Any) -> web.Response:
        """The page `template`, which the navigation knows as `here`, with its own context and everybody's."""
        operator, session = call.operator, call.session
        assert session is not None, "the row is of a page"
        return await self._pages.answer_in_slices(
            template,
            here=here,
            summary=msgspec.to_builtins(self._summary.now()),
            user={"name": operator.name, "role": operator.role.word},
            others=self._sessions.others(call),
            may_operate=operator.role >= Role.OPERATOR,
            may_administer=operator.role >= Role.ADMIN,
            csrf=session.csrf,
            result=RESULTS.get(call.query.get("result", "")),
            page_url=str(self._site.base(call.request)) + "/",
            **context,
        )


PANEL_ROWS = 12
"""Events and closed connections below the table."""


class Dashboard:
    """`/admin`: the connections."""

    def __init__(
        self,
        table: ConnectionTable,
        maintenance: MaintenanceEndpoints,
        frame: AdminFrame,
        site: OriginPolicy,
        options: WebOptions,
    ) -> None:
        self._table = table
        self._maintenance = maintenance
        self._frame = frame
        self._site = site
        self._options = options

    async def page(self, call: Call[None]) -> web.Response:
        """`GET /admin`"""
        question = table_query(call.query, SORT_DEFAULT)
        snapshot = await self._table.snapshot()
        try:
            page, problem = await self._table.page(question), None
        except BadWord as bad:
            page, problem = TablePage([], 0, len(snapshot.rows), None, snapshot.wall, None), bad.place()
        closed = await self._table.page(TableQuery("-closed_at", PANEL_ROWS, state="closed"))
        ports = {listener.door: listener.port for listener in self._options.listeners()}
        return await self._frame.answer(
            call,
            "admin.html",
            "connections",
            columns=CONNECTIONS,
            shown=shown_in(question.state),
            page=msgspec.to_builtins(page),
            problem=problem,
            query=msgspec.to_builtins(question),
            examples=WORDS.examples,
            chosen=without_each(question.q) if problem is None else [],
            events=msgspec.to_builtins(self._maintenance.latest(PANEL_ROWS)),
            closed=msgspec.to_builtins(closed.connections),
            may_watch=self._options.watch and call.operator.role >= Role.ADMIN,
            tcp_host=host_name(self._site.host(call.request)),
            tcp_port=ports.get("tcp"),
            telnet_port=ports.get("telnet"),
        )


class ListPages:
    """The pages beside the connections'."""

    def __init__(
        self, frame: AdminFrame, rooms: RoomTable, moderation: ModerationEndpoints, sessions: SessionEndpoints
    ) -> None:
        self._frame = frame
        self._rooms = rooms
        self._moderation = moderation
        self._sessions = sessions

    async def rooms(self, call: Call[None]) -> web.Response:
        """`GET /admin/rooms`"""
        question = table_query(call.query, ROOM_SORT)
        try:
            page, problem = await self._rooms.page(question), None
        except BadWord as bad:
            page, problem = RoomPage([], 0, 0, None, 0), bad.place()
        return await self._frame.answer(
            call,
            "rooms.html",
            "rooms",
            columns=ROOMS,
            page=msgspec.to_builtins(page),
            problem=problem,
            query=msgspec.to_builtins(question),
            examples=ROOM_WORDS.examples,
            chosen=without_each(question.q) if problem is None else [],
        )

    async def bans(self, call: Call[None]) -> web.Response:
        """`GET /admin/bans`"""
        return await self._sanctions(call, Measure.BAN)

    async def mutes(self, call: Call[None]) -> web.Response:
        """`GET /admin/mutes`"""
        return await self._sanctions(call, Measure.MUTE)

    async def _sanctions(self, call: Call[None], measure: Measure) -> web.Response:
        return await self._frame.answer(
            call,
            "bans.html",
            "bans",
            measure=measure.value,
            page=msgspec.to_builtins(self._moderation.sanctions(call, measure)),
            q=call.query.get("q", ""),
        )

    async def audit(self, call: Call[None]) -> web.Response:
        """`GET /admin/audit`"""
        page = await self._moderation.entries(call)
        return await self._frame.answer(
            call,
            "audit.html",
            "audit",
            entries=[entry._asdict() for entry in page.entries],
            cursor=page.cursor,
            first=not call.query.get("cursor"),
            q=call.query.get("q", ""),
        )

    async def sessions(self, call: Call[None]) -> web.Response:
        """`GET /admin/sessions`"""
        rows = msgspec.to_builtins(self._sessions.rows(call))
        return await self._frame.answer(call, "sessions.html", "sessions", sessions=rows)
