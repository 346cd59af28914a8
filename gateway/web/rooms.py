"""A room in a browser (the chat page) and over plain HTTP: post, read the history, remove a message, list the rooms.

Who removes a message is found in this order: a bearer token that proves an identity of the chat is the author's; any
other bearer token, or the cookie with the CSRF token, must be an operator's. A browser's request from another site
never counts by its cookie.

Simple on purpose: the list of rooms is not paged, and shows the ROOMS_LISTED fullest.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.doors.browser import Id, fields_of, has_half_a_pair
from gateway.core.doors.commands import COMMANDS
from gateway.core.doors.post import Post, Posting
from gateway.core.doors.search import FOUND_MESSAGES, parse_query
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.operators.removal_rights import Author, MessagePlace
from gateway.core.protocol.events import Msg, told, too_fast
from gateway.core.protocol.wire import as_msg
from gateway.core.quantity import whole_number
from gateway.core.rooms.history import HISTORY_MESSAGES, Range
from gateway.core.rooms.registry import LOBBY, ListedRoom
from gateway.core.sessions.session import Identity
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import CSRF_HEADER, Login, bearer, source
from gateway.web.dispatch import BOM, Call, decoded
from gateway.web.http.origin_policy import OriginPolicy, host_name
from gateway.web.http.protocol import peer_address, remote_of
from gateway.web.http.request import SEQ_LIMIT, answered, check_one_part, read_body
from gateway.web.http.response_headers import PASTE_HEADERS
from gateway.web.settings import WebOptions
from gateway.web.static_files import Pages
from gateway.web.streams import position_of

ROOMS_LISTED = 1000
PLACES = ("after", "before", "around", "at")
"""The parameters that say which messages are wanted."""


class PostBody(msgspec.Struct, gc=False):
    """The JSON body of a post. `id` marks a second try within two minutes; `token` (as in `welcome`) says who posts,
    and so may the Authorization header."""

    text: str
    nick: str | None = None
    id: Id | None = None
    token: str | None = None


class Stored(msgspec.Struct, gc=False):
    """The place of a committed message."""

    room: str
    epoch: str
    seq: int


class HistoryPage(msgspec.Struct, gc=False):
    """A page of a room's history, oldest first. Asked with `around` or `at` it also tells the numbers that are held,
    `first` to `head`. Asked with `q` it is what was found, newest first, and `cursor` asks for what comes after it;
    null at the end; `incomplete`: the index is being made, and not everything is found yet."""

    room: str
    epoch: str
    messages: list[Msg]
    more: bool
    first: int | UnsetType = UNSET
    head: int | UnsetType = UNSET
    cursor: str | UnsetType | None = UNSET
    incomplete: bool | UnsetType = UNSET


class RoomDoor:
    """The handlers of `/r/…` and `/rooms`."""

    def __init__(self, hub: Hub, options: WebOptions) -> None:
        self._hub = hub
        self._posting = Posting(hub)
        self._options = options
        self._decode = msgspec.json.Decoder(PostBody).decode

    async def post(self, call: Call[None]) -> Stored:
        """`POST /r/{room}`: 201 once the message is committed."""
        request = call.request
        self._hub.bans.check_address(peer_address(request))
        room = name_rules.room(request.match_info["room"])
        check_one_part(request)
        pastes = self._hub.pastes
        written = self._written(
            request, await read_body(request, pastes.raw_limit, self._options.body_deadline, pastes)
        )
        nick = written.nick if written.nick is not None else call.query.get("nick")
        token = written.token if written.token is not None else bearer(request)
        remote = remote_of(request)
        text = sanitize.lines(written.text, self._hub.limits.top_paste_bytes)
        post = Post(room, text, nick, written.id, token, remote.address, remote.counted_as)
        posted = await answered(self._posting.post(post))
        return Stored(posted.room, posted.epoch, posted.seq)

    def _written(self, request: web.Request, body: bytes) -> PostBody:
        if request.content_type != "application/json":
            return PostBody(sanitize.decode(body))
        try:
            return self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if has_half_a_pair(fields_of(body)):
                raise Refusal(Code.BAD_TEXT, wording.HALF_A_PAIR) from None
            raise Refusal(Code.BAD_MESSAGE, wording.BODY_UNEXPECTED.format(problem=error)) from error

    async def messages(self, call: Call[None]) -> HistoryPage:
        """`GET /r/{room}/messages`: at most 300, the latest when no bound is given."""
        request, query = call.request, call.query
        self._hub.bans.check_address(peer_address(request))
        room = name_rules.room(request.match_info["room"])
        if "q" in query:
            return await self._found(request, room, query)
        if "cursor" in query:
            raise Refusal(Code.BAD_MESSAGE, wording.CURSOR_OF_SEARCH)
        limit = query.get("limit", HISTORY_MESSAGES)
        places = [name for name in PLACES if name in query]
        if len(places) > 1 and not {"after", "before"}.issuperset(places):
            raise Refusal(Code.BAD_MESSAGE, wording.ONE_PLACE.format(places=wording.ONE_PLACE_OR.join(places)))
        wanted = Range(limit=min(limit, HISTORY_MESSAGES), **{name: query[name] for name in places})
        past = await answered(self._hub.history.read(room, wanted))
        epoch = query.get("epoch")
        if epoch and epoch != past.epoch:
            raise Refusal(Code.EPOCH_CHANGED, wording.EPOCH_CHANGED)
        page = HistoryPage(room, past.epoch, [as_msg(message) for message in past.messages], past.more)
        if "around" in query or "at" in query:
            page.first, page.head = past.first, past.head
        return page

    async def _found(self, request: web.Request, room: str, query: Mapping[str, Any]) -> HistoryPage:
        others = [name for name in PLACES if name in query]
        if others:
            raise Refusal(Code.BAD_MESSAGE, wording.SEARCH_WITHIN_Q.format(filter=others[0]))
        wanted = parse_query(query["q"], room, self._hub.clock.wall(), query.get("limit", FOUND_MESSAGES))
        if wanted.rooms != (room,):
            raise Refusal(Code.BAD_MESSAGE, wording.SEARCH_ONE_ROOM.format(room=room))
        epoch = query.get("epoch")
        if "cursor" in query:
            place = position_of(query["cursor"])
            epoch, wanted = place.epoch, replace(wanted, below=place.after)
        found = await answered(self._hub.search.find(wanted, remote_of(request).counted_as, epoch))
        page = HistoryPage(room, found.epoch, [as_msg(message) for message in found.messages], found.more)
        if not found.complete:
            page.incomplete = True
        page.cursor = f"{found.epoch}:{found.last}" if found.more else None
        return page

    async def rooms(self, call: Call[None]) -> list[ListedRoom]:
        """`GET /rooms`: the rooms with people in them first."""
        self._hub.bans.check_address(peer_address(call.request))
        return (await answered(self._hub.remote_presence.listed()))[:ROOMS_LISTED]


PAGE_DATA = {
    "chat/later/commands.json": msgspec.json.encode(
        [(row.name, row.usage, row.words) for row in COMMANDS.values() if not row.order and not row.terminal]
    )
}
"""What the chat page fetches once somebody types, as static files: the table of commands, (name, usage, words)."""


class ChatPage:
    """`GET /` and `GET /r/{room}`"""

    def __init__(self, pages: Pages, site: OriginPolicy, options: WebOptions) -> None:
        self._pages = pages
        self._site = site
        self._options = options

    async def lobby(self, call: Call[None]) -> web.Response:
        """The page of the lobby."""
        return self._page(call.request, LOBBY)

    async def room(self, call: Call[None]) -> web.Response:
        """The page of the room in the path; an impossible name is a Refusal."""
        return self._page(call.request, name_rules.room(call.request.match_info["room"]))

    def _page(self, request: web.Request, room: str) -> web.Response:
        return self._pages.answer(
            "chat.html",
            room=room,
            version=self._options.version,
            **self._options.terminal_ways(host_name(self._site.host(request))),
        )


class RedactRequest(msgspec.Struct, gc=False):
    """The optional body of a removal: why."""

    reason: str = ""


class MessageDoor:
    """The handlers of one message's addresses."""

    def __init__(self, hub: Hub, operators: Operators, login: Login, options: WebOptions) -> None:
        self._hub = hub
        self._redaction = operators.redaction
        self._login = login
        self._options = options

    async def redact(self, call: Call[None]) -> web.Response:
        """`DELETE /r/{room}/messages/{seq}`: 204 once the message is removed."""
        request = call.request
        self._hub.bans.check_address(peer_address(request))
        room, seq = name_rules.room(request.match_info["room"]), self._seq(request)
        place = MessagePlace(room, seq, call.query.get("epoch") or None)
        body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        reason = decoded(body, RedactRequest).reason if body.removeprefix(BOM).strip() not in (b"", b"null") else ""
        author = await self._author(request)
        if author is None:
            operator = self._login.writer(request, request.headers.get(CSRF_HEADER), "redact", place.text)
            await answered(self._redaction.redact(operator, place, reason))
        else:
            by = Author((author.id,), author.nick, source(request))
            await answered(self._redaction.take_back(by, place, reason))
        return web.Response(status=204)

    async def paste(self, call: Call[None]) -> web.Response:
        """`GET /r/{room}/paste/{seq}`: the whole text, as it was sent and gated."""
        request = call.request
        self._hub.bans.check_address(peer_address(request))
        room, seq = name_rules.room(request.match_info["room"]), self._seq(request)
        message = await answered(self._hub.removals.find(room, seq))
        text = await answered(self._hub.journal.paste(room, seq).map(told)) if message.paste is not None else None
        if text is None:
            raise Refusal(Code.NO_SUCH_MESSAGE, wording.NO_SUCH_PASTE.format(seq=seq, room=room))
        return web.Response(text=text, content_type="text/plain", charset="utf-8", headers=PASTE_HEADERS)

    def _seq(self, request: web.Request) -> int:
        seq = whole_number(request.match_info["seq"], 19)
        if seq is None or seq >= SEQ_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, wording.NOT_A_NUMBER.format(words="that"))
        return seq

    async def _author(self, request: web.Request) -> Identity | None:
        """The identity of the chat that the bearer token proves, within the rate of its address."""
        token = bearer(request)
        await answered(self._hub.directory.look_up(token))
        author = None if token is None else self._hub.identities.identities.by_token(token)
        if author is not None:
            remote, now, rates = remote_of(request), self._hub.clock.now(), self._hub.rate_limit.addresses
            self._hub.bans.check_poster(author.nick, author.id, remote.address)
            seconds = rates.wait(remote.counted_as, now)
            if seconds:
                raise too_fast(seconds)
            rates.pay(remote.counted_as, now)
        return author
