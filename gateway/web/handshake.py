"""Whether a request may become a WebSocket. Stricter than aiohttp, which takes versions 7 and 8 and any base64."""

import base64
import binascii
import logging

from aiohttp import web

from gateway.errors import Code, Refusal

OBJECTS = "chat.v1.json"
LINES = "chat.v1.text"
VERSION = "13"
HEAD_LIMIT = 16 * 1024

# aiohttp warns once per connection about subprotocols that nobody knows, in the words of the peer.
logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)


def check_upgrade(request: web.Request) -> None:
    """Refuse what is no whole and clean upgrade (Refusal, or 426 with the version that is spoken here).

    The size of the header counts because aiohttp keeps it as long as the WebSocket lives.
    """
    headers = request.headers
    if request.body_exists or "Content-Length" in headers or "Transfer-Encoding" in headers:
        raise Refusal(Code.BAD_MESSAGE, "an upgrade has no body")
    if request.version.minor == 0:
        raise Refusal(Code.BAD_MESSAGE, "WebSockets need HTTP/1.1")
    upgrades = headers.getall("Upgrade", [])
    if not upgrades or headers.get("Sec-WebSocket-Version", VERSION) != VERSION:
        raise web.HTTPUpgradeRequired(headers={"Sec-WebSocket-Version": VERSION, "Upgrade": "websocket"})
    tokens = [token.strip() for token in headers.get("Connection", "").lower().split(",")]
    if [upgrade.strip().lower() for upgrade in upgrades] != ["websocket"] or "upgrade" not in tokens:
        raise Refusal(Code.BAD_MESSAGE, "not an upgrade to WebSocket")
    if "Sec-WebSocket-Version" not in headers or not _is_key(headers.getall("Sec-WebSocket-Key", [])):
        raise Refusal(Code.BAD_MESSAGE, "the WebSocket version or key is missing or wrong")
    if sum(len(name) + len(value) for name, value in request.raw_headers) > HEAD_LIMIT:
        raise Refusal(Code.TOO_LONG, "the header is too long")


def _is_key(keys: list[str]) -> bool:
    try:
        return len(keys) == 1 and len(base64.b64decode(keys[0].strip(), validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
