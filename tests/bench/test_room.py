import socket

import pytest

from gateway.bench.peer import GatewayDialect, LoadConnection, Writing
from gateway.bench.plan import Payload
from gateway.bench.reader import Noise, Reader
from gateway.bench.room import BenchRoom

TEXTS = Payload(64, "abc123")


def line(number: int) -> bytes:
    return b"ana: " + TEXTS.write(0, number) + b"\n"


@pytest.fixture
def room() -> BenchRoom:
    """Writer 0 has said four lines and received them, as has a reader; one that has stalled has received the first."""
    room = BenchRoom("r", GatewayDialect().split)
    for stalled, writing in ((False, Writing(0, 4)), (False, None), (True, None)):
        peer = LoadConnection(socket.socket(), "tcp", Reader(room.order("tcp"), TEXTS, Noise()), writing)
        peer.sock.close()
        peer.stalled = stalled
        room.peers.append(peer)
        for number in range(1 if stalled else 4):
            peer.reader.take(line(number))
        if writing is not None:
            writing.times += [0.0] * 4
    return room


def test_a_room_is_complete_when_all_who_read_have_everything(room: BenchRoom) -> None:
    assert room.total() == 4
    assert room.is_complete()
    room.peers[2].stalled = False
    assert not room.is_complete()


def test_a_stalled_reader_is_awaited_until_it_has_the_newest_message(room: BenchRoom) -> None:
    late = room.peers[2]
    assert not room.has_the_end(late)
    late.reader.take(b"-- 2 lines skipped: /since 1 shows them\n" + line(3))
    assert room.has_the_end(late)


@pytest.mark.parametrize(
    ("told", "missing"), [(b"", 2), (b"-- 1 line skipped: x\n", 1), (b"-- 2 lines skipped: x\n", 0)]
)
def test_what_a_stalled_reader_is_told_to_have_missed_is_not_missing(
    room: BenchRoom, told: bytes, missing: int
) -> None:
    room.peers[2].reader.take(told + line(3))
    assert [fault.missing for _, fault in room.judged()] == [0, 0, missing]


def test_probes_are_said_by_the_writers_in_turn(room: BenchRoom) -> None:
    room.peers[1].writing = Writing(1, 4)
    assert [room.prober() for _ in range(3)] == [room.peers[1], room.peers[0], room.peers[1]]
