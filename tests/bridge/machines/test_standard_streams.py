"""Whoever started the gateway may have closed its standard streams, or stopped reading them: the chat goes on."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.process.logs import PIPE_BYTES
from tests.fakes import PATIENCE
from tests.suite.error_lines import WATCH

ROOT = Path(__file__).parents[3]


def closed() -> None:
    for number in range(3):
        os.close(number)


def broken_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@contextmanager
def running(folder: Path, **streams: object) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A gateway with these streams, and the port of its plain door."""
    ports = folder / "ports"
    options = ["--memory", "--tcp-port", "0", "--telnet-port", "-1", "--web-port", "0", "--ports-file", str(ports)]
    log = folder / "stderr"
    WATCH.follow(log)
    with log.open("wb") as stderr:
        command = [sys.executable, "-m", "gateway", *options]
        gateway = subprocess.Popen(command, cwd=ROOT, **{"stderr": stderr, **streams})  # type: ignore[call-overload]
    try:
        limit = time.monotonic() + PATIENCE
        while not ports.exists() and gateway.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
        assert ports.exists(), f"it did not start: {gateway.poll()}"
        yield gateway, json.loads(ports.read_text())["tcp"]
    finally:
        gateway.kill()
        gateway.wait()


@pytest.mark.parametrize("streams", [{"preexec_fn": closed}, {"stdout": broken_pipe}, {"stderr": broken_pipe}])
def test_a_gateway_without_readers_serves_and_stops_cleanly(
    tmp_path: Path, streams: dict[str, Callable[[], int]]
) -> None:
    made = {name: value() if name.startswith("std") else value for name, value in streams.items()}
    with running(tmp_path, **made) as (gateway, port):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
            assert peer.recv(100).startswith(b"-- You are")
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(PATIENCE) == 0


def test_a_full_log_pipe_does_not_stop_the_chat(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, bytes(PIPE_BYTES))
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    with running(tmp_path, stderr=writer) as (gateway, port):
        gateway.send_signal(signal.SIGHUP)  # is answered in the log
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
            assert peer.recv(100).startswith(b"-- You are")
    os.close(reader)
