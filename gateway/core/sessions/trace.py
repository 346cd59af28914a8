"""Tracing a connection: what a peer sends and receives, as an operator may see it, with escapes visible and secrets
covered.

What a peer types after `/login` or `/resume`, and every token in an object, is shown as COVER. Lines and chunks are
covered as they come, with characters that backspace rubbed out removed first; a peer that edits its line in a way that
only a terminal shows can get its own secret past this, which harms that peer alone.

The doors pass input on (`Session.tap`); output passes through the tap on its way to the transport. On a connection that
is not watched, input costs one look at a slot and output nothing.
"""

import re
from collections.abc import Callable

import msgspec

from gateway.core import sanitize
from gateway.core.ports.transport import Kernel, Traits, Transport
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.sessions.session import Session

COVER = "•••"

_TELNET_COMMANDS = {
    240: "SE", 241: "NOP", 242: "DM", 243: "BRK", 244: "IP", 245: "AO", 246: "AYT", 247: "EC", 248: "EL", 249: "GA",
    250: "SB", 251: "WILL", 252: "WONT", 253: "DO", 254: "DONT",
}  # fmt: skip
_TELNET_OPTIONS = {
    0: "BINARY", 1: "ECHO", 3: "SGA", 5: "STATUS", 6: "TIMING-MARK", 24: "TTYPE", 25: "EOR", 31: "NAWS", 32: "TSPEED",
    33: "LFLOW", 34: "LINEMODE", 35: "XDISPLOC", 36: "ENVIRON", 37: "AUTH", 38: "ENCRYPT", 39: "NEW-ENVIRON",
    42: "CHARSET", 69: "MSDP", 70: "MSSP", 86: "MCCP2", 91: "MXP", 201: "GMCP",
}  # fmt: skip
_WITH_OPTION = range(250, 255)
_NAMES = {"\n": "\\n\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e", "\\": "\\\\"}
_ODD = re.compile(r"[^ -\[\]-~]")
"""Everything but printable ASCII, and the backslash."""
_TELNET = re.compile(rb"\xff(?:([\xfa-\xfe])(.)|([\xf0-\xf9])|(\xff))", re.DOTALL)
_TOKEN = re.compile(
    r"""("token"\s*:\s*"|"text"\s*:\s*"\s*/(?:l|lo|log|logi|login|r|re|res|resu|resum|resume)\s)(?:[^"\\]|\\.)*""",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(r"(/resume )[^\s\"\\]+")
_COMMAND = re.compile(r"/([a-zA-Z]+)\s")
_SECRET = ("login", "resume")
_RUBOUT, _KILL = b"\x08\x7f", 0x15
_NO_UTF8 = range(0xDC80, 0xDD00)
"""What `surrogateescape` makes of bytes that are not UTF-8."""
_FIRST = 64
"""Bytes of a line, without telnet's, that are kept to know its command."""
_LOOKED_AT = 4096
"""Bytes of a chunk that are looked at for it."""


def visible(data: bytes, telnet: bool) -> str:
    """The bytes as text: `\\e[31m`, `\\x07`, `<IAC WILL NAWS>`; a line feed is shown and ends the line."""
    if not telnet:
        return _escaped(data)
    shown, at = [], 0
    for match in _TELNET.finditer(data):
        shown += [_escaped(data[at : match.start()]), _named(match)]
        at = match.end()
    return "".join([*shown, _escaped(data[at:])])


def _named(match: re.Match[bytes]) -> str:
    if match[4]:
        return "<IAC IAC>"
    command = (match[1] or match[3])[0]
    name = _TELNET_COMMANDS[command]
    if command not in _WITH_OPTION:
        return f"<IAC {name}>"
    return f"<IAC {name} {_TELNET_OPTIONS.get(match[2][0], match[2][0])}>"


def _escaped(data: bytes) -> str:
    return _ODD.sub(_letter, data.decode("utf-8", "surrogateescape"))


def _letter(match: re.Match[str]) -> str:
    letter = match[0]
    if letter in _NAMES:
        return _NAMES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code in _NO_UTF8:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def without_secrets(words: str) -> str:
    """Objects and notices without tokens, passwords and resume codes."""
    return _CODE.sub(rf"\g<1>{COVER}", _TOKEN.sub(rf"\g<1>{COVER}", words))


def request_without_secrets(data: bytes) -> bytes:
    """The same for what a page sends, however it escapes the characters of its object."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Typed().covered(data + b"\n")[:-1]
    if not isinstance(found, dict):
        return data
    shown = found | ({"token": COVER} if "token" in found else {})
    if isinstance(found.get("text"), str):
        words = " ".join(found["text"].splitlines()).encode()
        covered = Typed().covered(words)
        if covered != words:
            shown["text"] = covered.decode()
    return data if shown == found else msgspec.json.encode(shown)


class Typed:
    """What a terminal sends, chunk by chunk, with the secrets behind its commands covered."""

    def __init__(self) -> None:
        self._line = b""
        self._secret = False

    def covered(self, data: bytes) -> bytes:
        """The next chunk as it may be shown."""
        shown = []
        for piece in data.splitlines(keepends=True):
            shown.append(self._piece(piece))
            if piece.endswith((b"\n", b"\r")):
                self._line, self._secret = b"", False
        return b"".join(shown)

    def _piece(self, piece: bytes) -> bytes:
        """A piece of one line."""
        words = piece.rstrip(b"\r\n")
        ending = piece[len(words) :]
        if self._secret:
            return COVER.encode() + ending
        typed = (self._line + words).replace(b"\xff\xf7", b"\x7f").replace(b"\xff\xf8", b"\x15")  # EC and EL
        self._line = _begun(_TELNET.sub(b"", typed))[:_FIRST]
        match = _COMMAND.match(self._line.decode("utf-8", "replace"))
        if match is None or not any(secret.startswith(match[1].lower()) for secret in _SECRET):
            return piece
        self._secret = True
        word = b"/" + match[1].encode()
        at = words.find(word)
        return (words[: at + len(word)] + b" " if at >= 0 else b"") + COVER.encode() + ending


def _begun(line: bytes) -> bytes:
    """The line so far, from its first command on if what is before it is invisible."""
    kept = bytearray()
    for byte in line[:_LOOKED_AT]:
        if byte == _KILL:
            kept.clear()
        elif byte not in _RUBOUT:
            kept.append(byte)
        else:
            while kept and kept.pop() & 0xC0 == 0x80:  # the rest of a character of several bytes
                pass
    before, slash, rest = bytes(kept).partition(b"/")
    return slash + rest if slash and sanitize.is_blank(before.decode("utf-8", "replace")) else bytes(kept)


Seen = Callable[[str, bytes], None]
"""Called with `in` or `out`, and the bytes."""


class Trace:
    """A transport (`core.ports.transport`) that wraps the session's own and calls `seen` with all bytes until it is
    removed."""

    __slots__ = ("_seen", "_session", "_transport")

    def __init__(self, session: Session, seen: Seen) -> None:
        self._session = session
        self._transport: Transport = session.transport
        self._seen = seen
        session.watch(self, self)

    def remove(self) -> None:
        """Stop calling `seen`."""
        self._session.watch(None, self._transport)

    def heard(self, data: bytes) -> None:
        """The peer has sent this."""
        self._seen("in", data)

    def send(self, data: bytes) -> int:
        """See `core.ports.transport.Transport`."""
        taken = self._transport.send(data)
        if taken:
            self._seen("out", data[:taken])
        return taken

    def resume(self) -> None:
        """See `core.ports.transport.Transport`."""
        self._transport.resume()

    def close(self, closing: CloseReason, words: str) -> None:
        """See `core.ports.transport.Transport`."""
        self._transport.close(closing, words)

    def kernel(self) -> Kernel | None:
        """See `core.ports.transport.Transport`."""
        return self._transport.kernel()

    def traits(self) -> Traits:
        """See `core.ports.transport.Transport`."""
        return self._transport.traits()
