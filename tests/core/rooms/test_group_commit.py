"""The probe: whether messages can be stored, without storing one."""

import pytest

from gateway.core.protocol.message import Message
from gateway.errors import LostTail, Refusal
from tests.core.world import World


def probed(world: World) -> str | None:
    answers: list[Refusal | None] = []
    world.hub.commits.probe().then(answers.append)
    return None if answers[-1] is None else answers[-1].code


def test_all_is_well_with_a_journal_that_answers() -> None:
    assert probed(World()) is None


def test_a_journal_that_fails_is_noticed_before_anybody_speaks_and_forgiven_at_once() -> None:
    world = World()
    world.journal.fail = True
    assert probed(world) == "storage"
    world.journal.fail = False
    assert probed(world) is None


def test_a_failed_batch_counts_for_a_moment_although_nothing_can_be_stored_well() -> None:
    world = World()
    world.journal.fail = True
    world.terminal("bob").says("hello")
    world.journal.fail = False
    assert probed(world) == "storage"
    world.later(2.1)
    assert probed(world) is None


def test_a_probe_that_finds_the_end_missing_begins_new_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    peer = world.browser("ana")
    peer.forget()

    def lost(batch: list[Message], done) -> None:  # type: ignore[no-untyped-def]
        done(LostTail("its end is missing"))
        world.journal.lose_tail()

    monkeypatch.setattr(world.journal, "append", lost)
    assert probed(world) == "storage"
    world.run()
    assert [answer["recovered"] for answer in peer.told("joined")] == [False]


def test_a_failure_and_its_end_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    bob = world.terminal("bob")
    caplog.clear()
    world.journal.fail = True
    for text in "abc":
        bob.says(text)
    world.journal.fail = False
    bob.says("d", "e")
    assert [line.partition(":")[0] for line in caplog.messages] == ["storage", "storage"]
    assert "cannot be stored" in caplog.messages[0] and "stored again" in caplog.messages[1]
