"""The dashboard: its page, the same as JSON, and the kick.

Due later: filter words (`q`), closed connections, bans. What is asked of them now is refused, never silently ignored.
"""

import logging
from typing import Any

import msgspec
from aiohttp import web

from gateway.errors import Code, Refusal
from gateway.web.answers import json_answer
from gateway.web.body import read_body
from gateway.web.connections import PAGE_DEFAULT, PAGE_LIMIT, SORT_DEFAULT, ConnectionTable, Snapshot, TablePage
from gateway.web.login import Login
from gateway.web.options import WebOptions
from gateway.web.pages import Pages
from gateway.web.ports import Chat
from gateway.web.rooms import number
from gateway.web.summary import SummaryDesk

REASON_LIMIT = 300
QUERY = frozenset(("state", "sort", "limit", "cursor"))

log = logging.getLogger("gateway.admin")


class KickOrder(msgspec.Struct, forbid_unknown_fields=True):
    """The optional body of a kick."""

    reason: str = ""


class Asked(msgspec.Struct, frozen=True):
    """What a page of the table was asked with."""

    sort: str
    limit: int
    cursor: str | None


def asked(request: web.Request) -> Asked:
    """The query of the table, or a Refusal that names what is wrong with it."""
    query = request.query
    for name in query:
        if name not in QUERY:
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
        chat: Chat,
        login: Login,
        table: ConnectionTable,
        desk: SummaryDesk,
        pages: Pages,
        options: WebOptions,
    ) -> None:
        self._chat = chat
        self._login = login
        self._table = table
        self._desk = desk
        self._pages = pages
        self._options = options
        self._decode = msgspec.json.Decoder(KickOrder).decode

    async def page(self, request: web.Request) -> web.StreamResponse:
        """`GET /admin`: complete without script. A stranger is sent to the login."""
        session = self._login.session(request)
        if session is None:
            raise web.HTTPSeeOther("/admin/login")
        question = asked(request)
        snapshot = await self._table.snapshot()
        shown = self._page(snapshot, question)
        return self._pages.answer(
            "admin.html",
            version=self._options.version,
            csrf=session.csrf,
            rows=shown.connections,
            total=shown.total,
            sort=question.sort,
            limit=question.limit,
            cursor=shown.cursor,
            summary=msgspec.to_builtins(self._desk.summary(snapshot)),
        )

    async def summary(self, request: web.Request) -> web.Response:
        """`GET /admin/api/summary`"""
        self._login.reader(request)
        return json_answer(self._desk.summary(await self._table.snapshot()))

    async def connections(self, request: web.Request) -> web.Response:
        """`GET /admin/api/connections`"""
        self._login.reader(request)
        return json_answer(self._page(await self._table.snapshot(), asked(request)))

    @staticmethod
    def _page(snapshot: Snapshot, question: Asked) -> TablePage:
        return snapshot.page(question.sort, question.limit, question.cursor)

    async def kick(self, request: web.Request) -> web.Response:
        """`DELETE /admin/api/connections/{id}`"""
        session = self._login.writer(request, request.headers.get("X-CSRF-Token"))
        order = self._order(await read_body(request, self._options.body_limit, self._options.body_deadline))
        target = request.match_info["id"]
        self._kick(request, target, order.reason, session.name)
        return json_answer({"id": target, "kicked": True})

    async def kick_form(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/kick`: the same from a form."""
        fields = await self._login.form(request)
        session = self._login.writer(request, fields.get("csrf") or request.headers.get("X-CSRF-Token"))
        self._kick(request, fields.get("id", ""), fields.get("reason", ""), session.name)
        return web.Response(status=303, headers={"Location": "/admin"})

    def _order(self, body: bytes) -> KickOrder:
        if not body:
            return KickOrder()
        try:
            return self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(Code.BAD_MESSAGE, f"the body is not what is expected: {error}") from error

    def _kick(self, request: web.Request, target: str, reason: str, by: str) -> None:
        if len(reason.encode("utf-8", "replace")) > REASON_LIMIT:
            raise Refusal(Code.TOO_LONG, f"a reason has at most {REASON_LIMIT} bytes")
        done = self._chat.kick(target, reason, by)
        log.info("kick of %r by %s from %s: %s", target[:20], by, request.remote, "done" if done else "already gone")
        if not done:
            raise Refusal(Code.NO_SUCH_USER, "there is no such connection: it may be gone already")
        self._table.expire()


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
        web.get("/admin/api/connections", dashboard.connections),
        web.delete("/admin/api/connections/{id}", dashboard.kick),
    ]
