"""The documentation that the gateway serves about itself: `/openapi.json` for programs, `GET /docs` for people.

`/openapi.json` is the table of endpoints as an OpenAPI 3.1 document. Its shapes are msgspec types, most of them the
very Structs that the handlers take and return, so a field that is added there is documented here. It is made at the
first request, not at the start.

`/docs` says how to use the gateway. Its tables are made from the tables that the code uses, and its examples carry the
address and the ports at which the reader reached it.
"""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from types import UnionType
from typing import Any, NamedTuple, get_args

import msgspec
from aiohttp import web

from gateway.core.doors.browser import Request
from gateway.core.doors.commands import COMMANDS
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import AnyEvent
from gateway.errors import Code
from gateway.web.admin.authorize import CSRF_HEADER
from gateway.web.dispatch import JSON, LINES, Access, Call, Content, Endpoint, Parameter, RefusalReply
from gateway.web.http.origin_policy import OriginPolicy, host_name
from gateway.web.http.responses import HTTP_STATUS, json_answer
from gateway.web.settings import WebOptions
from gateway.web.static_files import Pages
from gateway.web.tables.connection_row import WORDS

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_WHOLE: dict[str, Any] = {"ServerObject": AnyEvent, "ClientObject": Request}
"""Named types that are not Structs: the objects of the WebSocket."""
_WORDS = (
    "A chat gateway: netcat, telnet, browsers and curl in one room. `/docs` shows how to use it. Times are "
    "milliseconds since 1970 UTC, durations milliseconds. A query that says something unknown is refused. Every "
    "refusal has the shape `RefusalReply`; curl without an `Accept` is shown one line `!! code: text`, a "
    "browser a page. 429 and 503 carry `Retry-After`. A write with a foreign `Origin` is refused."
)
_TAGS = {
    "rooms": "Post, read, follow.",
    "health": "How the gateway is doing.",
    "admin": "What the dashboard does.",
}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of the setting `admin.tokens`."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "gateway_session",
        "description": "A session of the dashboard. Under TLS the name is `__Host-gateway`; the setting "
        "`web.base_path` is added to it, with `+` for `/`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": 'With a cookie, for writes: the value of `<meta name="csrf-token">`, or `csrf` of the login.',
    },
    "identity": {
        "type": "http",
        "scheme": "bearer",
        "description": "The `token` of `welcome`: post as that user. The field `token` of the JSON body wins.",
    },
    "key": {"type": "http", "scheme": "bearer", "description": "The key in the gateway's data folder."},
}
_COMMON = {
    Access.ANYBODY: (),
    Access.IDENTITY: (),
    Access.HERE: (Code.TOKEN_INVALID, Code.FORBIDDEN, Code.RATE_LIMITED),
    Access.KEY: (Code.TOKEN_INVALID, Code.FORBIDDEN),
}
_OPERATOR_CODES = (Code.TOKEN_INVALID, Code.FORBIDDEN, Code.RATE_LIMITED)


class ApiDocument:
    """The handler."""

    def __init__(self, options: WebOptions, endpoints: Sequence[Endpoint]) -> None:
        self._options = options
        self._endpoints = endpoints
        self._document: Schema | None = None

    async def serve(self, call: Call[None]) -> web.Response:
        """`GET /openapi.json`"""
        if self._document is None:
            self._document = document(self._options.version, self._endpoints, self._options.base_path)
        return json_answer(self._document)


def document(version: str, endpoints: Sequence[Endpoint], base_path: str = "") -> Schema:
    """The whole document, of the endpoints that have a tag."""
    described = [each for each in endpoints if each.tag]
    types = list(_types(described))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    found = {id(each): schema for each, schema in zip(types, schemas, strict=True)}
    components |= {name: found[id(each)] for name, each in _WHOLE.items()}
    paths: dict[str, Schema] = {}
    for each in described:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, found)
    return {
        "openapi": "3.1.0",
        "info": {"title": "gateway", "version": version, "description": _WORDS},
        "servers": [{"url": base_path or "/"}],
        "tags": [{"name": tag, "description": words} for tag, words in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


def _types(endpoints: Sequence[Endpoint]) -> Iterator[Any]:
    """All types that are named anywhere; each object may come more than once."""
    yield RefusalReply
    yield from _WHOLE.values()
    for each in endpoints:
        yield from (parameter.type for parameter in each.parameters or ())
        yield from (content.shape for content in (*each.body, *each.reply.content))


def _operation(endpoint: Endpoint, schemas: dict[int, Schema]) -> Schema:
    title, _, words = endpoint.words.partition("\n")
    role = endpoint.access.role
    if role is not None:
        words = f"{words} At least {_article(role.word)}.".strip()
    said: Schema = {
        "operationId": _id(endpoint),
        "tags": [endpoint.tag],
        "summary": title,
        "description": words or title,
        "responses": _responses(endpoint, schemas),
    }
    if endpoint.parameters:
        said["parameters"] = [_parameter(each, schemas) for each in endpoint.parameters]
    if endpoint.body:
        said["requestBody"] = {"required": endpoint.body_required, "content": _content(endpoint.body, schemas)}
    if security := _security(endpoint):
        said["security"] = security
    return said


def _id(endpoint: Endpoint) -> str:
    """`get_r_room_messages`"""
    words = endpoint.path.translate(str.maketrans("/-.", "___", "{}")).strip("_")
    return f"{endpoint.method.lower()}_{words or 'root'}"


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeio" else f"a {word}"


def _parameter(parameter: Parameter, schemas: dict[int, Schema]) -> Schema:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.words,
        "schema": schemas[id(parameter.type)],
    }


def _content(contents: Sequence[Content], schemas: dict[int, Schema]) -> Schema:
    return {content.media: {"schema": schemas[id(content.shape)]} for content in contents}


def _responses(endpoint: Endpoint, schemas: dict[int, Schema]) -> Schema:
    reply = endpoint.reply
    answer: Schema = {"description": reply.words}
    if reply.content:
        answer["content"] = _content(reply.content, schemas)
    responses = {str(reply.status): answer}
    refusal = {
        JSON: {"schema": schemas[id(RefusalReply)]},
        LINES: {"schema": {"type": "string"}},
        "text/html": {"schema": {"type": "string"}},
    }
    codes: dict[int, list[str]] = {}
    for code in dict.fromkeys((*endpoint.refusals, *_COMMON.get(endpoint.access, _OPERATOR_CODES))):
        codes.setdefault(HTTP_STATUS[code], []).append(f"`{code}`")
    for status in sorted({*codes, *endpoint.statuses} - {reply.status}):
        words = ", ".join(codes.get(status, [HTTPStatus(status).phrase]))
        responses[str(status)] = {"description": words}
        if status >= 400:
            responses[str(status)]["content"] = refusal
        if status in (429, 503):
            responses[str(status)]["headers"] = {
                "Retry-After": {"description": "In how many seconds to try again.", "schema": {"type": "integer"}}
            }
    responses["default"] = {"description": "Any other refusal.", "content": refusal}
    return responses


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    match endpoint.access:
        case Access.ANYBODY | Access.PAGE:
            return []
        case Access.IDENTITY:
            return [{}, {"identity": []}]
        case Access.AUTHOR:
            return [{"identity": []}, {"bearer": []}, {"cookie": [], "csrf": []}]
        case Access.KEY:
            return [{"key": []}]
        case Access.HERE:
            return [{}, {"bearer": []}, {"cookie": []}]
    cookie: dict[str, list[str]] = {"cookie": []}
    return [{"bearer": []}, cookie if endpoint.method == "GET" else cookie | {"csrf": []}]


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
    Code.NO_SUCH_MESSAGE: "The room holds no message with this number (any more).",
    Code.MUTED: "An operator has muted you. You may read.",
    Code.BANNED: "An operator has banned you or your address.",
    Code.FORBIDDEN: "Your role, or the page you come from, may not do this.",
    Code.TOKEN_INVALID: "The token is unknown or expired, or one is needed.",
    Code.EPOCH_CHANGED: "The room's numbers began anew. Read it again without a place.",
    Code.BUSY: "The gateway is busy. Try again.",
    Code.STORAGE: "The message cannot be stored now. Nothing was posted. Try again.",
    Code.BACKPLANE: "The Redis of the gateways cannot be reached or refuses. It may have been posted all the same: try "
    "again with the same `id`.",
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
        return self._pages.answer(
            "docs.html",
            url=str(base),
            socket_url=str(base.with_scheme("wss" if base.scheme == "https" else "ws") / "ws"),
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
            **self._options.terminal_ways(host_name(self._site.host(call.request))),
        )


def shapes(objects: UnionType) -> Iterator[Shape]:
    """What a union of Structs looks like on the wire."""
    for shape in get_args(objects):
        fields = msgspec.structs.fields(shape)
        names = [each.encode_name if each.required else f"{each.encode_name}?" for each in fields]
        yield Shape(shape.__struct_config__.tag, ", ".join(names), " ".join((shape.__doc__ or "").split()))
