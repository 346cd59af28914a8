"""The table of connections: one snapshot for all viewers, sorted and paged by key.

A snapshot is made when somebody asks and the last one is a second old, in slices between which the loop turns; nobody
asking, nothing is done. A table that fits one slice is made afresh for everybody: that costs about a millisecond, and
an operator who has just connected something sees it. A page begins after the (sort value, number) of its cursor, so
rows that come and go between two pages neither repeat nor hide others. Sorting is one C call over at most the
connection limit: 10,000 rows take about 10 ms, from where it should be sliced as well.
"""

import asyncio
import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable

import msgspec

from gateway.core.hub import Hub
from gateway.core.session import Session
from gateway.errors import Code, Refusal

FRESH = 1.0
SLICE = 250
IDLE_MS = 5 * 60 * 1000
SLOW_BYTES = 64 * 1024
PAGE_DEFAULT = 50
PAGE_LIMIT = 500
SORT_DEFAULT = "-lag_bytes"

Value = int | str


class Row(msgspec.Struct, frozen=True, gc=False):
    """One connection as it was when the snapshot was made. Times: ms since 1970; durations: ms."""

    id: str
    nick: str
    door: str
    room: str | None
    address: str
    connected_at: int
    idle: int
    rtt: int | None
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    lag_messages: int
    lag_bytes: int
    state: str


Ordered = list[tuple[Value, int, Row]]


class TablePage(msgspec.Struct, frozen=True, gc=False):
    """Some rows, how many there are in all, and the cursor of the next page (None at the end)."""

    connections: list[Row]
    total: int
    cursor: str | None


class Snapshot:
    """The rows of one moment, and their orders as far as they were asked for."""

    def __init__(self, made: float) -> None:
        self.made = made
        self.rows: list[tuple[int, Row]] = []
        self._orders: dict[str, Ordered] = {}

    def add(self, session: Session, now: float) -> None:
        """One more row."""
        self.rows.append((session.number, row_of(session, now)))

    def page(self, sort: str, limit: int, cursor: str | None) -> TablePage:
        """At most `limit` rows in the order of `sort` (a field, `-` before it for the largest first)."""
        field = sort.removeprefix("-")
        if field not in Row.__struct_fields__:
            raise Refusal(Code.BAD_MESSAGE, f"cannot sort by {field[:40]!r}: one of {', '.join(Row.__struct_fields__)}")
        order = self._order(field)
        begin = _decode_cursor(cursor, sort, order) if cursor else None
        if sort.startswith("-"):
            end = bisect_left(order, begin, key=_key) if begin else len(order)
            some, more = order[max(0, end - limit) : end][::-1], end > limit
        else:
            start = bisect_right(order, begin, key=_key) if begin else 0
            some, more = order[start : start + limit], start + limit < len(order)
        following = _encode_cursor(sort, some[-1]) if more else None
        return TablePage([row for _, _, row in some], len(self.rows), following)

    def _order(self, field: str) -> Ordered:
        order = self._orders.get(field)
        if order is None:
            order = sorted(((_value(row, field, number), number, row) for number, row in self.rows), key=_key)
            self._orders[field] = order
        return order


class ConnectionTable:
    """Where the snapshots come from. `clock` answers monotonic seconds, the same as the sessions' `last_input`."""

    def __init__(self, hub: Hub, clock: Callable[[], float]) -> None:
        self._hub = hub
        self._clock = clock
        self._last: Snapshot | None = None
        self._making: asyncio.Task[Snapshot] | None = None

    async def snapshot(self) -> Snapshot:
        """The shared snapshot, at most a second old."""
        last = self._last
        if last is not None and len(last.rows) >= SLICE and self._clock() - last.made < FRESH:
            return last
        if self._making is None or self._making.done():
            self._making = asyncio.get_running_loop().create_task(self._make())
        return await asyncio.shield(self._making)

    def expire(self) -> None:
        """Something was done to the connections: the next viewer sees it."""
        self._last = None

    async def _make(self) -> Snapshot:
        snapshot = Snapshot(self._clock())
        for count, session in enumerate(list(self._hub.sessions.values()), 1):
            snapshot.add(session, snapshot.made)
            if count % SLICE == 0:
                await asyncio.sleep(0)
        self._last = snapshot
        return snapshot


def row_of(session: Session, now: float) -> Row:
    """What the table shows of a session at `now` (monotonic seconds)."""
    lag_messages, lag_bytes = session.lag()
    idle = max(0, int((now - session.last_input) * 1000))
    return Row(
        id=session.id,
        nick=session.nick,
        door=str(session.door),
        room=next(iter(session.rooms), None),
        address=session.address,
        connected_at=session.connected_at,
        idle=idle,
        rtt=None,
        messages_in=session.messages_in,
        messages_out=session.messages_out,
        bytes_in=session.bytes_in,
        bytes_out=session.bytes_out,
        lag_messages=lag_messages,
        lag_bytes=lag_bytes,
        state=_state(session, idle, lag_bytes),
    )


def _state(session: Session, idle: int, lag_bytes: int) -> str:
    if session.blocked or lag_bytes > SLOW_BYTES:
        return "slow"
    if session.held:
        return "paced"
    return "idle" if idle > IDLE_MS else "ok"


def _key(entry: tuple[Value, int, Row] | tuple[Value, int]) -> tuple[Value, int]:
    return entry[0], entry[1]


def _value(row: Row, field: str, number: int) -> Value:
    """What a row is sorted by: ids by their number, the unknown before everything."""
    if field == "id":
        return number
    value: Value | None = getattr(row, field)
    if value is None:
        return "" if field == "room" else -1
    return value


def _encode_cursor(sort: str, entry: tuple[Value, int, Row]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((sort, *_key(entry)))).decode().rstrip("=")


def _decode_cursor(cursor: str, sort: str, order: Ordered) -> tuple[Value, int]:
    """The (value, number) of a cursor that was made for the same order; a Refusal for any other."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        made_for, value, number = msgspec.json.decode(raw, type=tuple[str, int | str, int])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise Refusal(Code.BAD_MESSAGE, "the cursor is not one of ours") from error
    if made_for != sort or (order and type(value) is not type(order[0][0])):
        raise Refusal(Code.BAD_MESSAGE, "the cursor belongs to another order")
    return value, number
