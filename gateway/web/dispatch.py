"""Dispatch: one row says everything about a method on a path, and requests are checked and served by it.

A row holds the access, the query, the body, the response, the possible refusals and the handler. Routes, checks,
`/openapi.json` and `/docs` all read the rows (`web.endpoints`, `web.admin.endpoints`), so an endpoint is written once.

A request is checked in this order, and the handler finds the result in its `Call`:

1. The operator: 401 for strangers. A write also needs the session's CSRF token, unless it comes with a bearer token.
2. The query and the body of a write: refused and recorded. For a read, the role is checked before these.
3. The role that the row asks for. The verbs in `core.operators` check it again, because terminals and the console call
   them without a row.

Every refused write is in the audit log: those refused here are recorded here, all others by the verb that refuses.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import MethodType
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qs

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from gateway import wording
from gateway.core.operators.audit import Audit
from gateway.core.quantity import whole_number
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import CSRF_HEADER, Login, is_here, source
from gateway.web.admin.sessions import AdminSession
from gateway.web.http.request import SEQ_LIMIT, came, only, read_body
from gateway.web.http.responses import json_answer
from gateway.web.settings import WebOptions

JSON = "application/json"
LINES = "text/plain"
EVENTS = "text/event-stream"
FORM = "application/x-www-form-urlencoded"
FORM_FIELDS = 16
BOM = b"\xef\xbb\xbf"

Fields = dict[str, str]
"""A posted form; if a name is given twice the last one counts."""
Body = TypeVar("Body")


class Access(Enum):
    """Who may use an endpoint. A role means an operator of that role or a higher one."""

    ANYBODY = "anybody"
    IDENTITY = "identity"
    """Anybody; the holder of a chat session's token as that user."""
    AUTHOR = "author"
    """The holder of the session's token that a message was said with, or an operator. The handler checks it."""
    HERE = "here"
    """Anybody on the gateway's own machine; others as a viewer."""
    KEY = "key"
    """On the gateway's own machine, with the key in its data folder."""
    PAGE = "page"
    """Any logged-in operator; strangers are redirected to the login page."""
    VIEWER = Role.VIEWER
    OPERATOR = Role.OPERATOR
    ADMIN = Role.ADMIN

    @property
    def role(self) -> Role | None:
        """The least role; None if none is needed."""
        return self.value if isinstance(self.value, Role) else None


# Parameters


class Parameter(NamedTuple):
    """One parameter. `type` is its schema; `where` is path, query or header; `read` is given the name and the text of a
    query parameter and returns its value, or raises Refusal (bad_message)."""

    name: str
    type: Any
    words: str
    where: str = "query"
    read: Callable[[str, str], Any] = lambda name, given: given


def number(name: str, words: str, least: int = 0, most: int | None = None) -> Parameter:
    """A whole number in the query, from `least` to `most`."""
    top = SEQ_LIMIT - 1 if most is None else most

    def read(name: str, given: str) -> int:
        value = whole_number(given, 19)
        if value is None or not least <= value < SEQ_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, wording.NOT_AT_LEAST.format(name=name, least=least))
        if value > top:
            raise Refusal(Code.BAD_MESSAGE, wording.NOT_AT_MOST.format(name=name, top=top))
        return value

    return Parameter(name, Annotated[int, Meta(ge=least, le=top)], words, read=read)


def choice(name: str, words: str, options: Iterable[str]) -> Parameter:
    """One of some words in the query; an empty one is the same as none."""
    known = tuple(options)

    def read(name: str, given: str) -> str | None:
        if given and given not in known:
            raise Refusal(Code.BAD_MESSAGE, wording.NOT_ONE_OF.format(name=name, known=", ".join(known)))
        return given or None

    return Parameter(name, Annotated[str, Meta(pattern=f"^({'|'.join(known)})$")], words, read=read)


# Rows


class Content(NamedTuple):
    """A body of a request or a response in one media type; `shape` is a msgspec type."""

    shape: Any
    media: str = JSON


class Reply(NamedTuple):
    """The response of a successful request."""

    status: int
    words: str
    content: tuple[Content, ...] = ()


PAGE = Reply(200, "A page.")


def told(shape: Any) -> str:
    """The description of a response: the docstring of its Struct."""
    return " ".join((shape.__doc__ or "").split())


class Endpoint(NamedTuple):
    """A method on a path. `words`: the first line is a title. `handler` is a method that takes a Call and returns a
    Struct, answered as JSON with the status of `reply`, or a whole response.

    `parameters` None: any query will do. `body`: read and decoded if `decoded`, otherwise the handler reads it.
    `refusals` may come besides those that any endpoint of this access may answer; `statuses` are further ones that have
    no code of the chat's. `action` is what the audit log calls it, `target` the field that says to whom it is done: of
    the path, or of the form. `tag` is empty for what people use and the document leaves out. `bare`: the handler takes
    the request itself and nothing is checked before, so that a connection that lives for hours has one frame less.
    """

    method: str
    path: str
    words: str
    handler: Callable[..., Awaitable[Any]]
    reply: Reply
    access: Access = Access.ANYBODY
    parameters: Sequence[Parameter] | None = ()
    body: tuple[Content, ...] = ()
    body_required: bool = True
    decoded: bool = True
    refusals: tuple[Code, ...] = ()
    statuses: tuple[int, ...] = ()
    action: str = ""
    target: str = "id"
    tag: str = ""
    head: bool = True
    bare: bool = False

    @property
    def is_form(self) -> bool:
        """Whether it takes a form."""
        return self.body[:1] == (FORM_BODY,)

    def asked(self, request: web.Request) -> dict[str, Any]:
        """The values of the query by name. Raises Refusal (bad_message)."""
        if self.parameters is None:
            return dict(request.query)
        known = {each.name: each for each in self.parameters if each.where == "query"}
        only(request, *known)
        return {name: known[name].read(name, request.query[name]) for name in request.query if name in known}


FORM_BODY = Content(Fields, FORM)


class Failure(msgspec.Struct, frozen=True):
    """What went wrong. `code` is stable; `text` is for people. Of a filter word without a meaning: the `word`
    begins `at` that character and has `length` characters; `why` it is wrong, and what would be `right`. Of a campaign:
    how many connections match."""

    code: str
    text: str
    word: str | UnsetType = UNSET
    at: int | UnsetType = UNSET
    length: int | UnsetType = UNSET
    why: str | UnsetType = UNSET
    right: str | UnsetType = UNSET
    matches: int | UnsetType = UNSET


class RefusalReply(msgspec.Struct, frozen=True):
    """Every refusal, unless the asker reads something else: curl gets one line `!! code: text`, a browser a page."""

    error: Failure


# Serving


@dataclass(frozen=True, slots=True)
class Call(Generic[Body]):
    """A request that has been checked against its row: the values of the query by name, absent ones left out; the
    decoded `body`; the caller, None where nobody needs to be known."""

    request: web.Request
    query: Mapping[str, Any]
    body: Body
    who: Operator | None = None
    session: AdminSession | None = None
    """The session of the cookie, for a page of the dashboard."""

    @property
    def operator(self) -> Operator:
        """The operator who asks, where the row requires a role."""
        assert self.who is not None, "the row lets anybody in"
        return self.who

    @property
    def id(self) -> str:
        """The `{id}` of the path."""
        return self.request.match_info["id"]


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON body of a write."""

    @property
    def target(self) -> str:
        """The subject for the audit log, where the path does not name it."""
        return ""

    @property
    def words_said(self) -> str:
        """The reason or the text, for the audit log."""
        return ""


class Misread(Refusal):
    """A field of a write is malformed, so no verb has recorded the attempt."""


class Routes:
    """Makes the routes of rows."""

    def __init__(self, login: Login, audit: Audit, options: WebOptions) -> None:
        self._login = login
        self._audit = audit
        self._options = options

    def of(self, endpoint: Endpoint, part: object) -> web.RouteDef:
        """The route of a row whose handler is a method of `part`."""
        handler: Callable[..., Awaitable[web.StreamResponse]] = MethodType(endpoint.handler, part)
        if not endpoint.bare:
            handler = partial(self._serve, endpoint, handler)
        options = {"allow_head": endpoint.head} if endpoint.method == "GET" else {}
        return web.RouteDef(endpoint.method, endpoint.path, handler, options)

    async def _serve(
        self, endpoint: Endpoint, handler: Callable[[Call[Any]], Awaitable[Any]], request: web.Request
    ) -> web.StreamResponse:
        try:
            answer = await self._handled(endpoint, handler, request)
        finally:
            if endpoint.method != "GET" and endpoint.access is not Access.IDENTITY:  # posting records no attempt
                await came(self._audit.once_stored(None))
        return answer if isinstance(answer, web.StreamResponse) else json_answer(answer, endpoint.reply.status)

    async def _handled(
        self, endpoint: Endpoint, handler: Callable[[Call[Any]], Awaitable[Any]], request: web.Request
    ) -> Any:
        is_write = endpoint.action and endpoint.method != "GET"
        call = await self._write(endpoint, request) if is_write else self._read(endpoint, request)
        try:
            return await handler(call)
        except Misread as refusal:
            self._refused(endpoint, call, refusal)
            raise

    def _read(self, endpoint: Endpoint, request: web.Request) -> Call[None]:
        who, session, role = None, None, endpoint.access.role
        if endpoint.access is Access.HERE and not is_here(request):
            role = Role.VIEWER
        if endpoint.access is Access.PAGE:
            session = self._login.session(request)
            if session is None:
                raise web.HTTPSeeOther(self._options.at("/admin/login"))
            self._login.check_own(request)
            who = session.operator._replace(source=source(request))
        if endpoint.access is Access.KEY:
            who = self._login.key_holder(request, "read")
        elif role is not None:
            who = self._login.reader(request, Role.VIEWER)
            self._check_role(endpoint, Call(request, {}, None, who), role)
        return Call(request, endpoint.asked(request), None, who, session)

    async def _write(self, endpoint: Endpoint, request: web.Request) -> Call[Any]:
        fields: Fields = {}
        unread: Refusal | None = None
        if endpoint.is_form:
            try:
                fields = await self._fields(endpoint, request)
            except Refusal as refusal:
                unread = refusal
        target = request.match_info.get("id", fields.get(endpoint.target, ""))
        csrf = fields.get("csrf") or request.headers.get(CSRF_HEADER)
        if endpoint.access is Access.KEY:
            operator = self._login.key_holder(request, endpoint.action)
        else:
            operator = self._login.writer(request, csrf, endpoint.action, target)
        call: Call[Any] = Call(request, {}, fields, operator)
        try:
            if unread is not None:
                raise unread
            query = endpoint.asked(request)
            body = fields if endpoint.is_form else await self._body(endpoint, request)
        except Refusal as refusal:
            self._refused(endpoint, call, refusal)
            raise
        call = Call(request, query, body, operator)
        self._check_role(endpoint, call, endpoint.access.role or Role.VIEWER)
        return call

    async def _fields(self, endpoint: Endpoint, request: web.Request) -> Fields:
        if not endpoint.body_required and request.content_type != FORM:
            return {}
        body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        return {name: values[-1] for name, values in form_fields(request, body).items()}

    async def _body(self, endpoint: Endpoint, request: web.Request) -> Any:
        if not endpoint.body or not endpoint.decoded:
            return None
        body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        shape = endpoint.body[0].shape
        if not endpoint.body_required and body.removeprefix(BOM).strip() in (b"", b"null"):
            return shape()  # HTTP libraries send `null` for a body that was not given
        return decoded(body, shape)

    def _check_role(self, endpoint: Endpoint, call: Call[Any], role: Role) -> None:
        try:
            call.operator.check(role)
        except Refusal as refusal:
            if endpoint.action:
                self._refused(endpoint, call, refusal)
            raise

    def _refused(self, endpoint: Endpoint, call: Call[Any], refusal: Refusal) -> None:
        """Record what was refused before a verb could record it."""
        body, target, words = call.body, call.request.match_info.get("id", ""), ""
        if isinstance(body, Order):
            target, words = target or body.target, body.words_said
        elif body:
            target = body.get(endpoint.target, "")
        self._audit.note(call.operator, endpoint.action, target, words, f"refused: {refusal.text}")


def decoded(body: bytes, shape: Any) -> Any:
    """JSON as a `shape`; a byte order mark before it is skipped. Raises Refusal (bad_message)."""
    try:
        return msgspec.json.decode(body.removeprefix(BOM), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(Code.BAD_MESSAGE, wording.BODY_UNEXPECTED.format(problem=error)) from error


def form_fields(request: web.Request, body: bytes) -> dict[str, list[str]]:
    """The fields of a form's body. Raises Refusal (bad_message)."""
    if request.content_type != FORM:
        raise Refusal(Code.BAD_MESSAGE, wording.FORM_EXPECTED)
    try:
        return parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_FIELDS)
    except ValueError as error:
        raise Refusal(Code.BAD_MESSAGE, wording.FORM_BROKEN) from error
