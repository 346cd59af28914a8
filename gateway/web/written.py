"""How values are written on the dashboard, the same as in static/format.js; None is unknown.

In Python because a page of the table has thousands of them: a macro of the template takes ten times as long, and nobody
else is served meanwhile.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup, escape

from gateway.web.columns import Column

UNKNOWN = "n/a"
BROWSER = re.compile(r"(Edg|OPR|Firefox|Chrome|Version)/(\d+)(?!.*\b(?:Edg|OPR)/)")
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Version": "Safari"}


def count(n: float) -> str:
    """A whole number, in groups of three digits."""
    return f"{n:,.0f}"


def rate(n: float) -> str:
    """A number a second."""
    if n == 0:
        return "0"
    return f"{n:.1f}" if n < 9.95 else f"{n:,.0f}"


def size(n: float) -> str:
    """Bytes."""
    if n < 1000:
        return f"{n:.0f} B"
    if n < 999_950:
        return f"{n / 1e3:.1f} kB"
    if n < 999_950_000:
        return f"{n / 1e6:.1f} MB"
    return f"{n / 1e9:.1f} GB"


def milliseconds(n: float) -> str:
    """Milliseconds, short ones."""
    return f"{n:.1f} ms" if n < 9.95 else f"{n:.0f} ms"


def duration(ms: float) -> str:
    """Milliseconds, from seconds to days."""
    s = max(0, int(ms // 1000))
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} m"
    if s < 86400:
        return f"{s // 3600} h {s // 60 % 60:02}"
    return f"{s // 86400} d {s // 3600 % 24:02}:{s // 60 % 60:02}"


def moment(at: int) -> Markup:
    """A time in ms since 1970; UTC, until a script writes it in the browser's own zone."""
    seconds = time.gmtime(at // 1000)
    shown = time.strftime("%Y-%m-%d %H:%M:%S", seconds)
    return Markup('<time datetime="%s">%s</time>') % (time.strftime("%Y-%m-%dT%H:%M:%SZ", seconds), shown)


def agent(value: str) -> str:
    """A browser's name and version out of all that it says of itself; other programs as they are."""
    if not value.startswith("Mozilla/"):
        return escape(value)
    found = BROWSER.search(value)
    name = BROWSERS.get(found[1], found[1]) if found else "browser"
    return Markup('<span title="%s">%s</span>') % (value, f"{name} {found[2]}" if found else name)


NUMBER_FORMATS: dict[str, Callable[[Any], str]] = {
    "count": count,
    "rate": rate,
    "size": size,
    "milliseconds": milliseconds,
    "duration": duration,
}
TEXTS: dict[str, Callable[[Any], str]] = {
    "moment": moment,
    "agent": agent,
    "name": lambda value: f"<bdi>{escape(value)}</bdi>",
    "door": lambda value: f'<span class="door" data-door="{value}"> {value}</span>',
    "state": lambda value: f'<span class="state" data-state="{value}">{value}</span>',
    "room": lambda value: f'<a href="/admin?q=room:{escape(value)}">{escape(value)}</a>',
    "list": lambda value: escape(", ".join(value)),
    "yes": lambda value: "yes" if value else "no",
}


def written(value: Any, shown: str) -> Markup:
    """A value as the `shown` of its column wants it (`web.columns`)."""
    number = NUMBER_FORMATS.get(shown)
    if number is not None:
        return Markup(UNKNOWN if value is None else number(value))
    if value is None:
        return Markup("")
    text = TEXTS.get(shown)
    return escape(value) if text is None else Markup(text(value))


def cells(row: dict[str, Any], columns: Sequence[Column]) -> Markup:
    """The cells of a row."""
    return Markup("".join([_cell(column, row.get(column.field)) for column in columns]))


def _cell(column: Column, value: Any) -> str:
    kind = f' class="{column.kind}"' if column.kind == "number" else ""
    return f'<td{kind} data-field="{column.field}">{written(value, column.shown)}</td>'
