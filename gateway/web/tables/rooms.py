"""`/admin/api/rooms`: the rooms in memory as a table, with the filter words, orders and pages of the connections'.

One snapshot of all rooms for all viewers, at most once a second, in slices; while nobody asks, nothing is done. A
room's rate is how far its head moved between the last two snapshots.

Of several nodes, a room has one row, whoever has it in memory: connections and memory in sum, of delays the worst. A
sum can be sorted and filtered only where it is known, so the node that is asked gets all rows of the others, not a page
of each as for connections (`tables.connections`): 0.4 MB for 1,000 rooms of a node, every second in which somebody
looks. From about 15,000 rooms the answer of a node is too large, and it is named as missing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.protocol.message import Door
from gateway.core.rooms.fanout import Room
from gateway.errors import Code, Refusal
from gateway.web.dispatch import Call
from gateway.web.tables import filter as words
from gateway.web.tables.ask_nodes import MissingNode, Survey
from gateway.web.tables.filter import Vocabulary, Word
from gateway.web.tables.paging import ROWS, Slices, TableQuery, order, table_query

FRESH = 1.0
STALE = 60.0
ROOM_SORT = "-people"


class RoomRow(msgspec.Struct, gc=False):
    """One room. `people` come by three doors, `http` are streams; `head` is its last number, `first` the oldest that
    the journal holds; `log_…` is what memory holds; `rate` is messages a second; `lag_…` is how far the slowest reader
    is behind. `nodes` are those that have it in memory, where there are several; people of all nodes are counted."""

    room: str
    topic: str
    people: int
    tcp: int
    telnet: int
    web: int
    http: int
    head: int
    first: int
    log_messages: int
    log_bytes: int
    rate: float | None
    lag_messages: int
    lag_bytes: int
    epoch: str
    nodes: tuple[str, ...] | UnsetType = UNSET

    @property
    def number(self) -> str:
        """The name, which separates rooms with the same value."""
        return self.room


class RoomPage(msgspec.Struct, frozen=True):
    """A page of rooms; `total` match, `of` how many; the cursor of the next page; the moment, ms since 1970. `missing`:
    of several nodes, those whose rows are not among them."""

    rooms: list[RoomRow]
    total: int
    of: int
    cursor: str | None
    at: int
    missing: list[MissingNode] | UnsetType = UNSET


class RoomRows(msgspec.Struct, frozen=True):
    """The rooms of one node."""

    rooms: list[RoomRow]


NODES = "nodes"
COLUMNS = tuple(field for field in RoomRow.__struct_fields__ if field != NODES)
SUMS = ("tcp", "telnet", "web", "http", "log_messages", "log_bytes")
WORST = ("people", "lag_messages", "lag_bytes", "first")


def _words(**also: Word) -> Vocabulary:
    known = {
        "room": Word("room", words.TEXT, "room:op*"),
        "topic": Word("topic", words.PART, "topic:release"),
        "people": Word("people", words.COUNT, "people>10"),
        "tcp": Word("tcp", words.COUNT, "tcp>0"),
        "telnet": Word("telnet", words.COUNT, "telnet>0"),
        "web": Word("web", words.COUNT, "web>0"),
        "http": Word("http", words.COUNT, "http>0"),
        "head": Word("head", words.COUNT, "head>1k"),
        "rate": Word("rate", words.COUNT, "rate>5"),
        "lag": Word("lag_bytes", words.SIZE, "lag>64k"),
        "log": Word("log_bytes", words.SIZE, "log>1m"),
    }
    return Vocabulary(known | also, plain="room")


ROOM_WORDS = _words()
"""The filter words of rooms."""
NODE_ROOM_WORDS = _words(node=Word(NODES, words.MEMBER, "node:chat-1*"))
"""The same where there are several nodes."""


T = TypeVar("T")


class Fresh(Generic[T]):
    """What `make` has returned, at most FRESH seconds ago; made once for all that ask at the same time."""

    def __init__(self, clock: Callable[[], float], make: Callable[[], Awaitable[T]]) -> None:
        self._clock = clock
        self._make = make
        self._made: tuple[float, T] | None = None
        self._making: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The value; made again if the last one is older than FRESH seconds."""
        if self._made is not None and self._clock() - self._made[0] < FRESH:
            return self._made[1]
        if self._making is None or self._making.done():
            self._making = asyncio.get_running_loop().create_task(self._work())
        return await asyncio.shield(self._making)

    async def _work(self) -> T:
        began = self._clock()
        made = await self._make()
        self._made = began, made
        return made


class RoomTable:
    """Makes the snapshots of rooms. `clock` returns monotonic seconds."""

    def __init__(self, hub: Hub, clock: Callable[[], float], survey: Survey) -> None:
        self._survey = survey
        self._hub = hub
        self._clock = clock
        self._here, self._all = Fresh(clock, self._look_here), Fresh(clock, self._look_everywhere)
        self._looked: float | None = None
        self._heads: dict[str, int] = {}
        survey.serve("rooms", None, self._serve)

    async def page(self, question: TableQuery) -> RoomPage:
        """The page asked for, of all nodes. Raises Refusal for a wrong word, order or cursor."""
        column, alone = question.asked.attribute, self._survey.alone
        if column not in COLUMNS and (column != NODES or alone):
            raise Refusal(Code.BAD_MESSAGE, wording.CANNOT_SORT.format(column=column[:40], columns=", ".join(COLUMNS)))
        wanted = (ROOM_WORDS if alone else NODE_ROOM_WORDS).read(question.q)
        rows, missing, at = await self._all.get()
        found, slices = list[RoomRow](), Slices()
        for start in range(0, len(rows), ROWS):
            found += filter(wanted.fits, rows[start : start + ROWS])
            await slices.turn()
        some, cursor = (await order(found, column)).page(question.asked)
        return RoomPage(some, len(found), len(rows), cursor, at, UNSET if alone else missing)

    async def _serve(self, question: None) -> RoomRows:
        return RoomRows(await self._here.get())

    async def _look_everywhere(self) -> tuple[list[RoomRow], list[MissingNode], int]:
        """The rooms of all nodes, the nodes that are missing, and the time."""
        if self._survey.alone:
            return await self._here.get(), [], self._hub.clock.wall()
        rows, (found, missing) = await asyncio.gather(
            self._here.get(), self._survey.ask("rooms", lambda card: None, RoomRows)
        )
        at = self._hub.clock.wall()
        together, slices = {row.room: row for row in rows}, Slices()
        for _, other in found:
            for count, row in enumerate(other.rooms):
                known = together.get(row.room)
                together[row.room] = row if known is None else _both(known, row)
                if count % ROWS == 0:
                    await slices.turn()
        return list(together.values()), missing, at

    async def _look_here(self) -> list[RoomRow]:
        now, heads, rows, slices = self._clock(), dict[str, int](), list[RoomRow](), Slices()
        nodes = UNSET if self._survey.alone else (self._survey.label,)
        apart = now - self._looked if self._looked is not None else STALE
        for room in list(self._hub.rooms.values()):
            before = self._heads.get(room.name) if apart < STALE else None
            rate = round(max(0, room.log.head - before) / apart, 1) if before is not None else None
            heads[room.name] = room.log.head
            rows.append(await _row(room, rate, slices, nodes))
        self._heads, self._looked = heads, now
        return rows


def _both(one: RoomRow, other: RoomRow) -> RoomRow:
    """A room at two nodes. What both know of it (topic, epoch) is that of the node that is further; of delays it is the
    worst; of the oldest number it is the later, because both delete the same messages."""
    further = one if one.head >= other.head else other
    sums = {name: getattr(one, name) + getattr(other, name) for name in SUMS}
    worst = {name: max(getattr(one, name), getattr(other, name)) for name in WORST}
    rates = [row.rate for row in (one, other) if row.rate is not None]
    nodes = sorted({each for row in (one, other) if row.nodes is not UNSET for each in row.nodes})
    return replace(further, **sums, **worst, rate=max(rates, default=None), nodes=tuple(nodes))


async def _row(room: Room, rate: float | None, slices: Slices, nodes: tuple[str, ...] | UnsetType) -> RoomRow:
    doors = dict.fromkeys(Door, 0)
    slowest = room.log.head
    for count, member in enumerate(list(room.members.values()), 1):
        doors[member.session.door] += 1
        slowest = min(slowest, member.cursor)
        if count % ROWS == 0:
            await slices.turn()
    await slices.turn()
    log = room.log
    return RoomRow(
        room=room.name,
        topic=room.topic,
        people=room.count,
        tcp=doors[Door.TCP],
        telnet=doors[Door.TELNET],
        web=doors[Door.WEB],
        http=doors[Door.HTTP],
        head=log.head,
        first=room.first,
        log_messages=log.head - log.first + 1,
        log_bytes=log.bytes,
        rate=rate,
        lag_messages=log.head - slowest,
        lag_bytes=log.lag_bytes(slowest),
        epoch=room.epoch,
        nodes=nodes,
    )


class RoomEndpoints:
    """The handler."""

    def __init__(self, table: RoomTable) -> None:
        self._table = table

    async def page(self, call: Call[None]) -> RoomPage:
        """`GET /admin/api/rooms`"""
        return await self._table.page(table_query(call.query, ROOM_SORT))
