"""What the kernel tells of a connection: the layouts it answers in, and a real one."""

import socket
import struct
import sys

import pytest

from gateway.core.ports.transport import Kernel
from gateway.tcp import tcp_info
from gateway.tcp.tcp_info import kernel_of, linux, macos


def answer(size: int, **at: tuple[str, int]) -> bytes:
    """`size` bytes of a struct with some numbers: name=(format, value) with the offset in the name."""
    data = bytearray(size)
    for name, (form, value) in at.items():
        struct.pack_into(f"={form}", data, int(name[1:]), value)
    return bytes(data)


def test_linux() -> None:
    told = answer(232, o68=("I", 41_500), o100=("I", 7), o24=("I", 3), o144=("I", 9000), o120=("Q", 1 << 40))

    assert linux(told) == Kernel(rtt=41.5, retransmits=7, unacked=3, unsent_bytes=9000, acked_bytes=1 << 40)
    assert linux(told[:104]) == Kernel(rtt=41.5, retransmits=7, unacked=3, unsent_bytes=None)
    assert linux(told[:103]) is None


def test_macos() -> None:
    told = answer(112, o44=("I", 41), o104=("Q", 7))

    assert macos(told) == Kernel(rtt=41.0, retransmits=7, unacked=None, unsent_bytes=None)
    assert macos(told[:111]) is None


@pytest.mark.skipif(sys.platform not in tcp_info.READERS, reason="this system does not tell")
def test_a_real_connection_has_a_round_trip() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sock:
        told = kernel_of(sock)

        assert told is not None and 0 < told.rtt < 60_000


def test_a_socket_that_is_not_tcp_tells_nothing() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert kernel_of(one) is None
    assert kernel_of(one) is None
