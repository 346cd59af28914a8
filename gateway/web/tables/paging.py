"""Rows in the order of one of their attributes, and pages of them by key.

A page begins after the (value, number) of its cursor, so rows that come and go between two pages neither repeat nor
hide others. A row without a value comes last in both directions. `TableQuery` holds the parameters of a request.

Long work is done in short slices, so that chat never waits for an operator.
"""

import asyncio
import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import UNSET

from gateway import wording
from gateway.errors import Code, Refusal

SLICE_SECONDS = 0.003
"""Seconds of work before the loop turns; with ROWS more rows until the next look at the clock, below 5 ms."""
ROWS = 64
"""Rows between two looks at the clock."""


class Slices:
    """One piece of long work: call `turn` every ROWS rows. Work that nobody waits for has a `pause` between its slices,
    in seconds, so that it takes only a part of the loop's time."""

    def __init__(self, pause: float = 0.0) -> None:
        self._pause = pause
        self._began = perf_counter()

    async def turn(self) -> None:
        """Let the loop turn if the slice is over."""
        if perf_counter() - self._began >= SLICE_SECONDS:
            await self.rest()

    async def rest(self) -> None:
        """Let the loop turn, and begin a new slice."""
        await asyncio.sleep(self._pause)
        self._began = perf_counter()


RUN = 500
"""Rows sorted at once. The sort at the end finds the runs in order and only merges them: about 3 ms for 10,000 rows,
from 20,000 on it is longer than a slice should be."""

Value = int | float | str
Number = int | str
Key = tuple[Value | None, Any]


class Numbered(Protocol):
    """A row. `number` is unique and separates rows with the same value."""

    @property
    def number(self) -> Number: ...


RowT = TypeVar("RowT", bound=Numbered)


class PageQuery(NamedTuple):
    """One page: the attribute to sort by, `-` before it for the largest first; the number of rows; the cursor."""

    sort: str
    limit: int
    cursor: str | None

    @property
    def attribute(self) -> str:
        """The attribute to sort by, without the direction."""
        return self.sort.removeprefix("-")


class Ordering(Generic[RowT]):
    """Rows in the order of one attribute."""

    def __init__(self, known: list[tuple[Value, Any, RowT]], unknown: list[tuple[Any, RowT]]) -> None:
        self._known = known
        self._unknown = unknown

    def __len__(self) -> int:
        return len(self._known) + len(self._unknown)

    def page(self, asked: PageQuery) -> tuple[list[RowT], str | None]:
        """At most `limit` rows, and the cursor of the next page; None at the end. Raises Refusal for a cursor of
        another order."""
        down = asked.sort.startswith("-")
        start = self._after(_decode(asked.cursor, asked.sort), down) if asked.cursor else 0
        end = min(start + asked.limit, len(self))
        keyed = [self._at(place, down) for place in range(start, end)]
        more = _encode(asked.sort, keyed[-1][0]) if keyed and end < len(self) else None
        return [row for _, row in keyed], more

    def rows(self, sort: str) -> list[RowT]:
        """All rows in that order."""
        down = sort.startswith("-")
        return [self._at(place, down)[1] for place in range(len(self))]

    def _at(self, place: int, down: bool) -> tuple[Key, RowT]:
        known, unknown = self._known, self._unknown
        if place < len(known):
            value, number, row = known[-1 - place if down else place]
            return (value, number), row
        place -= len(known)
        number, row = unknown[-1 - place if down else place]
        return (None, number), row

    def _after(self, key: Key, down: bool) -> int:
        """The place of the first row after `key`."""
        value, number = key
        known, unknown = self._known, self._unknown
        self._check(value, number)
        if value is None:
            place = bisect_left(unknown, number, key=_first) if down else bisect_right(unknown, number, key=_first)
            return len(known) + (len(unknown) - place if down else place)
        wanted = (value, number)
        if down:
            return len(known) - bisect_left(known, wanted, key=_key)
        return bisect_right(known, wanted, key=_key)

    def _check(self, value: Value | None, number: Number) -> None:
        """Raise Refusal for a value that cannot be compared with the keys of this order."""
        keys: list[tuple[Value | None, Any]] = [entry[:2] for entry in self._known[:1]]
        keys += [(None, entry[0]) for entry in self._unknown[:1]]
        for our_value, our_number in keys:
            comparable = None in (value, our_value) or isinstance(value, str) is isinstance(our_value, str)
            if not comparable or isinstance(number, str) is not isinstance(our_number, str):
                raise Refusal(Code.BAD_MESSAGE, wording.CURSOR_OF_ANOTHER_ORDER)


async def order(rows: Sequence[RowT], attribute: str) -> Ordering[RowT]:
    """The rows in the order of `attribute`, made in slices."""
    known: list[tuple[Value, Any, RowT]] = []
    unknown: list[tuple[Any, RowT]] = []
    slices = Slices()
    for start in range(0, len(rows), RUN):
        run: list[tuple[Value, Any, RowT]] = []
        for row in rows[start : start + RUN]:
            value = _sortable(getattr(row, attribute))
            if value is None:
                unknown.append((row.number, row))
            else:
                run.append((value, row.number, row))
        run.sort()
        known += run
        await slices.turn()
    if len(known) > RUN:
        await slices.rest()
    known.sort()  # numbers differ, so rows are never compared
    unknown.sort()
    if len(known) > RUN:
        await slices.rest()
    return Ordering(known, unknown)


def _sortable(value: Any) -> Value | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, tuple):
        return " ".join(value) or None
    if isinstance(value, str):
        return value.casefold()
    if value is UNSET:
        return None
    return value  # type: ignore[no-any-return]


def _key(entry: tuple[Any, ...]) -> tuple[Any, Any]:
    return entry[0], entry[1]


def _first(entry: tuple[Any, Any]) -> Any:
    return entry[0]


def _encode(sort: str, key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((sort, *key))).decode().rstrip("=")


def _decode(cursor: str, sort: str) -> Key:
    """The key of a cursor that was made for the same order; raises Refusal for any other."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        made_for, value, number = msgspec.json.decode(raw, type=tuple[str, int | float | str | None, int | str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise Refusal(Code.BAD_MESSAGE, wording.CURSOR_NOT_OURS) from error
    if made_for != sort:
        raise Refusal(Code.BAD_MESSAGE, wording.CURSOR_OF_ANOTHER_ORDER)
    return value, number


PAGE_DEFAULT = 50
PAGE_LIMIT = 500
STATES = ("open", "closed", "any")
YES = ("yes", "1", "true")


class TableQuery(msgspec.Struct, frozen=True):
    """The parameters of a table. `snapshot` names a frozen moment, None: now; `freeze` keeps this moment."""

    sort: str
    limit: int = PAGE_DEFAULT
    cursor: str | None = None
    q: str = ""
    state: str = "open"
    snapshot: str | None = None
    freeze: bool = False

    @property
    def asked(self) -> PageQuery:
        """The page."""
        return PageQuery(self.sort, self.limit, self.cursor)


def table_query(query: Mapping[str, Any], default: str) -> TableQuery:
    """The query of a table that is sorted by `default` unless told otherwise, from the values of its parameters."""
    return TableQuery(
        sort=query.get("sort") or default,
        limit=query.get("limit", PAGE_DEFAULT),
        cursor=query.get("cursor") or None,
        q=query.get("q", ""),
        state=query.get("state") or "open",
        snapshot=query.get("snapshot") or None,
        freeze=query.get("freeze", "") in YES,
    )
