"""Telnet (RFC 854, 855, 1143) as bytes in, text and events out.

Theory of this file. `feed` splits what was received into text, signals and negotiation. Replies that only serve the
protocol gather in `replies`; what means something to a person (Are You There, interrupt, the window's size) is an
event, which the door puts into words. Line ends stay as they are: `tcp.lines` handles them. What both sides have agreed
on is in `tcp.telnet.q_method`.

- A command may be cut at every byte. Of an incomplete command only its bytes are kept, and parsed again with the next
  chunk: at most a subnegotiation of SUBNEGOTIATION_BYTES, beyond which the peer is in violation.
- DO TIMING-MARK is no option but a question ("have you read as far as this?"): the Ctrl-C of common clients sends it
  and throws our output away until it is answered. It is answered every time, once per `replies`.
- The window's size is read by its length, because clients differ: a width of 255 comes with the byte doubled, as the
  protocol wants it, and without.
- A subnegotiation is reported only for an option that is on at the peer's side. Others were never agreed on and are
  dropped unread (LINEMODE tables).

The plain door uses the same parser once a 0xFF turns up, but there it is not known that this is telnet: `spoken` is
false until the first command that only a telnet client would send. Before that 0xFF is a byte like any other, which the
text gate turns into U+FFFD. Valid UTF-8 has no 0xFF, but Cyrillic in CP1251 has: there it is the last letter of the
alphabet, the letters before it are WILL to DONT and AYT, and lines end in `\xff\xfe\n` (DONT 10) or hold `\xff\xf6`
(AYT, as in the word for month). What tells the two apart:

- A letter stands beside letters. No first command follows a byte from 0x80 on, and no one-byte command precedes one.
- WILL, DO and a subnegotiation are believed for the options in use, DONT and WONT (which no client begins with) only
  for those that no text has after a letter.
- At the start of a line Are You There, Interrupt and Break need no byte after them: people send them alone.

The options that a door wants are given to the constructor; without any the peer keeps its line mode. A parser that has
seen nothing holds nothing but empty objects.

Why by hand: telnetlib3 is built on asyncio's streams, and is a foreign peer in the tests; what is wanted here is bytes
in and out, on the plain door too, where it is not known yet whether a peer speaks telnet.
"""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway import wording
from gateway.tcp.telnet.q_method import (
    ARE_YOU_THERE,
    BREAK,
    DO,
    DONT,
    ERASE_CHARACTER,
    ERASE_LINE,
    IAC,
    INTERRUPT_PROCESS,
    NAWS,
    SB,
    SE,
    TIMING_MARK,
    VERBS,
    WILL,
    WONT,
    Settled,
    Side,
    TelnetOptions,
)

SUBNEGOTIATION_BYTES = 512
"""Enough for NAWS and TTYPE; telnetd had an overflow in a buffer of 108."""

NEGOTIATIONS = 1_000
"""Replies sent to one connection, at most. Refusing all options on both sides takes 512."""

_LINE_ENDS = b"\n\r\0"
_OPTIONS = frozenset({*range(50), 69, 70, 85, 86, 90, 91, 93, 102, 138, 139, 140, 200, 201}) - frozenset(b"\t\n\r")
"""The options IANA has assigned, except for the three that end words in CP1251, and those of MUD clients."""
_SAFE_TO_REFUSE = frozenset(range(32)) - frozenset(b"\t\n\r")


class Signal(StrEnum):
    """What a person asks for. One that wants a reply in words is reported once per `feed`, at its first place."""

    ARE_YOU_THERE = "are you there"
    INTERRUPT = "interrupt"
    ERASE_CHARACTER = "erase character"
    ERASE_LINE = "erase line"


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """Data from the peer about an option that is on at its side; `payload` is at most SUBNEGOTIATION_BYTES."""

    option: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer has violated the protocol: close. The parser takes nothing more."""

    reason: str


Event = Signal | Settled | Subnegotiation | Violation


_SIGNALS: Final = {
    ARE_YOU_THERE: (Signal.ARE_YOU_THERE,),
    INTERRUPT_PROCESS: (Signal.INTERRUPT,),
    BREAK: (Signal.INTERRUPT,),
    ERASE_CHARACTER: (Signal.ERASE_CHARACTER,),
    ERASE_LINE: (Signal.ERASE_LINE,),
}
_ALONE: Final = frozenset({ARE_YOU_THERE, INTERRUPT_PROCESS, BREAK})
_SIZE = re.compile(rb"((?:[^\xff]|\xff\xff){4}|.{4})\xff\xf0", re.DOTALL)
"""A window's size: two numbers of two bytes. Not all clients double a byte of 0xFF in it, as in a width of 255."""
_SIZE_BYTES = 10  # the longest it can be
_PAYLOAD = re.compile(rb"(?:[^\xff]++|\xff\xff)*+", re.DOTALL)
_SIMPLE_COMMANDS = re.compile(rb"(?:\xff[\xf0-\xf9])++")
_IACS = re.compile(rb"\xff++")
_DOUBLED = re.compile(rb"(?:\xff\xff)++")
_INCOMPLETE = 0

Piece = bytes | Event
Read = tuple[int, tuple[Piece, ...]]
"""Where the bytes after a command begin (_INCOMPLETE: the rest has not come), and the pieces to report."""


class Telnet:
    """The protocol's state for one connection.

    `ours` are the options we perform when the peer asks, `theirs` those it may perform when it offers. `spoken` is
    whether the peer is known to speak telnet: true from the start on the telnet door. `before` is the byte before the
    first that is fed, empty at the start of a line.
    """

    __slots__ = ("_before", "_closed", "_held", "_mark_due", "_options", "_replied", "_replies", "spoken")

    def __init__(
        self, *, ours: Set[int] = frozenset(), theirs: Set[int] = frozenset(), spoken: bool = False, before: bytes = b""
    ) -> None:
        self.spoken = spoken
        self._before = before
        self._options = TelnetOptions(ours, theirs)
        self._held = b""
        self._replies = b""
        self._replied = 0
        self._mark_due = False
        self._closed = False

    def feed(self, data: bytes) -> list[bytes | Event]:
        """What was received, as pieces of text and events in order. No two pieces of text are adjacent.

        1. Does not raise, whatever the bytes.
        2. Reports each Signal that wants a reply at most once; nothing ever follows a Violation.
        3. Call `replies` afterwards and send what it returns.

        Text costs next to nothing, a command 1 to 2 µs: a door whose peer speaks telnet feeds at most 16 KiB a turn.
        """
        if self._closed or not data:
            return []
        if not self._held and IAC not in data:
            self._before = data[-1:]
            return [data]
        return self._grouped(self._pieces(self._held + data))

    def replies(self) -> bytes:
        """Protocol replies since the last call, to be sent as they are (not escaped); mostly empty."""
        replies, self._replies = self._replies, b""
        if self._mark_due:
            self._mark_due = False
            replies += bytes((IAC, WILL, TIMING_MARK))
        return replies

    def rest(self) -> bytes:
        """At the end of input: text that might have become a command with one more byte. Empty for a peer that speaks
        telnet."""
        held, self._held = self._held, b""
        return b"" if self.spoken else held

    def ask(self, option: int, payload: bytes) -> None:
        """Send a subnegotiation; `payload` holds no 0xFF."""
        self._replies += bytes((IAC, SB, option)) + payload + bytes((IAC, SE))

    def enable(self, side: Side, option: int) -> None:
        """Ask for an option; a `Settled` event reports the outcome, if the peer ever replies."""
        self._replies += self._options.enable(side, option)

    def disable(self, side: Side, option: int) -> None:
        """Ask for an option's end; the peer may not refuse."""
        self._replies += self._options.disable(side, option)

    def is_on(self, side: Side, option: int) -> bool:
        """Whether both sides have agreed to the option."""
        return self._options.is_on(side, option)

    def agreed(self, side: Side) -> list[int]:
        """The options that are on at that side."""
        return self._options.agreed(side)

    def _grouped(self, pieces: Iterator[Piece]) -> list[bytes | Event]:
        events: list[bytes | Event] = []
        text: list[bytes] = []
        told: set[Event] = set()
        for piece in pieces:
            if isinstance(piece, bytes):
                text.append(piece)
            elif piece not in told:
                if text:
                    events.append(b"".join(text))
                    text.clear()
                events.append(piece)
                if piece in (Signal.ARE_YOU_THERE, Signal.INTERRUPT):
                    told.add(piece)
        if text:
            events.append(b"".join(text))
        return events

    def _pieces(self, data: bytes) -> Iterator[Piece]:
        self._held = b""
        at = 0
        while (iac := data.find(b"\xff", at)) >= 0:
            if iac > at:
                self._before = data[iac - 1 : iac]
                yield data[at:iac]
            at, pieces = self._command(data, iac)
            if at == _INCOMPLETE:
                self._held = data[iac:]
                return
            yield from pieces
            if self._closed:
                return
        if at < len(data):
            self._before = data[-1:]
            yield data[at:]

    def _command(self, data: bytes, iac: int) -> Read:
        """Read the command at `iac`, or a run of equal ones."""
        verb_and_option = data[iac + 1 : iac + 3]
        if not verb_and_option or (verb_and_option[0] in VERBS and len(verb_and_option) < 2):
            return _INCOMPLETE, ()
        if not self.spoken:
            believed = _could_be_first(verb_and_option, self._before)
            if believed is None:
                return _INCOMPLETE, ()
            if not believed:
                self._before = b"\xff"
                return _bytes_as_they_are(data, iac)
            self.spoken = True
        code = verb_and_option[0]
        if code in VERBS:
            return iac + 3, self._negotiation(code, verb_and_option[1])
        if code == SB:
            return self._subnegotiation(data, iac)
        if code == IAC:
            return _doubled(data, iac)
        if code >= SE:
            return _simple_commands(data, iac)
        if code in b"\r\n":
            return iac + 1, ()  # no such command, but two lines must not become one
        return iac + 2, ()

    def _subnegotiation(self, data: bytes, iac: int) -> Read:
        if data[iac + 2 : iac + 3] == bytes((NAWS,)):
            size = _SIZE.match(data, iac + 3)
            if size is not None:
                return size.end(), self._told(
                    NAWS, size[1] if len(size[1]) == 4 else size[1].replace(b"\xff\xff", b"\xff")
                )
            if len(data) < iac + 3 + _SIZE_BYTES and data.find(b"\xff\xf0", iac) < 0:
                return _INCOMPLETE, ()
        end = _end(_PAYLOAD, data, iac + 2)
        payload = data[iac + 2 : end].replace(b"\xff\xff", b"\xff")
        if len(payload) > 1 + SUBNEGOTIATION_BYTES:
            return end, (self._violation(wording.TELNET_LONG.format(limit=SUBNEGOTIATION_BYTES)),)
        if end + 2 > len(data):
            return _INCOMPLETE, ()
        if data[end + 1] != SE:
            return end, ()  # cut short by another command, which is read next
        return end + 2, self._told(payload[0], payload[1:]) if payload else ()

    def _told(self, option: int, payload: bytes) -> tuple[Event, ...]:
        return (Subnegotiation(option, payload),) if self.is_on(Side.PEER, option) else ()

    def _negotiation(self, verb: int, option: int) -> tuple[Event, ...]:
        if option == TIMING_MARK:
            self._mark_due |= verb == DO
            return ()
        reply, settled = self._options.heard(verb, option)
        if reply:
            self._replies += reply
            self._replied += 1
            if self._replied > NEGOTIATIONS:
                return (self._violation(wording.TELNET_ENDLESS.format(limit=NEGOTIATIONS)),)
        return () if settled is None else (settled,)

    def _violation(self, reason: str) -> Violation:
        self._closed = True
        return Violation(reason)


def _could_be_first(verb_and_option: bytes, before: bytes) -> bool | None:
    """Whether a client may begin to speak telnet with IAC and these bytes, after the byte `before` (see the head of
    this file); None: the byte after them decides."""
    code = verb_and_option[0]
    if before >= b"\x80" or code <= SE:
        return False
    if code in (*VERBS, SB):
        if len(verb_and_option) < 2:
            return None
        return verb_and_option[1] in (_SAFE_TO_REFUSE if code in (WONT, DONT) else _OPTIONS)
    if code == IAC:
        return False
    if code in _ALONE and (not before or before in _LINE_ENDS):
        return True
    if len(verb_and_option) < 2:
        return None
    return verb_and_option[1] < 0x80 or verb_and_option[1] == IAC


def _bytes_as_they_are(data: bytes, iac: int) -> Read:
    """Not telnet yet: read a run of 0xFF as text; only the last of them can begin a command."""
    end = max(iac + 1, _end(_IACS, data, iac) - 1)
    return end, (data[iac:end],)


def _doubled(data: bytes, iac: int) -> Read:
    end = _end(_DOUBLED, data, iac)
    return end, (b"\xff" * ((end - iac) // 2),)


def _simple_commands(data: bytes, iac: int) -> Read:
    if data[iac + 2 : iac + 3] != b"\xff":
        return iac + 2, _SIGNALS.get(data[iac + 1], ())
    end = _end(_SIMPLE_COMMANDS, data, iac)
    return end, tuple(signal for code in data[iac + 1 : end : 2] for signal in _SIGNALS.get(code, ()))


def _end(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    match = pattern.match(data, start)
    return match.end() if match else start
