"""Time series: figures in three rings, each coarser and longer than the one before: 5 minutes, 1 hour, 24 hours.

A row holds one number for each figure at one moment. A figure that first appears later (a new reason to close) was 0
before. When the rows of a coarser step are complete they are folded into one row of it, each figure in the way that
FOLDS says. All rings together hold 2,100 rows: about half a megabyte at 30 figures, allocated as they fill.
"""

from array import array
from collections.abc import Mapping
from enum import Enum
from itertools import pairwise
from typing import TypeVar

STEPS = {"5m": (1, 300), "1h": (10, 360), "24h": (60, 1440)}
"""By the name of its span: seconds between rows, and how many rows are kept."""
EARLY = 0.5
"""Seconds that a row may come before its time and still complete a step."""


class Fold(Enum):
    """How a figure of several rows becomes one in a coarser ring."""

    LAST = "last"
    MEAN = "mean"
    MOST = "most"
    SUM = "sum"


FOLDS = {
    "messages_in": Fold.MEAN,
    "deliveries": Fold.MEAN,
    "bytes_in": Fold.MEAN,
    "bytes_out": Fold.MEAN,
    "skipped": Fold.SUM,
    "lag_p50": Fold.MOST,
    "lag_p99": Fold.MOST,
    "slow": Fold.MOST,
    "loop_lag_p99_ms": Fold.MOST,
    "loop_lag_max_ms": Fold.MOST,
    "rss_bytes": Fold.MOST,
    "fds": Fold.MOST,
}
"""How each figure is folded. Figures not named here: `connections_…` as LAST, `closed_…` as SUM."""

Row = Mapping[str, float]
Times = list[int]
Columns = dict[str, list[float]]
"""By the name of their figure."""
Number = TypeVar("Number", int, float)


def fold_of(figure: str) -> Fold:
    """How a figure is folded."""
    return FOLDS.get(figure) or (Fold.SUM if figure.startswith("closed_") else Fold.LAST)


class Ring:
    """The last `size` rows, each with its time in ms since 1970."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._times = array("q")
        self._columns: dict[str, array[float]] = {}
        self._next = 0
        """Where the next row goes once the ring is full: there stands the oldest."""

    def add(self, time: int, row: Row) -> None:
        """Append a row; the oldest goes when the ring is full."""
        length = len(self._times)
        for figure in row:
            if figure not in self._columns:
                self._columns[figure] = array("d", bytes(8 * length))
        if length < self._size:
            self._times.append(time)
            for figure, column in self._columns.items():
                column.append(row.get(figure, 0.0))
            return
        self._times[self._next] = time
        for figure, column in self._columns.items():
            column[self._next] = row.get(figure, 0.0)
        self._next = (self._next + 1) % self._size

    def since(self, time: int | None) -> tuple[Times, Columns]:
        """The times and the columns, oldest row first: all, or those after the row of `time`.

        Where no row has that time, those with a later one; the clock may have been set meanwhile.
        """
        times = self._unrolled(self._times).tolist()
        if time is None:
            start = 0
        elif time in times:
            start = len(times) - times[::-1].index(time)
        else:
            start = sum(each <= time for each in times)
        columns = {figure: self._unrolled(column)[start:].tolist() for figure, column in self._columns.items()}
        return times[start:], columns

    def _unrolled(self, column: "array[Number]") -> "array[Number]":
        return column[self._next :] + column[: self._next]


class Folding:
    """Gathers rows, one every `finer` seconds, that become one row of a ring with a row every `step` seconds."""

    def __init__(self, finer: int, step: int) -> None:
        self._rows_wanted = step // finer
        self._lasts = step - finer - EARLY
        self._rows: list[Row] = []
        self._began = 0.0

    def add(self, now: float, row: Row) -> Row | None:
        """Add a row at `now` (monotonic seconds); return the folded row when a step is complete."""
        if not self._rows:
            self._began = now
        self._rows.append(row)
        if now - self._began < self._lasts and len(self._rows) < self._rows_wanted:
            return None
        folded = fold(self._rows)
        self._rows = []
        return folded


def fold(rows: list[Row]) -> Row:
    """Several rows as one."""
    folded: dict[str, float] = {}
    for figure in dict.fromkeys(figure for row in rows for figure in row):
        values = [row.get(figure, 0.0) for row in rows]
        match fold_of(figure):
            case Fold.LAST:
                folded[figure] = values[-1]
            case Fold.MEAN:
                folded[figure] = round(sum(values) / len(values), 2)
            case Fold.MOST:
                folded[figure] = max(values)
            case Fold.SUM:
                folded[figure] = sum(values)
    return folded


class Rings:
    """All three rings; a row added to the finest is folded into the others."""

    def __init__(self) -> None:
        self._rings = {span: Ring(size) for span, (_, size) in STEPS.items()}
        self._foldings = [Folding(*steps) for steps in pairwise(step for step, _ in STEPS.values())]

    def add(self, now: float, time: int, row: Row) -> None:
        """Add a row that was taken at `now` (monotonic seconds), `time` in ms since 1970."""
        finest, *coarser = self._rings.values()
        finest.add(time, row)
        for ring, folding in zip(coarser, self._foldings, strict=True):
            folded = folding.add(now, row)
            if folded is None:
                return
            ring.add(time, folded)
            row = folded

    def since(self, span: str, time: int | None = None) -> tuple[Times, Columns]:
        """The rows of one of STEPS; see `Ring.since`."""
        return self._rings[span].since(time)
