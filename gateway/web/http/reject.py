"""Rejections at the web door: an error with 503 or 403, or a WebSocket's close code.

A page's script cannot see the status of a refused upgrade, only that it failed, and would try again for ever. So an
upgrade is accepted, told `bye` and closed at once with 4013, 4501 or 4504, which pages know. That costs no session: the
response is made here, from the bytes of the request's head, before aiohttp sees the connection. The Origin does not
matter for that: the page learns only that it is rejected.
"""

import base64
import hashlib
import re

import msgspec

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Bye
from gateway.core.protocol.wire import FRAME, TEXT
from gateway.web.http.strict_requests import LINES, OBJECTS

RETRY_SECONDS = 30
RETRY_SPREAD_MS = 10_000
"""Rejected pages must not all come back at once. The spread is taken from the upgrade's key, which is random."""

_UPGRADE = re.compile(rb"GET /ws[ ?].*^upgrade:[ \t]*websocket[ \t]*\r$", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_KEY = re.compile(rb"^sec-websocket-key:[ \t]*([A-Za-z0-9+/]{22}==)[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_OFFERED = re.compile(rb"^sec-websocket-protocol:([^\r]*)\r$", re.IGNORECASE | re.MULTILINE)
_PROGRAM = re.compile(rb"^accept:[^\r]*json", re.IGNORECASE | re.MULTILINE)
_READER = re.compile(rb"^(?:user-agent:[ \t]*curl/|accept:[^\r]*text/html)", re.IGNORECASE | re.MULTILINE)
"""A person at a terminal or a browser, who gets one line of text."""
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""


def refusal(first: bytes, last: bool, closing: CloseReason, words: str) -> bytes | None:
    """The response to a peer that has sent `first` so far; None while the request's head is incomplete, unless this is
    the `last` call. FULL says when to come back."""
    head, end, _ = first.partition(b"\r\n\r\n")
    if not end and not last:
        return None
    lines = head + b"\r\n"
    key = _KEY.search(lines)
    if end and key is not None and _UPGRADE.match(lines):
        return _closed_at_once(key[1], _OFFERED.search(lines), closing, words)
    return _error(lines, closing, words)


def _closed_at_once(key: bytes, offered: re.Match[bytes] | None, closing: CloseReason, words: str) -> bytes:
    reason = closing.told(words)
    offers = [each.strip().decode("latin-1") for each in offered[1].split(b",")] if offered is not None else []
    spoken = next((each for each in offers if each in (OBJECTS, LINES)), None)
    head = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nServer: gateway\r\n"
        f"Sec-WebSocket-Accept: {base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode()}\r\n"
        + (f"Sec-WebSocket-Protocol: {spoken}\r\n" if spoken else "")
    )
    retry_ms = RETRY_SECONDS * 1000 + int.from_bytes(key[:4], "big") % RETRY_SPREAD_MS
    bye = Bye(closing.code, reason, retry_ms) if closing is CloseReason.FULL else Bye(closing.code, reason)
    farewell = closing.code.to_bytes(2, "big") + reason.encode()[:120]
    told = (TEXT if spoken == LINES else FRAME).event(bye, "")
    return head.encode() + b"\r\n" + told + bytes((0x88, len(farewell))) + farewell


def _error(lines: bytes, closing: CloseReason, words: str) -> bytes:
    """The error in the shape that `web.http.responses` gives it."""
    if _READER.search(lines) and not _PROGRAM.search(lines):
        kind, body = "text/plain; charset=utf-8", f"!! {closing.told(words)}\n".encode()
    else:
        error = {"error": {"code": closing.said, "text": words}}
        kind, body = "application/json", msgspec.json.encode(error) + b"\n"
    later = f"503 Service Unavailable\r\nRetry-After: {RETRY_SECONDS}"
    status = "403 Forbidden" if closing is CloseReason.BANNED else later
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nServer: gateway\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
