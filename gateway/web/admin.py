"""The dashboard: its page, the same as JSON, and the kick.

Due later: filter words (`q`), closed connections, bans. What is asked of them now is refused, never silently ignored.
"""

import logging
from typing import Any

import msgspec
from aiohttp import web

from gateway.core import text
from gateway.core.hub import Hub
from gateway.errors import Code, Refusal
from gateway.web.answers import json_answer
from gateway.web.body import read_body
from gateway.web.connections import PAGE_DEFAULT, PAGE_LIMIT, SORT_DEFAULT, ConnectionTable, Snapshot, TablePage
from gateway.web.login import Login
from gateway.web.options import WebOptions
from gateway.web.pages import Pages
from gateway.web.rooms import number
from gateway.web.site import Site, host_name
from gateway.web.summary import SPAN_DEFAULT, SummaryDesk

REASON_LIMIT = 300
QUERY = frozenset(("state", "sort", "limit", "cursor"))
RESULTS = frozenset(("done", "gone"))

log = logging.getLogger("gateway.admin")


class KickOrder(msgspec.Struct, forbid_unknown_fields=True):
    """The optional body of a kick."""

    reason: str = ""


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
        self._decode = msgspec.json.Decoder(KickOrder).decode

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
            user={"name": session.name, "role": session.role},
            csrf=session.csrf,
            may_kick=True,
            result=result if result in RESULTS else None,
            page_url=str(self._site.base(request)) + "/",
            tcp_host=host_name(self._site.host(request)),
            tcp_port=ports.get("tcp"),
            telnet_port=ports.get("telnet"),
        )

    async def summary(self, request: web.Request) -> web.Response:
        """`GET /admin/api/summary`"""
        self._login.reader(request)
        return json_answer(self._desk.summary())

    async def series(self, request: web.Request) -> web.Response:
        """`GET /admin/api/series?span=5m|1h|24h&since=`"""
        self._login.reader(request)
        span = request.query.get("span", SPAN_DEFAULT)
        return json_answer(self._desk.series(span, number(request, "since")))

    async def connections(self, request: web.Request) -> web.Response:
        """`GET /admin/api/connections`"""
        self._login.reader(request)
        return json_answer(_page(await self._table.snapshot(), asked(request)))

    async def kick(self, request: web.Request) -> web.Response:
        """`DELETE /admin/api/connections/{id}`"""
        session = self._login.writer(request, request.headers.get("X-CSRF-Token"))
        order = self._order(await read_body(request, self._options.body_limit, self._options.body_deadline))
        target = request.match_info["id"]
        if not self._kick(request, target, order.reason, session.name):
            raise Refusal(Code.NO_SUCH_USER, "there is no such connection: it may be gone already")
        return json_answer({"id": target, "kicked": True})

    async def kick_form(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/kick`: the same from a form."""
        fields = await self._login.form(request)
        session = self._login.writer(request, fields.get("csrf") or request.headers.get("X-CSRF-Token"))
        done = self._kick(request, fields.get("id", ""), fields.get("reason", ""), session.name)
        return web.Response(status=303, headers={"Location": f"/admin?result={'done' if done else 'gone'}"})

    def _order(self, body: bytes) -> KickOrder:
        if not body:
            return KickOrder()
        try:
            return self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refusal(Code.BAD_MESSAGE, f"the body is not what is expected: {error}") from error

    def _kick(self, request: web.Request, target: str, reason: str, by: str) -> bool:
        reason = text.line(reason, REASON_LIMIT) if reason else ""
        done = self._hub.kick(target, reason)
        log.info("kick of %r by %s from %s: %s", target[:20], by, request.remote, "done" if done else "already gone")
        self._table.expire()
        return done


def _page(snapshot: Snapshot, question: Asked) -> TablePage:
    return snapshot.page(question.sort, question.limit, question.cursor)


def routes(dashboard: Dashboard, login: Login) -> list[Any]:
    """The routes of the dashboard."""
    return [
        web.get("/admin", dashboard.page),
        web.get("/admin/login", login.show),
        web.post("/admin/login", login.press),
        web.post("/admin/logout", login.logout),
        web.post("/admin/login-link", login.mint),
        web.post("/admin/kick", dashboard.kick_form),
        web.get("/admin/api/summary", dashboard.summary),
        web.get("/admin/api/series", dashboard.series),
        web.get("/admin/api/connections", dashboard.connections),
        web.delete("/admin/api/connections/{id}", dashboard.kick),
    ]
