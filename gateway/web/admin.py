"""The dashboard: its page, and the same as JSON.

What is asked for and not known is refused, never silently ignored.
"""

from typing import Any

import msgspec
from aiohttp import web

from gateway.core.operators import Role
from gateway.web.answers import json_answer
from gateway.web.columns import CONNECTIONS, shown_in
from gateway.web.connections import SORT_DEFAULT, ConnectionTable, TablePage
from gateway.web.login import Login
from gateway.web.options import WebOptions
from gateway.web.query import number, only
from gateway.web.question import TableQuery, table_query
from gateway.web.rows import WORDS
from gateway.web.shell import AdminFrame
from gateway.web.site import OriginPolicy, host_name
from gateway.web.summary import SPAN_DEFAULT, SummaryEndpoints
from gateway.web.upkeep_desk import MaintenanceEndpoints
from gateway.web.words import BadWord, without_each

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
