"""Which thread holds the connection: the caller's thread, or the worker, and what waits meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.core.ports.journal import Page
from gateway.core.protocol.message import Message
from gateway.errors import JournalError
from gateway.journal.sqlite import SqliteJournal
from gateway.journal.store import Store
from tests.fakes import PATIENCE
from tests.journal.conftest import Ask, Fill, OpenSqlite, Say, Texts, Turns, into


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Checkpoints wait in the worker until it is opened."""
    gate = threading.Event()
    checkpoint = Store.checkpoint

    def wait_and_checkpoint(store: Store) -> None:
        assert gate.wait(PATIENCE)
        checkpoint(store)

    monkeypatch.setattr(Store, "checkpoint", wait_and_checkpoint)
    yield gate
    gate.set()


def test_an_append_is_answered_before_it_returns(open_sqlite: OpenSqlite, say: Say) -> None:
    answers: list[Message] = []
    open_sqlite().append([say("a")], into(answers))
    assert answers[0].seq == 1


def test_with_durability_power_the_answer_comes_by_the_loop(open_sqlite: OpenSqlite, say: Say, turns: Turns) -> None:
    answers: list[Message] = []
    open_sqlite(durability="power").append([say("a")], into(answers))
    assert answers == []
    turns.until(lambda: answers)
    assert answers[0].seq == 1


def test_with_durability_power_commits_happen_in_the_worker(
    open_sqlite: OpenSqlite, say: Say, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def append(store: Store, batch: list[Message]) -> list[Message]:
        threads.append(threading.current_thread())
        return batch

    monkeypatch.setattr(Store, "append", append)
    ask(open_sqlite(durability="power").append, [say("a")])
    assert threads[0] is not threading.current_thread()


def messages_of(page: Page | JournalError) -> Sequence[Message]:
    assert isinstance(page, Page), page
    return page.messages


def test_with_durability_power_many_appends_keep_their_order(open_sqlite: OpenSqlite, say: Say, turns: Turns) -> None:
    journal = open_sqlite(durability="power")
    answers: list[Message] = []
    for number in range(20):
        journal.append([say(str(number))], into(answers))
        journal.read("lobby", after=number, before=None, limit=1).map(messages_of).then(answers.extend)
    turns.until(lambda: len(answers) >= 40)
    assert [(m.seq, m.text) for m in answers] == [(n // 2 + 1, str(n // 2)) for n in range(40)]


def test_verbs_queue_during_a_checkpoint_and_are_answered_in_order(
    open_sqlite: OpenSqlite, say: Say, turns: Turns, gate: threading.Event
) -> None:
    journal = open_sqlite(checkpoint_pages=1)
    answers: list[Any] = []
    journal.append([say("a")], into(answers))
    assert len(answers) == 1
    journal.append([say("b")], into(answers))
    journal.read("lobby", after=0, before=None, limit=9).then(answers.append)
    assert len(answers) == 1
    gate.set()
    turns.until(lambda: len(answers) >= 3)
    assert (answers[1].seq, [m.seq for m in answers[2].messages]) == (2, [1, 2])


def test_no_checkpoint_runs_on_the_callers_thread(
    open_sqlite: OpenSqlite, say: Say, turns: Turns, gate: threading.Event
) -> None:
    journal = open_sqlite(checkpoint_pages=1)
    journal.append([say("a")], lambda _: None)
    assert turns.handed_in.empty()
    gate.set()
    turns.until(lambda: journal._flight is None)
    assert journal._store.wal_pages == 0


def test_the_log_does_not_grow_for_ever(open_sqlite: OpenSqlite, ask: Ask, say: Say, path: Path) -> None:
    journal = open_sqlite(checkpoint_pages=50)
    sizes = []
    for _ in range(300):
        ask(journal.append, [say("x" * 2000)])
        sizes.append(path.with_name("journal.db-wal").stat().st_size)
    assert max(sizes) < 150 * 4120
    assert path.stat().st_size > 300 * 2000 // 2


def test_closing_during_a_checkpoint_answers_what_waits(
    open_sqlite: OpenSqlite, say: Say, turns: Turns, gate: threading.Event, texts: Texts
) -> None:
    journal = open_sqlite(checkpoint_pages=1)
    answers: list[Message] = []
    for text in "abc":
        journal.append([say(text)], into(answers))
    gate.set()
    journal.close()
    assert [message.seq for message in answers] == [1, 2, 3]
    while not turns.handed_in.empty():
        turns.handed_in.get()()
    assert texts(open_sqlite()) == ["a", "b", "c"]


def test_an_answer_that_comes_late_after_closing_is_not_given_twice(
    open_sqlite: OpenSqlite, say: Say, turns: Turns
) -> None:
    journal = open_sqlite(durability="power")
    answers: list[Message] = []
    journal.append([say("a")], into(answers))
    journal.close()
    turns.handed_in.get(timeout=PATIENCE)()
    assert [message.seq for message in answers] == [1]


def test_a_verb_called_from_an_answer_while_closing_is_answered_too(open_sqlite: OpenSqlite, say: Say) -> None:
    journal = open_sqlite(durability="power")
    answers: list[Message] = []
    journal.append([say("a")], lambda batch: journal.append([say("b")], into(answers)))
    journal.close()
    assert answers[0].seq == 2


def raise_an_error(answer: object) -> None:
    raise ZeroDivisionError


def test_an_answer_that_raises_does_not_stop_the_next(open_sqlite: OpenSqlite, say: Say, ask: Ask) -> None:
    journal = open_sqlite()
    with pytest.raises(ZeroDivisionError):
        journal.append([say("a")], raise_an_error)
    assert ask(journal.append, [say("b")])[0].seq == 2


@pytest.mark.parametrize("durability", ["process", "power"])
def test_an_answer_that_raises_does_not_hold_up_what_waits(
    open_sqlite: OpenSqlite, say: Say, turns: Turns, gate: threading.Event, durability: str
) -> None:
    journal = open_sqlite(checkpoint_pages=1, durability=durability)
    answers: list[Message] = []
    journal.append([say("a")], into(answers))
    journal.append([say("b")], raise_an_error)
    journal.append([say("c")], into(answers))
    gate.set()
    with pytest.raises(ZeroDivisionError):
        turns.until(lambda: len(answers) >= 2)
    turns.until(lambda: len(answers) >= 2)
    assert [message.seq for message in answers] == [1, 3]


def test_a_loop_that_is_already_closed_is_no_obstacle(path: Path, say: Say) -> None:
    def refuse(callback: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    answers: list[Message] = []
    journal = SqliteJournal(path, call_soon_threadsafe=refuse, durability="power")
    journal.append([say("a")], into(answers))
    journal.close()
    assert answers[0].seq == 1


def test_closing_ends_the_worker_thread(open_sqlite: OpenSqlite, ask: Ask) -> None:
    journal = open_sqlite()
    ask(journal.rooms)
    assert any(thread.name.startswith("journal") for thread in threading.enumerate())
    journal.close()
    assert not any(thread.name.startswith("journal") for thread in threading.enumerate())


async def test_it_works_on_a_real_loop(path: Path, say: Say) -> None:
    loop = asyncio.get_running_loop()
    journal = SqliteJournal(path, call_soon_threadsafe=loop.call_soon_threadsafe, durability="power")
    answer = loop.create_future()
    journal.append([say("a"), say("b")], answer.set_result)
    assert [message.seq for message in await answer] == [1, 2]
    journal.close()


def test_more_rooms_than_are_held_in_memory_keep_their_numbers(
    open_sqlite: OpenSqlite, monkeypatch: pytest.MonkeyPatch, ask: Ask, fill: Fill, say: Say
) -> None:
    monkeypatch.setattr("gateway.journal.store.ROOMS_HELD", 2)
    journal = open_sqlite()
    epochs = {room: ask(journal.open, room, 0).epoch for room in "abcd"}
    ask(journal.append, [say("1", room) for room in "abcd" * 2])
    assert [m.seq for m in ask(journal.append, [say("2", room) for room in "abcd"])] == [3, 3, 3, 3]
    assert {record.room: record.epoch for record in ask(journal.rooms)} == epochs
