"""Snapshots: the connections of this process as rows of one moment, shared by all viewers or frozen for one.

All viewers share one snapshot, which is filtered, then sorted, then paged by key. A snapshot is made when somebody asks
and the last one is a second old, from what the hub knows at that moment (not from a copy fed by events), in slices
between which the loop turns; while nobody asks, nothing is done. A table that fits one slice is made afresh for every
request: that takes about a millisecond, and shows a connection that has just opened.

A frozen snapshot is kept for FROZEN_SECONDS after its last use, so that all pages show one moment. Columns that are
filled only for the rows shown (KERNEL, TRAITS of `tables.connection_row`) are of the moment they were filled.
"""

import asyncio
import math
from collections.abc import Callable

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal
from gateway.web.tables.ask_nodes import MissingNode
from gateway.web.tables.connection_row import (
    COLUMNS,
    KERNEL,
    NODE,
    NODE_WORDS,
    ORDERED_BY,
    TRAITS,
    WORDS,
    ConnectionRow,
    Counts,
    Muted,
    Rates,
    Samples,
    closed_row,
    row_of,
)
from gateway.web.tables.filter import Filter
from gateway.web.tables.paging import ROWS, Ordering, Slices, TableQuery, order

FRESH = 1.0
SLICE = 250
LARGE = 2000
"""From this many rows on, a request does not wait for a new snapshot if the last is younger than STALE seconds."""
STALE = 3.0
PAUSE = 0.006
SORT_DEFAULT = "-lag_bytes"
FROZEN_SECONDS = 60.0
FROZEN = 4
"""Frozen snapshots, at most: about 10 MB each with 10,000 connections. One more drops the one unused for longest."""
VIEWS = 16
"""Orders kept for one snapshot."""


class TablePage(msgspec.Struct, frozen=True, gc=False):
    """A page of rows; `total` rows match, `of` how many; the cursor of the next page (None at the end); the moment that
    they show (ms since 1970); and the name of the snapshot, if it is frozen. `missing`: of several nodes, those whose
    rows are not among them."""

    connections: list[ConnectionRow]
    total: int
    of: int
    cursor: str | None
    at: int
    snapshot: str | None
    missing: list[MissingNode] | UnsetType = UNSET


class Snapshot:
    """The rows of one moment, and the orders that were asked for. `node` is this node's name, if there are several."""

    def __init__(self, hub: Hub, made: float, wall: int, node: str | UnsetType = UNSET) -> None:
        self.made = made
        self._node = node
        self.wall = wall
        self.rows: list[ConnectionRow] = []
        self._hub = hub
        self._filled: set[str] = set()
        self._closed: tuple[list[ConnectionRow], list[ConnectionRow]] | None = None
        """The rows of the closed connections, and of all."""
        self._views: dict[tuple[str, str, str], Ordering[ConnectionRow]] = {}

    def add(self, row: ConnectionRow) -> None:
        """Add a row."""
        row.node = self._node
        self.rows.append(row)

    async def page(self, question: TableQuery, name: str | None = None) -> TablePage:
        """The page asked for. Raises Refusal for a wrong word, order or cursor."""
        view = await self.view(question)
        rows, cursor = view.page(question.asked)
        await self.fill(rows)
        return TablePage(rows, len(view), len(self._of_state(question.state)), cursor, self.wall, name)

    async def view(self, question: TableQuery) -> Ordering[ConnectionRow]:
        """All rows that match, in order."""
        column = question.asked.attribute
        if column not in COLUMNS and (column != NODE or self._node is UNSET):
            raise Refusal(Code.BAD_MESSAGE, wording.CANNOT_SORT.format(column=column[:40], columns=", ".join(COLUMNS)))
        key = (question.state, question.q, column)
        view = self._views.get(key)
        if view is None:
            wanted = (WORDS if self._node is UNSET else NODE_WORDS).read(question.q)
            await self._fill_all(wanted.attributes | {column})
            rows = await self._matching(wanted, self._of_state(question.state))
            view = await order(rows, ORDERED_BY.get(column, column))
            while len(self._views) >= VIEWS:
                del self._views[next(iter(self._views))]
            self._views[key] = view
        return view

    async def fill(self, rows: list[ConnectionRow]) -> None:
        """Fill all columns of these rows."""
        slices = Slices()
        for start in range(0, len(rows), ROWS):
            self._fill(rows[start : start + ROWS], KERNEL | TRAITS)
            await slices.turn()

    def _of_state(self, state: str) -> list[ConnectionRow]:
        if state == "open":
            return self.rows
        if self._closed is None:
            here = {row.number for row in self.rows}
            ended = [
                each for each in self._hub.stats.closed.last if each.closed_at <= self.wall and each.number not in here
            ]
            closed = [closed_row(each, self._node) for each in ended]
            self._closed = closed, closed + self.rows
        return self._closed[state == "any"]

    async def _matching(self, wanted: Filter, rows: list[ConnectionRow]) -> list[ConnectionRow]:
        if not wanted.attributes:
            return rows
        slices, found = Slices(), list[ConnectionRow]()
        for start in range(0, len(rows), ROWS):
            found += filter(wanted.fits, rows[start : start + ROWS])
            await slices.turn()
        return found

    async def _fill_all(self, columns: frozenset[str]) -> None:
        for group in (KERNEL, TRAITS):
            if columns & group and not group <= self._filled:
                slices = Slices()
                for start in range(0, len(self.rows), ROWS):
                    self._fill(self.rows[start : start + ROWS], group)
                    await slices.turn()
                self._filled |= group

    def _fill(self, rows: list[ConnectionRow], columns: frozenset[str]) -> None:
        columns = columns - self._filled
        for row in rows:
            session = self._hub.sessions.get(row.number)
            if session is not None and row.state != "closed":
                row.fill(session, columns)


class ConnectionTable:
    """Makes the snapshots. `clock` returns monotonic seconds, as in the sessions' `last_input`; `muted` whether a
    session is muted, `node` this node's name among several."""

    def __init__(
        self,
        hub: Hub,
        clock: Callable[[], float],
        muted: Muted = lambda session: False,
        node: Callable[[], str | UnsetType] = lambda: UNSET,
    ) -> None:
        self.trail = Samples()
        self._node = node
        self._hub = hub
        self._clock = clock
        self._muted = muted
        self._last: Snapshot | None = None
        self._making: asyncio.Task[Snapshot] | None = None
        self._frozen: dict[str, tuple[Snapshot, float]] = {}
        self._freezings = 0
        self._sweeping = False

    async def snapshot(self) -> Snapshot:
        """The shared snapshot, at most a second old; a large one of a moment ago, while the next is being made."""
        last = self._last
        age = self._clock() - last.made if last is not None else math.inf
        if last is not None and len(last.rows) >= SLICE and age < FRESH:
            return last
        if self._making is None or self._making.done():
            self._making = asyncio.get_running_loop().create_task(self._make())
        if last is not None and len(last.rows) >= LARGE and age < STALE:
            return last
        return await asyncio.shield(self._making)

    async def page(self, question: TableQuery) -> TablePage:
        """A page of the present or of a frozen moment; `freeze` freezes the present."""
        snapshot, name = await self.moment(question)
        return await snapshot.page(question, name)

    async def moment(self, question: TableQuery) -> tuple[Snapshot, str | None]:
        """The snapshot that a query is about, and its name if it is frozen."""
        if question.snapshot is not None:
            return self._thaw(question.snapshot), question.snapshot
        snapshot = await self.snapshot()
        return snapshot, self._freeze(snapshot) if question.freeze else None

    def row(self, session: Session) -> ConnectionRow:
        """Everything about one session, now."""
        now, wall = self._clock(), self._hub.clock.wall()
        row = row_of(session, now, wall, self._rates(session, counts_of(session), now, wall), self._muted)
        row.fill(session, KERNEL | TRAITS)
        row.node = self._node()
        return row

    def closed_row(self, number: int) -> ConnectionRow | None:
        """One of the last connections that closed."""
        for each in reversed(self._hub.stats.closed.last):
            if each.number == number:
                return closed_row(each, self._node())
        return None

    def expire(self) -> None:
        """A connection has changed: make a new snapshot for the next viewer."""
        self._last = None

    async def _make(self) -> Snapshot:
        hub = self._hub
        snapshot = Snapshot(hub, self._clock(), hub.clock.wall(), self._node())
        look = self.trail.begin(snapshot.made, snapshot.wall)
        slices = Slices(PAUSE if len(hub.sessions) >= LARGE else 0.0)
        for count, session in enumerate(list(hub.sessions.values()), 1):
            if not session.closed:
                counts = counts_of(session)
                rates = self._rates(session, counts, snapshot.made, snapshot.wall)
                snapshot.add(row_of(session, snapshot.made, snapshot.wall, rates, self._muted))
                if look is not None:
                    look.counts[session.number], look.rates[session.number] = counts, rates
            if count % ROWS == 0:
                await slices.turn()
        await slices.rest()
        if look is not None:
            self.trail.keep(look, snapshot.rows)
            await slices.rest()
        self._last = snapshot  # this frees the one before, which takes time too
        self._sweep_later()
        return snapshot

    def _rates(self, session: Session, counts: Counts, now: float, wall: int) -> Rates | None:
        return self.trail.rate(session.number, counts, (wall - session.connected_at) / 1000, now)

    def _freeze(self, snapshot: Snapshot) -> str:
        for name, (kept, _) in self._frozen.items():
            if kept is snapshot:
                return name
        while len(self._frozen) >= FROZEN:
            del self._frozen[min(self._frozen, key=lambda name: self._frozen[name][1])]
        self._freezings += 1
        name = f"{self._freezings:x}"
        self._frozen[name] = snapshot, self._clock()
        return name

    def _thaw(self, name: str) -> Snapshot:
        snapshot, used = self._frozen.get(name, (None, 0.0))
        if snapshot is None or self._clock() - used > FROZEN_SECONDS:
            self._frozen.pop(name, None)
            raise web.HTTPGone
        self._frozen[name] = snapshot, self._clock()
        return snapshot

    def _sweep_later(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(FROZEN_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Drop the frozen snapshots that have not been used for a while."""
        self._sweeping = False
        now = self._clock()
        for name, (_, used) in list(self._frozen.items()):
            if now - used > FROZEN_SECONDS:
                del self._frozen[name]
        if self._last is not None and now - self._last.made >= FROZEN_SECONDS:
            self._last = None
            self.trail.forget()
        if self._last is not None or self._frozen:
            self._sweep_later()


def counts_of(session: Session) -> Counts:
    """The session's counters."""
    return session.messages_in, session.messages_out, session.bytes_in, session.bytes_out
