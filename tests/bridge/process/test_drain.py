"""SIGTERM: what was received is not lost."""

import signal
import socket
import time
from pathlib import Path

from tests.bridge.machines.test_standard_streams import running
from tests.fakes import PATIENCE


def test_lines_that_came_too_fast_are_said_before_the_end(tmp_path: Path) -> None:
    with running(tmp_path) as (gateway, port):
        door = ("127.0.0.1", port)
        with socket.create_connection(door) as talker, socket.create_connection(door) as reader:
            reader.settimeout(PATIENCE)
            assert reader.recv(1000).startswith(b"-- You are")
            talker.sendall(b"".join(b"line %d\n" % number for number in range(1000)))
            seen = b""
            while b"line 99\n" not in seen:  # the burst; the others wait for their turn
                seen += reader.recv(65536)
            assert b"line 500\n" not in seen
            gateway.send_signal(signal.SIGTERM)
            while more := reader.recv(65536):
                seen += more
        assert [line.split(b": ")[1] for line in seen.splitlines() if b"line" in line] == [
            b"line %d" % number for number in range(1000)
        ]
        assert gateway.wait(PATIENCE) == 0


def test_a_peer_that_never_ends_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with running(tmp_path) as (gateway, port), socket.create_connection(("127.0.0.1", port)) as talker:
        talker.settimeout(0.1)
        gateway.send_signal(signal.SIGTERM)
        began = time.monotonic()
        while gateway.poll() is None and time.monotonic() < began + 45:
            try:
                talker.sendall(b"on and on\n" * 100)
            except OSError:
                time.sleep(0.01)
        assert gateway.poll() == 0
