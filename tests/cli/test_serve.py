"""What several workers say as one gateway, on a machine without processes."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.serve import opened, supervise
from gateway.config.sources import load
from gateway.login_link import LoginLinkKey, read_key
from tests.fakes import PATIENCE
from tests.process.fake_forks import FakeMachine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMachine]:
    machine = FakeMachine(monkeypatch)
    yield machine
    machine.restore()


def test_workers_are_one_gateway_for_whoever_started_them(
    machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(PATIENCE)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    ports = {"tcp_port": "0", "telnet_port": "0", "web_port": "0", "ports_file": str(tmp_path / "ports")}
    settings = load({**ports, "redis": "redis://u:secret@h", "workers": "2", "data": str(tmp_path)}, {}).settings
    key = LoginLinkKey(tmp_path)

    def story() -> Iterator[None]:
        for worker in machine.forked:
            worker.says()
        yield
        assert read_key(tmp_path)[1] == key.secret
        machine.tell(signal.SIGHUP)
        yield
        for worker in machine.forked:
            worker.says()
        yield
        machine.tell(signal.SIGTERM)
        yield
        for worker in machine.forked:
            worker.ends()
        yield

    machine.story = story()
    assert supervise(settings, {}, key, lambda page: f"{page}admin/login?t") == 0

    told = json.loads((tmp_path / "ports").read_text())
    page = f"http://127.0.0.1:{told['web']}/"
    out = capsys.readouterr().out.splitlines()
    assert told["pid"] == os.getpid() and told["tcp_tls"] is None
    assert page in out[0] and f"tcp 127.0.0.1:{told['tcp']}" in out[0] and f"{page}admin/login?t" in out[1]
    assert out[2].startswith("data in Redis at redis://") and "secret" not in out[2]
    heard = [manager.recv(4096).decode() for _ in range(4)]
    assert heard[0].startswith("READY=1\nSTATUS=") and heard[0].endswith("; connections: 0, workers: 2")
    assert heard[1].startswith("RELOADING=1\n") and heard[2] == heard[0] and heard[3] == "STOPPING=1\nSTATUS=stopping"
    assert not (tmp_path / "running.json").exists()
    manager.close()


def test_ports_that_were_passed_are_not_opened_again(tmp_path: Path) -> None:
    settings = load({"tcp_port": "0", "telnet_port": "-1", "web_port": "0", "data": str(tmp_path)}, {}).settings
    with socket.create_server(("127.0.0.1", 0)) as passed:
        sockets = opened(settings, {"web": [passed]})
        assert sockets["web"] == [passed] and sockets["telnet"] == []
        (tcp,) = sockets["tcp"]
        with socket.create_connection(tcp.getsockname()):
            assert tcp.accept()[1][0] == "127.0.0.1", "newcomers wait in it until a worker accepts"
        tcp.close()
