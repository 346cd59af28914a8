"""All logs together have a bound: the coldest leave memory first, and their readers are told."""

import pytest

from gateway.core.protocol.message import Message
from gateway.core.rooms.log import LogBudget, RoomLog, cost
from tests.core.world import World

TEXT = "x" * 700
SIZE = cost([Message("r", 1, "ana", "tcp", "say", TEXT)])


def log(budget: LogBudget, room: str, count: int, ts: int, text: str = TEXT) -> RoomLog:
    made = RoomLog(0, max_messages=10_000, max_bytes=1 << 30, budget=budget)
    for seq in range(1, count + 1):
        made.append(Message(room, ts, "ana", "tcp", "say", text, seq=seq))
    return made


def used(budget: LogBudget) -> int:
    return sum(each.bytes for each in budget.logs)


def test_the_coldest_log_is_emptied_first_and_the_others_keep_theirs() -> None:
    budget = LogBudget(40 * SIZE)
    warm, cold, hot = log(budget, "warm", 15, 200), log(budget, "cold", 15, 100), log(budget, "hot", 10, 300)
    hot.append(Message("hot", 300, "ana", "tcp", "say", TEXT, seq=11))
    assert (cold.first, cold.head) == (7, 15)
    assert [len(each.last(99)) for each in (warm, cold, hot)] == [15, 9, 11]
    assert budget.used == used(budget) <= 35 * SIZE
    hot.append(Message("hot", 300, "ana", "tcp", "say", TEXT, seq=12))
    assert cold.next_after(0) is not None and cold.next_after(0).seq == 7  # type: ignore[union-attr]


@pytest.mark.parametrize("rooms", [1, 3, 50, 1000])
def test_whatever_is_said_where_the_sum_stays_within_its_bound(rooms: int) -> None:
    budget = LogBudget(100 * SIZE)
    logs = [RoomLog(0, max_messages=50, max_bytes=60 * SIZE, budget=budget) for _ in range(rooms)]
    for number in range(3000):
        each = logs[number * 7919 % rooms]
        each.append(Message("r", number, "ana", "tcp", "say", TEXT, seq=each.head + 1))
        assert budget.used <= budget.top
        assert each.last(1)[0].seq == each.head
    assert budget.used == used(budget)
    assert sum(len(each._messages) for each in logs) * SIZE <= budget.top * 8 / 7


def test_a_log_counts_only_while_its_room_is_in_memory() -> None:
    budget = LogBudget(100 * SIZE)
    one = log(budget, "one", 10, 1)
    one.leave()
    one.leave()
    assert (budget.used, budget.logs) == (0, set())
    one.come_back()
    one.come_back()
    assert budget.used == 10 * SIZE
    one.restart(10, one.last(2))
    one.forget_below(10)
    assert budget.used == SIZE


def test_a_smaller_bound_holds_at_once() -> None:
    budget = LogBudget(100 * SIZE)
    one = log(budget, "one", 90, 1)
    budget.limit(10 * SIZE)
    assert budget.used == one.bytes <= 10 * SIZE


def test_a_reader_of_an_emptied_room_reads_history_from_the_journal() -> None:
    world = World(logs_bytes=60_000)
    bob = world.terminal("bob")
    bob.says(*(f"early {number}" for number in range(20)))
    world.later(5)
    ana = world.browser("ana", rooms=[{"room": "busy"}])
    ana.asks(type="join", room="busy")
    for number in range(300):
        ana.asks(type="say", room="busy", text=f"{number} " + "y" * 500)
    lobby = world.hub.rooms["lobby"]
    assert lobby.log.first > 1
    bob.forget()
    bob.says("/history 20")
    assert [line.partition("] ")[2] for line in bob.lines][-20:] == [f"bob: early {number}" for number in range(20)]


def test_a_stalled_reader_of_an_emptied_room_is_told_what_it_missed() -> None:
    world = World(logs_bytes=60_000)
    slow = world.browser("slow")
    slow.reads(0)
    bob = world.terminal("bob")
    bob.says(*(f"early {number}" for number in range(20)))
    world.later(5)
    ana = world.browser("ana", rooms=[{"room": "busy"}])
    for number in range(300):
        ana.asks(type="say", room="busy", text=f"{number} " + "y" * 500)
    slow.reads(None)
    told = [each for each in slow.objects if each.get("room") == "lobby" and each["type"] in ("gap", "msg")]
    assert [each["type"] for each in told] == ["gap", *("msg" for _ in told[1:])]
    assert (told[0]["from"], told[-1]["seq"]) == (1, 20)
    assert [each["seq"] for each in told[1:]] == list(range(told[0]["to"] + 1, 21))
