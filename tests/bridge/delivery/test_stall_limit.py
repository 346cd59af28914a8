"""`limits.stall_seconds` with real sockets, at each door: it closes readers that take nothing, and no others."""

import json
import socket

import pytest

from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import HOST
from tests.fakes import PATIENCE, until

LIMIT = 2
REQUESTS = {
    "tcp": b"",
    "raw": b"GET /r/lobby/raw HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "events": b"GET /r/lobby/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "websocket": b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    b'\x81\x90\0\0\0\0{"type":"hello"}',
}
"""What a reader says first, by how it reads."""


def reader(gateway: Gateway, how: str) -> socket.socket:
    """A reader of the lobby with a small buffer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((HOST, gateway.tcp if how == "tcp" else gateway.web))
    sock.sendall(REQUESTS[how])
    sock.settimeout(PATIENCE)
    sock.recv(1)
    return sock


@pytest.mark.parametrize("how", REQUESTS)
def test_a_reader_that_takes_nothing_is_closed_and_a_slow_one_is_not(start: Start, how: str) -> None:
    gateway = start("--memory", "--limits.stall_seconds", LIMIT, "--log-format", "json", *NO_PACE)
    with reader(gateway, how), reader(gateway, how) as slow, socket.create_connection((HOST, gateway.tcp)) as writer:
        for _ in range(12):  # about 11 MB: more than the kernel takes for a reader
            writer.sendall((b"x" * 3900 + b"\n") * 240)

        def closed() -> list[str]:
            slow.recv(200)
            return [json.loads(line)["words"] for line in gateway.stderr.splitlines() if '"stalled"' in line]

        assert until(closed, "the stalled reader is closed", 30) == ["nothing was read for 2s"]
        slow.recv(200)
