"""The columns of the dashboard's tables: their labels, how their values are written, and which are shown at first.

The page makes its heads and cells from these, and its scripts read them from the page. How a value is written (`shown`)
is decided here and, equally, in static's format.js; quantities are written by `core.quantity`, so that a filter word
finds the row by what its cell says. None is unknown.

Cells are written in Python because a page of the table has thousands: a macro in the template takes ten times as long,
and blocks everybody else meanwhile.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from gateway.core.quantity import short_count, short_duration, short_milliseconds, short_rate, short_size

NUMBERS = frozenset(("count", "rate", "size", "duration", "milliseconds"))


class Column(NamedTuple):
    """One column: the field of a row, its label, how a value is written, the order after a first click ("-" before
    the name: the largest first), and the states of the table in which it is shown at first."""

    field: str
    label: str
    shown: str
    first: str
    on: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """How the cells are aligned: numbers right."""
        return "number" if self.shown in NUMBERS else "text"

    @property
    def second(self) -> str:
        """The order after a second click."""
        return self.first[1:] if self.first.startswith("-") else f"-{self.first}"


LIVE = ("open", "any")
ENDED = ("closed", "any")
ALWAYS = ("open", "closed", "any")


def _number(field: str, label: str, shown: str, on: tuple[str, ...] = ()) -> Column:
    return Column(field, label, shown, f"-{field}", on)


def _text(field: str, label: str, shown: str = "text", on: tuple[str, ...] = ()) -> Column:
    return Column(field, label, shown, field, on)


CONNECTIONS = (
    _text("id", "Id", "code", ALWAYS),
    _text("nick", "Nick", "name", ALWAYS),
    _text("door", "Door", "door", ALWAYS),
    _text("room", "Room", on=ALWAYS),
    _text("address", "Address", "code", ALWAYS),
    _number("up", "Up", "duration", ALWAYS),
    _number("idle", "Idle", "duration", ("open",)),
    _number("rtt", "RTT", "milliseconds", ("open",)),
    _number("messages_in_rate", "In/s", "rate", ("open",)),
    _number("messages_out_rate", "Out/s", "rate", ("open",)),
    _number("lag_bytes", "Lag", "size", LIVE),
    _number("skipped", "Skipped", "count", ("open",)),
    _text("state", "State", "state", ALWAYS),
    _text("reason", "Reason", on=ENDED),
    _text("words", "Last words", on=("closed",)),
    _number("closed_at", "Closed", "moment", ENDED),
    _text("agent", "Agent", "agent", on=("open", "closed")),
    _text("local", "Local listener", "code"),
    _number("bytes_in", "Bytes in", "size"),
    _number("bytes_out", "Bytes out", "size"),
    _number("messages_in", "Messages in", "count"),
    _number("messages_out", "Messages out", "count"),
    _number("connected_at", "Joined at", "moment"),
    _text("tls", "TLS", "yes"),
    _text("telnet", "Telnet options", "list"),
    _text("terminal", "Terminal"),
    _number("resumed", "Resumed", "count"),
    _text("user", "User id", "code"),
    _text("proxy", "Proxy", "code"),
    _text("rooms", "All rooms", "list"),
    _number("lag_messages", "Lag, messages", "count"),
    _number("unsent_ms", "Behind for", "duration"),
    _number("bytes_in_rate", "Bytes in/s", "size"),
    _number("bytes_out_rate", "Bytes out/s", "size"),
    _number("retransmits", "Retransmits", "count"),
    _number("unacked", "Unacked", "count"),
    _number("unsent_bytes", "Unsent", "size"),
)

ROOMS = (
    _text("room", "Room"),
    _number("people", "People", "count"),
    _number("tcp", "tcp", "count"),
    _number("telnet", "telnet", "count"),
    _number("web", "web", "count"),
    _number("http", "http", "count"),
    _number("rate", "Messages/s", "rate"),
    _number("head", "Last number", "count"),
    _number("log_messages", "In memory", "count"),
    _number("log_bytes", "Log", "size"),
    _number("lag_messages", "Lag, messages", "count"),
    _number("lag_bytes", "Lag", "size"),
    _text("topic", "Topic"),
)


NODES_ROOMS = (*ROOMS[:1], _text("nodes", "Nodes", "list"), *ROOMS[1:])
NODES_CONNECTIONS = (*CONNECTIONS[:2], _text("node", "Node", "code", ALWAYS), *CONNECTIONS[2:])
"""The same where there are several nodes."""


def shown_in(state: str, columns: Sequence[Column] = CONNECTIONS) -> list[Column]:
    """The columns that are shown at first in a state of the table of connections."""
    return [column for column in columns if state in column.on]


UNKNOWN = "n/a"
BROWSER = re.compile(r"(Edg|OPR|Firefox|Chrome|Version)/(\d+)(?!.*\b(?:Edg|OPR)/)")
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Version": "Safari"}


def moment(at: int) -> Markup:
    """A time in ms since 1970; UTC, until a script writes it in the browser's own zone."""
    seconds = time.gmtime(at // 1000)
    shown = time.strftime("%Y-%m-%d %H:%M:%S", seconds)
    return Markup('<time datetime="%s">%s</time>') % (time.strftime("%Y-%m-%dT%H:%M:%SZ", seconds), shown)


def agent(value: str) -> str:
    """A browser's name and version from its User-Agent; other programs' as they are."""
    if not value.startswith("Mozilla/"):
        return escape(value)
    found = BROWSER.search(value)
    name = BROWSERS.get(found[1], found[1]) if found else "browser"
    return Markup('<span title="%s">%s</span>') % (value, f"{name} {found[2]}" if found else name)


NUMBER_FORMATS: dict[str, Callable[[Any], str]] = {
    "count": short_count,
    "rate": short_rate,
    "size": short_size,
    "milliseconds": short_milliseconds,
    "duration": lambda ms: short_duration(ms / 1000),
}
TEXTS: dict[str, Callable[[Any], str]] = {
    "moment": moment,
    "agent": agent,
    "name": lambda value: f"<bdi>{escape(value)}</bdi>",
    "door": lambda value: f'<span class="door" data-door="{value}"> {value}</span>',
    "state": lambda value: f'<span class="state" data-state="{value}">{value}</span>',
    "list": lambda value: escape(", ".join(value)),
    "yes": lambda value: "yes" if value else "no",
}


def written(value: Any, shown: str) -> Markup:
    """A value as HTML, in the way that its column's `shown` names."""
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
