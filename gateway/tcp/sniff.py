"""Peers that speak another protocol to a terminal door: a browser, a TLS client, an SSH client, a proxy we do not know.

Its first bytes tell; it gets the answer it understands. Nothing of such input is ever posted, so no web page can make
a browser talk in a room, also not with an address so long that the end of the request line is never seen.
"""

import re

from gateway.tcp.proxy_protocol import SIGNATURE

_HTTP = re.compile(rb"[A-Z]{3,10} [^\n]* HTTP/\d(?:\.\d)?\r?\n")
_HTTP_TOO_LONG = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) [^ \n]{4096}")
"""A request whose address does not end. (Of other methods browsers ask first, by OPTIONS.)"""
_PERHAPS = re.compile(rb"[A-Z]{1,10}(?: [^\n]*)?|\x16")
_PERHAPS_BYTES = 8192
"""As much of a request line as is waited for."""
_PROXY = re.compile(rb"PROXY (?:TCP[46]|UNKNOWN)(?: [^\n]*)?\r?\n")
_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"
"""Fatal handshake_failure (RFC 8446, 6)."""


def undecided(first: bytes) -> bool:
    """Whether more bytes are needed to tell. What has no end of line is no chat line yet either."""
    if len(first) < len(SIGNATURE) and SIGNATURE.startswith(first):
        return True
    return len(first) < _PERHAPS_BYTES and _PERHAPS.fullmatch(first) is not None


def answer_to(first: bytes, page: str) -> bytes | None:
    """The last words for a peer whose first bytes are another protocol's; None for a chat peer. `page` is the chat
    page's address, empty when the web door is off."""
    if _HTTP.match(first) or _HTTP_TOO_LONG.match(first):
        return _http(page)
    if first.startswith(b"\x16\x03"):
        return _TLS_ALERT
    if first.startswith(b"SSH-"):
        return b"!! bad_message: this is a chat, not SSH; use nc or telnet\r\n"
    if _PROXY.match(first) or first.startswith(SIGNATURE):
        return b"!! bad_message: no proxy is expected at your address; see --proxy-protocol\r\n"
    return None


def _http(page: str) -> bytes:
    where = f"The chat page is at {page}" if page else "The chat page is switched off here"
    body = f"This is the line door of a chat, for netcat and telnet. {where}\n".encode()
    head = (
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
