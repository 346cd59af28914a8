import pytest

from gateway.bench.kinds.series import SlowReport, latency, slow
from gateway.bench.plan import BenchTarget, LoadPlan
from tests.bench.conftest import Bench
from tests.bench.fake_gateway import fake_gateway

PLAN = LoadPlan(readers=3, writers=1, rate=200.0, seconds=0.2, doors=("tcp", "web"), patience=1.0)


def tell(what: str, share: float) -> None:
    pass


def test_each_two_doors_have_a_latency(bench: Bench) -> None:
    report = bench("latency", "--rate", "100", "--seconds", "0.4")  # twice what is expected below
    assert [(pair["writer"], pair["reader"]) for pair in report["pairs"]] == [
        ("tcp", "tcp"),
        ("tcp", "web"),
        ("web", "tcp"),
        ("web", "web"),
    ]
    assert all(pair["messages"] >= 20 and pair["latency_ms"]["p50"] > 0 for pair in report["pairs"])
    assert all(pair["limit"] for pair in report["pairs"])


def test_stalled_readers_get_all_they_missed_or_are_told(bench: Bench) -> None:
    """Enough is said to fill the kernel's buffers, so that the gateway has to keep it, or skip it and say so."""
    report = bench("slow", "--readers", "2", "--stalled", "3", "--rate", "800", "--size", "4000", "--seconds", "0.5",
                   "--turns", "1")  # fmt: skip
    assert report["stalled"] == 3
    assert report["ratio"] == pytest.approx(report["with_stalled"]["p99"] / report["without"]["p99"], abs=0.01)
    assert report["memory_growth_mib"] is not None


def test_a_pair_that_loses_a_message_is_named() -> None:
    with fake_gateway(lambda number, seq: 0 if (number, seq) == (1, 10) else 1) as ports:
        report = latency(PLAN, BenchTarget("127.0.0.1", ports), tell)
    assert not report.ok
    assert report.faults == ["netcat to netcat: tcp reader 0: 1 missing (first missing: 0/8)"]
    assert "FAULT    netcat to netcat" in report.text()


def test_the_report_of_slow_readers_compares_the_others() -> None:
    with fake_gateway() as ports:
        report: SlowReport = slow(PLAN, 2, 1, BenchTarget("127.0.0.1", ports), tell)
    assert report.ok
    assert "with 2" in report.text()
    assert list(report.chart().lines) == ["none stalled", "2 stalled"]
