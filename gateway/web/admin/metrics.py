"""`GET /metrics`: what Prometheus scrapes. Plain numbers that are counted anyway are read when it asks.

Prometheus' text formats: 0.0.4, which everything reads, and OpenMetrics 1.0 for who asks for it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.operators.roles import Role
from gateway.core.stats.counters import Histogram
from gateway.core.stats.health import Level
from gateway.web.admin.authorize import Login, is_here
from gateway.web.options import WebOptions

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: `kind` is gauge or counter (whose `name` ends in `_total`), or histogram, then `histogram` holds the
    numbers instead of `samples`."""

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[Labels, float]] = ()
    histogram: Histogram | None = None


def gauge(name: str, help: str, value: float) -> Family:
    """A number that goes up and down."""
    return Family(name, "gauge", help, [({}, value)])


def counter(name: str, help: str, value: float) -> Family:
    """A number that only grows."""
    return Family(name, "counter", help, [({}, value)])


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics."""
    return "application/openmetrics-text" in accept


def exposition(families: Iterable[Family], openmetrics: bool) -> str:
    """The families as text."""
    lines: list[str] = []
    for family in families:
        about = family.name.removesuffix("_total") if openmetrics and family.kind == "counter" else family.name
        lines += [f"# HELP {about} {escaped(family.help)}", f"# TYPE {about} {family.kind}"]
        if family.histogram is not None:
            lines += _buckets(family.name, family.histogram)
        lines += [f"{family.name}{written(labels)} {number(value)}" for labels, value in family.samples]
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _buckets(name: str, histogram: Histogram) -> Iterable[str]:
    for bound, count in histogram.cumulative():
        yield f"{name}_bucket{written({'le': number(bound)})} {count}"
    yield f"{name}_sum {number(histogram.sum)}"
    yield f"{name}_count {histogram.count}"


def written(labels: Labels) -> str:
    """`{door="tcp"}`; nothing for no labels."""
    inside = ",".join(f'{name}="{escaped(value, quotes=True)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def escaped(text: str, *, quotes: bool = False) -> str:
    """A label's value or a help text, safe for its line."""
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def number(value: float) -> str:
    """A number as Prometheus reads it."""
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


GRAFANA = Path(__file__).parents[1] / "grafana.json"
"""A dashboard for Grafana that shows these metrics."""
CAUSES = ("loop_lag", "memory", "fds", "accept_queue", "storage")


class MetricsPage:
    """The handlers of `/metrics` and of the dashboard file for Grafana."""

    def __init__(self, hub: Hub, login: Login, options: WebOptions) -> None:
        self._hub = hub
        self._login = login
        self._options = options

    async def metrics(self, request: web.Request) -> web.Response:
        """`GET /metrics`: for whoever is on this machine, and for who is logged in or has a token."""
        if not is_here(request):
            self._login.reader(request, Role.VIEWER)
        openmetrics = wants_openmetrics(request.headers.get("Accept", ""))
        body = exposition(self._families(), openmetrics).encode()
        return web.Response(body=body, headers={"Content-Type": OPENMETRICS if openmetrics else TEXT})

    async def grafana(self, request: web.Request) -> web.Response:
        """`GET /admin/grafana.json`: a file to import into Grafana."""
        self._login.reader(request, Role.VIEWER)
        headers = {"Content-Disposition": 'attachment; filename="gateway-grafana.json"'}
        return web.Response(body=GRAFANA.read_bytes(), content_type="application/json", headers=headers)

    def _families(self) -> Iterator[Family]:
        version = [({"version": self._options.version}, 1.0)]
        yield Family("gateway_build_info", "gauge", "The version that runs.", version)
        yield from self._connections()
        yield from self._messages()
        yield from self._lateness()
        yield from self._condition()
        yield from self._process()

    def _connections(self) -> Iterator[Family]:
        totals = self._hub.totals
        here = [({"door": door.value}, float(count)) for door, count in totals.present.items()]
        opened = [({"door": door.value}, float(count)) for door, count in totals.opened.items()]
        closed = [
            ({"door": door.value, "reason": closing.word}, float(count))
            for (door, closing), count in sorted(
                self._hub.closed.counts.items(), key=lambda each: (each[0][0], each[0][1].word)
            )
        ]
        yield Family("gateway_connections", "gauge", "Connections that are open.", here)
        yield gauge("gateway_connections_peak", "The most that were open at once.", totals.connections_peak)
        limit = self._options.connection_limit()
        yield gauge("gateway_connections_limit", "How many may be open, 0 = no limit.", limit)
        yield Family("gateway_connections_opened_total", "counter", "Connections that were opened.", opened)
        yield Family("gateway_connections_closed_total", "counter", "Connections that ended, and why.", closed)

    def _messages(self) -> Iterator[Family]:
        totals = self._hub.totals
        yield counter("gateway_messages_received_total", "Messages that were committed.", totals.messages_in)
        yield counter("gateway_messages_delivered_total", "Messages that were written to a reader.", totals.deliveries)
        skipped = "Messages that a reader too far behind was told to have missed."
        yield counter("gateway_messages_skipped_total", skipped, totals.skipped)
        yield counter("gateway_received_bytes_total", "Bytes that came in from sessions.", totals.bytes_in)
        yield counter("gateway_sent_bytes_total", "Bytes that went out to sessions.", totals.bytes_out)
        yield gauge("gateway_rooms", "Rooms in memory.", len(self._hub.rooms))

    def _lateness(self) -> Iterator[Family]:
        meters, totals = self._hub.meters, self._hub.totals
        current = meters.current.get
        median = "How far the median connection is behind its rooms' logs."
        yield gauge("gateway_lag_p50_bytes", median, current("lag_p50", 0))
        worst = "How far the 99th percentile of the connections is behind its rooms' logs."
        yield gauge("gateway_lag_p99_bytes", worst, current("lag_p99", 0))
        slow = "Connections whose peer takes less than it is offered."
        yield gauge("gateway_slow_connections", slow, len(totals.blocked))
        late = "How late the event loop calls a timer."
        yield Family("gateway_loop_lag_seconds", "histogram", late, histogram=meters.loop_lag)
        commits = "How long the journal takes for a batch of messages."
        yield Family("gateway_journal_append_seconds", "histogram", commits, histogram=totals.commits)

    def _condition(self) -> Iterator[Family]:
        meters = self._hub.meters
        ready = self._options.ready() is None and meters.storage is None
        yield gauge("gateway_ready", "1: new messages are taken, as /readyz says.", ready)
        levels = {cause.name: cause.level for cause in meters.health.causes}
        strains = [({"cause": name}, float(levels.get(name, Level.OK))) for name in CAUSES]
        yield Family("gateway_strain", "gauge", "What is short: 0 nothing, 1 busy, 2 overloaded.", strains)
        queue = "The share of the fullest listening socket's backlog that waits."
        yield gauge("gateway_accept_queue_ratio", queue, meters.accept_queue)

    def _process(self) -> Iterator[Family]:
        meters = self._hub.meters
        row = meters.current
        if "rss_bytes" in row:
            yield gauge("process_resident_memory_bytes", "Resident memory size in bytes.", row["rss_bytes"])
        if "fds" in row:
            yield gauge("process_open_fds", "Number of open file descriptors.", row["fds"])
        yield gauge("process_max_fds", "Maximum number of open file descriptors.", meters.ceilings.fds)
        spent = "Total user and system CPU time spent in seconds."
        yield counter("process_cpu_seconds_total", spent, meters.cpu_seconds)
        start = "Start time of the process since unix epoch in seconds."
        yield gauge("process_start_time_seconds", start, meters.started_at / 1000)
