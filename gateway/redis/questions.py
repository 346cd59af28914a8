"""Questions: what one node asks another while somebody looks at a dashboard or acts on a connection of another node.

Each node has a channel of its own in Redis (PUBLISH), and a question and its answer are one message each: nothing is
stored, and nobody else is woken. What this rests on:

- Redis says how many heard a message. What nobody has heard was not done, so it is sent again: the other node listens
  anew within PAUSE after Redis has come back. After TRIES the node is gone, and is not tried again.
- A node that hears but does not answer (it is stopped, or its loop stands still) is waited for ANSWER_SECONDS once;
  after that, until something comes from it again, only SILENT_SECONDS. So a page that is asked for every two seconds
  does not wait for it each time.
- A question that may have been heard is sent once. An act that may have been done is not done again: whoever asked is
  told that it is unknown. An answer is sent again, because a second one is ignored. A connection that was not used for
  HEARTBEAT may have broken meanwhile, so it is tried before anything is sent on it.
- These are connections of their own, so that a large page of a table never delays a message of the chat.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.ports.cluster import Serve
from gateway.errors import BackplaneError, JournalError
from gateway.redis.connection import RedisConnection

CHANNEL = "gw:node:"
ANSWER_SECONDS = 2.0
SILENT_SECONDS = 0.3
SEND_SECONDS = 2.0
HEARTBEAT = 1.0
"""Seconds between two signs of life on the connection that listens."""
SILENCE = 3.0
PAUSE = 0.2
"""Seconds before what failed is tried again."""
TRIES = 3
AT_ONCE = 32
OPEN = 1000
"""Questions without an answer, at most."""
LARGEST = 8 << 20
"""Bytes of an answer: ten times the largest page of the table."""

log = logging.getLogger(__name__)


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What goes over a channel: a question of a `kind`, or with an empty kind the answer to one, which may have
    `failed` for the reason in `body`. `number` is the question's, given by the node that asked."""

    kind: str
    number: int
    sender: str
    body: bytes
    failed: bool = False


class _Letter(NamedTuple):
    """An envelope on its way to a node, which may be sent so many times."""

    node: str
    what: Envelope
    tries: int


_pack = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(Envelope).decode


class Questions:
    """The questions that `node` asks and answers, by the Redis of `url`."""

    def __init__(self, url: str, node: str) -> None:
        self._node = node
        self._ears, self._mouth = RedisConnection(url, SEND_SECONDS), RedisConnection(url, SEND_SECONDS)
        self._served: dict[str, Serve] = {}
        self._open: dict[int, tuple[str, Answer[bytes | JournalError]]] = {}
        """By number: the node that was asked, and who waits."""
        self._last = 0
        self._silent: set[str] = set()
        self._queue: deque[_Letter] = deque()
        self._spoken = 0.0
        """When something was sent last, by the loop's time."""
        self._queued = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to listen and to send."""
        self._tasks = [asyncio.create_task(work()) for work in (self._listen, self._stay, self._send)]

    async def close(self) -> None:
        """Stop; whoever waits is told."""
        for task in self._tasks:
            task.cancel()
        for number in list(self._open):
            self._settle(number, BackplaneError(wording.STOPPING))
        await self._ears.close()
        await self._mouth.close()

    def serve(self, kind: str, use: Serve) -> None:
        """As `Cluster.serve`."""
        self._served[kind] = use

    def ask(self, node: str, kind: str, question: bytes) -> Answer[bytes | JournalError]:
        """As `Cluster.ask`."""
        if len(self._open) >= OPEN:
            return Answer.of(BackplaneError(wording.NODE_QUESTIONS_WAIT))
        self._last += 1
        answer: Answer[bytes | JournalError] = Answer()
        self._open[self._last] = node, answer
        known = node in self._silent
        self._post(_Letter(node, Envelope(kind, self._last, self._node, question), 1 if known else TRIES))
        patience = SILENT_SECONDS if known else ANSWER_SECONDS
        self._loop.call_later(patience, partial(self._expire, self._last))
        return answer

    def gone(self, node: str) -> None:
        """That node is dead: nobody waits for it any longer."""
        self._silent.discard(node)
        for number, (asked, _) in list(self._open.items()):
            if asked == node:
                self._settle(number, BackplaneError(wording.NODE_GONE))

    def _expire(self, number: int) -> None:
        if number in self._open:
            self._silent.add(self._open[number][0])
            self._settle(number, BackplaneError(wording.NODE_SILENT))

    def _settle(self, number: int, value: bytes | JournalError) -> None:
        """The answer is there; one that comes late is ignored."""
        found = self._open.pop(number, None)
        if found is not None:
            found[1].set(value)

    # Sending

    def _post(self, letter: _Letter) -> None:
        self._queue.append(letter)
        self._queued.set()

    async def _send(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                some = [self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))]
                await self._send_all(some)

    async def _send_all(self, some: Sequence[_Letter]) -> None:
        if self._loop.time() - self._spoken > HEARTBEAT:
            with suppress(BackplaneError):
                await self._mouth.ask([("PING",)])
        try:
            heard = await self._mouth.ask([("PUBLISH", CHANNEL + each.node, _pack(each.what)) for each in some])
        except BackplaneError as error:
            heard = [error] * len(some)
        self._spoken = self._loop.time()
        for each, count in zip(some, heard, strict=True):
            if count == 0 or isinstance(count, Exception):
                self._failed(each, count)

    def _failed(self, letter: _Letter, count: int | Exception) -> None:
        node, what, tries = letter
        if what.kind and isinstance(count, Exception):
            self._settle(what.number, BackplaneError(str(count)))
        elif tries > 1 and (not what.kind or what.number in self._open):
            self._loop.call_later(PAUSE, self._post, _Letter(node, what, tries - 1))
        elif what.kind:
            self._silent.add(node)
            self._settle(what.number, BackplaneError(wording.NODE_GONE))

    # Hearing

    async def _listen(self) -> None:
        while True:
            with suppress(BackplaneError):
                await self._ears.send([("SUBSCRIBE", CHANNEL + self._node)])
                while True:
                    kind, *_, data = await self._ears.heard(SILENCE)
                    if kind == b"message":
                        self._heard(data)
            await self._ears.close()
            await asyncio.sleep(PAUSE)

    async def _stay(self) -> None:
        """Show signs of life on the connection that listens."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            if self._ears.connected:
                with suppress(BackplaneError):
                    await self._ears.send([("PING",)])

    def _heard(self, data: bytes) -> None:
        try:
            what = _read(data)
        except msgspec.MsgspecError:
            return  # somebody has put it there by hand
        self._silent.discard(what.sender)
        if what.kind:
            self._answer(what)
        else:
            self._settle(
                what.number, BackplaneError(what.body.decode("utf-8", "replace")) if what.failed else what.body
            )

    def _answer(self, asked: Envelope) -> None:
        def answered(value: bytes | JournalError) -> None:
            failed = isinstance(value, JournalError)
            body = str(value).encode() if isinstance(value, JournalError) else value
            if len(body) > LARGEST:
                failed, body = True, wording.NODE_ANSWER_TOO_LARGE.encode()
            self._post(_Letter(asked.sender, Envelope("", asked.number, self._node, body, failed), TRIES))

        use: Callable[[bytes], Answer[Any]] | None = self._served.get(asked.kind)
        if use is None:
            answered(BackplaneError(wording.NODE_OF_ANOTHER_VERSION))
            return
        try:
            use(asked.body).then(answered)
        except Exception:
            log.exception(wording.LOG_QUESTION_FAILED, asked.kind)
            answered(BackplaneError(wording.NODE_FAILED))
