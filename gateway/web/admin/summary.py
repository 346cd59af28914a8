"""The summary at the top of the dashboard, which `gateway status` shows as well: current figures, their peaks, and
their limits."""

from collections.abc import Callable
from itertools import islice

import msgspec

from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.stats.health import Cause, Level
from gateway.core.stats.recent import Departure
from gateway.core.stats.sampler import COUNTED, Mark
from gateway.core.stats.timeseries import STEPS, Columns, Times
from gateway.errors import Code
from gateway.web.endpoint import Call
from gateway.web.options import WebOptions

SPAN_DEFAULT = "5m"
LAST_CLOSED = 5
TILES = (*COUNTED, "skipped", "lag_p50", "lag_p99", "slow", "loop_lag_p99_ms", "loop_lag_max_ms", "rss_bytes", "fds")
TOTALLED = frozenset((*COUNTED, "skipped"))


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


class Summary(msgspec.Struct, frozen=True):
    """Times and durations: ms, times since 1970. `health` is ok, busy, overloaded or draining, `causes` why, the worst
    first. `campaigns` are those that run. `closed` counts the connections that ended since the start, by reason.
    `slowest` are at most five, so are `last_closed`, the latest first."""

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


class Series(msgspec.Struct):
    """Rows `step` ms apart, the oldest first, at the times `t` (ms since 1970). `figures` are columns by name, each as
    long as `t`; `marks` is what was done meanwhile."""

    span: str
    step: int
    t: Times
    figures: Columns
    marks: list[Mark]


class SummaryEndpoints:
    """The summary and the series. `wall` returns ms since 1970."""

    def __init__(self, hub: Hub, operators: Operators, options: WebOptions, wall: Callable[[], int]) -> None:
        self._hub = hub
        self._operators = operators
        self._options = options
        self._wall = wall

    async def summary(self, call: Call[None]) -> Summary:
        """`GET /admin/api/summary`"""
        return self.now()

    def now(self) -> Summary:
        """The figures now."""
        options, sampler, now = self._options, self._hub.stats.sampler, self._wall()
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

    async def series(self, call: Call[None]) -> Series:
        """`GET /admin/api/series`: the rows of a span after `since`, column by column."""
        span, since = call.query.get("span") or SPAN_DEFAULT, call.query.get("since")
        step, size = STEPS[span]
        sampler = self._hub.stats.sampler
        times, figures = sampler.rings.since(span, since)
        begin = self._wall() - step * size * 1000 if since is None else since
        return Series(span, step * 1000, times, figures, sampler.marks_since(begin))

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
