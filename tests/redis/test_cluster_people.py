"""Who has which nick, who is where, and what nodes tell each other: nodes without doors, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from gateway.core.ports.cluster import (
    CodeUsed,
    Fact,
    Forgotten,
    LinkMinted,
    Maintained,
    Missed,
    NodeGone,
    PeopleThere,
    PersonChanged,
    SanctionsChanged,
)
from gateway.core.ports.journal import Person
from gateway.core.ports.ledger import Measure, Sanction
from gateway.errors import BackplaneError, StartError
from gateway.redis import cluster, node
from gateway.redis.node import Node, join
from tests.redis.nodes import soon
from tests.redis.servers import RedisServer

KEY = b"k" * 32
KINDS = (CodeUsed, Forgotten, LinkMinted, Maintained, Missed, NodeGone, PeopleThere, PersonChanged, SanctionsChanged)


class Joined:
    """A node that has joined, and the facts that it has heard."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.id = node.backplane.node
        self.heard: list[Any] = []
        for kind in KINDS:
            node.cluster.hear(kind, self.heard.append)

    async def ask(self, verb: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """What a verb answers."""
        answers: list[Any] = []
        verb(*arguments, **more).then(answers.append)
        await soon(lambda: answers)
        return answers[0]

    async def there(self, person: Person) -> None:
        """Store that the person is connected, or was until `seen`."""
        assert await self.ask(self.node.journal.remember, [person]) is None

    def facts(self, kind: type) -> list[Any]:
        """Those of a kind that it has heard."""
        return [each for each in self.heard if type(each) is kind]


@asynccontextmanager
async def joined(url: str, count: int = 2) -> AsyncIterator[list[Joined]]:
    """So many nodes."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            node = await join(url, 100, KEY)
            stack.push_async_callback(node.close)
            made.append(Joined(node))
        yield made


def person(id: str, nick: str = "ana", seen: int = 0, **more: Any) -> Person:
    return Person(id, nick, [("lobby", "e" * 16, 3)], seen, **more)


async def test_the_first_node_gives_the_key_that_signs_for_all(url: str, redis_server: RedisServer) -> None:
    async with joined(url, 1) as (first,):
        second = await join(url, 100, b"x" * 32)
        assert first.node.token_key == second.token_key == KEY
        assert second.words == f"Redis at {redis_server.socket}"
        await second.close()
        assert redis_server.cli("HKEYS", "gw:nodes") == [first.id.encode()]


async def test_a_key_of_a_wrong_type_ends_the_start_in_words(url: str, redis_server: RedisServer) -> None:
    redis_server.cli("HSET", "gw:token-key", "a", "b")
    with pytest.raises(StartError, match="replaced by something else"):
        await join(url, 100, KEY)


async def test_a_nick_has_one_owner_who_hands_it_over_or_gives_it_back(url: str) -> None:
    async with joined(url) as (here, there):
        mine, yours = f"~{here.id}:1", f"~{there.id}:1"
        assert await here.ask(here.node.cluster.claim, ["ana", "look-ana"], mine)
        assert not await there.ask(there.node.cluster.claim, ["bob", "look-ana"], yours)
        assert not await there.ask(there.node.cluster.held, ["bob"])
        assert await there.ask(there.node.cluster.held, ["look-ana"])
        assert await there.ask(there.node.cluster.holder, ["bob", "ana"]) == mine
        assert await there.ask(there.node.cluster.reached, ["ana"])
        assert await there.ask(there.node.cluster.claim, ["ana"], yours, mine)
        here.node.cluster.release(["ana", "look-ana"], mine)
        assert await here.ask(here.node.cluster.holder, ["ana"]) == yours
        assert await here.ask(here.node.cluster.holder, ["look-ana"]) == ""
        assert not await here.ask(here.node.cluster.reached, ["look-ana"])


async def test_a_nick_is_kept_while_its_owner_is_connected_elsewhere(url: str) -> None:
    async with joined(url) as (here, there):
        await here.there(person("i1"))
        await there.there(person("i1"))
        assert await here.ask(here.node.cluster.claim, ["ana"], "i1")
        here.node.cluster.release(["ana"], "i1", away=True)
        assert await here.ask(here.node.cluster.holder, ["ana"]) == "i1"
        await there.there(person("i1", seen=2))
        here.node.cluster.release(["ana"], "i1", away=True)
        assert await here.ask(here.node.cluster.holder, ["ana"]) == ""


async def test_a_person_is_found_by_id_and_by_account_and_changes_are_told(url: str) -> None:
    async with joined(url) as (here, there):
        for nick in ("bob", "bo"):
            await here.there(person("i2", nick))  # of whom no other node knows
        await here.there(person("i1", account="Ana"))
        found = await there.ask(there.node.cluster.person, "i1")
        assert (found.nick, found.account, found.seen) == ("ana", "Ana", 0)
        assert await there.ask(there.node.cluster.person_of, "ANA") == found
        assert await there.ask(there.node.cluster.person, "nobody") is None
        assert await there.ask(there.node.cluster.person_of, "nobody") is None
        await here.there(person("i1", "anna", account="Ana"))
        (fact,) = await soon(lambda: there.facts(PersonChanged))
        assert fact.person.nick == "anna"
        assert not here.facts(PersonChanged)
        await here.there(person("i1", "anna", seen=9, account="Ana"))
        left = await there.ask(there.node.cluster.person, "i1")
        assert left is not None and left.seen > 1_700_000_000_000
        here.node.cluster.tell(LinkMinted("end"))
        await soon(lambda: there.facts(LinkMinted))
        assert {each.person.identity for each in there.facts(PersonChanged)} == {"i1"}


async def test_a_person_that_cannot_be_read_is_nobody(url: str, redis_server: RedisServer) -> None:
    async with joined(url, 1) as (here,):
        await here.there(person("i1"))
        redis_server.cli("HSET", "gw:person:i1", "p", "not what it was")
        assert await here.ask(here.node.cluster.person, "i1") is None


async def test_a_code_proves_its_person_once_and_never_to_themselves(url: str) -> None:
    async with joined(url) as (here, there):
        await here.there(person("i1"))
        here.node.cluster.keep_code("c0de", "i1")
        assert await here.ask(here.node.cluster.use_code, "c0de", "i1") is None
        assert (await there.ask(there.node.cluster.use_code, "c0de", "i2")).identity == "i1"
        assert await here.ask(here.node.cluster.use_code, "c0de", "i3") is None
        await soon(lambda: here.facts(CodeUsed))
        assert here.facts(CodeUsed) == [CodeUsed("i1", "c0de")]


async def test_who_is_in_a_room_is_told_kept_and_counted(url: str) -> None:
    async with joined(url) as (here, there):
        shown = PeopleThere(here.id, "tea", 2, {"ana": "tcp", "bob": "web"}, [("al", "ana")])
        here.node.cluster.show(shown)
        await soon(lambda: there.facts(PeopleThere))
        assert there.facts(PeopleThere)[0].people == {"ana": "tcp", "bob": "web"}
        assert [each.count for each in await there.ask(there.node.cluster.shown, "tea")] == [2]
        assert await there.ask(there.node.cluster.counts) == {"tea": 2}
        assert await here.ask(here.node.cluster.shown, "tea") == []
        assert await here.ask(here.node.cluster.counts) == {}
        here.node.cluster.show(PeopleThere(here.id, "tea", 0))
        await soon(lambda: len(there.facts(PeopleThere)) == 2)
        assert await there.ask(there.node.cluster.counts) == {}


async def test_facts_reach_the_others_in_order_and_not_their_teller(url: str) -> None:
    async with joined(url) as (here, there):
        ban = Sanction(Measure.BAN, "b1", "nick", "eve", "", "spam", "olga", 5, None)
        told: list[Fact] = [Maintained("back at noon"), SanctionsChanged([ban]), Maintained(None), LinkMinted("x" * 8)]
        for fact in told:
            here.node.cluster.tell(fact)
        await soon(lambda: there.facts(LinkMinted))
        heard = [each for each in there.heard if type(each) in {Maintained, SanctionsChanged, LinkMinted}]
        assert [type(each) for each in heard] == [type(each) for each in told]
        assert (heard[0].words, heard[1].add, heard[2].words) == ("back at noon", [ban], None)
        assert here.facts(Maintained) == []


async def test_a_node_that_stops_is_gone_for_the_others(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "BEAT_SECONDS", 0.05)
    async with joined(url) as (here, there):
        await soon(lambda: here.node.cluster._living == {here.id, there.id})
        there.node.cluster.stop()
        await soon(lambda: here.facts(NodeGone))
        assert here.facts(NodeGone) == [NodeGone(there.id)]


async def test_a_node_that_stood_still_or_was_forgotten_says_again_what_it_holds(
    url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "BEAT_SECONDS", 0.05)
    async with joined(url, 1) as (here,):
        await soon(lambda: here.node.cluster._beaten)
        assert not here.facts(Missed)
        redis_server.cli("HSET", "gw:nodes", here.id, 1)
        await soon(lambda: len(here.facts(Missed)) == 1)
        monkeypatch.setattr(cluster, "CLAIMED_EVERY", 0.1)
        await soon(lambda: len(here.facts(Missed)) > 2)


async def test_while_redis_is_away_every_question_is_refused_and_beats_go_on(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "BEAT_SECONDS", 0.05)
    server = start_redis()
    async with joined(server.url, 1) as (here,):
        server.kill()
        await soon(lambda: here.node.backplane.away)
        for question in (
            partial(here.node.cluster.claim, ["ana"], "i1"),
            partial(here.node.cluster.person, "i1"),
            here.node.cluster.counts,
        ):
            assert isinstance(await here.ask(question), BackplaneError)
        here.node.cluster.tell(LinkMinted("lost"))
        server.start()
        await soon(lambda: here.node.backplane.away is None)
        await soon(lambda: here.id.encode() in server.cli("HKEYS", "gw:nodes"))
        assert await here.ask(here.node.cluster.claim, ["ana"], "i1")
        assert here.facts(Missed)


async def test_a_node_that_cannot_join_leaves_nothing_running(start_redis: Callable[..., RedisServer]) -> None:
    before = asyncio.all_tasks()
    with pytest.raises(StartError):
        await join(start_redis("--requirepass", "secret").url, 100, KEY)
    assert asyncio.all_tasks() == before


async def test_after_everything_was_forgotten_key_and_logins_are_there_again(
    url: str, redis_server: RedisServer
) -> None:
    async with joined(url) as (here, there):
        logins = '[{"key":"k1","name":"ana"}]'
        assert await here.ask(here.node.journal.ledger.keep_logins, logins) is None
        await soon(lambda: there.node.feed._house_last)
        there.node.cluster.hear(Forgotten, lambda _: there.node.journal.ledger.keep_logins(logins))
        redis_server.cli("FLUSHALL")
        await soon(lambda: here.facts(Missed) and there.facts(Missed))
        kinds = [type(each) for each in there.heard]
        assert kinds.count(Forgotten) == 1 and kinds.index(Forgotten) < kinds.index(Missed)
        assert await there.ask(there.node.journal.ledger.logins) == logins
        assert redis_server.cli("GET", "gw:token-key") == KEY
        here.node.cluster.tell(LinkMinted("afterwards"))
        await soon(lambda: there.facts(LinkMinted))


async def test_a_node_that_joins_a_redis_that_was_just_emptied_waits_for_what_the_others_know(
    url: str, redis_server: RedisServer
) -> None:
    async with joined(url) as (here, there):
        numbers = {here.node.cluster.number, there.node.cluster.number}
        redis_server.cli("FLUSHALL")
        for each in (here, there):  # it has found its way back, but not said its number
            assert await each.ask(each.node.cluster.claim, [each.id], each.id)
        newcomer = await join(url, 100, b"x" * 32)
        assert newcomer.token_key == KEY and newcomer.cluster.number not in numbers
        await newcomer.close()


async def test_nodes_of_another_database_are_not_waited_for_longer_than_a_moment(
    url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "SETTLED_SECONDS", 0.2)
    async with joined(url, 1), joined(f"{url}?db=1", 1) as (other,):
        assert other.node.cluster.number == 1
        assert redis_server.cli("EXISTS", "gw:new")


async def test_a_redis_that_lost_the_last_changes_is_told_them_again_also_when_others_were_faster(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis("--dbfilename", "dump.rdb")
    async with joined(server.url) as (here, there):
        here.node.cluster.tell(LinkMinted("kept"))
        await soon(lambda: there.facts(LinkMinted))
        server.cli("SAVE")
        ban = Sanction(Measure.BAN, "b1", "nick", "eve", "", "spam", "olga", 5, None)
        assert await here.ask(here.node.journal.ledger.record, (), add=[ban]) is None
        there.node.cluster.tell(LinkMinted("lost"))
        await soon(lambda: there.facts(SanctionsChanged) and here.facts(LinkMinted))  # both have read what will be lost
        there.node.cluster.hear(Forgotten, lambda _: there.node.journal.ledger.record((), add=[ban]))
        for name in "abcdefghi":  # more events than were lost
            here.node.cluster.hear(Forgotten, partial(lambda name, _: here.node.cluster.tell(LinkMinted(name)), name))
        server.kill()
        server.start()
        await soon(lambda: here.facts(Missed) and there.facts(Missed))
        await soon(lambda: server.cli("HEXISTS", "gw:bans", "b1"))
        await soon(lambda: len(there.facts(LinkMinted)) == 10)
        assert await here.ask(here.node.journal.ledger.sanctions, 0) == [ban]


async def test_a_redis_that_lost_nothing_is_told_nothing_again(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    async with joined(server.url) as (here, there):
        here.node.cluster.tell(LinkMinted("before"))
        await soon(lambda: there.facts(LinkMinted))
        before = here.node.backplane._token
        server.kill()
        server.start()
        await soon(lambda: before not in (here.node.backplane._token, there.node.backplane._token))
        while len(there.facts(LinkMinted)) < 2:  # what is told before a node has found its way back is lost
            here.node.cluster.tell(LinkMinted("after"))
            await asyncio.sleep(0.05)
        assert not here.facts(Forgotten) and not there.facts(Forgotten)
