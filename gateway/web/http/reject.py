"""Rejections at the web door: an error with 503 or 403, or a WebSocket's close code.

A page's script cannot see the status of a refused upgrade, only that it failed, and would try again for ever. So an
upgrade is accepted, told `bye` and closed at once with 4013, 4501 or 4504, which pages know. An EventSource gives up
for good at any status but 200, so one that may come back later is told `bye` as well. That costs no session: the
response is made here, from the bytes of the request's head, before aiohttp sees the connection. The Origin does not
matter for that: the page learns only that it is rejected.
"""

import html
import random
import re
from collections.abc import Callable

import msgspec
from multidict import MultiMapping

from gateway import wording
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Bye, encode_json
from gateway.core.protocol.wire import FRAME, TEXT
from gateway.web.http.header_lists import speaks, tokens, wants_json, wants_page
from gateway.web.http.strict_requests import LINES, OBJECTS, accept_of, is_key, read_head

RETRY_SECONDS = 30
RETRY_SPREAD_MS = 10_000
"""Rejected pages must not all come back at once."""

_SOCKET = re.compile(r"(?:\S*[^\s?])?/ws(?:\?\S*)?")
"""Below whichever path: it does not matter which addresses there are."""
_EVENTS = re.compile(r"[^\s?]*/r/[^/\s?]+/events(?:\?\S*)?")

Shared = Callable[[MultiMapping[str]], str | None]
"""The configured origin, if any, whose page has sent these headers."""


def refusal(first: bytes, last: bool, closing: CloseReason, words: str, shared: Shared) -> bytes | None:
    """The answer to a peer that has sent `first` so far; None while the request's head is not whole, unless it is the
    `last` time to answer. FULL says when to come back."""
    whole, end, _ = first.partition(b"\r\n\r\n")
    if not end and not last:
        return None
    head = read_head(whole)
    retry_ms = RETRY_SECONDS * 1000 + random.randrange(RETRY_SPREAD_MS)
    if end and head.method == "GET":
        keys = head.headers.getall("Sec-WebSocket-Key", [])
        if _SOCKET.fullmatch(head.raw_path) and "websocket" in tokens(head.headers, "Upgrade") and is_key(keys):
            return _closed_at_once(keys[0], speaks(head.headers, OBJECTS, LINES), closing, words, retry_ms)
        if _EVENTS.fullmatch(head.raw_path) and closing is not CloseReason.BANNED:
            return _not_now(head.headers, closing, words, retry_ms, shared)
    return _error(head.headers, closing, words)


def _closed_at_once(key: str, spoken: str | None, closing: CloseReason, words: str, retry_ms: int) -> bytes:
    reason = closing.told(words)
    head = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nServer: gateway\r\n"
        f"Sec-WebSocket-Accept: {accept_of(key)}\r\n" + (f"Sec-WebSocket-Protocol: {spoken}\r\n" if spoken else "")
    )
    bye = Bye(closing.code, reason, retry_ms) if closing is CloseReason.FULL else Bye(closing.code, reason)
    farewell = closing.code.to_bytes(2, "big") + reason.encode()[:120]
    told = (TEXT if spoken == LINES else FRAME).event(bye, "")
    return head.encode() + b"\r\n" + told + bytes((0x88, len(farewell))) + farewell


def _not_now(headers: MultiMapping[str], closing: CloseReason, words: str, retry_ms: int, shared: Shared) -> bytes:
    """As `web.http.responses` would say it."""
    bye = encode_json(Bye(closing.code, closing.told(words), retry_ms))
    body = b"retry: %d\n\nevent: bye\ndata: %s\n\n" % (retry_ms, bye)
    origin = shared(headers)
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nServer: gateway\r\n"
        "Vary: Origin\r\n"
        + (f"Access-Control-Allow-Origin: {origin}\r\n" if origin else "")
        + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _page(closing: CloseReason, words: str) -> bytes:
    """For a person with a browser; unless they are banned it tries again by itself."""
    again = f'<meta http-equiv="refresh" content="{RETRY_SECONDS}">' if closing is not CloseReason.BANNED else ""
    text = f"<p>{html.escape(words)}</p>" + (f"<p>{wording.TRIES_AGAIN}</p>" if again else "")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += '<meta name="color-scheme" content="light dark">'
    title = wording.ERROR_TITLES[503 if again else 403]
    return (
        f'<!doctype html><html lang="en">{head}{again}<title>{title} · gateway</title><h1>{title}</h1>{text}\n'.encode()
    )


def _error(headers: MultiMapping[str], closing: CloseReason, words: str) -> bytes:
    """As `web.http.responses` would say it."""
    at_a_terminal = headers.get("User-Agent", "").startswith("curl/")
    if wants_page(headers) and not at_a_terminal and not wants_json(headers):
        kind, body = "text/html; charset=utf-8", _page(closing, words)
    elif at_a_terminal and not wants_json(headers):
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
