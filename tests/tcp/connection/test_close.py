"""Why a terminal's connection ended, and what a rejected peer is told."""

import socket
from collections.abc import Iterator

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.tcp import reject
from tests.fakes import until
from tests.tcp.house import Guest, House, turn


@pytest.fixture
def full(house: House) -> Iterator[House]:
    """A house with room for one connection, which is open."""
    house.admission.connections = 1
    one = house.guest("ana")
    yield house
    one.sock.close()


def ending(house: House, guest: Guest) -> tuple[CloseReason, str]:
    """Why the guest's connection ended."""
    house.until(lambda: guest.session.closed)
    (row,) = [row for row in house.hub.stats.closed.last if row.number == guest.session.number]
    return row.closing, row.words


def test_a_peer_that_says_goodbye_has_left(house: House) -> None:
    quits, ends = house.guest("quits"), house.guest("ends")
    quits.says(b"quit\n")
    ends.says_no_more()

    assert ending(house, quits) == (CloseReason.LEFT, "bye")
    assert ending(house, ends) == (CloseReason.LEFT, "")


def test_a_reset_connection_is_lost(house: House) -> None:
    ana = house.guest("ana")
    ana.resets()

    assert ending(house, ana) == (CloseReason.LOST, "")


def test_a_reset_during_a_write_is_a_lost_connection(house: House) -> None:
    ana, bob = house.guest("ana"), house.guest("bob")
    ana.session.hold()
    ana.says(b"not read yet\n")
    ana.resets()
    bob.says(*[b"for ana\n"] * 3)
    ana.session.release()

    assert ending(house, ana) == (CloseReason.LOST, "")


def test_a_peer_that_closes_right_after_its_end_of_file_has_left(house: House) -> None:
    ana, bob = house.guest("ana"), house.guest("bob")
    ana.session.hold()
    ana.says(b"mine\n")
    ana.says_no_more()
    ana.sock.close()
    bob.says(*[b"for ana\n"] * 3)
    ana.session.release()

    assert ending(house, ana) == (CloseReason.LEFT, "")


@pytest.mark.parametrize(
    ("says", "closing"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", CloseReason.WRONG_DOOR),
        (b"SSH-2.0-x\r\n", CloseReason.WRONG_DOOR),
        (b"\xff\xfa" + b"\x22" * 1000, CloseReason.BAD_TELNET),
    ],
)
def test_a_peer_that_breaks_the_protocol_is_closed(house: House, says: bytes, closing: CloseReason) -> None:
    stranger = house.stranger()
    stranger.says(says)

    assert ending(house, stranger)[0] is closing


def test_our_own_failure_is_told_from_the_peer_s(
    house: House, monkeypatch: pytest.MonkeyPatch, expected_errors: list[str]
) -> None:
    expected_errors.append(" failed\n")

    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    ana = house.guest("ana")
    monkeypatch.setattr(house.door.terminals, "line", fail)
    ana.says(b"hi\n")

    assert ending(house, ana) == (CloseReason.FAILED, "")


# Not let in


def test_a_rejected_connection_is_counted_with_the_reason(full: House) -> None:
    full.knocks().hears_all()

    assert full.hub.stats.closed.counts[full.door.door, CloseReason.FULL] == 1
    assert not full.hub.stats.closed.last


def test_the_words_survive_input_that_comes_after_them(full: House) -> None:
    script = full.knocks(b"echo\n")
    script.hears(b"try again in 30 s\n")
    script.says(*[b"more and more\n" * 100] * 20)
    script.says_no_more()

    assert script.hears_all() == b"!! full: try again in 30 s\n"
    full.until(lambda: not full.refusals.here)


def test_a_peer_that_never_closes_is_dropped(full: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reject, "LINGER", 0.05)
    stays = full.knocks()
    full.until(lambda: full.refusals.here)
    full.until(lambda: not full.refusals.here)

    assert stays.hears_all() == b"!! full: try again in 30 s\n"


def test_only_so_many_refused_linger_at_a_time(full: House) -> None:
    callers = [full.knocks() for _ in range(full.refusals.most + 5)]
    for caller in callers:
        assert caller.hears_all() == b"!! full: try again in 30 s\n"

    assert len(full.refusals.here) == full.refusals.most


def test_a_rejected_peer_that_floods_is_cut(full: House) -> None:
    flood = full.knocks()
    full.until(lambda: full.refusals.here)
    flood.sock.setblocking(False)
    sent = 0

    def cut() -> bool:
        nonlocal sent
        try:
            sent += flood.sock.send(bytes(65536))
        except BlockingIOError:
            return False
        except OSError:
            return True
        return False

    full.until(cut)
    assert sent >= reject.READ_OUT_BYTES
    assert not full.refusals.here
    flood.sock.close()


def test_an_answer_may_wait_for_what_the_peer_says(full: House) -> None:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    full.refusals.refuse(ours, lambda first, last: b"no, " + first if last or b"!" in first else None)
    theirs.send(b"hel")
    turn(full.server)
    theirs.send(b"lo!")

    def heard() -> bytes:
        try:
            return theirs.recv(100)
        except BlockingIOError:
            return b""

    assert until(heard, meanwhile=lambda: turn(full.server)) == b"no, hello!"
    theirs.close()
    full.until(lambda: not full.refusals.here)
