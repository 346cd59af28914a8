import socket
from pathlib import Path

import pytest

from gateway.bench.kinds.idle import idle
from gateway.bench.plan import BenchError, BenchTarget
from tests.bench.conftest import Bench
from tests.bench.fake_gateway import fake_gateway
from tests.bridge.gateways import NO_PACE, starter


def tell(what: str, share: float) -> None:
    pass


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a crowd only briefly."""
    for name in ("IDLE_SECONDS", "SETTLE_SECONDS", "TALK_SECONDS"):
        monkeypatch.setattr(f"gateway.bench.kinds.idle.{name}", 0.1)


def test_a_crowd_grows_step_by_step(bench: Bench) -> None:
    report = bench("idle", "--steps", "60,30", "--doors", "tcp,web")
    assert [row["connections"] for row in report["rows"]] == [30, 60]
    assert all(row["cpu_ms"] is not None and row["latency_ms"]["p50"] > 0 for row in report["rows"])
    assert all(row["opening_limit"] and row["talk_limit"] for row in report["rows"])


def test_a_gateway_that_lets_in_fewer_is_measured_as_far_as_it_goes(tmp_path: Path) -> None:
    with starter(tmp_path) as start:
        gateway = start(*NO_PACE, "--limits.connections", "20")
        report = idle(BenchTarget("127.0.0.1", dict(gateway.ports), gateway.running.pid), ["tcp"], [10, 40], 5.0, tell)
    assert report.ok
    first, last = (row.connections for row in report.rows)
    assert first == 10
    assert last in (18, 19, 20)  # the two who talked may still be leaving
    assert any(f"the gateway let in {last} connections, then: !! full" in note for note in report.notes)
    assert "--limits.connections 0" in report.text()
    assert "limit    " in report.text()
    assert [x for x, _ in report.chart().lines["KiB for each connection"]] == [first, last]


def test_without_a_gateway_nobody_is_idle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with pytest.raises(BenchError, match="no gateway at"):
        idle(BenchTarget("127.0.0.1", {"tcp": port}), ["tcp"], [3], 5.0, tell)


def test_a_gateway_that_goes_away_is_told() -> None:
    """The fake cuts all connections with the first message of the two who talk."""
    with (
        fake_gateway(dies_at=1) as ports,
        pytest.raises(BenchError, match="were closed"),
    ):
        idle(BenchTarget("127.0.0.1", ports), ["web"], [3], 2.0, tell)


def test_steps_that_the_descriptors_do_not_suffice_for_are_shortened(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bench.kinds.idle.most_connections", lambda wanted: 27)
    report = bench("idle", "--steps", "10,50")
    assert [row["connections"] for row in report["rows"]] == [10, 25]
    assert "this program may open 27 connections: raise `ulimit -n`" in report["notes"][0]
