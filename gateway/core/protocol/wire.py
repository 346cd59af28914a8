"""The wire formats: how a message or an event looks in bytes on each kind of connection.

A format does one thing: turn a `Message` of a room's log, or an `Event` for one session, into complete bytes. It
encodes each message once, however many readers there are; the room joins the results and hands the same bytes object
to all of them.

On terminals the author stands at the start of every physical line, so nobody can forge another's line or the
server's: whatever has several lines is written with the author, or the server's mark, in front of each.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from gateway import wording
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import (
    Ack,
    Bye,
    Error,
    Event,
    Gap,
    History,
    Joined,
    Listing,
    Msg,
    Notice,
    PageShown,
    Pong,
    Presence,
    Private,
    Read,
    Redacted,
    Standing,
    Typing,
    Welcome,
    encode_json,
)
from gateway.core.protocol.message import Door, Kind, Message, PasteSize

_SAID = str(Kind.SAY)  # looking up a member of an enumeration takes ten times as long, and each message asks
PLACES = 64
"""Addresses of the web door that readers of one format are told; those at further ones are told the path only."""


class Wire(Protocol):
    """One wire format."""

    name: str
    objects: bool
    """Whether it is JSON for programs, with every presence event; otherwise it is lines for people."""

    def for_programs(self) -> "Wire":
        """The JSON format for the same kind of connection."""

    def for_people(self) -> "Wire":
        """The format that `for_programs` came from."""

    def message(self, message: Message) -> bytes:
        """A message of the log, complete."""

    def event(self, event: Event, nick: str) -> bytes:
        """An event for the session whose nick is `nick`; empty where the format does not show it."""


def as_msg(message: Message) -> Msg:
    """The event that shows a message of the log."""
    shown = Msg(message.room, message.seq, message.ts, message.nick, message.door, message.kind, message.text)
    if message.paste is not None:
        return msgspec.structs.replace(shown, paste=message.paste)
    return msgspec.structs.replace(shown, redacted=message.redacted) if message.redacted else shown


def frame(payload: bytes) -> bytes:
    """A complete unmasked WebSocket text frame (RFC 6455, 5.2) around `payload`."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def ended(payload: bytes) -> bytes:
    """`payload` as a line."""
    return payload + b"\n"


class JsonObjects:
    """One JSON object for each event, wrapped in a WebSocket text frame (chat.v1.json) or in a line (after /bot).
    `lines` is the format that /bot off returns to."""

    objects = True

    def __init__(self, name: str, wrap: Callable[[bytes], bytes], lines: Wire | None = None) -> None:
        self.name = name
        self._wrap = wrap
        self._lines = lines

    def for_programs(self) -> Wire:
        return self

    def for_people(self) -> Wire:
        return self._lines or self

    def message(self, message: Message) -> bytes:
        return self._wrap(encode_json(as_msg(message)))

    def event(self, event: Event, nick: str) -> bytes:
        return self._wrap(encode_json(event))


class Epochal(Protocol):
    """A room, as far as a stream needs it: its epoch."""

    epoch: str


class ServerSentEvents:
    """`/r/{room}/events`: each object under the name of its type. Its id is the place to resume from: epoch:seq.

    What is sent before the missed messages carries no id: a client that is cut off there asks for them again.
    """

    name = "events"
    objects = True

    def __init__(self, room: Epochal) -> None:
        self._room = room

    def for_programs(self) -> Wire:
        return self

    def for_people(self) -> Wire:
        return self

    def message(self, message: Message) -> bytes:
        return self._event("msg", as_msg(message), message.seq)

    def event(self, event: Event, nick: str) -> bytes:
        seq = event.last if isinstance(event, Gap) else None
        if isinstance(event, History) and event.messages:
            seq = event.messages[-1].seq
        return self._event(str(event.__struct_config__.tag), event, seq)

    def _event(self, name: str, event: Event, seq: int | None) -> bytes:
        place = "" if seq is None else f"id: {self._room.epoch}:{seq}\n"
        if isinstance(event, Bye) and isinstance(event.retry_ms, int):
            place += f"retry: {event.retry_ms}\n"
        return f"event: {name}\n{place}data: ".encode() + encode_json(event) + b"\n\n"


class LineReader(NamedTuple):
    """The reader of an event as lines: their nick, and where they find the web door (`http://10.0.0.4:8080`; empty: not
    known)."""

    nick: str
    page: str = ""


class Lines:
    """Whole lines for terminals, ended by `end`; `page` as in `LineReader`."""

    objects = False

    def __init__(self, name: str, end: str, page: str = "") -> None:
        self.name = f"{name} {page}" if page else name
        self.end = end
        self._page = page
        self._at: dict[str, Lines] = {}
        self._timed: TimedLines | None = None
        self._objects = self._for_programs()

    def at(self, page: str) -> "Lines":
        """The same format for readers who find the web door at `page`: those at one place share what is encoded."""
        if page not in self._at and (not page or len(self._at) >= PLACES):
            return self
        return self._at.setdefault(page, type(self)(self.name, self.end, page))

    def timed(self) -> "Lines":
        """The same format with the time of each message; readers share it."""
        if self._timed is None:
            self._timed = TimedLines(self)
        return self._timed

    def untimed(self) -> "Lines":
        """The format that `timed` came from."""
        return self

    def for_programs(self) -> Wire:
        return self._objects

    def _for_programs(self) -> Wire:
        return JsonObjects("bot", ended, self)

    def for_people(self) -> Wire:
        return self

    def message(self, message: Message) -> bytes:
        text = message.text
        if text and message.kind == _SAID and "\n" not in text and message.paste is None:
            return f"{message.nick}: {text}{self.end}".encode()
        return self._join(spoken(message, self._page))

    def event(self, event: Event, nick: str) -> bytes:
        return self._join(EVENT_LINES[type(event)](event, LineReader(nick, self._page)))

    def _join(self, lines: list[str]) -> bytes:
        return "".join([line + self.end for line in lines]).encode()


class TimedLines(Lines):
    """The same with the time in front of each live message, `14:01 bob: hi`, for `core.protocol.line_style` to show."""

    def __init__(self, of: Lines) -> None:
        super().__init__(f"timed {of.name}", of.end)
        self._page = of._page
        self._of = of

    def timed(self) -> Lines:
        return self

    def untimed(self) -> Lines:
        return self._of

    def message(self, message: Message) -> bytes:
        return self._join([f"{clock(message.ts)} {line}" for line in spoken(message, self._page)])


class RawLines(Lines):
    """`/r/{room}/raw`: new messages, gap notices, and the reason for its end."""

    def event(self, event: Event, nick: str) -> bytes:
        return super().event(event, nick) if isinstance(event, Gap | Redacted | Bye) else b""


class LineFrames(Lines):
    """Subprotocol chat.v1.text: each line in one WebSocket text frame, without its end."""

    def _for_programs(self) -> Wire:
        return JsonObjects("frame", frame, self)

    def message(self, message: Message) -> bytes:
        return self._join(spoken(message, self._page))

    def _join(self, lines: list[str]) -> bytes:
        return b"".join([frame(line.encode()) for line in lines])


def spoken(message: Message | Msg, page: str = "") -> list[str]:
    """The lines of a message: the first shows its kind, further ones begin with `nick|`; of a paste the last says where
    `page` has the whole; of a removed message the notice of that."""
    if not message.text:
        return [f"-- {wording.REMOVED.format(seq=message.seq, reason=message.redacted)}"]
    nick = message.nick
    first, *more = message.text.split("\n")
    opening = f"* {nick} {first}" if message.kind == Kind.ACTION else f"{nick}: {first}"
    lines = [opening, *(f"{nick}| {line}" for line in more)]
    if isinstance(message.paste, PasteSize):
        lines.append(f"{nick}| {_rest(message, message.paste, page)}")
    return lines


def _rest(message: Message | Msg, size: PasteSize, page: str) -> str:
    left = size.lines - message.text.count("\n") - 1
    if left > 0:
        words = wording.ONE_MORE_LINE if left == 1 else wording.MORE_LINES.format(count=left)
    else:
        words = wording.MORE_BYTES.format(count=size.bytes - len(message.text.encode()))
    where = f"{page}/r/{message.room}/paste/{message.seq}"
    return (wording.PASTE_AT if page else wording.PASTE_PATH).format(more=words, where=where)


def _redacted(event: Redacted, reader: LineReader) -> list[str]:
    return [f"-- {wording.REMOVED.format(seq=event.seq, reason=event.reason)}"]


def clock(ts: int) -> str:
    """Hours and minutes of `ts` (ms since 1970) in the server's time zone."""
    return datetime.fromtimestamp(ts / 1000).strftime("%H:%M")


def day(ts: int) -> str:
    """The day of `ts` (ms since 1970) in the server's time zone: `Tue 24 Nov`."""
    moment = datetime.fromtimestamp(ts / 1000)
    return f"{moment:%a} {moment.day} {moment:%b}"


def _msg(event: Msg, reader: LineReader) -> list[str]:
    return spoken(event, reader.page)


def _history(event: History, reader: LineReader) -> list[str]:
    return [f"[{clock(m.ts)}] {line}" for m in event.messages for line in spoken(m, reader.page)]


def _page_shown(event: PageShown, reader: LineReader) -> list[str]:
    return [f"#{m.seq} [{clock(m.ts)}] {line}" for m in event.messages for line in spoken(m, reader.page)]


def _joined(event: Joined, reader: LineReader) -> list[str]:
    lines = ["-- " + wording.YOU_ARE_IN.format(room=event.room, besides=besides(event.count))]
    return [*lines, "-- " + wording.TOPIC.format(topic=event.topic)] if event.topic else lines


def _presence(event: Presence, reader: LineReader) -> list[str]:
    return [
        *("-- " + wording.JOINED.format(nick=member.nick, door=member.door) for member in event.joined),
        *("-- " + wording.LEFT.format(nick=name) for name in event.left),
        *("-- " + wording.RENAMED.format(old=change.old, new=change.new) for change in event.renamed),
    ]


def _private(event: Private, reader: LineReader) -> list[str]:
    sender = "you" if event.sender == reader.nick else event.sender
    to = "you" if event.to == reader.nick and sender != "you" else event.to
    return [f"[{sender} -> {to}] {line}" for line in event.text.split("\n")]


def _gap(event: Gap, reader: LineReader) -> list[str]:
    count = event.last - event.first + 1
    lines = wording.ONE_LINE if count == 1 else wording.LINES.format(count=count)
    return ["-- " + wording.SKIPPED.format(lines=lines, seq=event.first - 1)]


def _notice(event: Notice, reader: LineReader) -> list[str]:
    return [f"-- {line}" for line in event.text.split("\n")]


def _listing(event: Listing, reader: LineReader) -> list[str]:
    return event.text.split("\n")


def _error(event: Error, reader: LineReader) -> list[str]:
    return [f"!! {event.code}: {event.text}"]


def _bye(event: Bye, reader: LineReader) -> list[str]:
    if event.code == CloseReason.LEFT.code:
        return [f"-- {event.reason}"]
    return [f"!! {event.reason}"]


def _silent(event: Event, reader: LineReader) -> list[str]:
    return []


def people(count: int) -> str:
    """`1 person`, `41 people`."""
    return wording.ONE_PERSON if count == 1 else wording.PEOPLE.format(count=count)


def besides(count: int) -> str:
    """How a room of `count` people looks to one of them: `you are alone`, `40 people besides you`."""
    return wording.BESIDES.format(people=people(count - 1)) if count > 1 else wording.ALONE


EVENT_LINES: dict[type[Event], Callable[[Any, LineReader], list[str]]] = {
    Welcome: _silent,
    Joined: _joined,
    Msg: _msg,
    Redacted: _redacted,
    Ack: _silent,
    History: _history,
    PageShown: _page_shown,
    Presence: _presence,
    Private: _private,
    Gap: _gap,
    Notice: _notice,
    Listing: _listing,
    Error: _error,
    Pong: _silent,
    Typing: _silent,
    Read: _silent,
    Standing: _silent,
    Bye: _bye,
}

PLAIN = Lines("plain", "\n")
TELNET = Lines("telnet", "\r\n")
RAW = RawLines("raw", "\n")
TEXT = LineFrames("text", "")
FRAME = JsonObjects("frame", frame)
LINES_OF: dict[Door, Lines] = {Door.TCP: PLAIN, Door.TELNET: TELNET, Door.WEB: TEXT}
"""The line format of a session, by its door."""
