"""A terminal's connection over a real hub and real sockets."""

import socket
from collections.abc import Callable

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.tcp import connection as module
from gateway.tcp.server import READ, WRITE
from tests.tcp.house import House, connection_of, turn_until

Build = Callable[..., House]


# Hearing and speaking


def test_a_line_reaches_the_others_and_not_its_author(house: House) -> None:
    ana, bob = house.guest("ana"), house.guest("bob")
    ana.says(b"hello from netcat\n")
    bob.hears(b"ana: hello from netcat\n")
    bob.says(b"hi ana\n")
    ana.hears(b"bob: hi ana\n")

    assert b"hello from netcat" not in ana.heard


def test_a_peer_that_waits_is_greeted(house: House) -> None:
    stranger = house.stranger()
    stranger.hears(b"/help lists the rest")

    assert stranger.heard.startswith(b"-- ")


def test_a_peer_that_speaks_first_is_not_greeted(house: House) -> None:
    script = house.stranger()
    script.says(b"/time\n")
    script.says_no_more()

    assert b"You are" not in script.hears_all()


@pytest.mark.parametrize("door", [Door.TCP, Door.TELNET])
@pytest.mark.parametrize("pace", [{}, {"messages_per_second": 100.0}], ids=["no rate", "a rate"])
@pytest.mark.parametrize("negotiation", [b"\xff\xfb\x1f\xff\xfb\x18", b"\xff\xfd\x03", b"\xff"])
def test_a_client_that_only_negotiates_is_greeted_with_the_history(
    new_house: Build, door: Door, pace: dict[str, float], negotiation: bytes
) -> None:
    house = new_house(door, **pace)
    house.guest("ana").says(b"said before\n")
    house.until(lambda: house.said)
    putty = house.stranger()
    putty.says(negotiation)

    putty.hears(b"/help lists the rest")
    putty.hears(b"ana: said before")


@pytest.mark.parametrize("door", [Door.TCP, Door.TELNET])
@pytest.mark.parametrize("text", [b"hi\n", b"hi", b"\r\n"])
def test_a_peer_that_negotiates_and_then_speaks_is_not_greeted(new_house: Build, door: Door, text: bytes) -> None:
    script = new_house(door).stranger()
    script.says(b"\xff\xfb\x1f" + text)
    script.says_no_more()

    assert script.session.greeted
    assert b"You are" not in script.hears_all()


def test_a_paste_may_have_a_line_as_long_as_itself(house: House) -> None:
    ana, bob = house.guest("ana"), house.guest("bob")
    line = b'{"build": "' + b"x" * 50_000 + b'"}'
    ana.says(b"/paste\n" + line + b"\n.\nafter it\n")
    bob.hears(b"ana| \xe2\x80\xa6 49,013 more bytes")
    bob.hears(b"ana: after it\n")

    ana.says(b"x" * 5_000 + b"\nand on\n")
    ana.hears(b"!! too_long: more than 4,096 bytes in a line")
    bob.hears(b"ana: and on\n")


def test_a_character_cut_between_two_packets_stays_one(house: House) -> None:
    ana, bob = house.guest("ana"), house.guest("bob")
    ana.says(b"\xf0\x9f", b"\x98\x80\n")

    bob.hears("ana: 😀\n".encode())


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\0"])
def test_a_line_cut_at_every_byte_is_the_same_line(house: House, end: bytes) -> None:
    ana = house.guest("ana")
    line = "grüß dich".encode() + end
    for cut in range(1, len(line)):
        ana.says(line[:cut], line[cut:])
    house.until(lambda: len(house.said) == len(line) - 1)

    assert set(house.said) == {"grüß dich"}


# The peer's end


@pytest.mark.parametrize("last", [b"two\n", b"two"], ids=["with newline", "without"])
def test_after_half_close_all_it_sent_is_said_and_the_connection_closed(house: House, last: bytes) -> None:
    script = house.stranger()
    script.says(b"one\n" + last)
    script.says_no_more()
    script.hears_all()

    assert house.said == ["one", "two"]


def test_after_half_close_answers_still_come(house: House) -> None:
    script = house.stranger()
    script.says(b"/nick bob\n/topic\n")
    script.says_no_more()

    assert b"bob" in script.hears_all()


def test_nothing_owed_is_closed_at_once(house: House) -> None:
    silent = house.stranger()
    silent.says_no_more()

    assert silent.hears_all() == b""
    house.until(lambda: not house.admission.count)


def test_a_half_closed_peer_is_not_watched_for_input_any_more(house: House) -> None:
    script = house.stranger()
    script.session.owe(b"x" * 10_000_000)
    script.says_no_more()
    house.until(lambda: script.session.ending)

    assert connection_of(script.session).events == WRITE


def test_lines_that_came_before_a_reset_are_said(house: House) -> None:
    caller = house.guest("ana")
    caller.sock.send(b"last words\n")
    caller.resets()

    house.until(lambda: house.said == ["last words"])


def test_half_a_line_before_a_reset_is_not_said(house: House) -> None:
    caller = house.guest("ana")
    caller.sock.send(b"whole\nhal")
    caller.resets()
    house.until(lambda: not house.admission.count)

    assert house.said == ["whole"]


def test_a_failing_write_does_not_lose_the_last_lines(house: House) -> None:
    caller = house.guest("ana")
    transport = caller.session.transport
    caller.sock.send(b"one\ntwo\n")
    caller.resets()
    swallowed = transport.send(b"answer")
    house.until(lambda: not house.admission.count)

    assert swallowed == len(b"answer")
    assert house.said == ["one", "two"]


# Farewells


def test_a_farewell_is_written_then_shut_down(house: House) -> None:
    caller = house.guest("ana")
    house.hub.close(caller.session, CloseReason.KICKED, "enough")

    assert caller.hears_all() == b"!! kicked: enough\n"


def test_input_that_nobody_read_does_not_destroy_the_farewell(house: House) -> None:
    caller = house.guest("ana")
    caller.sock.send(b"still talking\n" * 10_000)
    house.hub.close(caller.session, CloseReason.KICKED, "enough")

    assert caller.hears_all() == b"!! kicked: enough\n"
    assert not house.said


def test_a_long_farewell_reaches_a_slow_reader_in_full(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXPELLED_LINGER", 3600.0)  # a busy machine may need longer than the 0.9 s
    caller = house.guest("ana", receive_buffer=4096)
    caller.session.owe(b"x" * 3_000_000)
    house.hub.close(caller.session, CloseReason.KICKED, "enough")

    assert caller.hears_all() == b"x" * 3_000_000 + b"!! kicked: enough\n"


def test_a_kicked_peer_that_does_not_read_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 3600.0)
    caller = house.guest("ana", receive_buffer=4096)
    caller.session.owe(b"x" * 30_000_000)
    house.hub.close(caller.session, CloseReason.KICKED, "enough")

    turn_until(house.server, lambda: house.admission.count == 0)


def test_the_socket_is_let_go_when_the_peer_closes_too(house: House) -> None:
    caller = house.guest("ana")
    caller.says(b"/quit\n")
    caller.hears_all()
    caller.sock.close()

    house.until(lambda: not house.admission.count)


def test_a_peer_that_never_closes_is_let_go_all_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.05)
    caller = house.guest("ana")
    caller.says(b"quit\n")

    house.until(lambda: not house.admission.count)


def test_what_is_sent_after_quit_is_read_and_dropped(house: House) -> None:
    caller = house.guest("ana")
    caller.says(b"before\nquit\nafter\n", b"long after\n")
    caller.hears_all()

    assert house.said == ["before"]


def test_a_closed_connection_takes_everything_and_does_nothing(house: House) -> None:
    caller = house.guest("ana")
    transport = connection_of(caller.session)
    transport.finish()
    transport.finish()
    transport.close(CloseReason.LEFT, "bye")
    transport.ready(READ | WRITE)

    assert transport.send(b"words") == len(b"words")


def test_a_stale_event_does_not_touch_the_next_connection_with_that_number(house: House) -> None:
    old = connection_of(house.guest("ana").session)
    number = old.sock.fileno()
    second = house.knocks(b"here\n")
    old.finish()
    house.until(lambda: house.hub.sessions)
    (session,) = house.hub.sessions.values()
    old.ready(READ | WRITE)
    old.finish()

    assert connection_of(session).sock.fileno() == number
    house.until(lambda: house.said == ["here"] and not second.ended)


def test_what_goes_wrong_in_one_connection_ends_only_that_one(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, expected_errors: list[str]
) -> None:
    expected_errors.append(" failed\n")
    ana, bob = house.guest("ana"), house.guest("bob")
    monkeypatch.setattr(connection_of(ana.session).lines.__class__, "feed", broken)
    ana.says(b"x\n")
    house.until(lambda: ana.session.closed)
    monkeypatch.undo()
    bob.says(b"still here\n")

    house.until(lambda: house.said == ["still here"])
    assert [record.levelname for record in caplog.records if record.levelname != "INFO"] == ["ERROR"]


def broken(*_: object) -> None:
    raise RuntimeError("a bug")


# Pace and fairness


def test_a_peer_that_is_too_fast_is_handled_slowly_and_loses_nothing(new_house: Build) -> None:
    house = new_house(messages_per_second=200, burst=5)
    script = house.stranger()
    script.says(b"".join(b"%d\n" % number for number in range(40)))
    script.says_no_more()
    house.until(lambda: script.session.held)
    script.hears_all()

    assert house.said == [str(number) for number in range(40)]


def test_a_thousand_lines_at_once_do_not_delay_anothers_line(house: House) -> None:
    ana, bob = house.guest("ana"), house.guest("bob")
    ana.says(b"a\n" * 1000)
    bob.says(b"b\n")
    house.until(lambda: len(house.said) == 1001)

    assert house.said.index("b") <= 3 * module.LINES_PER_TURN


def test_empty_lines_are_ignored(house: House) -> None:
    ana = house.guest("ana")
    ana.says(b"\n\r\n\n" * 1000 + b"word\n")

    house.until(lambda: house.said == ["word"])


def test_a_line_too_long_is_one_error_and_the_next_line_works(house: House) -> None:
    ana = house.guest("ana")
    ana.says(*[b"x" * 65536] * 32, b"\nnext\n")
    house.until(lambda: house.said == ["next"])
    ana.hears(b"\n")

    assert ana.heard.count(b"!! too_long: ") == 1


# Peers that do not read


def test_a_stuck_reader_delays_nobody_and_is_not_cut(new_house: Build) -> None:
    house = new_house(log_messages=100)
    stuck, ana, bob = house.guest("stuck", receive_buffer=4096), house.guest("ana"), house.guest("bob")
    for number in range(40):
        ana.says((b"%d " % number + b"x" * 3000 + b"\n") * 10)
        bob.hears(b"ana: %d " % number)
    behind = stuck.session.lag()
    ana.says(b"the end\n")
    stuck.hears(b"ana: the end\n")

    assert behind[0] > 100
    assert b" lines skipped: /since " in stuck.heard


def test_ctrl_s_for_a_while_loses_nothing_that_the_log_holds(house: House) -> None:
    reader, ana = house.guest("reader", receive_buffer=4096), house.guest("ana")
    lines = [b"%d " % number + b"y" * 3000 for number in range(300)]
    ana.says(*[line + b"\n" for line in lines])
    house.until(lambda: len(house.said) == 300)
    reader.hears(lines[-1])

    assert reader.heard == b"".join(b"ana: " + line + b"\n" for line in lines)


# Telnet


def test_the_plain_door_sends_no_telnet_byte_until_the_peer_has(house: House) -> None:
    stranger = house.stranger()
    stranger.hears(b"/help")
    before = stranger.heard
    stranger.says(b"\xff\xfd\x03hello\n")
    stranger.hears(b"\xff\xfc\x03")

    assert b"\xff" not in before
    house.until(lambda: house.said == ["hello"])


def test_telnet_commands_cut_at_every_byte_leave_the_line_whole(house: House) -> None:
    naws = b"\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0hi\n"
    for cut in range(1, len(naws)):
        caller = house.stranger()
        caller.says(naws[:cut], naws[cut:])
        caller.says_no_more()
        caller.hears_all()

    assert house.said == ["hi"] * (len(naws) - 1)


def test_ctrl_c_with_urgent_data_leaves_the_line_whole(house: House) -> None:
    caller = house.guest("ana")
    caller.says(b"\xff\xf4\xff")
    caller.sock.send(b"\xf2", socket.MSG_OOB)
    caller.says(b"hello\n")

    house.until(lambda: house.said == ["hello"])


def test_a_subnegotiation_without_end_closes(house: House) -> None:
    caller = house.stranger()
    caller.says(b"\xff\xfa" + b"\x22" * 1000)

    assert caller.hears_all().startswith(b"!! bad_message: ")


def test_are_you_there_is_answered_once_a_packet(house: House) -> None:
    caller = house.guest("ana")
    caller.says(b"\xff\xf6" * 1000 + b"hi\n")
    house.until(lambda: house.said == ["hi"])
    caller.hears(b"\n")

    assert caller.heard == b"-- still here\n"


def test_the_telnet_door_ends_lines_with_cr_lf(new_house: Build) -> None:
    house = new_house(Door.TELNET)
    ana, bob = house.guest("ana"), house.guest("bob")
    ana.says(b"hello\r\n")
    bob.hears(b"ana: hello\r\n")

    assert bob.heard.count(b"\n") == bob.heard.count(b"\r\n")


# Refused at the door


def test_a_newcomer_to_a_full_gateway_is_told_in_one_line(house: House) -> None:
    house.admission.connections = 1
    ana = house.guest("ana")
    late = house.knocks()

    assert late.hears_all() == b"!! full: try again in 30 s\n"
    assert not ana.session.closed


def test_a_place_that_was_left_is_free_again(house: House) -> None:
    house.admission.connections = 1
    house.guest("ana").resets()
    house.until(lambda: not house.admission.count)

    assert house.guest("bob")


def test_a_refusal_survives_input_that_nobody_reads(house: House) -> None:
    house.admission.connections = 1
    ana = house.guest("ana")
    script = house.knocks(b"echo\n" * 1000)

    assert script.hears_all() == b"!! full: try again in 30 s\n"
    assert not ana.session.closed
