"""Questions: a node asks another by Redis, and is told at once when there is nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from gateway.core.answer import Answer
from gateway.core.ports.cluster import NodeCard, NodeGone
from gateway.errors import BackplaneError, JournalError
from gateway.journal.ledger import MemoryLedger
from gateway.redis import questions as module
from gateway.redis.backplane import Backplane
from gateway.redis.cluster import RedisCluster
from gateway.redis.feed import StreamFeed
from gateway.redis.journal import RedisJournal
from gateway.redis.questions import CHANNEL, Envelope, Questions
from tests.fakes import PATIENCE
from tests.redis.nodes import soon
from tests.redis.servers import RedisServer


async def value(answer: Answer[Any]) -> Any:
    """What it is answered."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    answer.then(future.set_result)
    return await asyncio.wait_for(future, PATIENCE)


@asynccontextmanager
async def asking(url: str, *names: str) -> AsyncIterator[list[Questions]]:
    """These nodes, which hear each other."""
    made = [Questions(url, name) for name in names]
    for each in made:
        each.serve("echo", Answer.of)
        each.start()
    try:
        for name in names:
            async with asyncio.timeout(PATIENCE):
                while await value(made[0].ask(name, "echo", b"there?")) != b"there?":
                    pass
        yield made
    finally:
        for each in made:
            await each.close()


async def test_an_answer_comes_back_to_its_question(url: str) -> None:
    async with asking(url, "a", "b") as (here, _):
        answers = [here.ask("b", "echo", str(number).encode()) for number in range(100)]
        assert [await value(each) for each in answers] == [str(number).encode() for number in range(100)]


async def test_a_node_that_nobody_listens_for_is_known_to_be_gone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", PATIENCE * 2)
    async with asking(url, "a") as (here,):
        assert str(await value(here.ask("nobody", "echo", b""))) == "the node is gone"


async def test_a_silent_node_is_waited_for_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.0)
    async with asking(url, "a", "b") as (here, there):
        waiting: list[Answer[bytes | JournalError]] = []

        def keep(question: bytes) -> Answer[bytes | JournalError]:
            waiting.append(Answer())
            return waiting[-1]

        there.serve("slow", keep)
        for _ in range(2):
            assert str(await value(here.ask("b", "slow", b""))) == "nothing has come in time"
        monkeypatch.setattr(module, "ANSWER_SECONDS", PATIENCE)
        waiting[0].set(b"late")  # is ignored, but shows that the node lives
        await soon(lambda: not here._silent)
        assert await value(here.ask("b", "echo", b"again")) == b"again"


async def test_what_fails_at_the_other_node_is_told(url: str, expected_errors: list[str]) -> None:
    expected_errors.append("the question 'broken' of another node failed")
    async with asking(url, "a", "b") as (here, there):
        there.serve("broken", lambda question: 1 / 0)  # type: ignore[arg-type, return-value]
        there.serve("refused", lambda question: Answer.of(BackplaneError("no room for it")))
        there.serve("large", lambda question: Answer.of(bytes(module.LARGEST + 1)))
        said = [str(await value(here.ask("b", kind, b""))) for kind in ("broken", "refused", "large", "newer")]
    assert said == ["the node failed", "no room for it", "the answer is too large", "the node runs another version"]


async def test_garbage_on_the_channel_is_ignored(url: str, redis_server: RedisServer) -> None:
    async with asking(url, "a") as (here,):
        for each in (b"", b"PONG", b"\x93\x01", msgspec.msgpack.encode(Envelope("", 999, "x", b"nobody asked"))):
            redis_server.cli("PUBLISH", f"{CHANNEL}a", each)
        assert await value(here.ask("a", "echo", b"still here")) == b"still here"


async def test_without_redis_it_is_told_and_comes_back_by_itself(
    start_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 1.0)  # an answer on the connection that broke does not come
    server = start_redis()
    async with asking(server.url, "a", "b") as (here, _):
        server.kill()
        assert "Redis" in str(await value(here.ask("b", "echo", b"")))
        server.start()

        async with asyncio.timeout(PATIENCE):
            while await value(here.ask("b", "echo", b"back")) != b"back":
                await asyncio.sleep(0.02)


async def test_after_redis_came_back_the_first_question_and_its_answer_arrive(
    start_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRIES", 10_000)
    server = start_redis()
    async with asking(server.url, "a", "b") as (here, there):
        server.kill()
        server.start()
        here._spoken = there._spoken = 0.0  # nothing was sent for long
        assert await value(here.ask("b", "echo", b"back")) == b"back", "though nobody listened yet"


async def test_an_answer_on_a_connection_that_has_just_broken_is_sent_on_the_next(
    url: str, redis_server: RedisServer
) -> None:
    async with asking(url, "a", "b") as (here, there):
        answer: Answer[bytes | JournalError] = Answer()
        asked: list[bytes] = []

        def later(question: bytes) -> Answer[bytes | JournalError]:
            asked.append(question)
            return answer

        there.serve("later", later)
        found = here.ask("b", "later", b"")
        await soon(lambda: asked)
        broken = there._mouth._connection._writer
        there._spoken = there._loop.time() + PATIENCE  # it was used just now: it is not tried before
        broken.close()
        answer.set(b"all the same")
        assert await value(found) == b"all the same"


async def test_an_act_is_not_asked_for_again_on_another_connection(url: str) -> None:
    async with asking(url, "a", "b") as (here, there):
        asked: list[bytes] = []

        def act(question: bytes) -> Answer[bytes | JournalError]:
            asked.append(question)
            return Answer.of(b"done")

        there.serve("act", act)
        here._spoken = here._loop.time() + PATIENCE
        here._mouth._connection._writer.close()
        assert isinstance(await value(here.ask("b", "act", b"once")), JournalError)
        assert await value(here.ask("b", "act", b"twice")) == b"done" and asked == [b"twice"]


async def test_no_more_than_so_many_wait_and_all_are_told_at_the_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN", 2)
    async with asking(url, "a") as (here,):
        here.serve("never", lambda question: Answer())
        waiting = [here.ask("a", "never", b"") for _ in range(3)]
        assert "too many" in str(await value(waiting[2]))
        here.gone("a")
        assert str(await value(waiting[0])) == "the node is gone"
        last = here.ask("a", "never", b"")
    assert str(await value(last)) == "the gateway stops"


class RunningNode:
    """A node with nothing but its cluster."""

    def __init__(self, url: str) -> None:
        self.backplane = Backplane(url)
        self.feed = StreamFeed(self.backplane)
        self.journal = RedisJournal(self.backplane, self.feed, MemoryLedger(), 100)
        self.questions = Questions(url, self.backplane.node)
        self.cluster = RedisCluster(self.backplane, self.feed, self.questions)

    async def start(self, name: str) -> None:
        await self.backplane.start()
        self.questions.start()
        await value(self.cluster.begin(b"key"))
        self.cluster.introduce(NodeCard(self.cluster.node, self.cluster.number, name))

    async def stop(self) -> None:
        self.cluster.stop()
        await self.questions.close()
        await self.backplane.close()


@pytest.fixture
async def pair(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[RunningNode, RunningNode]]:
    monkeypatch.setattr("gateway.redis.cluster.BEAT_SECONDS", 0.02)
    made = RunningNode(url), RunningNode(url)
    for each, name in zip(made, ("x:1", "y:2"), strict=True):
        await each.start(name)
    yield made
    for each in made:
        await each.stop()


def names(node: RunningNode) -> list[str]:
    return [card.name for card in node.cluster.cards()]


async def test_nodes_know_each_other_and_their_numbers_are_never_used_again(
    pair: tuple[RunningNode, RunningNode], redis_server: RedisServer
) -> None:
    here, there = pair
    assert (here.cluster.number, there.cluster.number) == (1, 2)
    await soon(lambda: names(here) == names(there) == ["x:1", "y:2"])
    there.cluster.serve("name", lambda question: Answer.of(b"y:2"))
    assert await value(here.cluster.ask(there.cluster.node, "name")) == b"y:2"

    redis_server.cli("FLUSHALL")  # the beats of those that live bring it back
    await soon(lambda: redis_server.cli("GET", "gw:node-number") == b"2")
    await soon(lambda: names(here) == ["x:1", "y:2"])


async def test_a_node_that_leaves_is_on_nobodys_list(pair: tuple[RunningNode, RunningNode]) -> None:
    here, there = pair
    await soon(lambda: len(names(here)) == 2)
    gone: list[str] = []
    here.cluster.hear(NodeGone, lambda fact: gone.append(fact.node))
    there.cluster.stop()
    await soon(lambda: names(here) == ["x:1"])
    assert gone == [there.cluster.node]
