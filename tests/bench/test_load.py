import os

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


def run(plan: LoadPlan, misdeed: Misdeed = honest, pace: float = 0.0) -> Report:
    with fake_gateway(misdeed, pace) as ports:
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


def test_a_session_that_cannot_enter_the_room_is_told() -> None:
    with pytest.raises(BenchError, match=r"1 of 24 connections \(web\) never came into the room"):
        run(PLAN, lambda number, seq: 0 if number == FIRST_READER + 1 else 1)
