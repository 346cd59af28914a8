"""The shared timer: every waiter is called in time, none after it has left, and no timer runs when nobody waits."""

import asyncio

from gateway.web.http.timer_wheel import SLICE, EqualDeadlines, TimerWheel
from tests.fakes import eventually

ROUNDING = 1e-6
"""The difference of two moments on whole milliseconds, which is what uvloop's clock gives, can be a hair short."""


class Waiting:
    """Remembers when it was due, and comes back as often as it is told to."""

    def __init__(self, again: int = 0) -> None:
        self.slot = -1
        self.again = again
        self.turns: list[float] = []

    def due(self, now: float, late: float) -> float | None:
        self.turns.append(now)
        self.again -= 1
        return now + 0.02 if self.again >= 0 else None


async def test_a_waiter_is_called_late_by_at_most_a_slot_and_never_early() -> None:
    loop = asyncio.get_running_loop()
    wheel, waiting = TimerWheel(loop, 0.01), Waiting(again=3)
    begin = loop.time()
    wheel.put(waiting, begin + 0.05)
    await eventually(lambda: len(waiting.turns) == 4)
    assert waiting.turns[0] >= begin + 0.05 - ROUNDING
    assert all(
        later - sooner >= 0.02 - ROUNDING for sooner, later in zip(waiting.turns, waiting.turns[1:], strict=False)
    )


async def test_a_closed_connection_is_not_called() -> None:
    loop = asyncio.get_running_loop()
    wheel, gone, here = TimerWheel(loop, 0.01), Waiting(), Waiting()
    wheel.put(gone, loop.time() + 0.02)
    wheel.put(here, loop.time() + 0.04)
    wheel.drop(gone)
    wheel.drop(gone)
    await eventually(lambda: here.turns)
    assert not gone.turns


async def test_moving_a_waiter_forgets_its_old_moment() -> None:
    loop = asyncio.get_running_loop()
    wheel, waiting = TimerWheel(loop, 0.01), Waiting()
    wheel.put(waiting, loop.time() + 60)
    wheel.put(waiting, loop.time() + 0.01)
    await eventually(lambda: waiting.turns)
    assert len(waiting.turns) == 1


async def test_others_get_their_turn_within_a_crowd_of_one_slot() -> None:
    loop = asyncio.get_running_loop()
    called: list[int] = []
    called_before_others: list[int] = []

    class OfCrowd(Waiting):
        def due(self, now: float, late: float) -> float | None:
            called.append(1)
            loop.call_soon(lambda: called_before_others.append(len(called)))
            return None

    wheel, when = TimerWheel(loop, 0.01), loop.time() + 0.01
    for _ in range(SLICE * 3):
        wheel.put(OfCrowd(), when)
    await eventually(lambda: len(called_before_others) == SLICE * 3)
    assert called_before_others[0] <= SLICE


async def test_an_empty_wheel_has_no_timer() -> None:
    loop = asyncio.get_running_loop()
    wheel, waiting = TimerWheel(loop, 0.01), Waiting()
    wheel.put(waiting, loop.time() + 60)
    wheel.drop(waiting)
    assert wheel.idle


async def test_of_equal_deadlines_each_comes_in_turn_and_none_that_has_left() -> None:
    loop, came = asyncio.get_running_loop(), list[tuple[str, float]]()
    queue: EqualDeadlines[str] = EqualDeadlines(0.03, lambda name: came.append((name, loop.time())))
    begin = loop.time()
    for name in ("a", "b", "c"):
        queue.put(name)
    due = queue.drop("a")
    assert begin + 0.03 - ROUNDING <= due <= loop.time() + 0.03
    queue.put("a")
    await eventually(lambda: len(came) == 3)
    assert [name for name, _ in came] == ["b", "c", "a"]
    assert all(moment >= begin + 0.03 - ROUNDING for _, moment in came)
    assert len(queue) == 0


async def test_a_queue_of_deadlines_that_was_empty_begins_again() -> None:
    came: list[str] = []
    queue: EqualDeadlines[str] = EqualDeadlines(0.01, came.append)
    for name in ("a", "b"):
        queue.put("gone")
        queue.drop("gone")
        queue.drop("gone")
        queue.put(name)
        await eventually(lambda name=name: came[-1:] == [name])  # type: ignore[misc]
    assert came == ["a", "b"]


async def test_what_comes_while_others_are_due_is_not_forgotten() -> None:
    came: list[int] = []

    def again(number: int) -> None:
        came.append(number)
        if number < 3:
            queue.put(number + 1)

    queue: EqualDeadlines[int] = EqualDeadlines(0.01, again)
    queue.put(0)
    await eventually(lambda: came == [0, 1, 2, 3])


async def test_a_queue_that_stops_returns_those_that_wait() -> None:
    came: list[str] = []
    queue: EqualDeadlines[str] = EqualDeadlines(0.01, came.append)
    queue.put("a")
    queue.put("b")
    assert queue.stop() == ["a", "b"]
    queue.put("c")
    await eventually(lambda: came)
    assert came == ["c"]
