import os
from collections import Counter
from dataclasses import replace

import pytest

from gateway.bench.load import Load
from gateway.bench.peer import GatewayDialect
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan
from gateway.bench.report import Report, summarise
from tests.bench.fake_gateway import Misdeed, fake_gateway, honest

PLAN = LoadPlan(readers=20, window=16, messages=150, seconds=None, patience=0.3)
FIRST_READER = PLAN.writers


def tell(what: str, share: float) -> None:
    pass


def run(plan: LoadPlan, misdeed: Misdeed = honest, pace: float = 0.0, leaks_at: int = 0, dies_at: int = 0) -> Report:
    with fake_gateway(misdeed, pace, leaks_at, dies_at) as ports:
        load = Load(plan, BenchTarget("127.0.0.1", ports, os.getpid()), GatewayDialect(), tell)
        return summarise(load, load.run())


def at(connection: int, seq: int, times: int) -> Misdeed:
    return lambda number, current: times if (number, current) == (connection, seq) else 1


def test_whatever_else_is_said_between_the_messages_nothing_is_missed() -> None:
    report = run(PLAN)
    assert report.ok
    assert report.faults == []
    assert report.deliveries == 20 * 150
    assert report.server_cpu_us_per_delivery is not None
    assert report.latency_ms is not None
    assert 0 < report.latency_ms.p50 <= report.latency_ms.max


@pytest.mark.parametrize(("connection", "door"), [(FIRST_READER, "tcp"), (FIRST_READER + 1, "web")])
def test_a_message_withheld_from_one_reader_is_found(connection: int, door: str) -> None:
    report = run(PLAN, at(connection, 77, times=0))
    assert not report.ok
    assert report.doors[door].missing == 1
    assert report.faults[0].startswith(f"{door} reader {connection - FIRST_READER}: 1 missing (first missing: ")
    assert len(report.faults) == 1


@pytest.mark.parametrize("connection", [0, FIRST_READER, FIRST_READER + 1])
def test_a_message_shown_twice_is_found(connection: int) -> None:
    report = run(PLAN, at(connection, 77, times=2))
    assert not report.ok
    assert len(report.faults) == 1
    assert report.faults[0].endswith(": 1 repeated")


def test_a_message_that_nobody_gets_stalls_the_run_and_is_missing_everywhere() -> None:
    report = run(PLAN, lambda number, seq: 0 if seq == 60 else 1)
    assert not report.ok
    assert report.doors["tcp"].missing == report.doors["web"].missing == 10


def test_an_open_loop_keeps_its_rate() -> None:
    report = run(LoadPlan(readers=4, rate=300, messages=None, seconds=0.5, doors=("tcp",)))
    assert report.ok
    assert 130 <= report.messages <= 160
    assert report.in_flight is None


def test_writers_that_are_slowed_down_are_noticed() -> None:
    report = run(LoadPlan(readers=4, writers=1, window=16, messages=24, seconds=None, doors=("tcp",)), pace=0.05)
    assert report.ok
    assert report.paced


def test_writers_that_are_slowed_down_below_their_rate_are_noticed() -> None:
    plan = LoadPlan(readers=4, writers=1, rate=400.0, messages=40, seconds=None, doors=("tcp",))
    report = run(plan, pace=0.05)
    assert report.ok
    assert report.paced


def test_a_session_that_cannot_enter_the_room_is_told() -> None:
    with pytest.raises(BenchError, match=r"1 of 24 connections \(web\) never came into the room"):
        run(PLAN, lambda number, seq: 0 if number == FIRST_READER + 1 else 1)


ROOMS = replace(PLAN, rooms=5, readers=3, writers=1, count_writers=True)
TALK = replace(
    PLAN,
    readers=2,
    writers=12,
    window=36,
    doors=("tcp", "web"),
    writing_doors=("tcp", "web"),
    count_writers=True,
    echo=False,
)


def test_every_room_hears_its_own_messages_only() -> None:
    report = run(ROOMS)
    assert report.ok
    assert (report.rooms, report.readers, report.writers) == (5, 15, 5)
    assert report.deliveries == 4 * 150


def test_a_message_in_another_room_is_a_fault() -> None:
    report = run(ROOMS, leaks_at=100)
    assert not report.ok
    assert sum(door.foreign for door in report.doors.values()) == 4 * 4
    assert "1 foreign" in report.faults[0]


def test_who_talks_is_sent_what_the_others_say() -> None:
    report = run(TALK)
    assert report.ok
    assert report.doors["web"].deliveries == 7 * 150
    assert 6 * 150 < report.doors["tcp"].deliveries < 7 * 150


@pytest.mark.parametrize(("connection", "times", "words"), [(4, 0, "1 missing"), (4, 2, "1 repeated")])
def test_what_goes_wrong_for_one_who_talks_is_found(connection: int, times: int, words: str) -> None:
    delivered = Counter[int]()

    def once(number: int, seq: int) -> int:
        delivered[number] += 1
        return times if number == connection and delivered[number] == 50 else 1

    report = run(TALK, once)
    assert not report.ok
    assert report.faults[0].startswith(f"tcp writer {connection}: {words}")
    assert len(report.faults) == 1


def test_a_gateway_that_goes_away_is_told_with_the_time() -> None:
    with pytest.raises(BenchError, match=r"the gateway went away after \d+\.\d s: all 24 connections were closed"):
        run(PLAN, dies_at=60)


def test_stalled_readers_get_everything_when_they_read_on() -> None:
    report = run(replace(PLAN, stalled=5))
    assert report.ok
    assert report.deliveries == 20 * 150


def test_what_a_stalled_reader_misses_without_being_told_is_a_fault() -> None:
    report = run(replace(PLAN, stalled=5), at(FIRST_READER + 20, 77, times=0))
    assert not report.ok
    assert "1 missing" in report.faults[0]


def test_too_many_connections_are_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.bench.machine.resource.getrlimit", lambda kind: (64, 64))
    with pytest.raises(BenchError, match=r"124 connections need 156 open files, 64 are allowed: raise `ulimit -n`"):
        run(replace(PLAN, readers=120))
