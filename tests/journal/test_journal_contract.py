"""What every journal promises: the same suite against each of them."""

import re
from typing import Any

import pytest

from gateway.core.protocol.message import Message
from gateway.journal.sqlite import SqliteJournal
from tests.journal.conftest import Ask, Fill, Say, Texts, Turns


def numbers(page: Any) -> list[int]:
    return [message.seq for message in page.messages]


def test_an_unknown_room_is_empty_and_has_an_epoch(journal: Any, ask: Ask) -> None:
    record = ask(journal.open, "lobby", 50)
    assert (record.room, record.first, record.head, record.topic, list(record.recent)) == ("lobby", 1, 0, "", [])
    assert re.fullmatch("[A-Za-z0-9_-]{16}", record.epoch)


def test_a_room_nobody_has_written_to_keeps_its_epoch_and_is_not_listed(journal: Any, ask: Ask) -> None:
    epoch = ask(journal.open, "lobby", 50).epoch
    assert ask(journal.open, "lobby", 50).epoch == epoch
    assert ask(journal.rooms) == []


def test_two_rooms_have_two_epochs(journal: Any, ask: Ask) -> None:
    assert ask(journal.open, "lobby", 0).epoch != ask(journal.open, "ops", 0).epoch


def test_the_first_message_keeps_the_epoch_the_room_was_opened_with(journal: Any, ask: Ask, fill: Fill) -> None:
    epoch = ask(journal.open, "lobby", 50).epoch
    fill(journal, 1)
    assert ask(journal.open, "lobby", 50).epoch == epoch


def test_numbers_are_dense_and_in_the_order_of_the_batches(journal: Any, ask: Ask, say: Say) -> None:
    first = ask(journal.append, [say("a"), say("b")])
    second = ask(journal.append, [say("c")])
    assert [(m.seq, m.text) for m in first + second] == [(1, "a"), (2, "b"), (3, "c")]


def test_the_answer_is_the_same_messages(journal: Any, ask: Ask, say: Say) -> None:
    batch = [say("a"), say("b")]
    answer = ask(journal.append, batch)
    assert all(mine is theirs for mine, theirs in zip(batch, answer, strict=True))


def test_each_room_counts_for_itself_in_a_mixed_batch(journal: Any, ask: Ask, say: Say) -> None:
    batch = ask(journal.append, [say("a", "x"), say("b", "y"), say("c", "x"), say("d", "x"), say("e", "y")])
    assert [(m.room, m.seq) for m in batch] == [("x", 1), ("y", 1), ("x", 2), ("x", 3), ("y", 2)]


def test_a_batch_of_any_length_is_kept_whole_and_in_order(journal: Any, ask: Ask, say: Say) -> None:
    for length in (31, 32, 33, 64, 70):  # around the number of rows that SQLite is given at once
        room = f"of-{length}"
        ask(journal.append, [say(f"line {number}", room) for number in range(length)])
        page = ask(journal.read, room, after=0, before=None, limit=100)
        assert [(m.seq, m.text) for m in page.messages] == [(n + 1, f"line {n}") for n in range(length)]


def test_a_long_batch_of_many_rooms_is_kept_whole_and_in_order(journal: Any, ask: Ask, say: Say) -> None:
    rooms = ("z", "a", "m")
    batch = [say(f"line {number}", rooms[number * number % 3]) for number in range(100)]
    ask(journal.append, batch)
    for room in rooms:
        meant = [each.text for each in batch if each.room == room]
        page = ask(journal.read, room, after=0, before=None, limit=100)
        assert [(m.seq, m.text) for m in page.messages] == list(enumerate(meant, 1))


def test_an_empty_batch_is_answered_with_nothing(journal: Any, ask: Ask) -> None:
    assert ask(journal.append, []) == []


def test_a_message_comes_back_as_it_was_but_for_its_author(journal: Any, ask: Ask, say: Say) -> None:
    text = "zero \0, quote ', percent %, \U0001f600, two\nlines"
    ask(journal.append, [say(text, ts=5, nick="Ana", door="web", kind="action", author=77)])
    (message,) = ask(journal.read, "lobby", after=None, before=None, limit=10).messages
    assert message == Message("lobby", 5, "Ana", "web", "action", text, author=0, seq=1)


def test_sql_in_every_field_is_only_text(journal: Any, ask: Ask, say: Say) -> None:
    evil = "'); DROP TABLE messages; --"
    ask(journal.append, [say(evil, evil, nick=evil, door=evil, kind=evil)])
    ask(journal.set_topic, evil, evil)
    record = ask(journal.open, evil, 1)
    assert (record.topic, record.recent[0].text, record.recent[0].nick) == (evil, evil, evil)


def test_opening_brings_the_last_messages_oldest_first(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 10)
    record = ask(journal.open, "lobby", 3)
    assert (record.first, record.head, [m.seq for m in record.recent]) == (1, 10, [8, 9, 10])


def test_opening_may_ask_for_no_messages(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 3)
    assert list(ask(journal.open, "lobby", 0).recent) == []


READS = {
    "neither bound: the newest": (None, None, 4, [7, 8, 9, 10], True),
    "neither bound, all of them": (None, None, 10, list(range(1, 11)), False),
    "before: the newest before": (None, 6, 3, [3, 4, 5], True),
    "before, down to the first": (None, 4, 3, [1, 2, 3], False),
    "before the first: nothing": (None, 1, 3, [], False),
    "before beyond the head: the newest": (None, 99, 2, [9, 10], True),
    "after: the oldest after": (4, None, 3, [5, 6, 7], True),
    "after, up to the head": (7, None, 3, [8, 9, 10], False),
    "after the head: nothing": (10, None, 3, [], False),
    "after beyond the head: nothing": (99, None, 3, [], False),
    "after a negative number: from the first": (-5, None, 2, [1, 2], True),
    "both: the oldest between": (2, 7, 3, [3, 4, 5], True),
    "both, all between": (2, 6, 3, [3, 4, 5], False),
    "both, nothing between": (5, 6, 3, [], False),
    "bounds the wrong way round": (6, 5, 3, [], False),
    "numbers no database can hold": (-(2**70), 2**70, 2, [1, 2], True),
}


@pytest.mark.parametrize(("after", "before", "limit", "expected", "more"), READS.values(), ids=READS)
def test_reading(
    journal: Any,
    ask: Ask,
    fill: Fill,
    after: int | None,
    before: int | None,
    limit: int,
    expected: list[int],
    more: bool,
) -> None:
    fill(journal, 10)
    page = ask(journal.read, "lobby", after=after, before=before, limit=limit)
    assert (numbers(page), page.more) == (expected, more)


def test_reading_an_unknown_room_finds_nothing(journal: Any, ask: Ask) -> None:
    page = ask(journal.read, "nowhere", after=None, before=None, limit=5)
    assert (numbers(page), page.more) == ([], False)


def test_reading_no_messages_finds_none(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 3)
    assert numbers(ask(journal.read, "lobby", after=0, before=None, limit=0)) == []


def test_reading_sees_only_its_room(journal: Any, ask: Ask, fill: Fill, texts: Texts) -> None:
    fill(journal, 2, "x")
    fill(journal, 3, "y")
    assert texts(journal, "x") == ["1", "2"]


def test_a_topic_is_kept(journal: Any, ask: Ask) -> None:
    assert ask(journal.set_topic, "lobby", "tea at five") is None
    assert ask(journal.open, "lobby", 0).topic == "tea at five"


def test_a_topic_leaves_epoch_and_numbers_alone(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 2)
    before = ask(journal.open, "lobby", 0)
    ask(journal.set_topic, "lobby", "new")
    after = ask(journal.open, "lobby", 0)
    assert (before.epoch, before.first, before.head) == (after.epoch, after.first, after.head)


def test_rooms_are_listed_by_name(journal: Any, ask: Ask, fill: Fill) -> None:
    *_, last = fill(journal, 2, "ops")
    ask(journal.set_topic, "art", "pictures")
    found = [(r.room, r.first, r.head, r.topic, list(r.recent), r.last_ts) for r in ask(journal.rooms)]
    assert found == [("art", 1, 0, "pictures", [], 0), ("ops", 1, 2, "", [], last.ts)]


def test_listed_rooms_have_the_epoch_they_open_with(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 1)
    assert ask(journal.rooms)[0].epoch == ask(journal.open, "lobby", 0).epoch


def test_answers_come_once_and_in_the_order_of_the_verbs(journal: Any, turns: Turns, say: Say) -> None:
    answers: list[tuple[object, ...]] = []
    journal.append([say("a")], lambda batch: answers.append(("append", batch[0].seq)))
    journal.rooms().then(lambda rooms: answers.append(("rooms", len(rooms))))
    journal.append([say("b")], lambda batch: answers.append(("append", batch[0].seq)))
    journal.read("lobby", after=0, before=None, limit=9).then(lambda page: answers.append(("read", len(page.messages))))
    journal.set_topic("lobby", "t").then(lambda _: answers.append(("topic",)))
    journal.open("lobby", 0).then(lambda record: answers.append(("open", record.topic)))
    turns.until(lambda: len(answers) >= 6)
    assert answers == [("append", 1), ("rooms", 1), ("append", 2), ("read", 2), ("topic",), ("open", "t")]


def test_a_verb_may_be_called_from_an_answer(journal: Any, turns: Turns, say: Say) -> None:
    answers: list[Any] = []
    journal.append([say("a")], lambda batch: journal.append([say("b")], answers.extend))
    turns.until(lambda: answers)
    assert answers[0].seq == 2


def test_closing_answers_everything_first(journal: Any, say: Say) -> None:
    answers: list[Any] = []
    for text in "abc":
        journal.append([say(text)], answers.extend)
    journal.rooms().then(answers.extend)
    journal.close()
    assert [m.seq for m in answers[:3]] == [1, 2, 3]
    assert answers[3].head == 3
    if isinstance(journal, SqliteJournal):
        assert not journal._worker._threads or not any(thread.is_alive() for thread in journal._worker._threads)


def test_old_messages_expire_and_numbers_go_on(journal: Any, ask: Ask, say: Say, texts: Texts) -> None:
    ask(journal.append, [say("old", ts=1000), say("older", ts=900), say("young", ts=5000), say("late", ts=10)])
    expired = ask(journal.expire, 2000)
    assert (dict(expired.firsts), expired.more) == ({"lobby": 3}, False)
    assert texts(journal) == ["young", "late"]
    assert ask(journal.open, "lobby", 0).first == 3
    assert ask(journal.append, [say("next", ts=6000)])[0].seq == 5


def test_a_message_of_unknown_age_goes_only_with_a_later_one_whose_age_is_known(
    journal: Any, ask: Ask, say: Say, texts: Texts
) -> None:
    before = 1_790_000_000_000
    ask(journal.append, [say("1970", ts=90_000), say("1970 too", ts=95_000)])
    assert not ask(journal.expire, before).firsts
    ask(journal.append, [say("old", ts=before - 1), say("1970 again", ts=90_000), say("young", ts=before)])
    assert dict(ask(journal.expire, before).firsts) == {"lobby": 4}
    assert texts(journal) == ["1970 again", "young"]


def test_a_room_of_which_nothing_is_left_keeps_its_head(journal: Any, ask: Ask, say: Say) -> None:
    epoch = ask(journal.open, "lobby", 0).epoch
    ask(journal.append, [say("old", ts=1000)])
    ask(journal.expire, 2000)
    record = ask(journal.open, "lobby", 10)
    assert (record.epoch, record.first, record.head, list(record.recent)) == (epoch, 2, 1, [])
