"""`/admin/api/series`: figures over time, for the dashboard's charts; of all nodes, where there are several.

Every node keeps its own rings (`core.stats.timeseries`). Whoever is asked takes its own times and adds to each row that
of every other node which was taken in the same step, by Redis' clock, or in the one before: nodes do not sample at the
same moment, and the newest row of another may not be there yet. So the newest point of a chart may be a step behind for
other nodes. How late or far behind is that of the worst node, everything else is added.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.core.hub import Hub
from gateway.core.ports.cluster import NodeCard
from gateway.core.stats.sampler import Mark
from gateway.core.stats.timeseries import STEPS, Columns, Times
from gateway.web.dispatch import Call
from gateway.web.tables.ask_nodes import Survey

SPAN_DEFAULT = "5m"
WORST = frozenset(("lag_p50", "lag_p99", "loop_lag_p99_ms", "loop_lag_max_ms"))
"""Figures of several nodes that are those of the worst, not their sum."""
EARLIER = 2
"""Steps before the first row that is wanted, in which another node may have taken the row that belongs to it."""


class Series(msgspec.Struct):
    """Rows `step` ms apart, the oldest first, at the times `t` (ms since 1970). `figures` are columns by name, each as
    long as `t`; `marks` is what was done meanwhile."""

    span: str
    step: int
    t: Times
    figures: Columns
    marks: list[Mark]


class SeriesQuestion(msgspec.Struct, frozen=True):
    """The rows of a span after `since`; None: all."""

    span: str
    since: int | None


class OtherSeries(NamedTuple):
    """The rows of another node, whose times are `ahead` ms of ours."""

    series: Series
    ahead: int


class SeriesEndpoints:
    """The handler."""

    def __init__(self, hub: Hub, survey: Survey) -> None:
        self._hub = hub
        self._survey = survey
        survey.serve("series", SeriesQuestion, self._serve)

    async def series(self, call: Call[None]) -> Series:
        """`GET /admin/api/series`: the rows of a span after `since`, column by column."""
        return await self.of_all(SeriesQuestion(call.query.get("span") or SPAN_DEFAULT, call.query.get("since")))

    async def of_all(self, question: SeriesQuestion) -> Series:
        """The rows of all nodes."""
        if self._survey.alone:
            return self._own(question)
        card, step = self._survey.own_card(), STEPS[question.span][0] * 1000
        clock = 0 if card is None else card.clock_ms

        def asked(other: NodeCard) -> SeriesQuestion:
            ahead = clock - other.clock_ms
            return SeriesQuestion(question.span, question.since and question.since + ahead - EARLIER * step)

        found, _ = await self._survey.ask("series", asked, Series)
        others = [OtherSeries(series, clock - other.clock_ms) for other, series in found]
        return together(self._own(question), others)

    async def _serve(self, question: SeriesQuestion) -> Series:
        return self._own(question)

    def _own(self, question: SeriesQuestion) -> Series:
        span, since = question.span, question.since
        step, size = STEPS[span]
        sampler = self._hub.stats.sampler
        times, figures = sampler.rings.since(span, since)
        begin = self._hub.clock.wall() - step * size * 1000 if since is None else since
        return Series(span, step * 1000, times, figures, sampler.marks_since(begin))


def together(own: Series, others: Sequence[OtherSeries]) -> Series:
    """The rows of several nodes as those of one, at our times."""
    figures = {name: list(column) for name, column in own.figures.items()}
    marks = list(own.marks)
    for other, ahead in others:
        rows = _rows_at(own, other, ahead)
        for name, column in other.figures.items():
            ours = figures.setdefault(name, [0.0] * len(own.t))
            for place, row in enumerate(rows):
                if row is not None:
                    ours[place] = max(ours[place], column[row]) if name in WORST else ours[place] + column[row]
        begin = own.t[0] if own.t else 0
        marks += [Mark(mark.at - ahead, mark.text) for mark in other.marks if mark.at - ahead >= begin]
    marks.sort(key=lambda mark: mark.at)
    return Series(own.span, own.step, own.t, figures, marks)


def _rows_at(own: Series, other: Series, ahead: int) -> list[int | None]:
    """For each of our rows the place of the other's row of the same step, or of the one before; None: there is none."""
    places = {(time - ahead) // own.step: place for place, time in enumerate(other.t)}
    return [places.get(time // own.step, places.get(time // own.step - 1)) for time in own.t]
