"""Monitoring from outside: `/healthz`, `/readyz`, and `/metrics` for Prometheus, with a dashboard for Grafana.

Metrics are numbers that are counted anyway, read when they are scraped. The formats are written by prometheus-client:
0.0.4, which everything reads, and OpenMetrics 1.0 for clients that ask for it. Its own metrics are not used: an int
on the hot path costs a tenth of a Counter with its lock. The library is imported, in a thread, by the first scrape,
because that takes a fifth of a second and most gateways are never scraped.

With --redis every sample says which `node` and `worker` it is of, and one scrape has those of all workers of the
machine, whichever was asked: a scraper that got another worker each time would see counters jump. Other machines are
scraped by themselves. A worker that does not answer is missing and shown by `gateway_worker_up`.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isinf
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.ports.cluster import NodeCard
from gateway.core.stats.counters import Histogram
from gateway.core.stats.health import Level
from gateway.web.dispatch import Call
from gateway.web.http.header_lists import weights
from gateway.web.http.request import answered
from gateway.web.settings import WebOptions
from gateway.web.tables.ask_nodes import Survey

if TYPE_CHECKING:
    from prometheus_client import Metric

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
LIBRARY = "prometheus_client.core"
WRITERS = {
    TEXT: "prometheus_client.exposition:generate_latest",
    OPENMETRICS: "prometheus_client.openmetrics.exposition:generate_latest",
}
GRAFANA = Path(__file__).parent / "grafana.json"
"""A dashboard for Grafana that shows these metrics."""
CAUSES = ("loop_lag", "memory", "fds", "accept_queue", "storage")

Labelled = Iterable[tuple[tuple[str, ...], float]]
"""Pairs of label values and the number."""


class HealthReport(msgspec.Struct, gc=False):
    """All is well."""

    status: Literal["ok"] = "ok"


class Family(msgspec.Struct, array_like=True):
    """A metric of another process; samples are their name, labels and value."""

    name: str
    type: str
    help: str
    samples: list[tuple[str, dict[str, str], float]]


class Monitoring:
    """The handlers."""

    def __init__(self, hub: Hub, options: WebOptions, survey: Survey) -> None:
        self._hub = hub
        self._options = options
        self._survey = survey
        survey.serve("metrics", None, self._serve)

    async def healthz(self, call: Call[None]) -> HealthReport:
        """`GET /healthz`: the process answers."""
        return HealthReport()

    async def readyz(self, call: Call[None]) -> HealthReport:
        """`GET /readyz`: newcomers and messages are accepted, or 503 with the reason."""
        trouble = self._options.ready()
        if trouble is not None:
            raise trouble
        await answered(self._hub.commits.probe())
        return HealthReport()

    async def metrics(self, call: Call[None]) -> web.Response:
        """`GET /metrics`"""
        wanted = weights(call.request.headers, "Accept")
        openmetrics = wanted.get("application/openmetrics-text", 0.0)
        content_type = OPENMETRICS if openmetrics and openmetrics >= wanted.get("text/plain", 0.0) else TEXT
        library = await asyncio.to_thread(resolve_name, LIBRARY)
        write = await asyncio.to_thread(resolve_name, WRITERS[content_type])
        card = self._survey.own_card()
        here = GatewayCollector(self._hub, self._options, library)
        body: bytes = write(here if card is None else await self.of_all_workers(card, library))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _serve(self, question: None) -> list[Family]:
        library = await asyncio.to_thread(resolve_name, LIBRARY)
        return families(GatewayCollector(self._hub, self._options, library))

    async def of_all_workers(self, card: NodeCard, library: Any) -> "LabelledCollector":
        """The metrics of this process, whose card it is, and of the other workers of its machine."""
        own = GatewayCollector(self._hub, self._options, library)
        siblings = [each for each in self._survey.others() if each.family and each.family == card.family]
        found, _ = await self._survey.ask("metrics", lambda sibling: None, list[Family], siblings)
        # While a worker is replaced there are two in its place: the successor's counts are those that go on.
        parts = dict(sorted([(card, families(own)), *found], key=lambda part: part[0].number))
        places = {(each.worker or 1): (each, metrics) for each, metrics in parts.items()}
        here = range(1, self._options.workers + 1)
        up = Family(
            "gateway_worker_up",
            "gauge",
            "1: the worker answers and its metrics are here.",
            [("gateway_worker_up", labels_of(card.name, place), float(place in places)) for place in here],
        )
        labelled = [(labels_of(each.name, place), metrics) for place, (each, metrics) in sorted(places.items())]
        return LabelledCollector(library, [({}, [up]), *labelled])

    async def grafana(self, call: Call[None]) -> web.Response:
        """`GET /admin/grafana.json`: a file to import into Grafana."""
        headers = {"Content-Disposition": 'attachment; filename="gateway-grafana.json"'}
        return web.Response(body=GRAFANA.read_bytes(), content_type="application/json", headers=headers)


class GatewayCollector:
    """A collector of prometheus-client: reads the numbers at each `collect`. `library` is `prometheus_client.core`."""

    def __init__(self, hub: Hub, options: WebOptions, library: Any) -> None:
        self._hub = hub
        self._options = options
        self._library = library

    def collect(self) -> "Iterator[Metric]":
        """All metrics."""
        version = [((self._options.version,), 1.0)]
        yield self._gauges("gateway_build_info", "The version that runs.", ["version"], version)
        yield from self._connections()
        yield from self._messages()
        yield from self._lateness()
        yield from self._condition()
        yield from self._process()

    def _gauge(self, name: str, help: str, value: float) -> "Metric":
        """A number that goes up and down."""
        return self._gauges(name, help, [], [((), value)])

    def _counter(self, name: str, help: str, value: float) -> "Metric":
        """A number that only grows."""
        return self._counters(name, help, [], [((), value)])

    def _gauges(self, name: str, help: str, labels: list[str], samples: Labelled) -> "Metric":
        return _filled(self._library.GaugeMetricFamily(name, help, labels=labels), samples)

    def _counters(self, name: str, help: str, labels: list[str], samples: Labelled) -> "Metric":
        return _filled(self._library.CounterMetricFamily(name, help, labels=labels), samples)

    def _histogram(self, name: str, help: str, histogram: Histogram) -> "Metric":
        buckets = [("+Inf" if isinf(bound) else f"{bound:g}", count) for bound, count in histogram.cumulative()]
        family: Metric = self._library.HistogramMetricFamily(name, help, buckets=buckets, sum_value=histogram.sum)
        return family

    def _connections(self) -> "Iterator[Metric]":
        counters = self._hub.stats.counters
        here = [((door.value,), count) for door, count in counters.present.items()]
        opened = [((door.value,), count) for door, count in counters.opened.items()]
        closed = sorted(
            ((door.value, reason.word), count) for (door, reason), count in self._hub.stats.closed.counts.items()
        )
        yield self._gauges("gateway_connections", "Connections that are open.", ["door"], here)
        yield self._gauge("gateway_connections_peak", "The most that were open at once.", counters.connections_peak)
        limit = self._options.connection_limit()
        yield self._gauge("gateway_connections_limit", "How many may be open, 0 = no limit.", limit)
        yield self._counters("gateway_connections_opened_total", "Connections that were opened.", ["door"], opened)
        ended = "Connections that ended, and why."
        yield self._counters("gateway_connections_closed_total", ended, ["door", "reason"], closed)

    def _messages(self) -> "Iterator[Metric]":
        counters = self._hub.stats.counters
        yield self._counter("gateway_messages_received_total", "Messages that were committed.", counters.messages_in)
        delivered = "Messages that were written to a reader."
        yield self._counter("gateway_messages_delivered_total", delivered, counters.deliveries)
        skipped = "Messages that a reader too far behind was told to have missed."
        yield self._counter("gateway_messages_skipped_total", skipped, counters.skipped)
        yield self._counter("gateway_received_bytes_total", "Bytes that came in from sessions.", counters.bytes_in)
        yield self._counter("gateway_sent_bytes_total", "Bytes that went out to sessions.", counters.bytes_out)
        yield self._gauge("gateway_rooms", "Rooms in memory.", len(self._hub.rooms))

    def _lateness(self) -> "Iterator[Metric]":
        sampler, counters = self._hub.stats.sampler, self._hub.stats.counters
        current = sampler.current.get
        median = "How far the median connection is behind its rooms' logs."
        yield self._gauge("gateway_lag_p50_bytes", median, current("lag_p50", 0))
        worst = "How far the 99th percentile of the connections is behind its rooms' logs."
        yield self._gauge("gateway_lag_p99_bytes", worst, current("lag_p99", 0))
        slow = "Connections whose peer takes less than it is offered."
        yield self._gauge("gateway_slow_connections", slow, len(counters.blocked))
        late = "How late the event loop calls a timer."
        yield self._histogram("gateway_loop_lag_seconds", late, sampler.loop_lag)
        commits = "How long the journal takes for a batch of messages."
        yield self._histogram("gateway_journal_append_seconds", commits, counters.commits)

    def _condition(self) -> "Iterator[Metric]":
        sampler = self._hub.stats.sampler
        ready = self._options.ready() is None and sampler.storage is None
        yield self._gauge("gateway_ready", "1: new messages are taken, as /readyz says.", ready)
        levels = {cause.name: cause.level for cause in sampler.health.causes}
        strains = [((name,), levels.get(name, Level.OK)) for name in CAUSES]
        short = "What is short: 0 nothing, 1 busy, 2 overloaded."
        yield self._gauges("gateway_strain", short, ["cause"], strains)
        queue = "The share of the fullest listening socket's backlog that waits."
        yield self._gauge("gateway_accept_queue_ratio", queue, sampler.accept_queue)

    def _process(self) -> "Iterator[Metric]":
        sampler = self._hub.stats.sampler
        row = sampler.current
        if "rss_bytes" in row:
            yield self._gauge("process_resident_memory_bytes", "Resident memory size in bytes.", row["rss_bytes"])
        if "fds" in row:
            yield self._gauge("process_open_fds", "Number of open file descriptors.", row["fds"])
        yield self._gauge("process_max_fds", "Maximum number of open file descriptors.", sampler.ceilings.fds)
        spent = "Total user and system CPU time spent in seconds."
        yield self._counter("process_cpu_seconds_total", spent, sampler.cpu_seconds)
        start = "Start time of the process since unix epoch in seconds."
        yield self._gauge("process_start_time_seconds", start, sampler.started_at / 1000)


def _filled(family: Any, samples: Labelled) -> "Metric":
    for labels, value in samples:
        family.add_metric(labels, float(value))
    filled: Metric = family
    return filled


def labels_of(node: str, worker: int) -> dict[str, str]:
    """What tells the samples of one process from those of another."""
    return {"node": node, "worker": str(worker)}


def families(collector: GatewayCollector) -> list[Family]:
    """All metrics, as they are sent to another process."""
    return [
        Family(each.name, each.type, each.documentation, [(s.name, dict(s.labels), s.value) for s in each.samples])
        for each in collector.collect()
    ]


class LabelledCollector:
    """A collector of metrics of several processes, each with labels of its own; a metric is one family for all."""

    def __init__(self, library: Any, parts: Sequence[tuple[Mapping[str, str], Sequence[Family]]]) -> None:
        self._library = library
        self._parts = parts

    def collect(self) -> "Iterator[Metric]":
        """All metrics."""
        made: dict[str, Metric] = {}
        for labels, metrics in self._parts:
            for each in metrics:
                if each.name not in made:
                    made[each.name] = self._library.Metric(each.name, each.help, each.type)
                for name, own, value in each.samples:
                    made[each.name].add_sample(name, {**labels, **own}, value)
        yield from made.values()
