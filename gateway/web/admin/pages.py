"""The dashboard's pages and their forms: connections, rooms, bans, mutes, audit, sessions; usable without scripts.

All pages share a frame: the operator who is logged in, the gateway's health, the navigation.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from yarl import URL

from gateway import wording
from gateway.accounts.authenticator import Authenticator
from gateway.core import name_rules
from gateway.core.answer import Answer
from gateway.core.operators.audit import Outcome
from gateway.core.operators.removal_rights import MessagePlace
from gateway.core.operators.whom import BanBy, Subject
from gateway.core.ports.ledger import Measure
from gateway.core.protocol.message import Door
from gateway.core.quantity import parse_duration, whole_number
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from gateway.web.admin.login import SessionEndpoints
from gateway.web.admin.maintenance import MaintenanceEndpoints
from gateway.web.admin.moderation import ModerationEndpoints, meant
from gateway.web.admin.summary import SummaryEndpoints
from gateway.web.dispatch import Call, Fields, Misread
from gateway.web.http.origin_policy import OriginPolicy, host_name
from gateway.web.settings import WebOptions
from gateway.web.static_files import Pages
from gateway.web.tables.ask_nodes import Survey
from gateway.web.tables.columns import CONNECTIONS, NODES_CONNECTIONS, NODES_ROOMS, ROOMS, shown_in
from gateway.web.tables.connection_row import NODE_WORDS, WORDS
from gateway.web.tables.connections import MergedTable
from gateway.web.tables.filter import BadWord, without_each
from gateway.web.tables.paging import TableQuery, table_query
from gateway.web.tables.rooms import NODE_ROOM_WORDS, ROOM_SORT, ROOM_WORDS, RoomPage, RoomTable
from gateway.web.tables.snapshots import SORT_DEFAULT, TablePage


class AdminFrame:
    """Renders pages of the dashboard."""

    def __init__(
        self,
        authenticator: Authenticator,
        sessions: SessionEndpoints,
        summary: SummaryEndpoints,
        site: OriginPolicy,
        pages: Pages,
    ) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._summary = summary
        self._site = site
        self._pages = pages

    async def answer(self, call: Call[None], template: str, here: str, **context: Any) -> web.Response:
        """The page `template`, which the navigation calls `here`, with its own context and that of the frame."""
        operator, session = call.operator, call.session
        assert session is not None, "the row is of a page"
        return await self._pages.answer_in_slices(
            template,
            here=here,
            summary=msgspec.to_builtins(await self._summary.now()),
            user={"name": operator.name, "role": operator.role.word},
            others=self._sessions.others(call),
            may_operate=operator.role >= Role.OPERATOR,
            may_administer=operator.role >= Role.ADMIN,
            csrf=session.csrf,
            passwords=self._authenticator.has_operators,
            result=wording.RESULTS.get(call.query.get("result", "")),
            page_url=str(self._site.base(call.request)) + "/",
            **context,
        )


PANEL_ROWS = 12
"""Events and closed connections below the table."""


class Dashboard:
    """`/admin`: the connections."""

    def __init__(
        self,
        table: MergedTable,
        maintenance: MaintenanceEndpoints,
        frame: AdminFrame,
        site: OriginPolicy,
        options: WebOptions,
        survey: Survey,
    ) -> None:
        self._table = table
        self._columns = CONNECTIONS if survey.alone else NODES_CONNECTIONS
        self._several = not survey.alone
        self._words = WORDS if survey.alone else NODE_WORDS
        self._maintenance = maintenance
        self._frame = frame
        self._site = site
        self._options = options

    async def page(self, call: Call[None]) -> web.Response:
        """`GET /admin`"""
        question = table_query(call.query, SORT_DEFAULT)
        try:
            page, problem = await self._table.page(question), None
        except BadWord as bad:
            every = await self._table.page(TableQuery(SORT_DEFAULT, 1))
            page, problem = TablePage([], 0, every.of, None, every.at, None, every.missing), bad.place()
        closed = await self._table.page(TableQuery("-closed_at", PANEL_ROWS, state="closed"))
        return await self._frame.answer(
            call,
            "admin.html",
            "connections",
            columns=self._columns,
            shown=shown_in(question.state, self._columns),
            page=msgspec.to_builtins(page),
            several=self._several,
            problem=problem,
            query=msgspec.to_builtins(question),
            examples=self._words.examples,
            chosen=without_each(question.q) if problem is None else [],
            events=msgspec.to_builtins(await self._maintenance.latest(PANEL_ROWS)),
            closed=msgspec.to_builtins(closed.connections),
            may_watch=self._options.watch and call.operator.role >= Role.ADMIN,
            **self._options.terminal_ways(host_name(self._site.host(call.request))),
        )


class ListPages:
    """The pages besides the connections."""

    def __init__(
        self,
        frame: AdminFrame,
        rooms: RoomTable,
        moderation: ModerationEndpoints,
        sessions: SessionEndpoints,
        survey: Survey,
    ) -> None:
        self._columns = ROOMS if survey.alone else NODES_ROOMS
        self._words = ROOM_WORDS if survey.alone else NODE_ROOM_WORDS
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
            columns=self._columns,
            page=msgspec.to_builtins(page),
            problem=problem,
            query=msgspec.to_builtins(question),
            examples=self._words.examples,
            chosen=without_each(question.q) if problem is None else [],
        )

    async def bans(self, call: Call[None]) -> web.Response:
        """`GET /admin/bans`"""
        return await self._sanctions(call, Measure.BAN)

    async def mutes(self, call: Call[None]) -> web.Response:
        """`GET /admin/mutes`"""
        return await self._sanctions(call, Measure.MUTE)

    async def _sanctions(self, call: Call[None], measure: Measure) -> web.Response:
        rows, total, cursor = self._moderation.sanctions(call, measure)
        page = {"rows": msgspec.to_builtins(rows), "total": total, "cursor": cursor}
        q = call.query.get("q", "")
        return await self._frame.answer(call, "bans.html", "bans", measure=measure.value, page=page, q=q)

    async def audit(self, call: Call[None]) -> web.Response:
        """`GET /admin/audit`"""
        page = await self._moderation.audit(call)
        return await self._frame.answer(
            call,
            "audit.html",
            "audit",
            **msgspec.to_builtins(page),
            first=not call.query.get("cursor"),
            q=call.query.get("q", ""),
        )

    async def sessions(self, call: Call[None]) -> web.Response:
        """`GET /admin/sessions`"""
        rows = msgspec.to_builtins(self._sessions.rows(call))
        return await self._frame.answer(call, "sessions.html", "sessions", sessions=rows)


# Forms without script: each runs a verb of `core.operators` and leads back to its page

FORM_PAGES = ("/admin", "/admin/rooms", "/admin/bans", "/admin/mutes", "/admin/audit", "/admin/sessions")
"""The pages that have forms, and so the only ones that a form leads back to."""
TARGETS = ("nick", "address", "connection")

Sanctioning = Callable[[Operator, Subject, str, int | None, bool], Answer[Outcome | Refusal]]
Lifting = Callable[[Operator, str], Answer[Outcome | Refusal]]


class AdminForms:
    """The handlers."""

    def __init__(self, moderation: ModerationEndpoints, sessions: SessionEndpoints, options: WebOptions) -> None:
        self._moderation = moderation
        self._verbs = moderation.verbs
        self._sessions = sessions
        self._options = options

    async def kick(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/kick`: id, reason, ban_seconds, ban_by"""
        fields, by = call.body, call.body.get("ban_by", "")
        if by not in list(BanBy):
            raise Misread(Code.BAD_MESSAGE, wording.BAN_GOES_BY.format(ways=", ".join(filter(None, BanBy))))
        whom = Subject(fields.get("id", ""), by=BanBy(by))
        reason, seconds = fields.get("reason", ""), seconds_of(fields.get("ban_seconds", ""))
        return await self._do(call, "kicked", self._verbs.kick(call.operator, whom, reason, seconds))

    async def ban(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/bans`: by, target, reason, seconds, sure"""
        return await self._sanction(call, self._verbs.ban, "banned")

    async def mute(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/mutes`: by, target, reason, seconds, sure"""
        return await self._sanction(call, self._verbs.mute, "muted")

    async def lift_ban(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/bans/lift`: id"""
        return await self._lift(call, self._verbs.unban)

    async def lift_mute(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/mutes/lift`: id"""
        return await self._lift(call, self._verbs.unmute)

    async def announce(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/announce`: text, door, room; the last two may be empty"""
        text, room = call.body.get("text", ""), call.body.get("room") or None
        door = door_of(call.body.get("door", ""))
        return await self._do(call, "announced", self._verbs.announce(call.operator, text, door, room))

    async def redact(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/redact`: room, seq, reason"""
        place = place_of(call.body)
        reason = call.body.get("reason", "")
        return await self._do(call, "redacted", self._moderation.redaction.redact(call.operator, place, reason))

    async def end_session(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/sessions/end`: id"""
        try:
            await self._sessions.finish(call.operator, call.body.get("id", ""))
        except Refusal as refusal:
            return self._gone(call, refusal)
        return self._back(call, "ended")

    async def _sanction(self, call: Call[Fields], verb: Sanctioning, result: str) -> web.StreamResponse:
        fields, whom, sure = call.body, whom_of(call.body), "sure" in call.body
        reason, seconds = fields.get("reason", ""), seconds_of(fields.get("seconds", ""))
        return await self._do(call, result, verb(call.operator, whom, reason, seconds, sure))

    async def _lift(self, call: Call[Fields], verb: Lifting) -> web.StreamResponse:
        id = call.body.get("id", "")
        return await self._do(call, "lifted", verb(call.operator, id))

    async def _do(self, call: Call[Fields], result: str, answer: Answer[Outcome | Refusal]) -> web.StreamResponse:
        """Wait for the verb, and redirect to the page with the form, which then shows the result."""
        try:
            await self._moderation.do(answer)
        except Refusal as refusal:
            return self._gone(call, refusal)
        return self._back(call, result)

    def _back(self, call: Call[Fields], result: str) -> web.Response:
        page = page_of(call.request, self._options.base_path).update_query(result=result)
        return web.Response(status=303, headers={"Location": self._options.at(str(page))})

    def _gone(self, call: Call[Fields], refusal: Refusal) -> web.Response:
        """The subject is gone already: that is a result, not an error. Any other Refusal is raised."""
        if refusal.code is not Code.NO_SUCH_USER:
            raise refusal
        return self._back(call, "gone")


def page_of(request: web.Request, base_path: str) -> URL:
    """The page that a form stood on, as the gateway knows it."""
    try:
        page = URL(request.headers.get("Referer", ""))
    except ValueError:
        return URL(FORM_PAGES[0])
    path = page.path.removeprefix(base_path)
    return URL.build(path=path, query=page.query) if path in FORM_PAGES else URL(FORM_PAGES[0])


def whom_of(fields: Fields) -> Subject:
    """The subject that `by` and `target` name. Raises Misread."""
    by, target = fields.get("by", "nick"), fields.get("target", "").strip()
    if by not in TARGETS or not target:
        raise Misread(Code.BAD_MESSAGE, wording.SAY_WHO_IS_MEANT.format(ways=", ".join(TARGETS)))
    connection, nick, address = (target if by == each else "" for each in ("connection", "nick", "address"))
    return meant(Subject(connection, nick, address))


def seconds_of(text: str) -> int | None:
    """The duration in seconds; None: for ever. Raises Misread."""
    if not text.strip():
        return None
    try:
        return round(parse_duration(text))
    except ValueError:
        raise Misread(Code.BAD_MESSAGE, wording.NOT_A_DURATION) from None


def place_of(fields: Fields) -> MessagePlace:
    """The message that `room` and `seq` name. Raises Misread."""
    seq = fields.get("seq", "").strip().removeprefix("#")
    try:
        room = name_rules.room(fields.get("room", "").strip())
    except Refusal as refusal:
        raise Misread(refusal.code, refusal.text) from refusal
    number = whole_number(seq)
    if number is None:
        raise Misread(Code.BAD_MESSAGE, wording.SAY_WHICH_NUMBER)
    return MessagePlace(room, number)


def door_of(text: str) -> Door | None:
    """The door; None: all. Raises Misread."""
    if not text:
        return None
    try:
        return Door(text)
    except ValueError as error:
        raise Misread(Code.BAD_MESSAGE, wording.NOT_A_DOOR.format(doors=", ".join(Door))) from error
