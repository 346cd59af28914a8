"""`/admin/api/rooms`: the rooms in memory as a table, with the filter words, orders and pages of the connections'.

One snapshot of all rooms for all viewers, at most once a second, in slices; while nobody asks, nothing is done. A
room's rate is how far its head moved between the last two snapshots.

Of several nodes, a room has a row for each node that has it in memory: what its log and its readers are like there.
The rows of all nodes are one table, merged page by page like that of the connections (`tables.merged`).
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import UNSET, UnsetType

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.protocol.message import Door
from gateway.core.rooms.fanout import Room
from gateway.errors import Code, Refusal
from gateway.web.endpoint import Call
from gateway.web.tables import filter as words
from gateway.web.tables.filter import Vocabulary, Word
from gateway.web.tables.paging import ROWS, PageQuery, Slices, TableQuery, order, table_query
from gateway.web.tables.survey import MissingNode, Survey

FRESH = 1.0
STALE = 60.0
ROOM_SORT = "-people"


class RoomRow(msgspec.Struct, gc=False):
    """One room. `people` come by three doors, `http` are streams; `head` is its last number, `first` the oldest that
    the journal holds; `log_…` is what memory holds; `rate` is messages a second; `lag_…` is how far the slowest reader
    is behind. `node` is there where there are several: `people` are those at all nodes, the rest is of this one."""

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
    node: str | UnsetType = UNSET

    @property
    def number(self) -> str:
        """The name, which separates rooms with the same value, and the node's."""
        return self.room if isinstance(self.node, UnsetType) else f"{self.room} {self.node}"


class RoomPage(msgspec.Struct, frozen=True):
    """A page of rooms; `total` match, `of` how many; the cursor of the next page; the moment, ms since 1970. `missing`:
    of several nodes, those whose rows are not among them."""

    rooms: list[RoomRow]
    total: int
    of: int
    cursor: str | None
    at: int
    missing: list[MissingNode] | UnsetType = UNSET


NODE = "node"
COLUMNS = tuple(field for field in RoomRow.__struct_fields__ if field != NODE)


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
NODE_ROOM_WORDS = _words(node=Word(NODE, words.TEXT, "node:chat-1*"))
"""The same where there are several nodes."""


class RoomTable:
    """Makes the snapshots of rooms. `clock` returns monotonic seconds."""

    def __init__(self, hub: Hub, clock: Callable[[], float], survey: Survey) -> None:
        self._survey = survey
        survey.serve("rooms", TableQuery, self._own_page)
        self._hub = hub
        self._clock = clock
        self._rows: list[RoomRow] = []
        self._looked: float | None = None
        self._at = 0
        self._heads: dict[str, int] = {}
        self._making: asyncio.Task[None] | None = None

    async def page(self, question: TableQuery) -> RoomPage:
        """The page asked for, of all nodes. Raises Refusal for a wrong word, order or cursor."""
        own = await self._own_page(question)
        if self._survey.alone:
            return own
        found, missing = await self._survey.ask("rooms", lambda card: question, RoomPage)
        pages = [own, *(page for _, page in found)]
        rows = await order([row for page in pages for row in page.rooms], question.asked.attribute)
        some, cursor = rows.page(PageQuery(question.sort, question.limit, None))
        # Where all rows shown are one node's, those of its next page follow.
        cursor = cursor or next((page.cursor for page in pages if page.cursor is not None), None)
        return RoomPage(some, sum(p.total for p in pages), sum(p.of for p in pages), cursor, own.at, missing)

    async def _own_page(self, question: TableQuery) -> RoomPage:
        """The same of this node alone."""
        column = question.asked.attribute
        if column not in COLUMNS and (column != NODE or self._survey.alone):
            raise Refusal(Code.BAD_MESSAGE, wording.CANNOT_SORT.format(column=column[:40], columns=", ".join(COLUMNS)))
        wanted = (ROOM_WORDS if self._survey.alone else NODE_ROOM_WORDS).read(question.q)
        await self._look()
        rows, found, slices = self._rows, list[RoomRow](), Slices()
        for start in range(0, len(rows), ROWS):
            found += filter(wanted.fits, rows[start : start + ROWS])
            await slices.turn()
        some, cursor = (await order(found, column)).page(question.asked)
        return RoomPage(some, len(found), len(rows), cursor, self._at)

    async def _look(self) -> None:
        if self._looked is not None and self._clock() - self._looked < FRESH:
            return
        if self._making is None or self._making.done():
            self._making = asyncio.get_running_loop().create_task(self._make())
        await asyncio.shield(self._making)

    async def _make(self) -> None:
        now, heads, rows, slices = self._clock(), dict[str, int](), list[RoomRow](), Slices()
        node = UNSET if self._survey.alone else self._survey.label
        apart = now - self._looked if self._looked is not None else STALE
        for room in list(self._hub.rooms.values()):
            before = self._heads.get(room.name) if apart < STALE else None
            rate = round(max(0, room.log.head - before) / apart, 1) if before is not None else None
            heads[room.name] = room.log.head
            rows.append(await _row(room, rate, slices, node))
        self._rows, self._heads, self._looked, self._at = rows, heads, now, self._hub.clock.wall()


async def _row(room: Room, rate: float | None, slices: Slices, node: str | UnsetType) -> RoomRow:
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
        node=node,
    )


class RoomEndpoints:
    """The handler."""

    def __init__(self, table: RoomTable) -> None:
        self._table = table

    async def page(self, call: Call[None]) -> RoomPage:
        """`GET /admin/api/rooms`"""
        return await self._table.page(table_query(call.query, ROOM_SORT))
