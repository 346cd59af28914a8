"""Negotiation: what a telnet peer and the gateway agree on (RFC 857, 858), and what the peer tells of its terminal
(RFC 1073, 1091, 1572).

Theory of this file. The telnet door offers to echo (ECHO, SGA), which makes a client send every key at once, and asks
for the window's size (NAWS), the terminal's type (TTYPE) and two variables (NEW-ENVIRON). A peer that agrees to the
echo gets the line editor. What the peers of this world do with such offers:

- telnet, PuTTY and their like agree to all and send every key. Asked for its type again and again a client names the
  last one twice.
- MUD clients (TinTin++, Mudlet, MUSHclient …) agree as well but go on sending whole lines, and hide what is typed, for
  to them ECHO means that a password is being asked for. Most can be told by their answers to TTYPE: first the client's
  name, then the terminal's, then `MTTS` and a number whose bits say what it can do. From the others ECHO is taken back
  when their first text is a whole line (`tcp.telnet.telnet_session`).
- TinyFugue and clients made with libtelnet agree to ECHO and refuse SGA. Without both nobody knows who shows what is
  typed, so the one that is on is taken back.
- Scripts and netcats answer nothing.

`settled` is when nothing more is to be waited for. No answer is needed for it, as long as the caller sets a limit.
"""

import re
from typing import Final

from gateway.core.sanitize import shown
from gateway.tcp.telnet.parser import Event, Subnegotiation, Telnet
from gateway.tcp.telnet.q_method import ECHO, NAWS, NEW_ENVIRON, SGA, TTYPE, Settled, Side

OFFER_AFTER = 0.03
"""Seconds: a script's first line comes sooner, and nobody types that fast."""
ANSWER_SECONDS = 0.5
"""A peer that has not answered by then is served like one at the plain door."""
OPTION_NAMES: Final = {ECHO: "ECHO", SGA: "SGA", TTYPE: "TTYPE", NAWS: "NAWS", NEW_ENVIRON: "NEW-ENVIRON"}
"""The options as operators see them."""
QUESTIONS: Final = (NAWS, TTYPE, NEW_ENVIRON)
"""Options of the peer's that tell of its terminal."""
TYPE_QUESTIONS = 4
"""How often a terminal's type is asked for at most: client, terminal, MTTS, and a client that cannot count."""
NAME_LETTERS = 40
"""How much is kept of a name that a peer gives."""
ANSI, SCREEN_READER = 1, 64
"""Bits of MTTS (https://tintin.mudhalla.net/protocols/mtts)."""
NO_CURSOR: Final = frozenset({"DUMB"})
"""Terminals that cannot move their cursor."""
NO_COLORS: Final = NO_CURSOR | {"UNKNOWN", "NETWORK"}
"""Terminals of which it is not known that they have colours; with an empty type, what a client says without TERM."""

_IS, _SEND = b"\0", b"\1"
_VAR, _VALUE, _ESCAPE, _USERVAR = range(4)
_WANTED = (b"LANG", b"NO_COLOR")
_QUESTION = _SEND + b"".join(bytes((kind,)) + name for kind in (_VAR, _USERVAR) for name in _WANTED)
_MTTS = re.compile(rb"MTTS (\d{1,6})")
_LINE_SENDERS = re.compile(
    r"atlantis|axmud|beip|blowtorch|cmud|fado|gnome-mud|kildclient|mudlet|mudportal|mushclient|potato|simplemu"
    r"|tintin|tinyfugue|zmud",
    re.IGNORECASE,
)
"""Clients that send whole lines whatever they agree to."""
_OTHER_CHARSET = re.compile(r"\.(?!utf-?8)([\w-]+)", re.IGNORECASE)


class Negotiation:
    """The options of one connection and what came of them. Feed it what was received; send what `replies` returns.

    With a parser of its own (`telnet`, as the plain door makes one) nothing is offered and nothing agreed to."""

    __slots__ = ("_pending", "_questions", "_telnet", "agent", "echo_offered", "height", "lang", "mtts", "no_color",
                 "terminal", "width")  # fmt: skip

    def __init__(self, telnet: Telnet | None = None) -> None:
        self._telnet = telnet or Telnet(ours={ECHO, SGA}, theirs={NAWS, TTYPE, NEW_ENVIRON}, spoken=True)
        self._pending: set[tuple[Side, int]] = set()
        """Offers without an answer; at our side also the questions about an option of the peer's."""
        self._questions = 0
        self.echo_offered = False
        self.width = self.height = 0
        """The window in cells; 0 = not known."""
        self.terminal = self.agent = self.lang = ""
        """The terminal's type, the client's name where it differs, and LANG; empty = not known."""
        self.mtts = 0
        self.no_color = False
        """Whether the person wants no colours (https://no-color.org)."""

    def ask(self) -> None:
        """Ask the peer for all that tells of its terminal."""
        for option in QUESTIONS:
            if self._telnet.is_on(Side.PEER, option):
                self._inquire(option)
            else:
                self._telnet.enable(Side.PEER, option)
                self._pending.add((Side.PEER, option))

    def offer_echo(self) -> None:
        """Offer to show what is typed, which lets the peer send every key."""
        for option in (SGA, ECHO):
            if not self._telnet.is_on(Side.US, option):
                self._telnet.enable(Side.US, option)
                self._pending.add((Side.US, option))
        self.echo_offered = True

    def feed(self, data: bytes) -> list[bytes | Event]:
        """What was received, as text and events; see `Telnet.feed`. What concerns the options is taken note of too."""
        pieces = self._telnet.feed(data)
        for piece in pieces:
            if isinstance(piece, Settled):
                self._settle(piece)
            elif isinstance(piece, Subnegotiation):
                self._read(piece)
        return pieces

    def replies(self) -> bytes:
        """What to send now, as it is."""
        return self._telnet.replies()

    def rest(self) -> bytes:
        """See `Telnet.rest`."""
        return self._telnet.rest()

    def take_back_echo(self) -> None:
        """The peer shows what is typed itself, and sends whole lines."""
        self._telnet.disable(Side.US, ECHO)
        self._telnet.disable(Side.US, SGA)

    @property
    def agreed(self) -> tuple[str, ...]:
        """The options that are on, as words: `us ECHO`."""
        found = [(side, option) for side in Side for option in self._telnet.agreed(side)]
        return tuple(f"{side} {OPTION_NAMES.get(option, option)}" for side, option in found)

    @property
    def echoes(self) -> bool:
        """Whether the peer sends every key and leaves the echo to us."""
        return self._telnet.is_on(Side.US, ECHO) and self._telnet.is_on(Side.US, SGA)

    @property
    def echoes_by_half(self) -> bool:
        """Whether the peer has agreed to ECHO without SGA, or to SGA without ECHO, unless its answer about ECHO may
        still come."""
        # SGA is offered first and so answered first; PuTTY, whose order is its own, says both in one packet.
        echo, sga = (self._telnet.is_on(Side.US, option) for option in (ECHO, SGA))
        return echo != sga and (echo or (self.echo_offered and (Side.US, ECHO) not in self._pending))

    @property
    def settled(self) -> bool:
        """Whether the peer has answered all that was asked."""
        return not self._pending

    @property
    def sends_lines(self) -> bool:
        """Whether it is a client that sends whole lines whatever it has agreed to."""
        return bool(self.mtts or _LINE_SENDERS.search(self.agent) or _LINE_SENDERS.search(self.terminal))

    @property
    def moves_cursor(self) -> bool:
        """Whether the terminal can be drawn on."""
        return self.terminal.upper() not in NO_CURSOR

    @property
    def shows_colors(self) -> bool:
        """Whether colours are wanted and possible."""
        known = bool(self.mtts & ANSI) if self.mtts else bool(self.terminal) and self.terminal.upper() not in NO_COLORS
        return known and not self.no_color

    @property
    def reads_aloud(self) -> bool:
        """Whether the client says that a screen reader is in use."""
        return bool(self.mtts & SCREEN_READER)

    @property
    def other_charset(self) -> str:
        """The character set that LANG names, if it is not UTF-8."""
        found = _OTHER_CHARSET.search(self.lang)
        return found[1] if found else ""

    @property
    def size(self) -> str | None:
        """The window's size as people write it, `80x24`."""
        return f"{self.width}x{self.height}" if self.width else None

    @property
    def program(self) -> str | None:
        """The program at the other end, as it names itself."""
        return " ".join(filter(None, (self.agent, self.terminal))) or None

    def _settle(self, settled: Settled) -> None:
        place = (settled.side, settled.option)
        waiting = place in self._pending
        self._pending.discard(place)
        if settled.on and waiting:
            self._inquire(settled.option)

    def _inquire(self, option: int) -> None:
        """The peer is willing to tell: ask, where asking is needed."""
        if option == TTYPE:
            self._ask_type()
        elif option == NEW_ENVIRON:
            self._pending.add((Side.US, NEW_ENVIRON))
            self._telnet.ask(NEW_ENVIRON, _QUESTION)

    def _ask_type(self) -> None:
        self._questions += 1
        self._pending.add((Side.US, TTYPE))
        self._telnet.ask(TTYPE, _SEND)

    def _read(self, told: Subnegotiation) -> None:
        if told.option == NAWS and len(told.payload) == 4:
            self.width, self.height = (int.from_bytes(told.payload[at : at + 2], "big") for at in (0, 2))
        elif told.option == TTYPE and told.payload.startswith(_IS):
            self._pending.discard((Side.US, TTYPE))
            self._name(told.payload[1:])
        elif told.option == NEW_ENVIRON:
            self._pending.discard((Side.US, NEW_ENVIRON))
            self._read_variables(told.payload[1:])

    def _name(self, given: bytes) -> None:
        """A reply to TTYPE: the first is kept as the terminal; a second that differs makes it the client's name."""
        mtts = _MTTS.fullmatch(given)
        name = shown(given[:NAME_LETTERS].decode("utf-8", "replace")) if given.strip() else ""
        if mtts:
            self.mtts = int(mtts[1])
            return
        if name and name != self.terminal:
            if self.terminal:
                self.agent = self.agent or self.terminal
            self.terminal = name
            if self._questions < TYPE_QUESTIONS:
                self._ask_type()

    def _read_variables(self, payload: bytes) -> None:
        for name, value in variables(payload):
            if name == b"LANG" and value:
                self.lang = shown(value[:NAME_LETTERS].decode("utf-8", "replace"))
            elif name == b"NO_COLOR" and value:
                self.no_color = True


def variables(payload: bytes) -> list[tuple[bytes, bytes]]:
    """The variables in what a peer says of its environment (RFC 1572, after the first byte), in order; one without a
    value has an empty one."""
    found: list[tuple[bytearray, bytearray]] = []
    into: bytearray | None = None
    escaped = False
    for byte in payload:
        if escaped or byte > _USERVAR:
            escaped = False
            if into is not None:
                into.append(byte)
        elif byte == _ESCAPE:
            escaped = True
        elif byte == _VALUE:
            into = found[-1][1] if found else None
        else:
            found.append((bytearray(), bytearray()))
            into = found[-1][0]
    return [(bytes(name), bytes(value)) for name, value in found]
