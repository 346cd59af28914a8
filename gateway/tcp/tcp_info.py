"""The kernel's TCP figures: round trip, retransmits, bytes not sent. netcat answers no ping, but its kernel does.

Linux returns `struct tcp_info` (include/uapi/linux/tcp.h), which only ever grew at its end, so an older kernel returns
fewer bytes; macOS returns `struct tcp_connection_info` (netinet/tcp.h). The offsets here are theirs. On other systems,
and for a socket that is not connected any more, nothing is known.
"""

import socket
import struct
import sys
from collections.abc import Callable
from typing import Protocol

from gateway.core.address import canonical
from gateway.core.ports.transport import Kernel

LINUX_TCP_INFO = 11
LINUX_LEAST = 104
"""Bytes that every Linux since 2.6 returns, up to tcpi_total_retrans."""
LINUX_ACKED = 120
LINUX_NOTSENT = 144
MACOS_TCP_CONNECTION_INFO = 0x106
MACOS_LEAST = 112
ANSWER_BYTES = 256

_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")


class TcpInfoReader(Protocol):
    """A socket, or the view of one that asyncio and uvloop give."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


def linux(answer: bytes) -> Kernel | None:
    """Read `struct tcp_info`; times there are in µs."""
    if len(answer) < LINUX_LEAST:
        return None

    def u32(offset: int) -> int:
        value: int = _U32.unpack_from(answer, offset)[0]
        return value

    unsent = u32(LINUX_NOTSENT) if len(answer) >= LINUX_NOTSENT + 4 else None
    acked: int | None = _U64.unpack_from(answer, LINUX_ACKED)[0] if len(answer) >= LINUX_ACKED + 8 else None
    return Kernel(rtt=u32(68) / 1000, retransmits=u32(100), unacked=u32(24), unsent_bytes=unsent, acked_bytes=acked)


def macos(answer: bytes) -> Kernel | None:
    """Read `struct tcp_connection_info`; times there are in ms. It counts neither segments on their way nor bytes that
    were never sent."""
    if len(answer) < MACOS_LEAST:
        return None
    return Kernel(
        rtt=float(_U32.unpack_from(answer, 44)[0]),
        retransmits=_U64.unpack_from(answer, 104)[0],
        unacked=None,
        unsent_bytes=None,
    )


READERS: dict[str, tuple[int, Callable[[bytes], Kernel | None]]] = {
    "linux": (LINUX_TCP_INFO, linux),
    "darwin": (MACOS_TCP_CONNECTION_INFO, macos),
}


def kernel_of(sock: TcpInfoReader) -> Kernel | None:
    """The kernel's figures of a connection; one system call (uvloop: three)."""
    reader = READERS.get(sys.platform)
    if reader is None:
        return None
    option, read = reader
    try:
        return read(sock.getsockopt(socket.IPPROTO_TCP, option, ANSWER_BYTES))
    except OSError:
        return None


def local_end(sock: socket.socket) -> tuple[str, int] | None:
    """The address and port the peer is connected to, in canonical spelling; None when it is not connected any more."""
    try:
        host, port = sock.getsockname()[:2]
    except OSError:
        return None
    return canonical(host) or host, port
