"""The dashboard: its page, and the same as JSON.

Due later: filter words (`q`), closed connections. What is asked of them now is refused, never silently ignored.
"""

from typing import Any

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.operators import Role
from gateway.errors import Code, Refusal
from gateway.web.answers import json_answer
from gateway.web.connections import PAGE_DEFAULT, PAGE_LIMIT, SORT_DEFAULT, ConnectionTable, Snapshot, TablePage
from gateway.web.login import Login
from gateway.web.options import WebOptions
from gateway.web.pages import Pages
from gateway.web.rooms import number
from gateway.web.site import Site, host_name
from gateway.web.summary import SPAN_DEFAULT, SummaryDesk

QUERY = frozenset(("state", "sort", "limit", "cursor"))
RESULTS = frozenset(("done", "gone"))


class Asked(msgspec.Struct, frozen=True):
    """What a page of the table was asked with."""

    sort: str
    limit: int
    cursor: str | None


def asked(request: web.Request, also: frozenset[str] = frozenset()) -> Asked:
    """The query of the table, or a Refusal that names what is wrong with it. `also` are names it may have besides."""
    query = request.query
    for name in query:
        if name not in QUERY | also:
            raise Refusal(Code.BAD_MESSAGE, f"cannot ask by {name[:40]!r} (yet): {', '.join(sorted(QUERY))}")
    if query.get("state", "open") != "open":
        raise Refusal(Code.BAD_MESSAGE, "only state=open is kept (yet)")
    limit = number(request, "limit", least=1) or PAGE_DEFAULT
    if limit > PAGE_LIMIT:
        raise Refusal(Code.BAD_MESSAGE, f"limit is at most {PAGE_LIMIT}")
    return Asked(query.get("sort", SORT_DEFAULT), limit, query.get("cursor") or None)


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
        question = asked(request, also=frozenset(("result",)))
        result = request.query.get("result")
        snapshot = await self._table.snapshot()
        ports = {listener.door: listener.port for listener in self._options.listeners()}
        return self._pages.answer(
            "admin.html",
            summary=msgspec.to_builtins(self._desk.summary()),
            page=msgspec.to_builtins(_page(snapshot, question)),
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
        return json_answer(self._desk.summary())

    async def series(self, request: web.Request) -> web.Response:
        """`GET /admin/api/series?span=5m|1h|24h&since=`"""
        self._login.reader(request, Role.VIEWER)
        span = request.query.get("span", SPAN_DEFAULT)
        return json_answer(self._desk.series(span, number(request, "since")))

    async def connections(self, request: web.Request) -> web.Response:
        """`GET /admin/api/connections`"""
        self._login.reader(request, Role.VIEWER)
        return json_answer(_page(await self._table.snapshot(), asked(request)))


def _page(snapshot: Snapshot, question: Asked) -> TablePage:
    return snapshot.page(question.sort, question.limit, question.cursor)


def routes(dashboard: Dashboard) -> list[Any]:
    """The routes of the dashboard."""
    return [
        web.get("/admin", dashboard.page),
        web.get("/admin/api/summary", dashboard.summary),
        web.get("/admin/api/series", dashboard.series),
        web.get("/admin/api/connections", dashboard.connections),
    ]
