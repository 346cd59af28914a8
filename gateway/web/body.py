"""Reading a request's body: never more than is allowed, never longer than is patient, never inflated."""

import asyncio

from aiohttp import web

from gateway.errors import Code, Refusal


def check_encoding(request: web.Request) -> None:
    """A compressed body is refused unread."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise web.HTTPUnsupportedMediaType(reason="compressed bodies are not taken")


async def read_body(request: web.Request, limit: int, deadline: float) -> bytes:
    """The whole body. At most `limit` bytes are held; who takes longer than `deadline` seconds is cut.

    Raises Refusal (too_long), ConnectionResetError when time is up or the peer has gone.
    """
    if (request.content_length or 0) > limit:
        raise Refusal(Code.TOO_LONG, f"the body is longer than {limit} bytes")
    body = bytearray()
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
    return bytes(body)
