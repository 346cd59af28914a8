"""`/admin/api/…` for the gateway itself: drain, maintenance, log level, and the feed of recent events."""

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web

from gateway.core.gate import DoorState
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.operators.drain import PER_SECOND, SPREAD_SECONDS, DrainingDoor
from gateway.core.operators.log_level import SECONDS
from gateway.core.operators.maintenance import BackupReport
from gateway.core.protocol.message import Door
from gateway.core.stats.recent import Happening
from gateway.web.dispatch import Call, Order
from gateway.web.http.request import answered
from gateway.web.tables.ask_nodes import Survey
from gateway.web.tables.paging import PAGE_DEFAULT

WORST = (DoorState.DRAINING, DoorState.CLOSED)
HEARD_SECONDS = 5.0
HEARD_PAUSE = 0.05


class DrainRequest(Order):
    """Without a door: all of them; without a node: of all nodes. `spread_seconds` is the time over which disconnected
    peers come back."""

    door: Door | None = None
    node: str = ""
    per_second: int = PER_SECOND
    spread_seconds: float = SPREAD_SECONDS


class MaintenanceRequest(Order):
    """Switch maintenance on or off; `text` is shown to newcomers meanwhile."""

    on: bool
    text: str = ""


class LogLevelRequest(Order):
    """The level, and for how long."""

    level: str
    seconds: int = SECONDS


class BackupRequest(Order):
    """The whole path of the file, on the gateway's machine, and whether one that is there is replaced."""

    file: str
    replace: bool = False

    @property
    def target(self) -> str:
        """As `Order.target`."""
        return self.file


class EpochRequest(Order):
    """The room that gets a new epoch."""

    room: str

    @property
    def target(self) -> str:
        """As `Order.target`."""
        return self.room


class EpochRenewed(msgspec.Struct, frozen=True):
    """What was done, in words."""

    text: str


class EventRow(msgspec.Struct, frozen=True):
    """An event at `at` (ms since 1970), see `core.stats.recent`. `id` and `nick` are those of a connection, null for an
    event of none; the nick is also null for one that closed long ago."""

    number: int
    at: int
    event: str
    id: str | None
    nick: str | None
    detail: str


class EventLines(msgspec.Struct):
    """Recent events, oldest first. `cursor` is the number of the last event here, `last` that of the last of all;
    `missed` is how many between `after` and the first are no longer held."""

    events: list[EventRow]
    cursor: int
    last: int
    missed: int


TICKS = 1024
"""An event of several nodes is numbered by its ms, with so many numbers in each."""


class EventQuestion(msgspec.Struct, frozen=True):
    """The first events after a moment (ms, by Redis' clock); None: the latest."""

    after: int | None
    limit: int


class NodeEvents(msgspec.Struct):
    """Events of one node, oldest first, their times by Redis' clock; there are no others before `until`."""

    events: list[EventRow]
    until: int


class DrainReport(msgspec.Struct):
    """`state` of the worst door: ready, draining or closed; `per_second` is null when all are ready."""

    state: str
    per_second: int | None
    doors: list[DrainingDoor]


class MaintenanceReport(msgspec.Struct):
    """Whether newcomers are turned away, with which words, and since when (ms since 1970)."""

    on: bool
    text: str | None
    since: int | None


class LogLevel(msgspec.Struct):
    """The level now, the `usual` one, and `until` when (ms since 1970) it is another."""

    level: str
    usual: str
    until: int | None


class MaintenanceEndpoints:
    """The handlers."""

    def __init__(self, hub: Hub, operators: Operators, survey: Survey) -> None:
        self._hub = hub
        self._operators = operators
        self._survey = survey
        survey.serve("drain", None, self._serve_progress)
        survey.serve("events", EventQuestion, self._serve_events)

    async def drain(self, call: Call[DrainRequest]) -> DrainReport:
        """`POST /admin/api/drain`"""
        order, draining = call.body, self._operators.drain
        await answered(draining.begin(call.operator, order.door, order.per_second, order.spread_seconds, order.node))
        return await self._changed(lambda state: state != DoorState.READY)

    async def cancel(self, call: Call[None]) -> DrainReport:
        """`DELETE /admin/api/drain`"""
        await answered(self._operators.drain.cancel(call.operator))
        return await self._changed(lambda state: state == DoorState.READY)

    async def progress(self, call: Call[None]) -> DrainReport:
        """`GET /admin/api/drain`"""
        return await self._progress()

    async def maintain(self, call: Call[MaintenanceRequest]) -> MaintenanceReport:
        """`POST /admin/api/maintenance`"""
        order = call.body
        await answered(self._operators.maintenance.switch(call.operator, order.on, order.text))
        return self._maintenance()

    async def maintenance(self, call: Call[None]) -> MaintenanceReport:
        """`GET /admin/api/maintenance`"""
        return self._maintenance()

    async def turn_log(self, call: Call[LogLevelRequest]) -> LogLevel:
        """`POST /admin/api/log-level`"""
        order = call.body
        await answered(self._operators.log_level.change(call.operator, order.level, order.seconds))
        return self._level()

    async def log_level(self, call: Call[None]) -> LogLevel:
        """`GET /admin/api/log-level`"""
        return self._level()

    async def back_up(self, call: Call[BackupRequest]) -> BackupReport:
        """`POST /admin/backup`"""
        return await answered(self._operators.store.begin_backup(call.operator, call.body.file, call.body.replace))

    async def backup(self, call: Call[None]) -> BackupReport:
        """`GET /admin/backup`"""
        report = self._operators.store.backup
        if report is None:
            raise web.HTTPNotFound
        return report

    async def stop_backup(self, call: Call[None]) -> BackupReport:
        """`DELETE /admin/backup`"""
        await answered(self._operators.store.stop_backup(call.operator))
        return await self.backup(call)

    async def renew_epoch(self, call: Call[EpochRequest]) -> EpochRenewed:
        """`POST /admin/new-epoch`"""
        outcome = await answered(self._operators.store.new_epoch(call.operator, call.body.room))
        return EpochRenewed(outcome.words)

    async def events(self, call: Call[None]) -> EventLines:
        """`GET /admin/api/events`: oldest first; without `after` the latest."""
        limit, after = call.query.get("limit", PAGE_DEFAULT), call.query.get("after")
        if not self._survey.alone:
            return await self.events_of_all(after, limit)
        ring = self._hub.stats.recent
        first, rows = self._events(ring.last - limit if after is None else after, limit)
        missed = max(0, first - 1 - after) if after is not None else 0
        return EventLines(rows, first + len(rows) - 1, ring.last, missed)

    async def events_of_all(self, after: int | None, limit: int) -> EventLines:
        """The events of all nodes, by time. Those of a moment that a node may not have told of yet come later: so none
        is missed, and none comes twice, whichever nodes are asked one after the other."""
        question = EventQuestion(None if after is None else after // TICKS, limit)
        found, _ = await self._survey.ask("events", lambda card: question, NodeEvents)
        nodes = [self._own_events(question), *(events for _, events in found)]
        until = min(each.until for each in nodes)
        rows = sorted((row for each in nodes for row in each.events if row.at < until), key=lambda row: row.at)
        if after is None:
            rows = rows[-limit:]
        elif len(rows) > limit:
            until = rows[limit - 1].at + 1
            rows = [row for row in rows if row.at < until]
        clock, cursor = self._clock_ms(), max(after or 0, until * TICKS - 1)
        shown = [
            msgspec.structs.replace(row, number=row.at * TICKS + place % TICKS, at=row.at - clock)
            for place, row in enumerate(rows)
        ]
        return EventLines(shown, cursor, cursor, 0)

    async def _serve_events(self, question: EventQuestion) -> NodeEvents:
        return self._own_events(question)

    def _own_events(self, question: EventQuestion) -> NodeEvents:
        clock, ring = self._clock_ms(), self._hub.stats.recent
        held = self._events(0, ring.last)[1]
        rows = [msgspec.structs.replace(row, at=row.at + clock) for row in held]
        until = self._hub.clock.wall() + clock
        if question.after is None:
            return NodeEvents(rows[-question.limit :], until)
        rows = [row for row in rows if row.at > question.after]
        if len(rows) > question.limit:
            until = rows[question.limit - 1].at + 1
            rows = [row for row in rows if row.at < until]
        return NodeEvents(rows, until)

    def _clock_ms(self) -> int:
        card = self._survey.own_card()
        return 0 if card is None else card.clock_ms

    async def latest(self, limit: int) -> list[EventRow]:
        """The last events, the newest first."""
        if not self._survey.alone:
            return (await self.events_of_all(None, limit)).events[::-1]
        return self._events(self._hub.stats.recent.last - limit, limit)[1][::-1]

    def _events(self, after: int, limit: int) -> tuple[int, list[EventRow]]:
        """The number of the first event after `after`, and at most `limit` events from there on."""
        first, found = self._hub.stats.recent.after(after, limit)
        gone = {each.number: each.nick for each in self._hub.stats.closed.last}
        return first, [self._event(first + place, each, gone) for place, each in enumerate(found)]

    def _event(self, place: int, each: Happening, gone: dict[int, str]) -> EventRow:
        if not each.session:
            return EventRow(place, each.at, each.event, None, None, each.detail)
        session = self._hub.sessions.get(each.session)
        nick = session.nick if session is not None else gone.get(each.session)
        return EventRow(place, each.at, each.event, f"{each.session:x}", nick, each.detail)

    async def _serve_progress(self, question: None) -> DrainReport:
        return self._report(self._operators.drain.progress(), self._operators.drain.per_second)

    async def _changed(self, wanted: Callable[[str], bool]) -> DrainReport:
        """The drain of all nodes, once they have heard what was ordered here: they hear it by the stream, and a
        question may overtake it. Whoever has not heard after HEARD_SECONDS is reported as it is."""
        deadline = self._hub.clock.now() + HEARD_SECONDS
        report = await self._progress()
        while not wanted(report.state) and self._hub.clock.now() < deadline and not self._survey.alone:
            await asyncio.sleep(HEARD_PAUSE)
            report = await self._progress()
        return report

    async def _progress(self) -> DrainReport:
        """The drain of all nodes: a door's connections are added up, its state is the worst."""
        draining = self._operators.drain
        found, _ = await self._survey.ask("drain", lambda card: None, DrainReport)
        doors: dict[Door, DrainingDoor] = {}
        for each in (*draining.progress(), *(door for _, report in found for door in report.doors)):
            known = doors.get(each.door)
            doors[each.door] = each if known is None else _both(known, each)
        rates = [draining.per_second, *(report.per_second or 0 for _, report in found)]
        return self._report(list(doors.values()), max(rates))

    def _report(self, doors: list[DrainingDoor], per_second: int) -> DrainReport:
        states = {each.state for each in doors}
        worst = next((each for each in WORST if each in states), DoorState.READY)
        rate = per_second if worst is not DoorState.READY else None
        return DrainReport(worst, rate, doors)

    def _maintenance(self) -> MaintenanceReport:
        maintenance = self._operators.maintenance
        return MaintenanceReport(maintenance.words is not None, maintenance.words, maintenance.since)

    def _level(self) -> LogLevel:
        log_level = self._operators.log_level
        return LogLevel(log_level.now, log_level.usual, log_level.until)


def _both(some: DrainingDoor, other: DrainingDoor) -> DrainingDoor:
    """One door at two nodes."""
    states = {some.state, other.state}
    state = next((each for each in WORST if each in states), some.state)
    total, sent, left = some.total + other.total, some.sent + other.sent, some.left + other.left
    return DrainingDoor(some.door, state, total, sent, left)
