import errno
import socket
import threading
from collections.abc import Iterator

import pytest

from gateway.bench.kinds.newcomers import connect
from gateway.bench.plan import BenchError, BenchTarget
from tests.bench.conftest import Bench


def tell(what: str, share: float) -> None:
    pass


def test_newcomers_come_and_go_through_each_door(bench: Bench) -> None:
    report = bench("connect", "--newcomers", "40", "--window", "8", "--doors", "tcp,web,telnet")
    assert [(row["door"], row["newcomers"]) for row in report["rows"]] == [("tcp", 40), ("web", 40), ("telnet", 40)]
    assert all(row["joined_ms"]["p50"] > 0 and row["server_cpu_us"] > 0 for row in report["rows"])


@pytest.fixture
def unkind_port() -> Iterator[int]:
    """A server that greets nobody and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(b"!! full: come back later\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_newcomers_that_are_turned_away_are_faults_with_the_reason(unkind_port: int) -> None:
    report = connect(BenchTarget("127.0.0.1", {"tcp": unkind_port}), ["tcp"], 5, 2, 5.0, tell)
    assert not report.ok
    assert report.rows[0].newcomers == 0
    assert any("full: come back later" in fault or "reset" in fault for fault in report.faults)
    assert "not every newcomer was let in" in report.text()
    assert report.chart().lines == {}


def test_without_a_gateway_nobody_comes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with pytest.raises(BenchError, match="no gateway at"):
        connect(BenchTarget("127.0.0.1", {"tcp": port}), ["tcp"], 5, 2, 5.0, tell)
    with pytest.raises(BenchError, match="the web door is closed there"):
        connect(BenchTarget("127.0.0.1", {"tcp": port}), ["web"], 5, 2, 5.0, tell)


def test_without_a_free_port_it_is_said_what_to_do(unkind_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect_ex", lambda sock, address: errno.EADDRNOTAVAIL)
    with pytest.raises(BenchError, match=r"no local port is free: .* wait, or take fewer"):
        connect(BenchTarget("127.0.0.1", {"tcp": unkind_port}), ["tcp"], 5, 2, 5.0, tell)
