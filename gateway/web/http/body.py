"""Reading a request's body: never more than is allowed, never longer than is patient, never inflated."""

import asyncio

from aiohttp import web

from gateway.errors import Code, Refusal
from gateway.web.http.protocol import HttpConnection


def check_encoding(request: web.Request) -> None:
    """A compressed body is refused unread."""
    encodings = request.headers.getall("Content-Encoding", [])
    if any(encoding.strip().lower() not in ("", "identity") for encoding in encodings):
        raise web.HTTPUnsupportedMediaType(reason="compressed bodies are not taken")


def check_body(request: web.Request) -> None:
    """What has come of the body is well-formed so far."""
    peer = request.protocol
    if isinstance(peer, HttpConnection) and peer.is_broken(request):
        raise Refusal(Code.BAD_MESSAGE, "the body is broken")


async def read_body(request: web.Request, limit: int, deadline: float) -> bytes:
    """The whole body. At most `limit` bytes are held; who takes longer than `deadline` seconds is cut.

    Raises Refusal (too_long), ConnectionResetError when time is up or the peer has gone.
    """
    if (request.content_length or 0) > limit:
        raise Refusal(Code.TOO_LONG, f"the body is longer than {limit} bytes")
    body = bytearray()
    peer = request.protocol
    assert isinstance(peer, HttpConnection)
    peer.body = request.content
    try:
        async with asyncio.timeout(deadline):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise Refusal(Code.TOO_LONG, f"the body is longer than {limit} bytes")
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the body took too long") from None
    except web.RequestPayloadError as error:
        raise Refusal(Code.BAD_MESSAGE, "the body is broken") from error
    finally:
        peer.body = None
    check_body(request)
    return bytes(body)
