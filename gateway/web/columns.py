"""The columns of the dashboard's tables: their labels, how their values are written, and which are shown at first.

The page draws its heads and cells from these, and its scripts read them from the page. How a value is written (`shown`)
is in the template `_format.html` and in `format.js`.
"""

from typing import NamedTuple

NUMBERS = frozenset(("count", "rate", "size", "duration", "milliseconds"))


class Column(NamedTuple):
    """One column: the field of a row, its label, how a value is written, which order a first click asks for ("-" before
    the name: the largest first), and in which states of the table it is there at first."""

    field: str
    label: str
    shown: str
    first: str
    on: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """How the cells stand: numbers at the right."""
        return "number" if self.shown in NUMBERS else "text"

    @property
    def second(self) -> str:
        """The order that the next click asks for."""
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
    _text("words", "Said", on=("closed",)),
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
    _text("room", "Room", "room"),
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


def shown_in(state: str) -> list[Column]:
    """The columns that are there at first in a state of the table of connections."""
    return [column for column in CONNECTIONS if state in column.on]
