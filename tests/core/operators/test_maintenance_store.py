"""Backups and new epochs as operators order them, in a world without sockets."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.core.answer import Answer
from gateway.core.operators.maintenance import BackupReport, BackupState
from gateway.errors import Code, JournalError, Refusal
from tests.core.operators.test_moderation import ADMIN, OPERATOR, results
from tests.core.world import World

FILE = "/backups/chat.sqlite3"


class Copying:
    """Stands for the journal's copy: the test says when a slice is copied, and how it ends."""

    def __init__(self, world: World) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.going: Callable[[int, int], bool] = lambda *_: True
        self.answer: Answer[JournalError | None] = Answer()
        world.hub.journal.copy = self.copy  # type: ignore[method-assign]

    def copy(self, file: str, replace: bool, going: Callable[[int, int], bool]) -> Answer[JournalError | None]:
        self.asked.append((file, replace))
        self.going, self.answer = going, Answer()
        return self.answer


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def copying(world: World) -> Copying:
    return Copying(world)


def do(world: World, verb: str, *words: Any) -> Any:
    answers: list[Any] = []
    getattr(world.operators.store, verb)(*words).then(answers.append)
    world.run()
    (answer,) = answers
    return answer


def code(answer: Any) -> Code:
    assert isinstance(answer, Refusal)
    return answer.code


def test_a_backup_is_begun_watched_and_recorded_when_it_has_ended(world: World, copying: Copying) -> None:
    begun = do(world, "begin_backup", ADMIN, FILE, True)
    assert begun == BackupReport(FILE, BackupState.RUNNING) and copying.asked == [(FILE, True)]
    assert copying.going(3, 10)
    assert world.operators.store.backup == BackupReport(FILE, BackupState.RUNNING, 3, 10)
    assert results(world) == []
    copying.answer.set(None)
    assert world.operators.store.backup == BackupReport(FILE, BackupState.COMPLETE, 3, 10)
    assert results(world) == [("ana", "backup", "done")]


def test_a_backup_that_fails_says_why(world: World, copying: Copying) -> None:
    do(world, "begin_backup", ADMIN, FILE, False)
    copying.answer.set(JournalError("the disk is full"))
    assert world.operators.store.backup == BackupReport(FILE, BackupState.FAILED, text="the disk is full")
    assert results(world) == [("ana", "backup", "failed")]


def test_one_backup_at_a_time_by_an_admin_into_a_file_with_its_whole_path(world: World, copying: Copying) -> None:
    assert code(do(world, "begin_backup", OPERATOR, FILE, False)) is Code.FORBIDDEN
    assert code(do(world, "begin_backup", ADMIN, "chat.sqlite3", False)) is Code.BAD_MESSAGE
    assert code(do(world, "begin_backup", ADMIN, "/a\0b", False)) is Code.BAD_MESSAGE
    do(world, "begin_backup", ADMIN, FILE, False)
    assert code(do(world, "begin_backup", ADMIN, FILE, False)) is Code.BUSY
    assert len(copying.asked) == 1
    copying.answer.set(None)
    do(world, "begin_backup", ADMIN, FILE, False)
    assert len(copying.asked) == 2


def test_a_backup_is_stopped_after_its_next_slice(world: World, copying: Copying) -> None:
    assert code(do(world, "stop_backup", ADMIN)) is Code.BAD_MESSAGE
    do(world, "begin_backup", ADMIN, FILE, False)
    assert code(do(world, "stop_backup", OPERATOR)) is Code.FORBIDDEN
    assert copying.going(1, 2)
    do(world, "stop_backup", ADMIN)
    assert not copying.going(2, 2)


def test_who_is_in_a_room_that_gets_a_new_epoch_is_told_and_its_numbers_go_on(world: World) -> None:
    ana, bob = world.terminal("ana"), world.browser("bob")
    ana.says("one")
    (first,) = bob.told("msg")
    before = world.hub.rooms["lobby"].epoch
    bob.forget()
    assert do(world, "new_epoch", ADMIN, "#Lobby").words == "#lobby has a new epoch"
    (joined,) = bob.told("joined")
    assert joined["epoch"] == world.hub.rooms["lobby"].epoch != before
    assert (joined["head"], joined["recovered"]) == (first["seq"], False)
    ana.says("two")
    assert [each["seq"] for each in bob.told("msg")] == [2]
    assert results(world) == [("ana", "new epoch", "done")]


def test_a_new_epoch_is_for_admins_and_for_rooms_that_somebody_has_used(world: World) -> None:
    world.terminal("ana").says("one")
    assert code(do(world, "new_epoch", OPERATOR, "lobby")) is Code.FORBIDDEN
    assert code(do(world, "new_epoch", ADMIN, "no such")) is Code.ROOM_INVALID
    assert code(do(world, "new_epoch", ADMIN, "nowhere")) is Code.NO_SUCH_ROOM
    assert [(action, result) for _, action, result in results(world)] == [("new epoch", "refused")] * 3
