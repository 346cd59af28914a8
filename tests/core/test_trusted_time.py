"""The time by which things end: it follows the wall clock, but not where the wall jumps."""

import pytest

from gateway.core.clock import EARLIEST, SETTLE_MS, STOPPED_MS, TimeRecord, TrustedTime

SECOND, DAY = 1000, 86_400_000
TODAY = 1_795_000_000_000


class Machine:
    """A wall clock that can be set, a clock that counts what really passes, and a record kept over restarts."""

    def __init__(self, wall: int = TODAY) -> None:
        self.wall = wall
        self.passed = 100.0
        self.record: TimeRecord | None = None
        self.newest = 0
        self.time = self.start()

    def start(self) -> TrustedTime:
        self.time = TrustedTime(lambda: self.wall, lambda: self.passed)
        self.time.start_from(self.record, self.newest)
        return self.look()

    def look(self) -> TrustedTime:
        self.record = TimeRecord.parse(str(self.time.look()))
        assert self.record is not None
        return self.time

    def run(self, ms: int, step: int = 60 * SECOND) -> None:
        """Let so much time pass, with the looks that belong to it."""
        for _ in range(max(1, ms // step)):
            self.wall += step
            self.passed += step / 1000
            self.look()


def test_it_is_the_wall_clock_while_nothing_contradicts_it() -> None:
    machine = Machine()
    machine.run(3 * DAY)
    assert machine.time.now() == machine.wall == TODAY + 3 * DAY
    machine.wall += 4 * SECOND
    machine.look()
    assert machine.time.now() == machine.wall


@pytest.mark.parametrize("jump", [400 * DAY, 3650 * DAY, -DAY, -400 * DAY, -TODAY + 12 * 3600 * SECOND])
@pytest.mark.parametrize("restart", [False, True])
def test_a_jump_moves_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture, jump: int, restart: bool) -> None:
    machine = Machine()
    machine.run(3600 * SECOND)
    right = machine.wall
    machine.wall += jump
    machine.start() if restart else machine.look()
    assert machine.time.now() == right
    machine.run(3600 * SECOND)
    assert machine.time.now() == right + 3600 * SECOND
    assert sum("but by the journal" in line for line in caplog.messages) == 1
    machine.wall -= jump
    machine.start() if restart else machine.look()
    assert machine.time.now() == machine.wall == right + 3600 * SECOND
    assert machine.record is not None and not machine.record.since


def test_a_wrong_clock_over_several_starts_is_still_not_believed() -> None:
    machine = Machine()
    machine.wall += 400 * DAY
    for _ in range(5):
        machine.start()
        machine.run(600 * SECOND)
    assert machine.time.now() == TODAY + 5 * 600 * SECOND


def test_a_clock_that_has_run_evenly_for_a_day_was_right(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.wall += 400 * DAY
    machine.start()
    machine.run(SETTLE_MS // 2)
    machine.start()
    assert machine.time.now() < TODAY + DAY
    machine.run(SETTLE_MS // 2)
    assert machine.time.now() == machine.wall
    assert "is believed" in caplog.messages[-1]


def test_a_clock_that_jumps_while_it_is_doubted_is_doubted_anew() -> None:
    machine = Machine()
    machine.wall += 400 * DAY
    machine.start()
    machine.run(SETTLE_MS - 60 * SECOND)
    machine.wall += 10 * DAY
    machine.run(SETTLE_MS // 2)
    assert machine.time.now() < TODAY + 2 * DAY


@pytest.mark.parametrize("stop", [0, DAY, STOPPED_MS])
def test_a_stop_of_ordinary_length_is_believed(caplog: pytest.LogCaptureFixture, stop: int) -> None:
    machine = Machine()
    for _ in range(40):
        machine.wall += stop
        machine.start()
    assert machine.time.now() == TODAY + 40 * stop
    assert not caplog.messages


def test_a_machine_that_slept_has_not_jumped(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.wall += 30 * DAY
    machine.passed += 30 * 86_400
    machine.look()
    assert machine.time.now() == machine.wall
    assert not caplog.messages


def test_a_first_start_in_1970_is_told_and_the_right_time_is_taken_at_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(wall=DAY)
    assert "1970-01-02" in caplog.text
    machine.wall = TODAY
    machine.look()
    assert machine.time.now() == TODAY
    again = Machine(wall=DAY)
    again.wall = TODAY
    again.start()
    assert again.time.now() == TODAY


def test_a_journal_without_a_record_is_judged_by_its_newest_message() -> None:
    machine = Machine()
    machine.record, machine.newest = None, TODAY - 400 * DAY
    assert machine.start().now() == TODAY - 400 * DAY
    machine.record, machine.newest = None, TODAY - DAY
    assert machine.start().now() == TODAY
    machine.record, machine.newest = None, EARLIEST - DAY
    assert machine.start().now() == TODAY


@pytest.mark.parametrize("text", ["", "1 2", "1 2 3 4", "a b c", "1 2 -3", "1  3", "9" * 17 + " 1 1", "\u0661 1 1"])
def test_a_record_that_is_none_is_no_record(text: str) -> None:
    assert TimeRecord.parse(text) is None
