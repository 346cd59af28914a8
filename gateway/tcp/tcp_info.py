"""TCP as the kernel sees it: round trip, segments sent again, bytes never sent. netcat answers no ping, but it does.

Linux tells `struct tcp_info` (include/uapi/linux/tcp.h), which only ever grew at its end, so an older kernel answers
fewer bytes; macOS `struct tcp_connection_info` (netinet/tcp.h). Offsets are counted in them. Elsewhere, and for a
socket that is no TCP connection any more, nothing is known.
"""

import socket
import struct
import sys
from collections.abc import Callable
from typing import Protocol

from gateway.core.ports import Kernel

LINUX_TCP_INFO = 11
LINUX_LEAST = 104
"""What every Linux since 2.6 answers, up to tcpi_total_retrans."""
LINUX_ACKED = 120
LINUX_NOTSENT = 144
MACOS_TCP_CONNECTION_INFO = 0x106
MACOS_LEAST = 112
ANSWER_BYTES = 256

_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")


class TcpInfoReader(Protocol):
    """A socket, or what asyncio and uvloop show of one."""

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
    """What the kernel tells of a connection; one system call (uvloop: three)."""
    reader = READERS.get(sys.platform)
    if reader is None:
        return None
    option, read = reader
    try:
        return read(sock.getsockopt(socket.IPPROTO_TCP, option, ANSWER_BYTES))
    except OSError:
        return None
