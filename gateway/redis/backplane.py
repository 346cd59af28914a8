"""The backplane: this node's way to the Redis that the nodes share.

The lane. A verb is one call of a function in Redis (`server.lua`), so it is atomic. Verbs that are asked in one turn of
the loop go out in one write, on one connection, and are done and answered in the order in which they were asked. A verb
without an answer within TRY_SECONDS, or whose connection broke, is tried again with the same arguments, TRIES times in
all: every verb may be done twice.

Away. A watch asks Redis every WATCH_SECONDS on a connection of its own. When it gets no answer Redis is *away*:
whatever waits is answered with a BackplaneError at once, and so is everything that is asked until the watch gets an
answer again. What had been sent may have been done all the same; a message then comes with the stream.

Entering. Redis may come back without its end (a restart, a failover to a replica that lagged), or empty (FLUSHALL). A
token in Redis stands for its uninterrupted life, every call carries it, and a call with another one is refused. The
node then enters anew: it learns the token, and whoever follows rooms compares them (`entered`) before anything else is
sent. If it is another process of Redis, nobody may append for QUARANTINE_MS: a node that still knows more than Redis
does must say so before the numbers are used again.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Any

from redis.exceptions import ReadOnlyError, RedisError

from gateway import wording
from gateway.core.answer import Answer
from gateway.errors import BackplaneError, StartError
from gateway.redis.connection import Command, RedisConnection, UnfitRedisError, refusal_of, run_of, shown

TRY_SECONDS = 2.0
TRIES = 3
WATCH_SECONDS = 0.5
WATCH_PATIENCE = 1.0
START_SECONDS = 5.0
"""How long the start waits for a Redis that is not there yet or loads its data."""
QUARANTINE_MS = 1500
VERBS_AT_ONCE = 64
CLOCKS_AGREE_MS = 2000
"""A difference between the clocks of Redis and of this machine that is not corrected."""

SOURCE = resources.files("gateway.redis").joinpath("server.lua").read_text(encoding="utf-8")
NAME = f"gateway_{hashlib.sha256(SOURCE.encode()).hexdigest()[:12]}"
"""Of the library in Redis; another version of the gateway has another. (Not EVAL, which makes all verbs anew at each
call: 40 of the 55 µs that a small one costs.)"""
LIBRARY = SOURCE.replace("@NAME@", NAME)
STORES = {"append", "topic", "probe"}
"""Verbs that must not be done when Redis is full."""
READS = {"ping", "news", "read", "rooms", "paste", "removed", "removals", "settled"}
"""Verbs that change nothing: they are done also when Redis cannot write."""

log = logging.getLogger(__name__)

Argument = str | int | bytes
Heard = Callable[[Any], None]
"""Takes Redis' answer to a verb, or the BackplaneError in its place."""


class Turn:
    """The place of one verb in the order of the answers."""

    __slots__ = ("_backplane", "done", "settled", "value")

    def __init__(self, backplane: "Backplane", done: Callable[[Any], None]) -> None:
        self._backplane = backplane
        self.done = done
        self.settled = False
        self.value: Any = None

    def settle(self, value: Any) -> None:
        """The answer is there; a second one is ignored."""
        if not self.settled:
            self.settled, self.value = True, value
            self._backplane.answer_settled()


class _Call:
    """A verb on its way. `arguments` are made when it is sent first, and kept for the next try."""

    __slots__ = ("_arguments", "_made", "heard", "verb")

    def __init__(self, verb: str, arguments: Callable[[], Sequence[Argument]], heard: Heard) -> None:
        self.verb = verb
        self._arguments = arguments
        self._made: Sequence[Argument] | None = None
        self.heard = heard

    def command(self, token: str) -> Command:
        if self._made is None:
            self._made = self._arguments()
        return command(self.verb, token, self._made)


def command(verb: str, token: str, arguments: Sequence[Argument]) -> Command:
    """The call of the library for a verb."""
    door = "store" if verb in STORES else "read" if verb in READS else "change"
    return ["FCALL", f"{NAME}_{door}", 0, verb, token, *arguments]


class Backplane:
    """The Redis of `url`. `node` is this process's id among the nodes, new with every start."""

    def __init__(self, url: str, *, wall: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.url = url
        self.address = shown(url)
        """Without user and password."""
        self.node = secrets.token_hex(8)
        self.seed = ""
        """From which the epochs of unwritten rooms are derived."""
        self.time_kept = ""
        """What `keep_time` stored last, at the time of the start."""
        self.house_last = 0
        """The number of the last shared event at the time of the start."""
        self.house_began = 0
        """What it was when the Redis that was entered last began its life; -1: it was emptied."""
        self.offset_ms = 0
        """What has to be added to this machine's clock to get that of Redis; 0 while they agree."""
        self.entered: Callable[[], Awaitable[None]] | None = None
        """Compares what this node knows with a Redis that has been entered anew; raises BackplaneError."""
        self.came_back: list[Callable[[], None]] = []
        """Called when Redis is there again."""
        self.away: BackplaneError | None = None
        self._wall = wall
        self._token = ""
        self._lane, self._watcher = RedisConnection(url, TRY_SECONDS), RedisConnection(url, WATCH_PATIENCE)
        self._queue: deque[_Call] = deque()
        self._queued = asyncio.Event()
        self._turns: deque[Turn] = deque()
        self._entering: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._lane_task: asyncio.Task[None] | None = None
        self._rewriting: asyncio.Task[None] | None = None
        self._once_back: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()

    async def start(self, patience: float = START_SECONDS) -> None:
        """Connect, and keep connected from now on. Raises StartError."""
        deadline = time.monotonic() + patience
        while True:
            try:
                await self._enter()
                break
            except BackplaneError as error:
                if isinstance(error, UnfitRedisError) or time.monotonic() >= deadline:
                    raise StartError(str(error)) from error
                await asyncio.sleep(0.2)
        self._tasks.append(asyncio.create_task(self._watch()))
        self._start_lane()

    async def close(self) -> None:
        """Let what was asked be answered, then close the connections."""
        deadline = time.monotonic() + TRY_SECONDS
        while self._turns and self.away is None and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        for task in (*self._tasks, self._lane_task, self._entering, self._rewriting):
            if task is not None:
                task.cancel()
        self._fail(BackplaneError(wording.STOPPING))
        await self._lane.close()
        await self._watcher.close()

    # Asking

    def do(
        self, verb: str, arguments: Sequence[Argument] = (), parse: Callable[[Any], Any] = lambda reply: reply
    ) -> Answer[Any]:
        """Do a verb; the answer is what `parse` makes of Redis' answer, or a BackplaneError."""
        answer: Answer[Any] = Answer()
        turn = self.turn(answer.set)

        def heard(reply: Any) -> None:
            turn.settle(reply if isinstance(reply, BackplaneError) else parse(reply))

        self.ask(verb, lambda: arguments, heard)
        return answer

    def turn(self, done: Callable[[Any], None]) -> Turn:
        """A place in the order of the answers: `done` gets the value once it and all before it are settled."""
        turn = Turn(self, done)
        self._turns.append(turn)
        return turn

    def ask(self, verb: str, arguments: Callable[[], Sequence[Argument]], heard: Heard) -> None:
        """Send a verb in its order; `heard` gets Redis' answer or a BackplaneError."""
        if self.away is not None:
            heard(self.away)
            return
        self._queue.append(_Call(verb, arguments, heard))
        self._queued.set()

    async def call(self, connection: RedisConnection, calls: Sequence[tuple[str, Sequence[Argument]]]) -> list[Any]:
        """Do verbs at once on a connection of the caller's, beside the lane. Raises BackplaneError."""
        for _ in range(TRIES):
            replies = await self.try_each(connection, calls)
            failed = next((each for each in replies if isinstance(each, BackplaneError)), None)
            if failed is None:
                return replies
            if not await self._cured(failed.__cause__):
                raise failed
        raise BackplaneError(wording.REDIS_CHANGES, connection.address)

    async def try_each(self, connection: RedisConnection, calls: Sequence[tuple[str, Sequence[Argument]]]) -> list[Any]:
        """The same without a second try; where a call fails its answer is a BackplaneError."""
        replies = await connection.ask([command(verb, self._token, arguments) for verb, arguments in calls])
        return [refusal_of(each, self.address) if isinstance(each, RedisError) else each for each in replies]

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Run a job in so many seconds."""
        self._loop.call_later(seconds, job)

    def when_back(self, job: Callable[[], None]) -> None:
        """Run a job as soon as Redis is there: now, or before those of `came_back`."""
        if self.away is None:
            job()
        else:
            self._once_back.append(job)

    def announce(self, kind: str, data: bytes) -> Answer[Any]:
        """Tell all nodes, this one included, in the one order that all nodes see."""
        return self.do("announce", (secrets.token_hex(8), kind, self.node, data), lambda _: None)

    def rewrite_log(self) -> None:
        """Let Redis write its append-only file anew, if it has one. What fails is logged."""
        self._rewriting = asyncio.create_task(self._rewrite_log())

    async def _rewrite_log(self) -> None:
        connection = RedisConnection(self.url, TRY_SECONDS)
        try:
            (info,) = await connection.ask([("INFO", "persistence")])
            answer = (await connection.ask([("BGREWRITEAOF",)]))[0] if b"aof_enabled:1" in info else None
            if isinstance(answer, RedisError):
                raise refusal_of(answer, self.address)
        except BackplaneError as error:
            log.warning(wording.LOG_NOT_ERASED, error)
        finally:
            await connection.close()

    # The lane

    def answer_settled(self) -> None:
        """Hand out the answers whose turn it is."""
        while self._turns and self._turns[0].settled:
            turn = self._turns.popleft()
            # Not called here: what an answer's taker does wrong must not stop the lane.
            self._loop.call_soon(turn.done, turn.value)
            del turn.done, turn.value  # who asked holds the turn: a cycle that would wait for the collector

    def _start_lane(self) -> None:
        self._lane_task = asyncio.create_task(self._carry())

    async def _carry(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                calls = [self._queue.popleft() for _ in range(min(VERBS_AT_ONCE, len(self._queue)))]
                await self._do_all(calls)

    async def _do_all(self, calls: list[_Call]) -> None:
        for attempt in range(TRIES):
            try:
                calls = await self._try(calls)
            except BackplaneError as error:
                failure = error
                if attempt < TRIES - 1:
                    await asyncio.sleep(0.05 * 2**attempt)
                continue
            if not calls:
                return
            failure = BackplaneError(wording.REDIS_CHANGES, self.address)
        for each in calls:
            each.heard(failure)

    async def _try(self, calls: list[_Call]) -> list[_Call]:
        """Send the calls once; return those that have to be sent again."""
        replies = await self._lane.ask([each.command(self._token) for each in calls])
        again = []
        cures: dict[str, RedisError] = {}
        for each, reply in zip(calls, replies, strict=True):
            if not isinstance(reply, RedisError):
                each.heard(reply)
            elif cure_of(reply):
                again.append(each)
                cures[cure_of(reply)] = reply
            else:
                if isinstance(reply, ReadOnlyError) or "READONLY" in str(reply):
                    await self._lane.close()  # a failover: the name may lead to the new master now
                each.heard(refusal_of(reply, self.address))
        for failed in cures.values():
            await self._cured(failed)
        return again

    async def _cured(self, failed: BaseException | None) -> bool:
        """Do what an error asks for; return whether it asks for anything."""
        cure = cure_of(failed)
        if cure == "wait":
            await asyncio.sleep(int(str(failed).split()[-1]) / 1000)
        elif cure:
            await self._enter_once()
        return bool(cure)

    # Entering

    async def _enter_once(self) -> None:
        if self._entering is None or self._entering.done():
            self._entering = asyncio.create_task(self._enter())
        await asyncio.shield(self._entering)

    async def _enter(self) -> None:
        """Load the library, check the server, learn the token; compare what is known if it is another one."""
        connection = RedisConnection(self.url, TRY_SECONDS)
        try:
            info, loaded = await connection.ask([["INFO"], ["FUNCTION", "LOAD", LIBRARY]])
            for each in (info, loaded):
                if isinstance(each, RedisError) and "already exists" not in str(each):
                    raise refusal_of(each, connection.address)
            run = run_of(info, connection.address)
            arguments = (run, secrets.token_hex(8), QUARANTINE_MS, secrets.token_urlsafe(24))
            asked = self._wall()
            (entered,) = await connection.ask([command("enter", "", arguments)])
        finally:
            await connection.close()
        if isinstance(entered, RedisError):
            raise refusal_of(entered, connection.address)
        token, seed, now, kept, last, began = (each.decode() for each in entered)
        self._compare_clocks(asked, int(now))
        self.house_began = int(began) if self.seed in ("", seed) else -1
        before, self._token, self.seed = self._token, token, seed
        if before == token:
            return
        if not before:
            self.time_kept, self.house_last = kept, int(last)
        try:
            if self.entered is not None:
                await self.entered()
        except BaseException:
            self._token = before
            raise

    def _compare_clocks(self, asked: int, now: int) -> None:
        """Redis' clock showed `now` at some time between `asked` and this moment, which may be seconds later."""
        offset = now - min(max(now, asked), self._wall())
        offset = offset if abs(offset) >= CLOCKS_AGREE_MS else 0
        if abs(offset - self.offset_ms) >= CLOCKS_AGREE_MS:
            log.warning(wording.LOG_REDIS_CLOCK, offset / 1000)
            self.offset_ms = offset

    # Watching

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            asked = self._wall()
            try:
                (now,) = await self.call(self._watcher, [("ping", ())])
            except BackplaneError as error:
                self._go_away(error)
            else:
                self._compare_clocks(asked, int(now))
                self._come_back()

    def _go_away(self, error: BackplaneError) -> None:
        if self.away is None:
            log.warning(wording.LOG_REDIS_AWAY, error)
        self.away = error
        if self._lane_task is not None:
            self._lane_task.cancel()
            self._lane_task = None
        self._fail(error)

    def _come_back(self) -> None:
        if self.away is not None:
            log.warning(wording.LOG_REDIS_BACK)
            self.away = None
            self._start_lane()
            once, self._once_back = self._once_back, []
            for each in (*once, *self.came_back):
                each()

    def _fail(self, error: BackplaneError) -> None:
        """Answer everything that waits with the error."""
        self._queue.clear()
        for turn in list(self._turns):
            turn.settle(error)


CURES = {"Function": "enter", "GWRUN": "enter", "GWWAIT": "wait"}
"""By the first word of an error: "Function not found", where somebody has deleted the library."""


def cure_of(failed: BaseException | None) -> str:
    """The word of an error after which the same call may succeed, when something has been done about it; else empty."""
    word = str(failed).partition(" ")[0]
    return CURES.get(word, "")
