"""What is asked of the journal in Redis while something else happens to it: epochs renewed, batches partly refused,
answers that never come, files that cannot be written."""

import gc
from collections.abc import Callable

import pytest

from gateway.core.clock import TimeRecord
from gateway.core.ports.journal import Memory, Person
from gateway.core.protocol.message import PasteSize
from gateway.errors import BackplaneError, JournalError
from gateway.redis import journal
from tests.redis.nodes import nodes, soon
from tests.redis.servers import RedisServer


async def test_a_message_to_a_room_whose_epoch_was_renewed_follows_it_once(url: str) -> None:
    async with nodes(url, 2) as (here, there):
        before = await here.read()
        await here.say("one")
        here.feed._wake.clear()
        assert await there.ask(there.journal.new_epoch, "lobby") is True
        answer = await here.say("two", "three")
        assert not isinstance(answer, JournalError)
        await soon(lambda: here.told.texts == ["one", "two", "three"])
        (record,) = here.told.records
        assert record.epoch != before.epoch and here.told.numbers == [1, 2, 3]
        page = await there.ask(there.journal.read, "lobby", after=0, before=None, limit=9)
        assert [message.text for message in page.messages] == ["one", "two", "three"]


async def test_a_room_that_is_not_stored_has_no_epoch_to_renew(url: str) -> None:
    async with nodes(url) as (node,):
        assert await node.ask(node.journal.new_epoch, "nowhere") is False


async def test_one_broken_room_refuses_its_messages_and_not_those_of_its_batch(
    url: str, redis_server: RedisServer
) -> None:
    async with nodes(url) as (node,):
        await node.read()
        redis_server.cli("SET", "gw:log:broken", "x")
        lost, kept = node.said("broken", "lost"), node.said("lobby", "kept")
        assert await node.append([lost, kept]) == [lost, kept]
        assert (lost.seq, kept.seq) == (0, 1)
        assert node.told.texts == ["kept"]
        assert len(node.told.problems) == 1 and "replaced by something else" in node.told.problems[0]


async def test_what_does_not_come_back_is_refused_after_a_while_and_shown_when_it_comes(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "UNANSWERED_SECONDS", 0.2)
    async with nodes(url) as (node,):
        await node.read()
        held = node.feed._tasks[2]
        held.cancel()
        answer = await node.say("late")
        assert isinstance(answer, BackplaneError) and "did not give it back" in str(answer)
        assert node.told.messages == []
        await node.feed._read_rooms(["lobby"])
        assert node.told.texts == ["late"]


async def test_a_node_without_rooms_takes_the_number_of_a_message_that_was_stored_before(url: str) -> None:
    async with nodes(url) as (node,):
        node.feed.follower = None
        first = await node.say("once", identity="ana", id="c1")
        again = await node.say("once", identity="ana", id="c1")
        assert not isinstance(first, JournalError) and not isinstance(again, JournalError)
        assert (first[0].seq, again[0].seq) == (1, 1)
        node.feed._listeners["topic"](b'["lobby","tea","ana"]', False)
        node.feed._listeners["removed"](b'[1,"lobby",1,5,"ana","spam"]', False)
        node.journal._hear_lost()


async def test_a_paste_is_held_whole_until_it_is_removed(url: str) -> None:
    async with nodes(url) as (node,):
        await node.read()
        await node.say("first line", whole="first line\nsecond\n", paste=PasteSize(18, 2))
        assert await node.ask(node.journal.paste, "lobby", 1) == "first line\nsecond\n"
        assert await node.ask(node.journal.remove, "lobby", 2, 5, "ana", "spam") is None
        removal = await node.ask(node.journal.remove, "lobby", 1, 5, "ana", "spam")
        assert await node.ask(node.journal.remove, "lobby", 1, 6, "bob", "again") == removal
        assert await node.ask(node.journal.paste, "lobby", 1) is None
        assert await node.ask(node.journal.removed, "lobby", 0, 9) == [removal]
        assert await node.ask(node.journal.removals, 0, 9) == [removal]


async def test_the_time_and_the_people_are_kept_for_all_nodes(url: str) -> None:
    async with nodes(url) as (node,):
        assert node.journal.time_kept() == (None, 0)
        node.journal.keep_time(TimeRecord(5, 6, 7))
        assert await node.ask(node.journal.recall, 0) == Memory((), ())
        assert await node.ask(node.journal.remember, [Person("i1", "ana", [], 0)]) is None
        assert "back it up there" in str(await node.ask(node.journal.copy, "file", False, lambda done, of: True))
    async with nodes(url) as (node,):
        assert node.journal.time_kept()[0] == TimeRecord(5, 6, 7)


async def test_an_erasure_that_is_asked_for_too_soon_is_done_later(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "REWRITE_SECONDS", 1)
    server = start_redis("--appendonly", "yes")
    monkeypatch.setattr(journal, "CLEANED_AT_ONCE", 2)
    async with nodes(server.url) as (node,):
        await node.say("hunter2")
        await node.say("one", "two", "three", whole="a whole paste", paste=PasteSize(13, 1))
        await node.ask(node.journal.erase)
        await soon(lambda: server.cli("INFO", "persistence")["aof_last_rewrite_time_sec"] >= 0)
        await node.ask(node.journal.remove, "lobby", 1, 5, "ana", "spam")
        await node.ask(node.journal.remove, "lobby", 3, 5, "ana", "spam")
        for _ in range(3):
            await node.ask(node.journal.erase)
        await soon(lambda: not server.holds(b"hunter2") and not server.holds(b'"two"'))
        assert server.cli("EXISTS", "gw:unclean", "gw:copy:log:lobby", "gw:copy:paste:lobby") == 0
        await node.say("four")
        page = await node.ask(node.journal.read, "lobby", after=0, before=None, limit=9)
        texts = [each.text for each in page.messages]
        assert texts == ["", "one", "", "three", "four"] and page.messages[-1].seq == 5
        assert await node.ask(node.journal.paste, "lobby", 4) == "a whole paste"
        assert await node.ask(node.journal.paste, "lobby", 3) is None


async def test_an_append_only_file_that_cannot_be_written_anew_is_said_in_the_log(
    start_redis: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_redis("--appendonly", "yes")
    server.cli("ACL", "SETUSER", "default", "-bgrewriteaof")
    async with nodes(server.url) as (node,):
        node.backplane.rewrite_log()
        await soon(lambda: caplog.messages)
        assert "may not do what the gateway needs" in caplog.text


async def test_what_was_appended_is_not_held_by_the_journal(url: str) -> None:
    async with nodes(url) as (node,):
        await node.read()
        gc.collect()
        gc.disable()  # on the gateway the collector waits for a quiet second
        try:
            for number in range(20):
                await node.say(str(number))
            held = [each for each in gc.get_objects() if isinstance(each, journal._Batch)]
        finally:
            gc.enable()
        assert len(held) <= 2  # the last one's answer may be on its way out of the loop
