"""Input that is read before its session takes it, and peers that are heard out before they are written to."""

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.tcp import connection as module
from gateway.tcp.server import READ
from tests.tcp.house import Guest, House, connection_of, turn

Build = Callable[..., House]


def reads(guest: Guest) -> bool:
    """Whether more of its input would be read."""
    return bool(connection_of(guest.session).events & READ)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_l7_a_peer_over_its_rate_that_closes_both_ways_loses_no_line(new_house: Build, end: str) -> None:
    house = new_house(messages_per_second=1, burst=5)
    bob, script = house.guest("bob"), house.stranger()
    lines = [b"%d " % number + b"x" * 3000 for number in range(300)]
    script.says(*[b"%s\n" % line for line in lines])
    house.until(lambda: script.session.bytes_in == sum(map(len, lines)) + len(lines))
    held = house.door.read_ahead.used
    house.hub.limit(replace(house.hub.limits, messages_per_second=500))
    script.sock.close() if end == "close" else script.resets()
    bob.says(b"for the script\n")
    house.until(lambda: script.session.closed)

    assert held > 500_000
    assert [text for text in house.said if text != "for the script"] == [line.decode() for line in lines]
    assert house.door.read_ahead.used == 0


def test_input_is_read_ahead_up_to_a_limit_and_no_further(new_house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.tcp.lines.READ_AHEAD", 100_000)
    house = new_house(messages_per_second=1, burst=5)
    script = house.stranger()
    sent, line = 0, b"x" * 999 + b"\n"
    while sent < 10_000_000 and (reads(script) or not script.session.held):
        with contextlib.suppress(BlockingIOError):
            sent += script.sock.send(line * 100)
        turn(house.server)

    assert 100_000 <= house.door.read_ahead.used < 100_000 + module.RECEIVE_BYTES
    script.resets()
    house.hub.close(script.session, CloseReason.KICKED, "enough")
    assert house.door.read_ahead.used == 0


def test_what_all_peers_have_ahead_has_a_limit_too(new_house: Build) -> None:
    house = new_house(messages_per_second=1, burst=1)
    house.door.read_ahead.bytes = 100_000
    scripts = [house.stranger() for _ in range(4)]
    for script in scripts * 2:
        script.says(b"y\n" * 30_000)
    house.until(lambda: house.door.read_ahead.used >= 100_000)
    house.until(lambda: not any(reads(script) for script in scripts))

    assert house.door.read_ahead.used < 100_000 + module.RECEIVE_BYTES


def test_nothing_is_written_to_a_peer_while_it_sends_many_lines(new_house: Build) -> None:
    house = new_house(messages_per_second=500, burst=500)
    bob, script = house.guest("bob"), house.guest("script")
    script.says(b"one\ntwo\n")
    house.until(lambda: house.said == ["one", "two"])
    bob.says(b"for the script\n")
    house.until(lambda: script.session.blocked)
    script.listens()
    before = script.heard
    script.hears(b"bob: for the script\n")

    assert before == b""


def test_a_peer_that_sends_one_line_at_a_time_is_answered_at_once(new_house: Build) -> None:
    house = new_house(messages_per_second=500, burst=500)
    script = house.guest("script")
    script.says(b"/whois\n")
    script.hears(b"-- script")

    assert connection_of(script.session)._hearing_since is None


def test_a_peer_that_never_pauses_is_written_to_all_the_same(new_house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAR_OUT_SECONDS", 0.2)
    house = new_house(messages_per_second=500, burst=500)
    bob, script = house.guest("bob"), house.guest("script")
    bob.says(b"for the script\n")
    house.until(lambda: house.said)

    def heard() -> bool:
        script.sock.send(b"x\ny\n")
        script.listens()
        return b"bob: for the script\n" in script.heard

    house.until(heard)


def test_half_a_line_that_was_read_ahead_of_a_reset_is_not_said(new_house: Build) -> None:
    house = new_house(messages_per_second=100, burst=1)
    script = house.stranger()
    script.says(b"one\n", b"two\n", b"three\nhal", b"f")
    house.until(lambda: script.session.bytes_in == 18)
    script.resets()
    house.until(lambda: script.session.closed)

    assert house.said == ["one", "two", "three"]
