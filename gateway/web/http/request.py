"""Reading a request: checks of its query and body, the body as UTF-8, and waiting for the core's answer to it.

A body is read up to a limit and until a deadline, and is never decompressed. A declared charset is believed
(`charset=ISO-8859-1`), and so is a byte order mark: PowerShell's `>` writes UTF-16. Codecs that are not charsets, or
whose decoding costs more than the size of the text, are refused as unknown.
"""

import asyncio
import codecs
from typing import TypeVar

from aiohttp import web

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.rooms.pastes import Pastes
from gateway.core.sanitize import shown
from gateway.errors import Code, Refusal
from gateway.web.http.header_lists import tokens
from gateway.web.http.protocol import HttpConnection

CHARSETS = frozenset(("ascii", "gbk", "gb18030", "gb2312", "big5"))
CHARSET_FAMILIES = ("utf-8", "utf-16", "iso8859-", "cp", "koi8-", "mac-", "euc_", "shift_jis", "iso2022_jp", "tis-620")
"""Names as `codecs` spells them. Left out: `idna`, `unicode_escape`, `rot13` and the like, which are not charsets."""


def check_encoding(request: web.Request) -> None:
    """Refuse a compressed body without reading it."""
    if any(encoding != "identity" for encoding in tokens(request.headers, "Content-Encoding")):
        raise web.HTTPUnsupportedMediaType(reason=wording.NO_COMPRESSION)


def check_one_part(request: web.Request) -> None:
    """Refuse a multipart form (`curl -F`): a message is not posted that way."""
    if request.content_type.startswith("multipart/"):
        raise web.HTTPUnsupportedMediaType(reason=wording.HOW_TO_POST)


def check_body(request: web.Request) -> None:
    """Raise Refusal if the part of the body that has arrived is malformed."""
    peer = request.protocol
    if isinstance(peer, HttpConnection) and peer.is_broken(request):
        raise Refusal(Code.BAD_MESSAGE, wording.BODY_BROKEN)


SMALL_BODY = 16 * 1024
"""Bytes of a body that count nowhere while it is being read."""


async def read_body(request: web.Request, limit: int, deadline: float, pastes: Pastes | None = None) -> bytes:
    """The whole body, in UTF-8 without a byte order mark. At most `limit` bytes are held; a peer that takes longer than
    `deadline` seconds is disconnected. While it is being read, what it has over SMALL_BODY is reserved of `pastes`.

    Raises Refusal (too_long), HTTPUnsupportedMediaType for an unknown charset, ConnectionResetError when
    time is up or the peer has gone.
    """
    codec = _codec(request)
    if (request.content_length or 0) > limit:
        raise Refusal(Code.TOO_LONG, wording.BODY_TOO_LONG.format(limit=limit))
    body, reserved = bytearray(), 0
    peer = request.protocol
    assert isinstance(peer, HttpConnection)
    peer.body = request.content
    try:
        async with asyncio.timeout(deadline):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise Refusal(Code.TOO_LONG, wording.BODY_TOO_LONG.format(limit=limit))
                if pastes is not None and len(body) - SMALL_BODY > reserved:
                    pastes.reserve(len(body) - SMALL_BODY - reserved)
                    reserved = len(body) - SMALL_BODY
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError(wording.BODY_SLOW) from None
    except web.RequestPayloadError as error:
        raise Refusal(Code.BAD_MESSAGE, wording.BODY_BROKEN) from error
    finally:
        peer.body = None
        if pastes is not None:
            pastes.release(reserved)
    check_body(request)
    return _in_utf8(bytes(body), codec)


def _codec(request: web.Request) -> codecs.CodecInfo | None:
    """The codec of the body's declared charset; None where none is declared."""
    declared = request.charset
    if not declared:
        return None
    try:
        codec = codecs.lookup(declared)
        known = codec.name in CHARSETS or codec.name.startswith(CHARSET_FAMILIES)
    except (LookupError, ValueError):
        known = False
    if not known:
        raise web.HTTPUnsupportedMediaType(reason=wording.CHARSET_UNKNOWN.format(charset=shown(declared)))
    return codec


def _in_utf8(body: bytes, codec: codecs.CodecInfo | None) -> bytes:
    if codec is None and body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codec = codecs.lookup("utf-16")
    if codec is not None and codec.name != "utf-8":
        body = codec.decode(body, "replace")[0].encode("utf-8", "replace")
    return body.removeprefix(codecs.BOM_UTF8)


SEQ_LIMIT = 2**63

Value = TypeVar("Value")


async def came(answer: Answer[Value]) -> Value:
    """Wait for an answer of the core."""
    future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()

    def arrived(value: Value) -> None:
        if not future.done():  # the request may have been cancelled meanwhile
            future.set_result(value)

    answer.then(arrived)
    return await future


async def answered(answer: Answer[Value | Refusal]) -> Value:
    """As `came`. A Refusal is raised."""
    value = await came(answer)
    if isinstance(value, Refusal):
        raise value
    return value


CACHE_BUSTER = "_"
"""What jQuery and other libraries add to a query, as `?_=1790000000123`, so that no cache answers it. It says
nothing."""


def only(request: web.Request, *names: str) -> None:
    """Raise Refusal for a query with any other name, or with one twice: what is misspelt or ambiguous is reported, not
    ignored."""
    given = request.query
    for name in given:
        if name not in names and name != CACHE_BUSTER:
            takes = ", ".join(names) or "none"
            raise Refusal(Code.BAD_MESSAGE, wording.UNKNOWN_PARAMETER.format(name=name[:40], takes=takes))
        if name != CACHE_BUSTER and len(given.getall(name)) > 1:
            raise Refusal(Code.BAD_MESSAGE, wording.REPEATED_PARAMETER.format(name=name))
