"""The telnet door: what it offers, and how peers that take it or not are served."""

from collections.abc import Callable

import pytest

from gateway.core.protocol.message import Door
from gateway.tcp.telnet import telnet_session
from gateway.tcp.telnet.q_method import DO, DONT, ECHO, NAWS, NEW_ENVIRON, SGA, TTYPE, WILL, WONT
from tests.tcp.house import Caller, Guest, House
from tests.tcp.telnet.test_negotiation import says, tells

Build = Callable[..., House]
OFFER = says(DO, NAWS, DO, TTYPE, DO, NEW_ENVIRON)
REFUSAL = says(DONT, SGA, DONT, ECHO, WONT, NAWS, WONT, TTYPE, WONT, NEW_ENVIRON)


@pytest.fixture
def house(new_house: Build) -> House:
    """A house with a telnet door."""
    return new_house(Door.TELNET)


def test_a_peer_that_says_nothing_is_offered_telnet_and_greeted_without_an_answer(house: House) -> None:
    stranger = house.stranger()
    stranger.hears(b"/quit leaves")

    assert OFFER in stranger.heard
    assert stranger.heard.index(OFFER) < stranger.heard.index(b"-- You are")
    stranger.says(b"hi\r\n")
    house.until(lambda: house.said == ["hi"])


def test_a_peer_that_refuses_is_greeted_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telnet_session, "ANSWER_SECONDS", 1000.0)
    stranger = house.stranger()
    stranger.hears(OFFER)
    stranger.says(REFUSAL)
    stranger.hears(b"/quit leaves")


def test_a_script_is_offered_nothing(house: House) -> None:
    caller = house.stranger()
    caller.says(b"hi\n/who\n")
    caller.says_no_more()

    assert b"\xff" not in caller.hears_all()
    assert house.said == ["hi"]


def test_a_script_without_a_line_s_end_is_offered_nothing_either(house: House) -> None:
    caller = house.stranger()
    caller.says(b"hi")
    caller.says_no_more()

    assert b"\xff" not in caller.hears_all()
    assert house.said == ["hi"]


def test_a_client_without_the_editor_erases_with_telnets_commands(house: House) -> None:
    caller = house.stranger()
    caller.says(b"abc\xff\xf7d\nno\xff\xf8yes\n")
    house.until(lambda: len(house.said) == 2)

    assert house.said == ["abd", "yes"]


def test_the_terminal_is_shown_to_operators(house: House) -> None:
    stranger = house.stranger()
    stranger.hears(OFFER)
    stranger.says(says(WILL, NAWS) + tells(NAWS, b"\0\x84\0\x2b") + says(WILL, TTYPE), tells(TTYPE, b"\0XTERM"))
    stranger.says(tells(TTYPE, b"\0XTERM"))

    def shown() -> bool:
        traits = stranger.session.transport.traits()
        return (traits.terminal, traits.agent) == ("132x43", "XTERM") and "peer NAWS" in traits.telnet

    house.until(shown)


def test_only_a_peer_that_negotiated_is_kept_alive(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telnet_session, "NOP_EVERY", 0.05)
    silent, telnet = house.stranger(), house.stranger()
    telnet.hears(OFFER)
    telnet.says(says(WILL, NAWS))
    silent.hears(b"/quit leaves")
    telnet.hears(b"\xff\xf1" * 2)
    silent.listens()

    assert b"\xff\xf1" not in silent.heard


def test_negotiation_cut_at_every_byte_leaves_the_line_whole(house: House) -> None:
    answer = says(DO, SGA, WILL, NAWS) + tells(NAWS, b"\0\xff\0\x18") + says(WONT, TTYPE) + b"hi\r\n"
    for cut in range(1, len(answer)):
        caller = house.stranger()
        caller.hears(OFFER)
        caller.says(answer[:cut], answer[cut:])
        caller.says(b"/quit\r\n")
        caller.hears_all()

    assert house.said == ["hi"] * (len(answer) - 1)


def test_a_key_pressed_before_the_answers_does_not_hold_them_up(house: House) -> None:
    caller: Caller = house.stranger()
    caller.hears(OFFER)
    caller.says(b"h" + says(WILL, TTYPE))
    caller.hears(tells(TTYPE, b"\1"))


AGREEMENT = says(DO, SGA, DO, ECHO, WONT, NAWS, WONT, TTYPE, WONT, NEW_ENVIRON)


def agreeing(house: House) -> Guest:
    """A peer that leaves the echo to the gateway, and has been greeted."""
    caller = house.stranger()
    caller.hears(OFFER)
    caller.says(AGREEMENT)
    caller.hears(b"> ")
    caller.hears(b"/quit leaves")
    return caller


def test_a_peer_that_agrees_gets_the_editor(house: House) -> None:
    caller = agreeing(house)
    caller.says(b"h", b"i")
    caller.hears(b"hi")
    caller.says(b"\r\0")

    house.until(lambda: house.said == ["hi"])


def test_a_client_that_goes_on_sending_whole_lines_gets_its_echo_back(house: House) -> None:
    caller = agreeing(house)
    caller.says(b"hello there\r\n")
    caller.hears(says(WONT, ECHO))
    caller.forgets()
    caller.says(says(DONT, SGA, DONT, ECHO), b"again\r\n")
    house.until(lambda: house.said == ["hello there", "again"])
    caller.listens()

    assert b"\x1b" not in caller.heard and b"> " not in caller.heard


@pytest.mark.parametrize("half", [says(DONT, SGA, DO, ECHO), says(DO, SGA, DONT, ECHO)])
def test_of_a_client_that_agrees_to_one_half_of_the_echo_that_is_taken_back(house: House, half: bytes) -> None:
    caller = house.stranger()
    caller.hears(OFFER)
    caller.says(half + says(WONT, NAWS, WONT, TTYPE, WONT, NEW_ENVIRON))
    caller.hears(says(WONT, ECHO) if says(DO, ECHO) in half else says(WONT, SGA))
    caller.hears(b"/quit leaves")

    assert b"> " not in caller.heard


def test_a_mud_client_that_names_itself_keeps_its_echo(house: House) -> None:
    caller = house.stranger()
    caller.hears(OFFER)
    caller.says(says(DO, SGA, DO, ECHO, WONT, NAWS, WILL, TTYPE, WONT, NEW_ENVIRON))
    caller.hears(tells(TTYPE, b"\1"))
    caller.says(tells(TTYPE, b"\0Mudlet 4.17"), tells(TTYPE, b"\0Mudlet 4.17"))
    caller.hears(says(WONT, ECHO))
    caller.hears(b"/quit leaves")

    assert b"> " not in caller.heard


def test_a_client_that_begins_by_itself_is_offered_the_echo_only_when_it_has_answered(house: House) -> None:
    caller = house.stranger()
    caller.says(says(WILL, TTYPE))
    caller.hears(tells(TTYPE, b"\1"))
    before = caller.heard
    caller.says(says(WONT, NAWS, WONT, NEW_ENVIRON) + tells(TTYPE, b"\0XTERM"), tells(TTYPE, b"\0XTERM"))
    caller.hears(says(WILL, SGA, WILL, ECHO))

    assert says(WILL, ECHO) not in before


def test_a_dumb_terminal_is_served_in_lines(house: House) -> None:
    caller = house.stranger()
    caller.hears(OFFER)
    caller.says(says(DO, SGA, DO, ECHO, WONT, NAWS, WILL, TTYPE, WONT, NEW_ENVIRON))
    caller.says(tells(TTYPE, b"\0DUMB"), tells(TTYPE, b"\0DUMB"))
    caller.hears(says(WONT, ECHO))
    caller.hears(b"/quit leaves")

    assert b"\x1b" not in caller.heard


def test_another_protocol_is_told_so_at_the_telnet_door(house: House) -> None:
    caller = house.stranger()
    caller.says(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert caller.hears_all().startswith(b"HTTP/1.1 400 ")


# What is set at the plain door


def test_with_hold_on_the_others_wait_for_enter(new_house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telnet_session, "HOLD_OPEN", 0.05)
    house = new_house()
    ana, bob = house.guest("ana"), house.guest("bob")
    ana.says(b"/hold on\n")
    ana.hears(b"wait until you press Enter")
    now = house.hub.clock.now()
    house.until(lambda: house.hub.clock.now() - now > 0.1)
    bob.says(b"one\n", b"two\n")
    house.until(lambda: len(house.said) == 2)
    house.until(lambda: ana.session.blocked)
    ana.listens()
    waited = b"one" not in ana.heard
    ana.says(b"\n")
    ana.hears(b"bob: one\nbob: two\n")

    assert waited


def test_with_hold_on_a_private_message_is_told_of_once(new_house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telnet_session, "HOLD_OPEN", 0.05)
    house = new_house()
    ana, bob, eve = house.guest("ana"), house.guest("bob"), house.guest("eve")
    ana.says(b"/ignore eve\n/bell on\n/hold on\n")
    ana.hears(b"wait until you press Enter")
    now = house.hub.clock.now()
    house.until(lambda: house.hub.clock.now() - now > 0.1)
    ana.forgets()
    bob.says(b"hello\n")
    house.until(lambda: ana.session.blocked)
    eve.says(b"/msg ana psst\n")
    eve.hears(b"-> ana] psst")
    ana.listens()
    ignored = ana.heard
    bob.says(b"/msg ana one\n/msg ana two\n")
    ana.hears(b"press Enter to see it\n")
    bob.hears(b"-> ana] two")
    ana.listens()
    told = ana.heard
    ana.says(b"\n")
    ana.hears(b"[bob -> you] two\n")

    assert not ignored and told == b"\a-- a private message waits: press Enter to see it\n"


def test_who_is_ignored_is_not_seen(new_house: Build) -> None:
    house = new_house()
    ana, bob, eve = house.guest("ana"), house.guest("bob"), house.guest("eve")
    ana.says(b"/ignore bob\n")
    ana.hears(b"bob\n")
    bob.says(b"hello\n")
    house.until(lambda: house.said == ["hello"])
    eve.says(b"hi\n")
    ana.hears(b"eve: hi\n")

    assert b"bob: hello" not in ana.heard


def test_a_raw_terminal_at_the_plain_door_gets_the_editor_and_leaves_it(new_house: Build) -> None:
    house = new_house()
    ana = house.guest("ana")
    ana.says(b"/mode char\n")
    ana.hears(b"[lobby] ana> ")
    ana.says(b"helo", b"\x1b[D", b"l", b"\r")
    house.until(lambda: house.said == ["hello"])
    ana.says(b"/mode line\r")
    ana.hears(b"whole lines from now on")
    ana.forgets()
    ana.says(b"again\n")
    house.until(lambda: house.said == ["hello", "again"])
    ana.listens()

    assert ana.heard == b""


def test_plain_on_at_the_telnet_door_gives_the_echo_back(house: House) -> None:
    caller = agreeing(house)
    caller.says(b"/plain on\r\0")
    caller.hears(says(WONT, ECHO))
    caller.says(says(DONT, SGA, DONT, ECHO))
    caller.forgets()
    caller.says(b"/plain off\r\n")
    caller.hears(says(WILL, SGA, WILL, ECHO))
    caller.forgets()
    caller.says(says(DO, SGA, DO, ECHO))
    caller.hears(b"> ")


def test_names_have_colors_and_ones_own_is_bold_in_the_editor(house: House) -> None:
    caller = agreeing(house)
    bob = house.guest("bob")
    bob.says(f"hello {caller.session.nick}\n".encode())
    caller.hears(b"mbob\x1b[39m: hello \x1b[1mguest-")
    caller.says(b"/color off\r\0")
    caller.hears(b"no colours")
    bob.says(b"again\n")
    caller.hears(b"bob: again")
