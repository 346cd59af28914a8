"""Signals besides those that stop the gateway."""

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.bridge.machines.test_standard_streams import running
from tests.fakes import PATIENCE


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE])
def test_no_other_signal_ends_the_gateway(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as (gateway, port):
        gateway.send_signal(number)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
            assert peer.recv(100).startswith(b"-- You are")


def test_sigusr2_stops_accepting_and_a_second_one_accepts_those_that_waited(tmp_path: Path) -> None:
    with running(tmp_path, stderr=subprocess.PIPE) as (gateway, port):
        gateway.send_signal(signal.SIGUSR2)
        assert gateway.stderr is not None and b"not accepted" in gateway.stderr.readline()
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as peer:
            with pytest.raises(TimeoutError):
                peer.recv(100)
            gateway.send_signal(signal.SIGUSR2)
            peer.settimeout(PATIENCE)
            assert peer.recv(100).startswith(b"-- You are")
