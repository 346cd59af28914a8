"""Strict HTTP requests: rules that aiohttp's parser does not check, applied to the bytes before aiohttp sees them.

What aiohttp 3.14 (llhttp) does: it takes HTTP/2.0, HTTP/0.9 and RTSP/1.0 in a request line and several spaces in it, a
`Transfer-Encoding: gzip, chunked` as if it were chunked alone and also in HTTP/1.0, chunk sizes of any number of digits
where they begin with zeros, and chunk extensions without end. A proxy in front of us may read each of these in another
way, and then sees two requests where there is one (request smuggling).

`StrictRequests` follows heads and bodies by their lines and lengths, and keeps at most an incomplete line. It does not
interpret a request. Where a rule of heads is broken its owner gives aiohttp BROKEN instead, which the parser accepts
nowhere in a head, so that all malformed requests get the same response.

A request with an Upgrade header is the last of its connection: what follows may be of any protocol. `check_upgrade`
decides whether it may become a WebSocket; it is stricter than aiohttp, which takes versions 7 and 8 and any base64.

Nearly all upgrades are the first request of their connection, come whole, and are as a browser or a library writes
them. `UpgradeHeads` reads those without aiohttp, and takes only what aiohttp's parser would read in the same way:
anything else, and so everything that is wrong, is left to aiohttp, which refuses it like any bad request.

A request that closes the connection (`Connection: close`, HTTP/1.0 without `keep-alive`) is the last as well, and what
follows it is dropped: llhttp takes bytes behind it for an error, and if they came together the request itself would be
refused.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, web
from multidict import CIMultiDict, MultiMapping

from gateway import wording
from gateway.errors import Code, Refusal
from gateway.web.http.header_lists import tokens

LINE_BYTES = 8192
"""With its end. aiohttp's own limit, 8190 without."""
HEAD_BYTES = 64 * 1024
HEADERS_LIMIT = 128
"""Fields of a head, at most: aiohttp counts them."""
CHUNK_LINE_BYTES = 256
CHUNK_BYTES = 1 << 30
EMPTY_LINES = 4
"""Before a request: some old browsers end a body with a line feed of their own (RFC 9112, 2.2)."""
BROKEN = b"\0\r\n\r\n"

_REQUEST = re.compile(rb"(?!CONNECT )[A-Z-]{1,32} (?:/|\*|https?://)[^\s#]* HTTP/1\.([01])\r\n")
_FRAMING = frozenset((b"transfer-encoding", b"content-length", b"upgrade", b"connection"))
_FIRST_LETTERS = b"TtCcUu"
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n")
_LENGTH = re.compile(rb"\d{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -~]*)?\r\n")


class StrictRequests:
    """Follows the requests of one connection. `broken`: a rule is broken; `over`: the rest is not HTTP, or not
    needed."""

    __slots__ = ("_chunked", "_last", "_length", "_line", "_old", "_options", "_read", "_size", "_skip", "_upgrade",
                 "broken", "done", "in_body", "lines", "over", "too_large")  # fmt: skip

    def __init__(self) -> None:
        self._line = b""
        self._skip = 0
        self._read = self._request
        self.in_body = False
        """Whether the next bytes belong to a chunked body."""
        self._begin()
        self._last = False
        self.broken = False
        self.too_large = 0
        """The HTTP status that says what is too long: the address (414) or the header (431). 0: nothing is."""
        self.over = False
        self.done = False
        """Whether the last request that this connection can have is whole: what follows it is to be dropped."""
        self.lines = 0
        """Lines read so far: what this costs."""

    def feed(self, data: bytes) -> int:
        """Follow what came, in any pieces; return how many bytes of it may be passed on (all, unless `broken` or
        `done`)."""
        at, end = 0, len(data)
        while at < end and not self.over:
            if self._last and not self._skip and self._read == self._request:
                self.over = self.done = True
                return at
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
                continue
            if not self._size and not self._line and self._read == self._request:
                whole = self._whole(data, at)
                if whole != at:
                    at = whole
                    continue
            cut = data.find(b"\n", at) + 1
            line = data[at : cut or end]
            if self._line:
                line = self._line + line
            if len(line) > (CHUNK_LINE_BYTES if self.in_body else LINE_BYTES):
                if not self.in_body:
                    self.too_large = 414 if self._read == self._request else 431
                self._break()
            elif not cut:
                self._line = line
                return end
            else:
                self._line = b""
                self.lines += 1
                if not line.endswith(b"\r\n") or not self._read(line):
                    self._break()
            if self.broken:
                return at
            at = cut
        return end

    @property
    def in_head(self) -> bool:
        """Whether a request's head has begun and is incomplete."""
        if self.over:
            return False
        return self._read == self._field or (self._read == self._request and (self._size > 0 or self._line != b""))

    def _break(self) -> None:
        self.broken = self.over = True

    def _begin(self) -> None:
        """Begin the next request."""
        self._read = self._request
        self.in_body = False
        self._size = 0
        self._old = False
        self._upgrade = False
        self._options: set[bytes] = set()
        self._chunked = False
        self._length = -1

    def _request(self, line: bytes) -> bool:
        self._size += len(line)
        if line == b"\r\n":
            return self._size <= EMPTY_LINES * len(line)
        found = _REQUEST.fullmatch(line)
        if found is None:
            return False
        self._old = found[1] == b"0"
        self._read = self._field
        return True

    def _whole(self, data: bytes, at: int) -> int:
        """Where the head ends that begins at `at`, if all of it is there and nothing is wrong with it; else `at`, and
        its lines are to be read one by one, which finds out what is. Read together they cost half as much."""
        end = data.find(b"\r\n\r\n", at) + 2
        if not at + 2 <= end <= at + LINE_BYTES or data.count(b"\n", at, end) != data.count(b"\r\n", at, end):
            return at
        first, *fields = data[at:end].split(b"\r\n")[:-1]
        right = first != b"" and self._request(first + b"\r\n")
        for line in fields:
            if line[0] in _FIRST_LETTERS:
                right = right and self._framing(line)
        if right and self._head_is_whole():
            self.lines += len(fields) + 2
            return end + 2
        self._begin()
        return at

    def _field(self, line: bytes) -> bool:
        self._size += len(line)
        if line == b"\r\n":
            return self._head_is_whole()
        if line[0] in _FIRST_LETTERS and not self._framing(line.removesuffix(b"\r\n")):
            return False
        if self._size > HEAD_BYTES:
            self.too_large = 431
        return not self.too_large

    def _framing(self, line: bytes) -> bool:
        """Note what a field, without its end, says of where the request ends; return whether it may."""
        name, value = _parted(line)
        if name not in _FRAMING:
            return True
        if name == b"transfer-encoding":
            if self._chunked or self._old or value.lower() != b"chunked":
                return False
            self._chunked = True
        elif name == b"upgrade":
            self._upgrade = True
        elif name == b"connection":
            self._options.update(option.strip(b" \t").lower() for option in value.split(b","))
        elif self._length >= 0 or not _LENGTH.fullmatch(value):
            return False
        else:
            self._length = int(value)
        return True

    def _head_is_whole(self) -> bool:
        if self._chunked and self._length >= 0:
            return False
        self.over = self._upgrade
        self._last = b"keep-alive" not in self._options if self._old else b"close" in self._options
        if self._chunked:
            self.in_body = True
            self._read = self._chunk
        else:
            self._skip = max(0, self._length)
            self._begin()
        return True

    def _chunk(self, line: bytes) -> bool:
        found = _CHUNK.fullmatch(line)
        size = int(found[1], 16) if found else CHUNK_BYTES
        self._skip = size
        self._size = 0
        self._read = self._chunk_end if size else self._trailer
        return size < CHUNK_BYTES

    def _chunk_end(self, line: bytes) -> bool:
        self._read = self._chunk
        return line == b"\r\n"

    def _trailer(self, line: bytes) -> bool:
        self._size += len(line)
        if line == b"\r\n":
            self._begin()
            return True
        if _parted(line)[0] in _FRAMING or not _TRAILER.fullmatch(line):
            return False
        return self._size <= LINE_BYTES


def _parted(line: bytes) -> tuple[bytes, bytes]:
    """The name of a field, in lower case, and its value."""
    name, _, value = line.partition(b":")
    return name.rstrip(b" \t").lower(), value.strip(b" \t")


OBJECTS = "chat.v1.json"
LINES = "chat.v1.text"
VERSION = "13"
HEAD_LIMIT = 16 * 1024
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""
_FIELDS = rb"(?:[!#$%%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n){1,%d}" % HEADERS_LIMIT
_DRAFT = "Sec-WebSocket-Key1"
"""Of a draft of the protocol (hixie-76): aiohttp refuses it."""


class Head(Protocol):
    """The head of a request: aiohttp's `web.Request`, or a `RequestHead`."""

    @property
    def method(self) -> str: ...
    @property
    def raw_path(self) -> str: ...
    @property
    def version(self) -> HttpVersion: ...
    @property
    def headers(self) -> MultiMapping[str]: ...


class RequestHead(NamedTuple):
    """The head of a request that aiohttp has not read."""

    method: str
    raw_path: str
    version: HttpVersion
    headers: MultiMapping[str]


def read_head(head: bytes) -> RequestHead:
    """The head without the empty line at its end, or as much of it as has come. Nothing is checked."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    path, _, version = rest.partition(" ")
    fields = [(name, value.strip(" \t")) for line in lines for name, _, value in (line.partition(":"),)]
    return RequestHead(method, path, HttpVersion10 if version == "HTTP/1.0" else HttpVersion11, CIMultiDict(fields))


class UpgradeHeads:
    """Reads the heads of upgrades at some paths."""

    def __init__(self, paths: Iterable[str]) -> None:
        path = b"|".join(re.escape(path.encode()) for path in paths)
        self._whole = re.compile(rb"GET (?:%b)(?:\?[!\"$-~]*)? HTTP/1\.1\r\n%b\r\n" % (path, _FIELDS))

    def read(self, data: bytes) -> tuple[RequestHead, bytes] | None:
        """The head with which `data` begins, and what comes behind it; None for anything but a whole and usual one.
        No field occurs twice in it: which may, and what that means, is aiohttp's to know."""
        found = self._whole.match(data, 0, LINE_BYTES)
        if found is None:
            return None
        end = found.end()
        head = read_head(data[: end - 4])
        if len(set(map(str.lower, head.headers))) < len(head.headers) or _DRAFT in head.headers:
            return None
        return head, data[end:]


def check_upgrade(request: Head) -> None:
    """Raise for an upgrade that is not complete and valid (Refusal, or 426 with the version spoken here).

    The size of the header counts: it is held until the WebSocket is open.
    """
    headers = request.headers
    if "Content-Length" in headers or "Transfer-Encoding" in headers:
        raise Refusal(Code.BAD_MESSAGE, wording.UPGRADE_HAS_BODY)
    if request.version.minor == 0:
        raise Refusal(Code.BAD_MESSAGE, wording.WEBSOCKET_VERSION_OF_HTTP)
    upgrades = headers.getall("Upgrade", [])
    if not upgrades or headers.get("Sec-WebSocket-Version", VERSION) != VERSION:
        raise web.HTTPUpgradeRequired(headers={"Sec-WebSocket-Version": VERSION, "Upgrade": "websocket"})
    if [upgrade.strip().lower() for upgrade in upgrades] != ["websocket"] or "upgrade" not in tokens(
        headers, "Connection"
    ):
        raise Refusal(Code.BAD_MESSAGE, wording.NOT_AN_UPGRADE)
    if "Sec-WebSocket-Version" not in headers or not is_key(headers.getall("Sec-WebSocket-Key", [])):
        raise Refusal(Code.BAD_MESSAGE, wording.WEBSOCKET_HEADERS)
    if len("".join((*headers.keys(), *headers.values()))) > HEAD_LIMIT:
        raise Refusal(Code.TOO_LONG, wording.HEADER_TOO_LONG.format(limit=HEAD_LIMIT))


def is_key(keys: list[str]) -> bool:
    """Whether a handshake has exactly one key, and it is 16 bytes in base64."""
    try:
        return len(keys) == 1 and len(binascii.a2b_base64(keys[0].strip(), strict_mode=True)) == 16
    except (binascii.Error, ValueError):
        return False


def accept_of(key: str) -> str:
    """The Sec-WebSocket-Accept that answers this key."""
    return binascii.b2a_base64(hashlib.sha1(key.strip().encode() + _GUID).digest(), newline=False).decode()
