"""The figures at the top of the dashboard.

Rates and the loop's lag need two looks with time between them. They are taken while somebody watches and from one
request to the next, so that an idle gateway has no timer: the first look shows rates of 0 and no lag.
"""

import asyncio
import os
import resource
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.core.hub import Hub
from gateway.core.message import Door
from gateway.web.connections import COUNTED, Snapshot
from gateway.web.options import WebOptions

LOOK_APART = 1.0
LOOK_STALE = 15.0
PROBE = 0.1


class ListenerLine(msgspec.Struct, frozen=True):
    """One open port."""

    door: str
    address: str
    state: str


class Summary(msgspec.Struct, frozen=True):
    """Times: ms since 1970. `rates` are per second. None: not known on this system, or not yet."""

    version: str
    started_at: int
    now: int
    health: str
    listeners: list[ListenerLine]
    connections: dict[str, int]
    messages_in: int
    deliveries: int
    bytes_in: int
    bytes_out: int
    rates: dict[str, float]
    rooms: int
    lagging: int
    loop_lag_ms: float | None
    rss_bytes: int | None
    fds: int | None
    fd_limit: int


class SummaryDesk:
    """Makes summaries. `clock` answers monotonic seconds, `wall` ms since 1970."""

    def __init__(self, hub: Hub, options: WebOptions, clock: Callable[[], float], wall: Callable[[], int]) -> None:
        self._hub = hub
        self._options = options
        self._wall = wall
        self._started = wall()
        self._looked = clock()
        self._seen = dict.fromkeys(COUNTED, 0)
        self._rates = dict.fromkeys(COUNTED, 0.0)
        self._lag: float | None = None
        self._probing = False

    def summary(self, snapshot: Snapshot) -> Summary:
        """The figures now, those of the connections as the snapshot has them."""
        options, hub = self._options, self._hub
        self._look(snapshot)
        self._probe()
        doors = {door.value: snapshot.doors[door.value] for door in (Door.TCP, Door.TELNET, Door.WEB)}
        limit = options.connection_limit()
        return Summary(
            version=options.version,
            started_at=self._started,
            now=self._wall(),
            health="ok" if options.ready() is None else "overloaded",
            listeners=[ListenerLine(each.door, each.address, each.state) for each in options.listeners()],
            connections={**doors, "total": len(snapshot.rows), "peak": hub.totals.connections_peak, "limit": limit},
            **snapshot.counts,
            rates=dict(self._rates),
            rooms=len(hub.rooms),
            lagging=snapshot.lagging,
            loop_lag_ms=self._lag,
            rss_bytes=resident_bytes(),
            fds=open_descriptors(),
            fd_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )

    def _look(self, snapshot: Snapshot) -> None:
        """Work the rates out if the last look is far enough away, and not so far that it tells nothing of now."""
        apart = snapshot.made - self._looked
        if apart < LOOK_APART:
            return
        counts, seen = snapshot.counts, self._seen
        gone = apart > LOOK_STALE
        self._rates = {name: 0.0 if gone else round((counts[name] - seen[name]) / apart, 1) for name in COUNTED}
        self._seen, self._looked = counts, snapshot.made

    def _probe(self) -> None:
        """See how late the loop is with a timer."""
        if self._probing:
            return
        self._probing = True
        loop = asyncio.get_running_loop()
        loop.call_later(PROBE, self._probed, loop.time() + PROBE)

    def _probed(self, expected: float) -> None:
        self._probing = False
        self._lag = round(max(0.0, asyncio.get_running_loop().time() - expected) * 1000, 1)


def resident_bytes() -> int | None:
    """The memory of this process, where /proc tells."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None


def open_descriptors() -> int | None:
    """The descriptors in use, where /proc tells."""
    try:
        return len(os.listdir("/proc/self/fd")) - 1
    except OSError:
        return None
