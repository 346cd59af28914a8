"""Rooms over plain HTTP: post a message, read the history, list the rooms, ask for health.

Left simple on purpose: a posted `id` is checked but not yet remembered, and a `token` is refused; both come with the
identities of the WebSocket protocol.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from gateway.core.events import Msg
from gateway.core.message import Message
from gateway.errors import Code, Refusal
from gateway.web.answers import json_answer
from gateway.web.body import read_body
from gateway.web.options import WebOptions
from gateway.web.peer import Peer
from gateway.web.ports import Chat, OpenRoom, RoomLine

PAGE_LIMIT = 300
ID_LIMIT = 64
SEQ_LIMIT = 2**63

Answer = TypeVar("Answer")


class Posted(msgspec.Struct, gc=False):
    """The JSON body of a post."""

    text: str
    nick: str | None = None
    id: str | None = None
    token: str | None = None


class Stored(msgspec.Struct, gc=False):
    """The answer to a post: the message is committed as `seq`."""

    room: str
    epoch: str
    seq: int


class HistoryPage(msgspec.Struct, gc=False):
    """A stretch of a room's history, oldest first."""

    room: str
    epoch: str
    messages: list[Msg]
    more: bool


class Listed(msgspec.Struct, gc=False):
    """One line of the list of rooms."""

    room: str
    topic: str
    count: int
    head: int


async def ask(verb: Callable[[Callable[[Answer | Refusal], None]], None]) -> Answer:
    """Wait for what `verb` hands to its callback. A Refusal is raised."""
    future: asyncio.Future[Answer | Refusal] = asyncio.get_running_loop().create_future()

    def done(answer: Answer | Refusal) -> None:
        if not future.done():
            future.set_result(answer)

    verb(done)
    answer = await future
    if isinstance(answer, Refusal):
        raise answer
    return answer


class RoomDoor:
    """The handlers of `/r/…`, `/rooms` and the two health checks."""

    def __init__(self, chat: Chat, options: WebOptions) -> None:
        self._chat = chat
        self._options = options
        self._decode = msgspec.json.Decoder(Posted).decode

    async def post(self, request: web.Request) -> web.Response:
        """`POST /r/{room}`: 201 once the message is committed."""
        room = self._options.clean_room(request.match_info["room"])
        body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        posted = self._posted(request, body)
        nick = posted.nick if posted.nick is not None else request.query.get("nick")
        address = request.protocol.address if isinstance(request.protocol, Peer) else ""

        def verb(done: Callable[[Message | Refusal], None]) -> None:
            self._chat.post(room, nick, posted.text, address, done)

        message: Message = await ask(verb)
        return json_answer(Stored(message.room, self._chat.epoch(message.room), message.seq), 201)

    def _posted(self, request: web.Request, body: bytes) -> Posted:
        if request.content_type != "application/json":
            return Posted(body.decode("utf-8", "replace"))
        try:
            posted = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(Code.BAD_MESSAGE, f"the body is not what is expected: {error}") from error
        if posted.id is not None and not 1 <= len(posted.id) <= ID_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, f"id has 1 to {ID_LIMIT} characters")
        if posted.token is not None:
            raise Refusal(Code.BAD_MESSAGE, "token is not taken here yet: leave it out")
        return posted

    async def messages(self, request: web.Request) -> web.Response:
        """`GET /r/{room}/messages`: at most 300, the latest when no bound is given."""
        room = self._options.clean_room(request.match_info["room"])
        after, before = number(request, "after"), number(request, "before")
        limit = min(number(request, "limit", least=1) or PAGE_LIMIT, PAGE_LIMIT)

        def verb(done: Callable[..., None]) -> None:
            self._chat.history(room, after, before, limit, done)

        record: OpenRoom
        record, page = await ask(verb)
        epoch = request.query.get("epoch")
        if epoch and epoch != record.epoch:
            raise Refusal(Code.EPOCH_CHANGED, "the room has begun a new epoch: read it anew without bounds")
        return json_answer(HistoryPage(room, record.epoch, [_shown(message) for message in page.messages], page.more))

    async def rooms(self, request: web.Request) -> web.Response:
        """`GET /rooms`"""
        lines: list[RoomLine] = await ask(self._chat.room_list)
        return json_answer([Listed(line.room, line.topic, line.count, line.head) for line in lines])

    async def healthz(self, request: web.Request) -> web.Response:
        """`GET /healthz`: the process answers."""
        return json_answer({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """`GET /readyz`: messages are taken, or 503 with the reason."""
        trouble = self._options.ready()
        if trouble is not None:
            raise trouble
        return json_answer({"status": "ok"})


def number(request: web.Request, name: str, least: int = 0) -> int | None:
    """The query's number `name`, None where it is absent."""
    given = request.query.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 20 and least <= int(given) < SEQ_LIMIT):
        raise Refusal(Code.BAD_MESSAGE, f"{name} is not a whole number of at least {least}")
    return int(given)


def _shown(message: Message) -> Msg:
    return Msg(
        room=message.room,
        seq=message.seq,
        ts=message.ts,
        nick=message.nick,
        door=message.door,
        kind=message.kind,
        text=message.text,
    )
