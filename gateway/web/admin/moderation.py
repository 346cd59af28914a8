"""`/admin/api/…` for moderation: kicks, bans, mutes, messages, announcements, and the audit log.

Every write goes through `core.operators`, which checks the role again and records it; a request without a session or
with a wrong CSRF token is recorded as a stranger's. Lists are newest first, a page at a time.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from gateway import wording
from gateway.core.address import parse_address
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.operators.audit import Outcome
from gateway.core.operators.whom import BanBy, Subject
from gateway.core.ports.ledger import AUDIT_FIELDS, AuditPage, AuditQuery, Measure, Sanction
from gateway.core.protocol.message import Door
from gateway.core.quantity import whole_number
from gateway.errors import Code, Refusal
from gateway.web.dispatch import Call, Order
from gateway.web.http.request import answered
from gateway.web.tables.connections import MergedTable
from gateway.web.tables.paging import PAGE_DEFAULT

QUERY_LIMIT = 300
TERMS_LIMIT = 8


class KickRequest(Order):
    """The optional body of a kick."""

    reason: str = ""
    ban_seconds: int | None = None
    ban_by: BanBy = BanBy.USUAL

    @property
    def words_said(self) -> str:
        return self.reason


def meant(whom: Subject) -> Subject:
    """The subject of a request: an address in the place of a nick means the address, as for `/ban`, never a nick."""
    return Subject(address=whom.nick) if parse_address(whom.nick) is not None else whom


class SanctionRequest(Order):
    """A ban or a mute: exactly one of nick, address and connection; without `seconds` it has no end. An IPv6 address
    means its /64 unless /128 is written. A ban of somebody who is connected goes `by` name, address or both. `sure` is
    needed for what is probably a mistake, like the asker's own address; the refusal says so."""

    nick: str = ""
    address: str = ""
    connection: str = ""
    by: BanBy = BanBy.USUAL
    reason: str = ""
    seconds: int | None = None
    sure: bool = False

    def __post_init__(self) -> None:
        if sum(map(bool, (self.connection, self.nick, self.address))) != 1:
            raise ValueError(wording.EXACTLY_ONE_TARGET)

    @property
    def whom(self) -> Subject:
        """The target of the request."""
        return meant(Subject(self.connection, self.nick, self.address, by=self.by))

    @property
    def target(self) -> str:
        return self.whom.text

    @property
    def words_said(self) -> str:
        return self.reason


class MessageRequest(Order):
    """A text to one connection."""

    text: str

    @property
    def words_said(self) -> str:
        return self.text


class AnnounceRequest(Order):
    """A text to all connections, or to those of a door, a room or both."""

    text: str
    door: Door | None = None
    room: str | None = None

    @property
    def words_said(self) -> str:
        return self.text


class SanctionRow(msgspec.Struct, frozen=True):
    """A ban or a mute. Times: ms since 1970; `until` null = for ever."""

    id: str
    kind: str
    target: str
    reason: str
    author: str
    created_at: int
    until: int | None


class BanPage(msgspec.Struct):
    """Some of the bans in force, newest first."""

    bans: list[SanctionRow]
    total: int
    cursor: str | None


class MutePage(msgspec.Struct):
    """Some of the mutes in force, newest first."""

    mutes: list[SanctionRow]
    total: int
    cursor: str | None


class Kicked(msgspec.Struct):
    """The connection is closed; `ban` is null when none was asked for."""

    id: str
    kicked: Literal[True]
    ban: SanctionRow | None


class Told(msgspec.Struct):
    """The text is on its way."""

    id: str
    told: Literal[True]


class Announced(msgspec.Struct):
    """The number of connections that are told."""

    connections: int


class Banned(msgspec.Struct):
    """The ban, and the number of connections that it closed."""

    ban: SanctionRow
    connections: int


class Muted(msgspec.Struct):
    """The mute."""

    mute: SanctionRow


class Lifted(msgspec.Struct):
    """The ban or mute is no longer in force."""

    id: str
    lifted: Literal[True]


class ModerationEndpoints:
    """The handlers of kicks, bans, mutes, messages, announcements and the audit log."""

    def __init__(self, hub: Hub, operators: Operators, table: MergedTable) -> None:
        self._hub = hub
        self.verbs = operators.moderation
        self.redaction = operators.redaction
        self._audit = operators.audit
        self._table = table

    async def kick(self, call: Call[KickRequest]) -> Kicked:
        """`DELETE /admin/api/connections/{id}`"""
        order = call.body
        outcome = await self.do(
            self.verbs.kick(call.operator, Subject(call.id, by=order.ban_by), order.reason, order.ban_seconds)
        )
        return Kicked(call.id, True, _shown(outcome.sanctions[0]) if outcome.sanctions else None)

    async def message(self, call: Call[MessageRequest]) -> Told:
        """`POST /admin/api/connections/{id}/message`"""
        await self.do(self.verbs.message(call.operator, Subject(call.id), call.body.text))
        return Told(call.id, True)

    async def announce(self, call: Call[AnnounceRequest]) -> Announced:
        """`POST /admin/api/announce`"""
        order = call.body
        outcome = await self.do(self.verbs.announce(call.operator, order.text, order.door, order.room))
        return Announced(outcome.connections)

    async def ban(self, call: Call[SanctionRequest]) -> Banned:
        """`POST /admin/api/bans`"""
        outcome = await self._sanction(call, self.verbs.ban)
        return Banned(_shown(outcome.sanctions[0]), outcome.connections)

    async def mute(self, call: Call[SanctionRequest]) -> Muted:
        """`POST /admin/api/mutes`"""
        outcome = await self._sanction(call, self.verbs.mute)
        return Muted(_shown(outcome.sanctions[0]))

    async def _sanction(self, call: Call[SanctionRequest], verb: Callable[..., Answer[Outcome | Refusal]]) -> Outcome:
        order = call.body
        return await self.do(verb(call.operator, order.whom, order.reason, order.seconds, order.sure))

    async def unban(self, call: Call[None]) -> Lifted:
        """`DELETE /admin/api/bans/{id}`"""
        await self.do(self.verbs.unban(call.operator, call.id))
        return Lifted(call.id, True)

    async def unmute(self, call: Call[None]) -> Lifted:
        """`DELETE /admin/api/mutes/{id}`"""
        await self.do(self.verbs.unmute(call.operator, call.id))
        return Lifted(call.id, True)

    async def bans(self, call: Call[None]) -> BanPage:
        """`GET /admin/api/bans`"""
        return BanPage(*self.sanctions(call, Measure.BAN))

    async def mutes(self, call: Call[None]) -> MutePage:
        """`GET /admin/api/mutes`"""
        return MutePage(*self.sanctions(call, Measure.MUTE))

    async def audit(self, call: Call[None]) -> AuditPage:
        """`GET /admin/api/audit`: what is asked for by `q`, `limit` and `cursor`."""
        query = AuditQuery(call.query.get("cursor"), call.query.get("limit", PAGE_DEFAULT), _terms(call))
        return await answered(self._audit.read(call.operator, query))

    async def do(self, answer: Answer[Outcome | Refusal]) -> Outcome:
        """The outcome of one verb. Raises Refusal."""
        try:
            return await answered(answer)
        finally:
            self._table.expire()

    def sanctions(self, call: Call[None], measure: Measure) -> tuple[list[SanctionRow], int, str | None]:
        """The bans or mutes that a call asks for by `q`, `limit` and `cursor`; how many match; the next cursor."""
        table = self._hub.bans if measure is Measure.BAN else self._hub.mutes
        words = call.query.get("q", "")[:QUERY_LIMIT].lower().split()
        limit, begin = call.query.get("limit", PAGE_DEFAULT), _begin(call.query.get("cursor"))
        found = [each for each in table.holding() if _matches(each, words)]
        rest = found if begin is None else [each for each in found if _place(each) < begin]
        cursor = "{}.{}".format(*_place(rest[limit - 1])) if len(rest) > limit else None
        return [_shown(each) for each in rest[:limit]], len(found), cursor


def _shown(each: Sanction) -> SanctionRow:
    return SanctionRow(each.id, each.kind, each.target, each.reason, each.author, each.created, each.until)


def _matches(each: Sanction, words: list[str]) -> bool:
    text = f"{each.target} {each.reason} {each.author}".lower()
    return all(word in text for word in words)


def _place(each: Sanction) -> tuple[int, str]:
    return each.created, each.id


def _begin(cursor: str | None) -> tuple[int, str] | None:
    """Where the page before ended, in its cursor. Raises Refusal."""
    if not cursor:
        return None
    first, _, id = cursor.partition(".")
    created = whole_number(first)
    if created is None:
        raise Refusal(Code.BAD_MESSAGE, wording.CURSOR_NOT_OURS)
    return created, id


def _terms(call: Call[Any]) -> list[tuple[str, str]]:
    """The words of `q`: `who:ana`, `action:ban`, or a word that may stand anywhere."""
    given = call.query.get("q", "")
    words = given.lower().split()
    if len(words) > TERMS_LIMIT or len(given) > QUERY_LIMIT:
        raise Refusal(Code.BAD_MESSAGE, wording.AUDIT_QUERY_LONG.format(words=TERMS_LIMIT, characters=QUERY_LIMIT))
    split = [word.partition(":") for word in words]
    return [(field, rest) if field in AUDIT_FIELDS else ("", field + colon + rest) for field, colon, rest in split]
