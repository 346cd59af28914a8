"""The feed: one order on all nodes, own messages recognized, nothing missed and nothing twice."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import pytest

from gateway.errors import JournalError
from tests.redis.nodes import LittleNode, nodes, soon
from tests.redis.servers import Proxy, RedisServer, free_port


def told_all(node: LittleNode, count: int) -> bool:
    return len(node.told.messages) == count


async def test_all_nodes_see_one_order(url: str) -> None:
    async with nodes(url, 3) as made:
        for each in made:
            await each.read()
        await asyncio.gather(*(each.say(f"{index} {turn}") for turn in range(30) for index, each in enumerate(made)))
        for each in made:
            await soon(partial(told_all, each, 90))
        first, *others = [each.told for each in made]
        assert first.numbers == list(range(1, 91))
        assert all(other.texts == first.texts for other in others)
        for index in range(3):
            own = [text for text in first.texts if text.startswith(f"{index} ")]
            assert own == [f"{index} {turn}" for turn in range(30)]


async def test_an_own_message_comes_back_as_the_object_that_was_appended(url: str) -> None:
    async with nodes(url, 2) as (here, there):
        await here.read()
        await there.read()
        answer = await here.say("hi", author=77)
        assert not isinstance(answer, JournalError)
        assert here.told.messages[0] is answer[0] and answer[0].seq == 1
        await soon(lambda: there.told.messages)
        assert (there.told.messages[0].author, there.told.messages[0].text) == (0, "hi")


async def test_a_room_is_handed_on_from_its_record_and_not_before(url: str) -> None:
    async with nodes(url, 2) as (here, there):
        await here.say("before")
        record = await there.read(recent=50)
        assert [message.text for message in record.recent] == ["before"]
        await here.say("after")
        await soon(lambda: there.told.messages)
        assert there.told.texts == ["after"]


async def test_a_room_that_nobody_reads_costs_nothing(url: str, redis_server: RedisServer) -> None:
    async with nodes(url, 2) as (here, there):
        await there.read("lobby")
        await soon(lambda: b"gw:hint:lobby" in redis_server.cli("PUBSUB", "CHANNELS"))
        await here.say("x", room="elsewhere")
        await here.say("x", room="lobby")
        await soon(lambda: there.told.messages)
        assert [message.room for message in there.told.messages] == ["lobby"]
        assert b"gw:hint:elsewhere" not in redis_server.cli("PUBSUB", "CHANNELS")
        there.feed.leave("lobby")
        await soon(lambda: b"gw:hint:lobby" not in redis_server.cli("PUBSUB", "CHANNELS"))


async def test_a_lost_hint_is_made_up_for_when_the_connection_comes_back(url: str, redis_server: RedisServer) -> None:
    async with nodes(url, 2) as (here, there):
        await there.read()
        await soon(lambda: b"gw:hint:lobby" in redis_server.cli("PUBSUB", "CHANNELS"))
        redis_server.cli("CLIENT", "KILL", "TYPE", "pubsub")
        await here.say("said meanwhile")
        await soon(lambda: there.told.messages)
        assert there.told.texts == ["said meanwhile"]


async def test_what_the_stream_has_dropped_shows_as_a_gap_in_the_numbers(url: str) -> None:
    async with nodes(url, 2, kept=100) as (here, there):
        await here.say("1")
        await there.read()
        there.feed.leave("lobby")
        await here.say(*(str(number) for number in range(2, 502)))
        there.feed.follow(await there.ask(there.journal.open, "lobby", 0))
        there.feed.places["lobby"].head = 1  # as a node that was stopped meanwhile
        await here.say("last")
        await soon(lambda: there.told.texts[-1:] == ["last"])
        first = there.told.numbers[0]
        assert first > 300
        assert there.told.numbers == list(range(first, 503))


async def test_a_retry_at_another_node_is_one_message(url: str) -> None:
    async with nodes(url, 2) as (here, there):
        record = await here.read()
        await there.read()
        await here.say("once", identity="ana", id="c1")
        await there.say("once again", identity="ana", id="c1")
        assert there.told.places == [("lobby", record.epoch, 1)]
        await here.say("end")
        await soon(lambda: there.told.texts[-1:] == ["end"])
        assert there.told.texts == here.told.texts == ["once", "end"]


@pytest.mark.parametrize("room", ["lobby", "new"])
async def test_garbage_put_into_a_stream_is_never_shown_and_stops_nothing(
    url: str, redis_server: RedisServer, room: str
) -> None:
    async with nodes(url, 2) as (here, there):
        await here.say("one", room="lobby")
        await here.read(room)
        await there.read(room)
        redis_server.cli("XADD", f"gw:log:{room}", "*", "foo", "bar")
        await here.say("two", room=room)
        redis_server.cli("XADD", f"gw:log:{room}", "*", "foo", "bar")
        redis_server.cli("PUBLISH", f"gw:hint:{room}", "")
        await there.say("three", room=room)
        await soon(lambda: len(there.told.texts) == 2 and len(here.told.texts) == 2)
        assert here.told.texts == there.told.texts == ["two", "three"]
        page = await here.ask(here.journal.read, room, after=None, before=None, limit=9)
        assert [message.text for message in page.messages][-2:] == ["two", "three"]


async def test_a_deleted_entry_leaves_its_number(url: str, redis_server: RedisServer) -> None:
    async with nodes(url) as (node,):
        await node.say("one", "two", "three")
        redis_server.cli("XDEL", "gw:log:lobby", "2-0")
        page = await node.ask(node.journal.read, "lobby", after=0, before=None, limit=9)
        assert [(message.seq, message.text, message.redacted) for message in page.messages] == [
            (1, "one", ""), (2, "", "not found in Redis"), (3, "three", ""),
        ]  # fmt: skip


async def test_a_wrong_type_refuses_its_room_alone(url: str, redis_server: RedisServer) -> None:
    async with nodes(url) as (node,):
        await node.read()
        redis_server.cli("SET", "gw:log:broken", "x")
        answer = await node.say("x", room="broken")
        assert isinstance(answer, JournalError) and "replaced by something else" in str(answer)
        await node.say("still here")
        assert node.told.texts == ["still here"]


async def test_topics_and_removals_of_others_are_told(url: str) -> None:
    async with nodes(url, 2) as (here, there):
        await here.read()
        await here.say("secret")
        await here.ask(here.journal.set_topic, "lobby", "tea", "ana")
        removal = await here.ask(here.journal.remove, "lobby", 1, 5, "ana", "spam")
        await soon(lambda: there.told.removals)
        assert there.told.topics == [("lobby", "tea", "ana")]
        assert there.told.removals == [removal]
        assert not here.told.topics and not here.told.removals


async def test_what_was_missed_of_the_house_is_told_after_a_reconnect(url: str, redis_server: RedisServer) -> None:
    async with nodes(url, 2) as (here, there):
        heard: list[tuple[bytes, bool]] = []
        there.feed.hear("bell", lambda data, own: heard.append((data, own)))
        redis_server.cli("CLIENT", "KILL", "TYPE", "pubsub")
        for number in range(3):
            await here.ask(here.backplane.announce, "bell", str(number).encode())
        await soon(lambda: len(heard) == 3)
        assert heard == [(b"0", False), (b"1", False), (b"2", False)]


async def test_house_events_that_are_gone_for_good_are_made_up_for(url: str, redis_server: RedisServer) -> None:
    async with nodes(url, 2) as (here, there):
        await here.ask(here.backplane.announce, "bell", b"")
        await soon(lambda: there.feed._house_last == 1)
        there.feed._house_last = 0
        redis_server.cli("DEL", "gw:house")
        await here.ask(here.backplane.announce, "bell", b"")
        await soon(lambda: there.told.misses)
        heard: list[bytes] = []
        there.feed.hear("bell", lambda data, own: heard.append(data))
        await here.ask(here.backplane.announce, "bell", b"on it goes")
        await soon(lambda: heard == [b"on it goes"])


async def test_what_one_node_lets_expire_is_told_to_the_others(url: str) -> None:
    async with nodes(url, 2) as (here, there):
        await here.say("old", ts=1000)
        await here.say("young", ts=5000)
        told = [(await each.ask(each.journal.expire, 2000)).firsts for each in (here, there, there)]
        assert told == [{"lobby": 2}, {"lobby": 2}, {}]


async def test_the_append_only_file_is_written_anew_after_a_removal(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis("--appendonly", "yes")
    async with nodes(server.url) as (node,):
        await node.say("hunter2 is not a good password")
        await node.ask(node.journal.remove, "lobby", 1, 5, "ana", "spam")
        await soon(lambda: server.holds(b"hunter2"))  # Redis may hold a write back while its disk is busy
        await node.ask(node.journal.erase)
        await soon(lambda: not server.holds(b"hunter2"))


async def test_a_flushed_redis_gives_every_room_a_new_epoch(url: str, redis_server: RedisServer) -> None:
    async with nodes(url, 2) as (here, there):
        lost: list[str] = []
        there.feed.on_lost(lambda: lost.append("house"))
        before = await here.read()
        await there.read()
        await here.ask(here.backplane.announce, "bell", b"")
        await here.say("gone", "too")
        await soon(lambda: there.told.messages)
        redis_server.cli("FLUSHALL")
        await soon(lambda: here.told.records and there.told.records and lost)
        here_now, there_now = here.told.records[0], there.told.records[0]
        assert here_now.epoch == there_now.epoch != before.epoch
        await there.say("anew")
        await soon(lambda: here.told.texts[-1:] == ["anew"])
        assert here.told.numbers[-1] == 1


async def test_a_redis_that_lost_its_end_gives_the_room_a_new_epoch_and_goes_on_after_the_last_number(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis("--dbfilename", "dump.rdb")
    async with nodes(server.url, 2) as (here, there):
        before = await here.read()
        await there.read()
        await here.say("1", "2", "3")
        server.cli("SAVE")
        await here.say("4", "5")
        await soon(lambda: len(there.told.texts) == 5)
        server.kill()
        server.start()
        await soon(lambda: here.told.records and there.told.records)
        after = there.told.records[0]
        assert here.told.records[0].epoch == after.epoch != before.epoch
        assert (after.head, [message.text for message in after.recent]) == (3, ["1", "2", "3"])
        answer = await said_when_back(there, "4 anew")
        assert answer[0].seq == 4
        await soon(lambda: here.told.texts[-1:] == ["4 anew"])


async def test_nobody_appends_to_a_redis_that_lost_its_end_before_those_who_know_more_have_spoken(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis("--dbfilename", "dump.rdb")
    async with nodes(server.url, 2) as (here, there):
        before = await here.read()
        await here.say("1", "2", "3")
        server.cli("SAVE")  # the library and its token are stored too
        await here.say("4", "5")
        server.kill()
        server.start()
        answer = await said_when_back(there, "4 anew")  # by a node that has not read the room
        now = await there.read(recent=9)
        assert (answer[0].seq, now.head) == (4, 4) and now.epoch != before.epoch


async def test_a_failover_to_a_replica_that_lags_changes_the_epoch(start_redis: Callable[..., RedisServer]) -> None:
    port = free_port()
    master = start_redis("--port", str(port))
    replica = start_redis("--replicaof", "127.0.0.1", str(port))
    proxy = Proxy(master)
    async with nodes(proxy.url, 2) as (here, there):
        before = await here.read()
        await there.read()
        await here.say(*(str(number) for number in range(1, 21)))
        await soon(lambda: replica.cli("XLEN", "gw:log:lobby") == 20)
        replica.cli("REPLICAOF", "NO", "ONE")
        await here.say(*(str(number) for number in range(21, 31)))
        await soon(lambda: len(there.told.texts) == 30)
        proxy.server = replica
        master.kill()
        await soon(lambda: here.told.records and there.told.records)
        assert here.told.records[0].epoch == there.told.records[0].epoch != before.epoch
        assert (await said_when_back(there, "anew"))[0].seq == 21
        await soon(lambda: here.told.texts[-1:] == ["anew"])
    proxy.close()


async def test_a_node_whose_clock_is_an_hour_ahead_says_the_time_of_redis(url: str) -> None:
    async with nodes(url, 2) as (here, there):
        now = time.time_ns() // 1_000_000
        here.backplane._wall = lambda: time.time_ns() // 1_000_000 + 3_600_000
        await soon(lambda: here.backplane.offset_ms)  # the watch has noticed
        await there.read()
        await here.say("tick", ts=now + 3_600_000)
        await soon(lambda: there.told.messages)
        assert abs(there.told.messages[0].ts - now) < 60_000


async def test_a_redis_that_lost_nothing_keeps_epoch_and_numbers(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    async with nodes(server.url, 2) as (here, there):
        await here.read()
        await there.read()
        await here.say("1", "2", "3")
        await soon(lambda: len(there.told.texts) == 3)
        server.kill()
        server.start()
        answer = await said_when_back(there, "4")
        assert answer[0].seq == 4
        await soon(lambda: here.told.texts[-1:] == ["4"])
        assert not here.told.records and not there.told.records
        assert here.told.numbers == there.told.numbers == [1, 2, 3, 4]


async def said_when_back(node: LittleNode, text: str) -> list:  # type: ignore[type-arg]
    """Say something until Redis takes it."""
    while isinstance(answer := await node.say(text, identity="ana", id=text), JournalError):
        await asyncio.sleep(0.05)
    return answer
