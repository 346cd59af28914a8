"""Many readers at once, each of them only a raw socket."""

import socket
import struct

from tests.bridge.gateways import Gateway
from tests.bridge.peers import HOST, SECONDS

HELLO = b'{"type":"hello"}'
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def reader(gateway: Gateway, number: int, receive_buffer: int = 0) -> socket.socket:
    """Somebody in the lobby: the even ones by a terminal, the odd ones by a WebSocket. The socket does not block."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(2 * SECONDS)
    sock.connect((HOST, gateway.web if number % 2 else gateway.tcp))
    if number % 2:
        sock.sendall(UPGRADE)
        assert sock.recv(4096).startswith(b"HTTP/1.1 101")
        sock.sendall(b"\x81" + bytes([0x80 | len(HELLO)]) + bytes(4) + HELLO)
    else:
        sock.sendall(b"/echo\n")
    assert sock.recv(4096)
    sock.setblocking(False)
    return sock


def reset(sock: socket.socket) -> None:
    """Close so that the other side sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
