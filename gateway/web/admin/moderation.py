"""`/admin/api/…` for what operators do: bans, mutes, messages, announcements, kicks, and the audit log.

Every attempt to change something goes through `core.operators.moderation`, which checks the role and records it; who
has no session or the wrong CSRF token is recorded as a stranger. Lists are answered newest first, a page at a time.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.operators.moderation import Moderation, Outcome, Subject
from gateway.core.operators.roles import AuditEntry, Role
from gateway.core.ports import AuditPage, AuditQuery, Measure, Sanction
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import Login, WriteRequests
from gateway.web.http.query import ask, number, only
from gateway.web.http.responses import json_answer
from gateway.web.tables.connections import ConnectionTable

PAGE_DEFAULT = 50
PAGE_LIMIT = 500
QUERY_LIMIT = 300
TERMS_LIMIT = 8
PAGED = ("q", "limit", "cursor")
AUDIT_FIELDS = ("who", "source", "action", "target", "reason", "result")


class KickRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The optional body of a kick."""

    reason: str = ""
    ban_seconds: int | None = None


class SanctionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A ban or a mute: exactly one of nick, address and connection; without `seconds` it has no end."""

    nick: str = ""
    address: str = ""
    connection: str = ""
    reason: str = ""
    seconds: int | None = None
    sure: bool = False

    def __post_init__(self) -> None:
        if sum(map(bool, self.whom)) != 1:
            raise ValueError("say exactly one of nick, address and connection")

    @property
    def whom(self) -> Subject:
        """Who is meant."""
        return Subject(self.connection, self.nick, self.address)


class MessageRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Words to one connection."""

    text: str


class AnnounceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Words to everybody, or to a door, a room or both."""

    text: str
    door: Door | None = None
    room: str | None = None


class SanctionRow(msgspec.Struct, frozen=True):
    """A ban or mute as it is shown. Times: ms since 1970; `until` null = for ever."""

    id: str
    kind: str
    target: str
    reason: str
    author: str
    created_at: int
    until: int | None


class SanctionPage(msgspec.Struct, frozen=True):
    """Some rows, how many match in all, and the cursor of the next page (None at the end)."""

    rows: list[SanctionRow]
    total: int
    cursor: str | None


class ModerationEndpoints:
    """The handlers."""

    def __init__(self, hub: Hub, login: Login, table: ConnectionTable, orders: WriteRequests) -> None:
        self._hub = hub
        self._login = login
        self._table = table
        self._orders = orders

    async def kick(self, request: web.Request) -> web.Response:
        """`DELETE /admin/api/connections/{id}`"""
        target = request.match_info["id"]
        operator, order = await self._orders.take(request, "kick", target, KickRequest, optional=True)
        outcome = await self.do(
            lambda it, done: it.kick(operator, Subject(target), order.reason, done, order.ban_seconds)
        )
        return json_answer({"id": target, "kicked": True, "ban": _row(outcome.sanction)})

    async def message(self, request: web.Request) -> web.Response:
        """`POST /admin/api/connections/{id}/message`"""
        target = request.match_info["id"]
        operator, order = await self._orders.take(request, "message", target, MessageRequest)
        await self.do(lambda it, done: it.message(operator, Subject(target), order.text, done))
        return json_answer({"id": target, "told": True})

    async def announce(self, request: web.Request) -> web.Response:
        """`POST /admin/api/announce`"""
        operator, order = await self._orders.take(request, "announce", "", AnnounceRequest)
        outcome = await self.do(lambda it, done: it.announce(operator, order.text, done, order.door, order.room))
        return json_answer({"connections": outcome.connections})

    async def ban(self, request: web.Request) -> web.Response:
        """`POST /admin/api/bans`"""
        operator, order = await self._orders.take(request, "ban", "", SanctionRequest)
        outcome = await self.do(
            lambda it, done: it.ban(operator, order.whom, order.reason, order.seconds, done, order.sure)
        )
        return json_answer({"ban": _row(outcome.sanction), "connections": outcome.connections}, 201)

    async def mute(self, request: web.Request) -> web.Response:
        """`POST /admin/api/mutes`"""
        operator, order = await self._orders.take(request, "mute", "", SanctionRequest)
        outcome = await self.do(
            lambda it, done: it.mute(operator, order.whom, order.reason, order.seconds, done, order.sure)
        )
        return json_answer({"mute": _row(outcome.sanction)}, 201)

    async def unban(self, request: web.Request) -> web.Response:
        """`DELETE /admin/api/bans/{id}`"""
        target = request.match_info["id"]
        operator = self._orders.operator(request, "unban", target)
        await self.do(lambda it, done: it.unban(operator, target, done))
        return json_answer({"id": target, "lifted": True})

    async def unmute(self, request: web.Request) -> web.Response:
        """`DELETE /admin/api/mutes/{id}`"""
        target = request.match_info["id"]
        operator = self._orders.operator(request, "unmute", target)
        await self.do(lambda it, done: it.unmute(operator, target, done))
        return json_answer({"id": target, "lifted": True})

    async def bans(self, request: web.Request) -> web.Response:
        """`GET /admin/api/bans`"""
        only(request, *PAGED)
        page = self.sanctions(request, Measure.BAN)
        return json_answer({"bans": page.rows, "total": page.total, "cursor": page.cursor})

    async def mutes(self, request: web.Request) -> web.Response:
        """`GET /admin/api/mutes`"""
        only(request, *PAGED)
        page = self.sanctions(request, Measure.MUTE)
        return json_answer({"mutes": page.rows, "total": page.total, "cursor": page.cursor})

    async def audit(self, request: web.Request) -> web.Response:
        """`GET /admin/api/audit`"""
        only(request, *PAGED)
        page = await self.entries(request)
        entries = [AuditEntry._asdict(entry) for entry in page.entries]
        return json_answer({"entries": entries, "cursor": None if page.cursor is None else str(page.cursor)})

    async def entries(self, request: web.Request) -> AuditPage:
        """The entries of the audit log that a request asks for by `q`, `limit` and `cursor`."""
        operator = self._login.reader(request, Role.VIEWER)
        query = AuditQuery(number(request, "cursor", least=1), _limit(request), _terms(request))

        def verb(done: Callable[[AuditPage | Refusal], None]) -> None:
            self._hub.audit.read(operator, query, done)

        return await ask(verb)

    async def do(self, verb: Callable[[Moderation, Callable[[Outcome | Refusal], None]], None]) -> Outcome:
        """What came of one verb. Raises Refusal."""
        try:
            return await ask(lambda done: verb(self._hub.operations, done))
        finally:
            self._table.expire()

    def sanctions(self, request: web.Request, measure: Measure) -> SanctionPage:
        """The bans or mutes that a request asks for by `q`, `limit` and `cursor`."""
        self._login.reader(request, Role.VIEWER)
        table = self._hub.bans if measure is Measure.BAN else self._hub.mutes
        words, limit = request.query.get("q", "")[:QUERY_LIMIT].lower().split(), _limit(request)
        found = [each for each in table.holding() if _matches(each, words)]
        begin = _begin(request)
        rest = found if begin is None else [each for each in found if _place(each) < begin]
        cursor = "{}.{}".format(*_place(rest[limit - 1])) if len(rest) > limit else None
        return SanctionPage([_shown(each) for each in rest[:limit]], len(found), cursor)


def _shown(each: Sanction) -> SanctionRow:
    return SanctionRow(each.id, each.kind, each.target, each.reason, each.author, each.created, each.until)


def _row(sanction: Sanction | None) -> SanctionRow | None:
    return None if sanction is None else _shown(sanction)


def _matches(each: Sanction, words: list[str]) -> bool:
    text = f"{each.target} {each.reason} {each.author}".lower()
    return all(word in text for word in words)


def _place(each: Sanction) -> tuple[int, str]:
    return each.created, each.id


def _begin(request: web.Request) -> tuple[int, str] | None:
    """Where the page before ended."""
    if not request.query.get("cursor"):
        return None
    created, _, id = request.query["cursor"].partition(".")
    if not (created.isascii() and created.isdigit() and len(created) < 20):
        raise Refusal(Code.BAD_MESSAGE, "the cursor is not one of ours")
    return int(created), id


def _limit(request: web.Request) -> int:
    limit = number(request, "limit", least=1) or PAGE_DEFAULT
    if limit > PAGE_LIMIT:
        raise Refusal(Code.BAD_MESSAGE, f"limit is at most {PAGE_LIMIT}")
    return limit


def _terms(request: web.Request) -> list[tuple[str, str]]:
    """The words of `q`: `who:ana`, `action:ban`, or a word that may stand anywhere."""
    given = request.query.get("q", "")
    words = given.lower().split()
    if len(words) > TERMS_LIMIT or len(given) > QUERY_LIMIT:
        raise Refusal(Code.BAD_MESSAGE, f"at most {TERMS_LIMIT} words, {QUERY_LIMIT} characters")
    split = [word.partition(":") for word in words]
    return [(field, rest) if field in AUDIT_FIELDS else ("", field + colon + rest) for field, colon, rest in split]


def routes(desk: ModerationEndpoints) -> list[Any]:
    """The routes of what operators do."""
    return [
        web.delete("/admin/api/connections/{id}", desk.kick),
        web.post("/admin/api/connections/{id}/message", desk.message),
        web.get("/admin/api/bans", desk.bans),
        web.post("/admin/api/bans", desk.ban),
        web.delete("/admin/api/bans/{id}", desk.unban),
        web.get("/admin/api/mutes", desk.mutes),
        web.post("/admin/api/mutes", desk.mute),
        web.delete("/admin/api/mutes/{id}", desk.unmute),
        web.post("/admin/api/announce", desk.announce),
        web.get("/admin/api/audit", desk.audit),
    ]
