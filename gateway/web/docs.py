"""`GET /docs`: how to use the gateway, for people. Its tables are made from the tables that the code uses, and its
examples carry the address and the ports at which the reader reached it."""

from collections.abc import Iterator, Sequence
from types import UnionType
from typing import NamedTuple, get_args

import msgspec
from aiohttp import web

from gateway.core.doors.browser import Request
from gateway.core.doors.commands import COMMANDS
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import AnyEvent
from gateway.errors import HTTP_STATUS, Code
from gateway.web.endpoint import Call, Endpoint
from gateway.web.http.origin_policy import OriginPolicy, host_name
from gateway.web.options import WebOptions
from gateway.web.tables.connection_row import WORDS
from gateway.web.templates import Pages

CODES = {
    Code.RATE_LIMITED: "Too fast. Try again after `retry_ms`, or `Retry-After` seconds.",
    Code.TOO_LONG: "The text, line or body is longer than allowed. Nothing was posted.",
    Code.BAD_TEXT: "Nothing is left of the text without its control characters, or it is not Unicode.",
    Code.BAD_MESSAGE: "The request or one of its fields is malformed; the text says which.",
    Code.UNKNOWN_TYPE: "No object has this `type`.",
    Code.UNKNOWN_COMMAND: "No command has this name, or several begin with it. Nothing was posted.",
    Code.NICK_TAKEN: "Somebody has that name, or one that looks like it.",
    Code.NICK_INVALID: "A name is 1 to 32 letters, digits, dots, underscores and hyphens, a letter or digit first.",
    Code.ROOM_INVALID: "A room is 1 to 64 of a-z, 0-9, dot, underscore and hyphen, a letter or digit first.",
    Code.ROOM_LIMIT: "There are as many rooms as the gateway, or you, may have.",
    Code.NOT_JOINED: "Join the room first.",
    Code.NO_SUCH_USER: "Nobody here is called that, or what the id named is gone.",
    Code.NO_SUCH_ROOM: "There is no such room.",
    Code.MUTED: "An operator has muted you. You may read.",
    Code.BANNED: "An operator has banned you or your address.",
    Code.FORBIDDEN: "Your role, or the page you come from, may not do this.",
    Code.TOKEN_INVALID: "The token is unknown or expired, or one is needed.",
    Code.EPOCH_CHANGED: "The room's numbers began anew. Read it again without a place.",
    Code.BUSY: "The gateway is busy. Try again.",
    Code.STORAGE: "The message cannot be stored now. Nothing was posted. Try again.",
    Code.FULL: "There are too many connections, in all or from your address.",
    Code.DRAINING: "The gateway restarts or turns newcomers away. Come back.",
    Code.KICKED: "An operator has closed your connection.",
}

CLOSINGS = {
    CloseReason.LEFT: "You left.",
    CloseReason.LOST: "The connection broke. This code is never sent.",
    CloseReason.GOING_AWAY: "The gateway stops.",
    CloseReason.BAD_FRAME: "A frame broke the rules of WebSocket.",
    CloseReason.BAD_TELNET: "A telnet negotiation without an end.",
    CloseReason.BINARY: "A binary frame. Only text is understood.",
    CloseReason.BAD_UTF8: "A text frame was not UTF-8.",
    CloseReason.BAD_MESSAGES: "Ten objects within a minute were not understood.",
    CloseReason.FRAGMENTS: "A message in too many pieces.",
    CloseReason.NO_HELLO: "No `hello` within 15 s.",
    CloseReason.SLOW_FRAME: "A frame took too long.",
    CloseReason.WRONG_DOOR: "HTTP, TLS or SSH at a terminal door.",
    CloseReason.TOO_BIG: "A message over 64 KiB.",
    CloseReason.FAILED: "The gateway failed. Come back, and tell its operator.",
    CloseReason.DRAINING: "The gateway restarts. Come back after `retry_ms`.",
    CloseReason.MAINTENANCE: "Newcomers are turned away for now. Come back after `retry_ms`.",
    CloseReason.NO_PONG: "No answer to a ping. Come back.",
    CloseReason.FULL: "Too many connections. Come back later.",
    CloseReason.STALLED: "Nothing was read here for too long. Come back: what was missed is in the history.",
    CloseReason.KICKED: "An operator closed the connection.",
    CloseReason.BANNED: "An operator keeps you out.",
    CloseReason.FORBIDDEN: "Not allowed here.",
    CloseReason.TOO_MANY: "Too many connections from your address.",
    CloseReason.REPLACED: "You have connected again elsewhere.",
}


class Shape(NamedTuple):
    """One object of the protocol. A field that may be absent has a `?` behind its name."""

    type: str
    fields: str
    words: str


class DocsPage:
    """The handler."""

    def __init__(self, pages: Pages, site: OriginPolicy, options: WebOptions, endpoints: Sequence[Endpoint]) -> None:
        self._pages = pages
        self._site = site
        self._options = options
        self._endpoints = endpoints

    async def page(self, call: Call[None]) -> web.Response:
        """`GET /docs`"""
        base = self._site.base(call.request)
        ports = {listener.door: listener.port for listener in self._options.listeners()}
        return self._pages.answer(
            "docs.html",
            url=str(base),
            socket_url=str(base.with_scheme("wss" if base.scheme == "https" else "ws") / "ws"),
            tcp_host=host_name(self._site.host(call.request)),
            tcp_port=ports.get("tcp"),
            telnet_port=ports.get("telnet"),
            commands=[row for row in COMMANDS.values() if not row.order],
            orders=[row for row in COMMANDS.values() if row.order],
            paths=[
                (each.method, each.path, each.words.partition("\n")[0])
                for each in self._endpoints
                if each.tag in ("rooms", "health")
            ],
            operations=[
                (each.method, each.path, each.access.role and each.access.role.word, each.words.replace("\n", ". "))
                for each in self._endpoints
                if each.tag == "admin"
            ],
            filter_words=list(WORDS.examples.values()),
            to_server=list(shapes(Request)),
            to_client=list(shapes(AnyEvent)),
            codes=[(code.value, HTTP_STATUS.get(code), words) for code, words in CODES.items()],
            closings=[(each.code, each.word, words) for each, words in CLOSINGS.items()],
            version=self._options.version,
        )


def shapes(objects: UnionType) -> Iterator[Shape]:
    """What a union of Structs looks like on the wire."""
    for shape in get_args(objects):
        fields = msgspec.structs.fields(shape)
        names = [each.encode_name if each.required else f"{each.encode_name}?" for each in fields]
        yield Shape(shape.__struct_config__.tag, ", ".join(names), " ".join((shape.__doc__ or "").split()))
