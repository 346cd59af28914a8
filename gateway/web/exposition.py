"""Prometheus' text formats: 0.0.4, which everything reads, and OpenMetrics 1.0 for who asks for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.core.histogram import Histogram

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
