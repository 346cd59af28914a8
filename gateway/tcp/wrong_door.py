"""Wrong doors: peers that speak another protocol to a terminal door (browsers, TLS, SSH, mail, Redis, scanners), and
what each is told.

Theory of this file. The first line of a connection decides, and nothing is posted before it is complete, so that
nothing of another protocol is ever posted: no web page can make a browser talk in a room. Three rules, which conflict:

- A script's only line must not be lost to a guess. So a text is taken for a request only when it has the complete shape
  of one: `GET well soon` and `nginx speaks HTTP/2 now` are chat.
- Where one line is not enough (`NICK ana`, `*1`), the second decides; it comes in the same packet, so it is waited for
  only `tcp.connection.ENTER_SECONDS`, and a person who typed that line has said it.
- Binary protocols may never send an end of line, and their clients wait for our response. So a NUL, or a control byte
  that nobody types, decides at once.

Empty lines and a byte order mark before the first line are ignored. A peer that begins with telnet's IAC is a telnet
client, whose negotiation must not wait; FF FE is both IAC DONT and the byte order mark of UTF-16, and the two bytes
after it decide: DONT and an existing option are followed by anything but NUL.
"""

import re
from collections.abc import Callable

from gateway import wording
from gateway.core.sanitize import BYTE_ORDER_MARK
from gateway.errors import Code
from gateway.tcp.proxy_protocol import SIGNATURE

FIRST_LINE_BYTES = 8192
"""The longest first line that is waited for: room for a request with a very long address."""

_CHAT = re.compile(
    rb"(?!(?:set|add|replace|append|prepend) |[a-z]{0,4}\d{1,6} CAPABILITY|[^\n]*(?:HTTP|http|RTSP|SIP)/)"
    rb"[a-z/][^\0\n]*+\n"
)
"""A first line that is certainly chat. Most are, and trying every pattern below would cost a tenth of an arrival."""
_LEADING = re.compile(rb"[\r\n]*+(?:" + BYTE_ORDER_MARK + rb")?[\r\n]*+")
_END = re.compile(rb"\n|\r\0")
_REQUEST = re.compile(
    rb"(?:[A-Z][A-Z_-]{0,19} [^\n]*|[A-Za-z_-]{1,20} [^ \n]*[/:*][^ \n]*)"
    rb" (HTTP|http|RTSP|SIP)/\d{1,3}(?:\.\d{1,3})?[ \r]*"
)
"""A request line of HTTP or of its descendants: a method in capitals, or any word and one address."""
_BARE_REQUEST = re.compile(rb"(?:GET|HEAD) (?:/|https?://)[^ \n]*[ \r]*")
"""A request of HTTP/0.9, as people and scanners type it."""
_ENDLESS_REQUEST = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) [^ \n]{4096}")
"""A request whose address does not end. (For other methods browsers ask first, with OPTIONS.)"""
_STATUS = re.compile(rb"(?:HTTP|RTSP|SIP)/\d{1,3}\.\d{1,3} \d{3}(?: [^\n]*)?")
"""The first line of a response: the peer takes us for a client."""
_SSH = re.compile(rb"SSH-\d+\.\d+-")
"""RFC 4253, 4.2. `SSH-Key of bob was rotated` is chat."""
_IRC = re.compile(
    rb"(?:(?:PASS|NICK) [^ \r\n]+\r?\n){0,2}USER [^ \r\n]+ [^ \r\n]+ [^ \r\n]+ :[^\n]*\n"
    rb"|(?:(?:PASS|NICK) [^ \r\n]+\r?\n){1,2}USER [^ \r\n]+ [^ \r\n]+ [^ \r\n]+ [^ \r\n]+[ \r]*\n"
    rb"|CAP LS(?: \d{3})?[ \r]*\n"
)
"""How clients of IRC begin: with CAP, or, old ones and scanners, with USER of four parts, perhaps behind their nick."""
_SMTP = re.compile(
    rb"(?:EHLO|LHLO)(?: [\w.:\[\]-]+)?[ \r]*\n|MAIL FROM: ?<[^>\n]*>[^\n]*\n"
    rb"|HELO(?: [\w-]+\.[\w.-]+[ \r]*| \[[^\]\n]+\][ \r]*|(?: [\w-]+)? *\r+)\n",
    re.ASCII,
)
"""RFC 5321, 4.1.1. `HELO bob` without a CR is somebody's greeting."""
_REDIS = re.compile(rb"\*[1-9]\d{0,5}\r\n\$\d{1,9}\r\n")
"""A command of Redis' protocol: how many parts, how long the first is. (Its inline form, `PING`, is a word.)"""
_OTHERS = re.compile(
    rb"(?:set|add|replace|append|prepend) [^ \n]{1,250} \d{1,10} -?\d{1,10} \d{1,10}(?: noreply)? *\r+\n"  # memcached
    rb"|@RSYNCD: \d+(?:\.\d+)?[^\n]*\n|RFB \d{3}\.\d{3}[ \r]*\n"  # rsync, VNC
    rb"|CONNECT \{[^\n]*\}[ \r]*\n|[A-Za-z]{0,4}\d{1,6} CAPABILITY[ \r]*\n"  # NATS, IMAP
    rb"|(?:CONNECT|STOMP)\r?\n(?:accept-version|host|login|heart-beat):[^\n]*\n"
    rb"|(?:<\?xml [^>\n]{0,100}\?>\s{0,9})?<(?:stream:stream|open) [^\n]{0,4096}?xmlns"  # XMPP, which ends no line
)
_OPENING = re.compile(
    rb"(?:(?:PASS|NICK) [^ \r\n]+\r?\n){1,2}(?:U|US|USE|USER(?: [^\n]*)?|N|NI|NIC|NICK(?: [^\n]*)?)?"
    rb"|\*[1-9]\d{0,5}\r\n(?:\$\d{0,9}\r?)?"
    rb"|(?:CONNECT|STOMP)\r?\n[a-z-]{0,14}(?::[^\n]*)?"
    rb"|<\?xml [^>\n]{0,100}\?>\s{0,9}(?:<[^\n]{0,4096})?"
)
"""One line after which the next one decides, and as much of that as has come."""
_PROXY = re.compile(rb"PROXY (?:TCP[46]|UNKNOWN)(?: [^\n]*)?")
_TLS = re.compile(rb"\x16\x03|[\x80-\xff].\x01(?:\0\x02|\x03[\0-\x04])", re.DOTALL)
"""TLS' ClientHello, or SSLv2's, which old clients of TLS send as well: length, type 1, version."""
_HALF_TLS = re.compile(rb"\x16|[\x80-\xff].\x01[\0\x03]", re.DOTALL)
_UNTYPED = re.compile(rb"[\0-\x06\x0b\x10-\x1a\x1c-\x1f]|[^\n]*?(?<!\r)\0")
"""A control byte that neither a typed line nor a terminal's sequence begins with, or a NUL that is not part of CR
NUL."""
_LEAVING_KEYS = (b"\x03", b"\x04")
"""^C and ^D alone in a line are not another protocol: people press them to leave."""
_UTF16 = re.compile(rb"\xff\xfe(?:.[^\0]){0,4096}?[^\r]\0|\xfe\xff(?:[^\0].){0,4096}?\0", re.DOTALL)
_IAC, _DONT_OR_MARK = b"\xff", b"\xff\xfe"
_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"
"""Fatal handshake_failure (RFC 8446, 6)."""


def is_chat(first: bytes) -> bool:
    """Whether the first bytes are a chat's at a glance, so that neither of the next three need be asked."""
    return _CHAT.match(first) is not None


def undecided(first: bytes) -> bool:
    """Whether more bytes than `first` are needed to tell which protocol a connection speaks."""
    if len(first) < len(SIGNATURE) and SIGNATURE.startswith(first):
        return True
    if opened(first):
        return not _OTHERS.match(_LEADING.sub(b"", first, count=1))
    line, whole = _first_line(first)
    if whole or len(first) >= FIRST_LINE_BYTES or first.startswith(SIGNATURE):
        return False
    if line.startswith(_IAC):
        return len(line) < 4 and _DONT_OR_MARK.startswith(line[:2])
    return bool(_HALF_TLS.fullmatch(line)) or not (
        _is_untyped(line) or _TLS.match(line) or _ENDLESS_REQUEST.match(line) or _OTHERS.match(line)
    )


def opened(first: bytes) -> bool:
    """Whether `first` is one line of which the next one decides whether it is chat; if none comes, it is."""
    return len(first) < FIRST_LINE_BYTES and _OPENING.fullmatch(_LEADING.sub(b"", first, count=1)) is not None


def answer_to(first: bytes, page: Callable[[], str]) -> bytes | None:
    """The farewell for a peer whose first bytes, no longer `undecided`, are another protocol's; None for a chat peer.
    `page` returns in words where the chat page is."""
    line, _ = _first_line(first)
    whole_input = _LEADING.sub(b"", first, count=1)
    request = _REQUEST.fullmatch(line)
    if _BARE_REQUEST.fullmatch(line) or _ENDLESS_REQUEST.match(line) or (request and request[1].upper() == b"HTTP"):
        return _http(wording.LINE_DOOR.format(page=page()))
    if _TLS.match(whole_input):
        return _TLS_ALERT
    if _SSH.match(line):
        return _farewell(Code.BAD_MESSAGE, wording.NOT_SSH)
    if _IRC.match(whole_input):
        return _farewell(Code.BAD_MESSAGE, wording.NOT_IRC)
    if _SMTP.match(whole_input):
        return f"554 {wording.NO_SUCH_PROTOCOL}\r\n".encode()
    if _REDIS.match(whole_input):
        return f"-ERR {wording.NO_SUCH_PROTOCOL}\r\n".encode()
    if _PROXY.fullmatch(line) or first.startswith(SIGNATURE):
        return _farewell(Code.BAD_MESSAGE, wording.NO_PROXY_EXPECTED)
    if _UTF16.match(whole_input):
        return _farewell(Code.BAD_TEXT, wording.UTF16)
    other = request or _STATUS.fullmatch(line) or _OTHERS.match(whole_input)
    if other or (not line.startswith(_IAC) and _is_untyped(line)):
        return _farewell(Code.BAD_MESSAGE, wording.NO_SUCH_PROTOCOL)
    return None


def without_mark(first: bytes) -> bytes:
    """The first bytes of a chat without the byte order mark in front of them."""
    mark = _LEADING.match(first)
    return first[mark.end() :] if mark and BYTE_ORDER_MARK in mark[0] else first


def _first_line(first: bytes) -> tuple[bytes, bool]:
    """The first line that is not empty, without its end, and whether its end was seen."""
    leading = _LEADING.match(first)
    start = leading.end() if leading else 0
    end = _END.search(first, start)
    return (first[start : end.start()].rstrip(b"\r"), True) if end else (first[start:], False)


def _is_untyped(line: bytes) -> bool:
    return _UNTYPED.match(line) is not None and line.rstrip(b"\r") not in _LEAVING_KEYS


def answer_to_plain(first: bytes, last: bool, words: str) -> bytes | None:
    """The same for a peer without TLS on a port that wants it; None while more bytes are needed, unless it is the
    `last` time to ask."""
    line, whole = _first_line(first)
    if not whole and not last:
        return None
    if _BARE_REQUEST.fullmatch(line) or _REQUEST.fullmatch(line) or _ENDLESS_REQUEST.match(line):
        return _http(words)
    return _farewell(Code.BAD_MESSAGE, words)


def _farewell(code: Code, words: str) -> bytes:
    return f"!! {code}: {words}\r\n".encode()


def _http(words: str) -> bytes:
    body = f"{words}\n".encode()
    head = (
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
