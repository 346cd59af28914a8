import os
import socket
import subprocess
import sys

import pytest

from gateway.bench.machine import (
    allow_descriptors,
    cpu_seconds,
    descriptor_limit,
    listening_process,
    memory_bytes,
    most_connections,
)
from gateway.bench.plan import BenchError

LISTENER = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what /proc tells")


def test_the_process_that_listens_is_found_by_its_port() -> None:
    with subprocess.Popen([sys.executable, "-c", LISTENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert listening_process(int(other.stdout.readline())) == other.pid
        other.kill()


def test_this_process_is_not_taken_for_the_gateway() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        port = own.getsockname()[1]
        assert listening_process(port) is None
    assert listening_process(port) is None


def test_figures_of_a_process_are_there_while_it_is() -> None:
    pid = os.getpid()
    assert (memory_bytes(pid) or 0) > 1 << 20
    assert (cpu_seconds(pid) or 0) > 0
    assert (descriptor_limit(pid) or 0) >= 64
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert memory_bytes(gone.pid) is descriptor_limit(gone.pid) is None


def test_the_own_limit_is_raised_as_far_as_is_needed_and_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [100, 1000]
    monkeypatch.setattr("gateway.bench.machine.resource.getrlimit", lambda kind: tuple(limits))
    monkeypatch.setattr("gateway.bench.machine.resource.setrlimit", lambda kind, new: limits.__setitem__(0, new[0]))
    assert most_connections(50) == 50
    assert limits[0] == 100
    assert most_connections(500) == 500
    assert limits[0] == 532
    assert most_connections(2000) == 968
    assert limits[0] == 1000
    with pytest.raises(BenchError, match="2000 connections need 2032 open files, 1000 are allowed: raise `ulimit -n`"):
        allow_descriptors(2000)
