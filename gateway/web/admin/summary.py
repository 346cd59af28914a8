"""The summary at the top of the dashboard, which `gateway status` shows as well: current figures, their peaks, and
their limits; of all nodes, where there are several.

Every node sums up itself; whoever is asked adds these up, at most once in SHARED seconds for all who look, and while
nobody looks nothing is asked. Counts and rates are added, how late or far behind is that of the worst node. The highest
value of a sum is not the sum of the highest, so a figure that is added has no peak. (The time series could be added row
by row, but a node that has ended took its rows with it: after every restart the peak would be too low.)
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.ports.cluster import NodeCard
from gateway.core.stats.health import Cause, Level
from gateway.core.stats.recent import Departure
from gateway.core.stats.sampler import COUNTED
from gateway.errors import Code
from gateway.web.admin.series import WORST
from gateway.web.dispatch import Call
from gateway.web.settings import WebOptions
from gateway.web.tables.ask_nodes import MissingNode, Survey

LAST_CLOSED = 5
TILES = (*COUNTED, "skipped", "lag_p50", "lag_p99", "slow", "loop_lag_p99_ms", "loop_lag_max_ms", "rss_bytes", "fds")
TOTALLED = frozenset((*COUNTED, "skipped"))
BY_MACHINE = frozenset(("connections", "rss_bytes"))
"""Figures whose limit is that of all workers of a machine together."""
HEALTHS = ("ok", "busy", "draining", "overloaded")
SHARED = 0.8


class ListenerLine(msgspec.Struct, frozen=True):
    """One open port; `state` is ready, paused, draining or closed."""

    door: str
    address: str
    state: str


class Tile(msgspec.Struct, frozen=True):
    """One figure `now`, its `peak` since the start, its `limit`, and the `total` since the start.

    Counters are per second in `now` and `peak`; sizes are bytes. None: not known on this system, not yet, or without.
    """

    now: float | None
    peak: float | None
    limit: float | None = None
    total: int | None = None


class CauseLine(msgspec.Struct, frozen=True):
    """A cause of the health: `name` for programs, `level` busy, overloaded or draining, `text` for people."""

    name: str
    level: str
    text: str


class SlowLine(msgspec.Struct, frozen=True):
    """A connection that is far behind."""

    id: str
    nick: str
    door: str
    address: str
    lag_bytes: int


class ClosedLine(msgspec.Struct, frozen=True):
    """A connection that closed at `closed_at` (ms since 1970), after `lasted` ms; `words` add to `reason`."""

    id: str
    nick: str
    door: str
    address: str
    closed_at: int
    lasted: int
    reason: str
    words: str


class NodeLine(msgspec.Struct, frozen=True):
    """One node: its name, its version, how long it runs (ms), how many connections it has, its health; `missing` says
    why it is not part of what is shown, `here` is the one that was asked. `clock_ms`: so far is Redis' clock ahead of
    its own; 0 while they agree."""

    node: str
    version: str
    uptime: int
    clock_ms: int
    here: bool
    health: str | None = None
    connections: int | None = None
    missing: str | None = None


class Summary(msgspec.Struct, frozen=True):
    """Times and durations: ms, times since 1970. `health` is ok, busy, overloaded or draining, `causes` why, the worst
    first. `campaigns` are those that run. `closed` counts the connections that ended since the start, by reason.
    `slowest` are at most five, so are `last_closed`, the latest first. `nodes` is there where there are several."""

    version: str
    started_at: int
    now: int
    uptime: int
    health: str
    causes: list[CauseLine]
    listeners: list[ListenerLine]
    tiles: dict[str, Tile]
    rooms: int
    campaigns: int
    closed: dict[str, int]
    slowest: list[SlowLine]
    last_closed: list[ClosedLine]
    nodes: list[NodeLine] | UnsetType = UNSET


class SummaryEndpoints:
    """The handler."""

    def __init__(self, hub: Hub, operators: Operators, options: WebOptions, survey: Survey) -> None:
        self._hub = hub
        self._operators = operators
        self._options = options
        self._survey = survey
        self._adding: asyncio.Task[Summary] | None = None
        self._added = 0.0
        survey.serve("summary", None, self._serve)

    async def summary(self, call: Call[None]) -> Summary:
        """`GET /admin/api/summary`"""
        return await self.now()

    async def now(self) -> Summary:
        """The figures now, of all nodes."""
        if self._survey.alone:
            return self._own()
        if self._adding is None or (self._adding.done() and self._hub.clock.now() - self._added >= SHARED):
            self._added = self._hub.clock.now()
            self._adding = asyncio.get_running_loop().create_task(self._add_up())
        return await asyncio.shield(self._adding)

    async def _serve(self, question: None) -> Summary:
        return self._own()

    async def _add_up(self) -> Summary:
        found, missing = await self._survey.ask("summary", lambda card: None, Summary)
        own, card = self._own(), self._survey.own_card()
        parts = [*([] if card is None else [(card, own)]), *found]
        return added(own, parts, missing, self._survey.labels(), self._survey.others())

    def _own(self) -> Summary:
        """The figures of this process."""
        options, sampler, now = self._options, self._hub.stats.sampler, self._hub.clock.wall()
        health, causes = self._health()
        return Summary(
            version=options.version,
            started_at=sampler.started_at,
            now=now,
            uptime=max(0, now - sampler.started_at),
            health=health,
            causes=[CauseLine(cause.name, level, cause.text) for cause, level in causes],
            listeners=[ListenerLine(each.door, each.address, each.state) for each in options.listeners()],
            tiles=self._tiles(),
            rooms=len(self._hub.rooms),
            campaigns=self._operators.bulk.running,
            closed=sampler.closed_by_reason(),
            slowest=[
                SlowLine(session.id, session.nick, session.door.value, session.address, lag)
                for session, lag in sampler.slowest
            ],
            last_closed=[closed_line(each) for each in islice(reversed(self._hub.stats.closed.last), LAST_CLOSED)],
        )

    def _health(self) -> tuple[str, list[tuple[Cause, str]]]:
        """The health in one word, and its causes with the word of each."""
        trouble, health = self._options.ready(), self._hub.stats.sampler.health
        level, causes = health.level, [(cause, cause.level.word) for cause in health.causes]
        if trouble is not None and trouble.code is Code.DRAINING:
            return "draining", [(Cause("draining", Level.BUSY, trouble.text), "draining"), *causes]
        if trouble is not None and level is not Level.OVERLOADED:
            name = "paused" if self._hub.gate.maintenance is None else "maintenance"
            return Level.BUSY.word, [(Cause(name, Level.BUSY, trouble.text), Level.BUSY.word), *causes]
        return level.word, causes

    def _tiles(self) -> dict[str, Tile]:
        sampler, counters = self._hub.stats.sampler, self._hub.stats.counters
        here = sum(counters.present.values())
        tiles = {"connections": Tile(here, counters.connections_peak, self._options.connection_limit() or None)}
        for door, count in counters.present.items():
            name = f"connections_{door.value}"
            tiles[name] = Tile(count, max(count, sampler.peaks.get(name, 0)), total=counters.opened[door])
        limits = {"fds": sampler.ceilings.fds, "rss_bytes": sampler.ceilings.rss_bytes}
        for name in TILES:
            tiles[name] = Tile(
                sampler.current.get(name),
                sampler.peaks.get(name),
                limits.get(name) or None,
                getattr(counters, name) if name in TOTALLED else None,
            )
        return tiles


def closed_line(gone: Departure) -> ClosedLine:
    """The summary's line for a connection that closed."""
    return ClosedLine(
        gone.id,
        gone.nick,
        gone.door.value,
        gone.address,
        gone.closed_at,
        max(0, gone.closed_at - gone.connected_at),
        gone.closing.word,
        gone.words,
    )


# Adding up

Part = tuple[NodeCard, Summary]


def added(
    own: Summary,
    parts: Sequence[Part],
    missing: Sequence[MissingNode],
    names: dict[str, str],
    others: Sequence[NodeCard],
) -> Summary:
    """The summaries of several nodes as one; `own` is that of the node that was asked, which is among the `parts`."""
    summaries = [summary for _, summary in parts]
    lacking = {each.node: each.why for each in missing}
    causes = [CauseLine("node", Level.BUSY.word, why) for why in lacking.values()]
    for card, summary in parts:
        prefix = "" if summary is own else f"{names[card.id]}: "
        causes += [replace(cause, text=prefix + cause.text) for cause in summary.causes]
    causes.sort(key=lambda cause: -HEALTHS.index(cause.level))
    healths = [summary.health for summary in summaries] + [Level.BUSY.word] * bool(missing)
    slowest = sorted((line for each in summaries for line in each.slowest), key=lambda line: -line.lag_bytes)
    closed = sorted((line for each in summaries for line in each.last_closed), key=lambda line: -line.closed_at)
    lines = [_line(card, summary, names[card.id], own) for card, summary in parts]
    for card in others:
        why = lacking.get(names[card.id])
        if why is not None:
            uptime = max(0, own.now - card.started_at)
            lines.append(NodeLine(names[card.id], card.version, uptime, card.clock_ms, False, missing=why))
    return replace(
        own,
        health=max(healths, key=HEALTHS.index),
        causes=causes,
        listeners=_listeners(own, summaries),
        tiles={name: _tile(name, parts) for name in own.tiles},
        rooms=max(summary.rooms for summary in summaries),
        campaigns=sum(summary.campaigns for summary in summaries),
        closed=dict(sum((Counter(summary.closed) for summary in summaries), Counter[str]())),
        slowest=slowest[:LAST_CLOSED],
        last_closed=closed[:LAST_CLOSED],
        nodes=sorted(lines, key=lambda line: line.node),
    )


def _line(card: NodeCard, summary: Summary, name: str, own: Summary) -> NodeLine:
    connections = summary.tiles["connections"].now or 0
    here = summary is own
    return NodeLine(name, card.version, summary.uptime, card.clock_ms, here, summary.health, int(connections))


def _listeners(own: Summary, summaries: Sequence[Summary]) -> list[ListenerLine]:
    """Those of the node that was asked, and those of others that are not ready; workers share theirs."""
    found = {(line.door, line.address): line for line in own.listeners}
    found |= {
        (line.door, line.address): line for summary in summaries for line in summary.listeners if line.state != "ready"
    }
    return list(found.values())


def _tile(name: str, parts: Sequence[Part]) -> Tile:
    """One figure of several nodes."""
    tiles = [(card, summary.tiles[name]) for card, summary in parts if name in summary.tiles]
    known = [tile.now for _, tile in tiles if tile.now is not None]
    totals = [tile.total for _, tile in tiles if tile.total is not None]
    if name in WORST:
        peaks = [tile.peak for _, tile in tiles if tile.peak is not None]
        return Tile(max(known, default=None), max(peaks, default=None))
    limits: dict[str, float] = {}
    for card, tile in tiles:
        if tile.limit is not None:
            machine = card.family if name in BY_MACHINE and card.family else card.id
            limits[machine] = max(tile.limit, limits.get(machine, 0))
    everywhere = len(limits) == len({(card.family if name in BY_MACHINE else "") or card.id for card, _ in tiles})
    limit = sum(limits.values()) if limits and everywhere else None
    return Tile(sum(known) if known else None, None, limit, sum(totals) if totals else None)
