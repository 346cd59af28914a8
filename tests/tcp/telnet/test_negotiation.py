"""What a telnet peer agrees to and tells of its terminal."""

import pytest

from gateway.tcp.telnet.negotiation import TYPE_QUESTIONS, Negotiation, variables
from gateway.tcp.telnet.q_method import DO, DONT, ECHO, IAC, NAWS, NEW_ENVIRON, SB, SE, SGA, TTYPE, WILL, WONT

ASKS_TYPE = bytes((IAC, SB, TTYPE, 1, IAC, SE))


def says(*codes: int) -> bytes:
    """A command of three bytes for each pair."""
    return b"".join(bytes((IAC, *codes[at : at + 2])) for at in range(0, len(codes), 2))


def tells(option: int, payload: bytes) -> bytes:
    """A subnegotiation."""
    return bytes((IAC, SB, option)) + payload.replace(b"\xff", b"\xff\xff") + bytes((IAC, SE))


def offered() -> Negotiation:
    """A negotiation whose offers have gone out."""
    negotiation = Negotiation()
    negotiation.offer_echo()
    negotiation.ask()
    negotiation.replies()
    return negotiation


def named(*names: bytes) -> Negotiation:
    """A peer that agrees to the echo and gives these names when it is asked for its type."""
    negotiation = offered()
    negotiation.feed(says(DO, SGA, DO, ECHO, WONT, NAWS, WONT, NEW_ENVIRON, WILL, TTYPE))
    for name in names:
        assert ASKS_TYPE in negotiation.replies()
        negotiation.feed(tells(TTYPE, b"\0" + name))
    return negotiation


def test_all_is_offered_in_one_go() -> None:
    negotiation = Negotiation()
    negotiation.offer_echo()
    negotiation.ask()

    assert negotiation.replies() == says(WILL, SGA, WILL, ECHO, DO, NAWS, DO, TTYPE, DO, NEW_ENVIRON)
    assert not negotiation.settled


def test_a_peer_that_refuses_everything_is_settled_at_once() -> None:
    negotiation = offered()
    negotiation.feed(says(DONT, SGA, DONT, ECHO, WONT, NAWS, WONT, TTYPE, WONT, NEW_ENVIRON))

    assert negotiation.settled and not negotiation.echoes and not negotiation.replies()


@pytest.mark.parametrize(
    ("answers", "half"),
    [
        (says(DO, ECHO), True),  # with or without an answer about SGA the peer hides what is typed
        (says(DO, SGA), False),  # ECHO comes next
        (says(DO, SGA, DONT, ECHO), True),
        (says(DONT, SGA, DO, ECHO), True),
        (says(DO, ECHO, DO, SGA), False),
        (says(DONT, SGA, DONT, ECHO), False),
    ],
)
def test_half_an_echo_is_noticed(answers: bytes, half: bool) -> None:
    negotiation = offered()
    negotiation.feed(answers)

    assert negotiation.echoes_by_half is half


def test_a_telnet_program_is_known_by_its_terminal() -> None:
    negotiation = named(b"XTERM-256COLOR", b"XTERM-256COLOR")

    assert negotiation.settled and negotiation.echoes and negotiation.moves_cursor and negotiation.shows_colors
    assert not negotiation.sends_lines
    assert negotiation.program == "XTERM-256COLOR"


def test_a_mud_client_is_known_by_mtts() -> None:
    negotiation = named(b"SOMECLIENT", b"XTERM", b"MTTS 67")

    assert negotiation.settled and negotiation.sends_lines and negotiation.reads_aloud and negotiation.shows_colors
    assert negotiation.program == "SOMECLIENT XTERM"


@pytest.mark.parametrize("name", [b"TINTIN++", b"Mudlet 4.17", b"MUSHCLIENT"])
def test_a_mud_client_is_known_by_its_first_name(name: bytes) -> None:
    assert named(name).sends_lines


def test_a_client_that_never_repeats_its_name_is_not_asked_for_ever() -> None:
    negotiation = named(*[b"T%d" % number for number in range(TYPE_QUESTIONS)])

    assert negotiation.settled and not negotiation.replies()


def test_a_dumb_terminal_is_not_drawn_on() -> None:
    negotiation = named(b"DUMB", b"DUMB")

    assert not negotiation.moves_cursor and not negotiation.shows_colors


@pytest.mark.parametrize("width", [80, 255, 256, 511, 65535])
@pytest.mark.parametrize("height", [24, 255, 240])
@pytest.mark.parametrize("doubled", [True, False])
def test_a_window_is_read_with_its_bytes_doubled_or_not_however_it_is_cut(
    width: int, height: int, doubled: bool
) -> None:
    payload = width.to_bytes(2, "big") + height.to_bytes(2, "big")
    size = bytes((IAC, SB, NAWS)) + (payload.replace(b"\xff", b"\xff\xff") if doubled else payload) + bytes((IAC, SE))
    for cut in range(len(size) + 1):
        negotiation = offered()
        negotiation.feed(says(WILL, NAWS))
        text = [*negotiation.feed(size[:cut]), *negotiation.feed(size[cut:] + b"hi")]

        assert b"".join(piece for piece in text if isinstance(piece, bytes)) == b"hi"
        assert (negotiation.width, negotiation.height) == (width, height)


RECORDS = {
    "PuTTY 0.78": (
        "ff fb 1f ff fb 20 ff fb 18 ff fb 27 ff fd 01 ff fb 03 ff fd 03 ff fa 1f 00 50 00 18 ff f0"
        "ff fa 18 00 58 54 45 52 4d ff f0  ff fa 18 00 58 54 45 52 4d ff f0"
        "ff fa 27 00 00 55 53 45 52 01 72 6f 6f 74 ff f0  68 69 0d 00",
        "XTERM",
    ),
    "inetutils 2.4": (
        "ff fd 03 ff fd 01 ff fb 1f ff fa 1f 00 50 00 18 ff f0 ff fb 18 ff fb 27"
        "ff fa 18 00 58 54 45 52 4d 2d 32 35 36 43 4f 4c 4f 52 ff f0"
        "ff fa 18 00 58 54 45 52 4d 2d 32 35 36 43 4f 4c 4f 52 ff f0"
        "ff fa 27 00 03 4c 41 4e 47 03 4e 4f 5f 43 4f 4c 4f 52 ff f0  68 69 0d 00",
        "XTERM-256COLOR",
    ),
    "telnet-ssl 0.17": (
        "ff fd 03 ff fd 01 ff fb 1f ff fa 1f 00 50 00 18 ff f0 ff fb 18 ff fb 27"
        "ff fa 18 00 78 74 65 72 6d 2d 32 35 36 63 6f 6c 6f 72 ff f0"
        "ff fa 18 00 78 74 65 72 6d 2d 32 35 36 63 6f 6c 6f 72 ff f0  ff fa 27 00 ff f0  68 69 0d 00",
        "xterm-256color",
    ),
}
"""What programs sent to our offers, recorded from Debian 12's plink (PuTTY on Windows begins with the same 21 bytes),
telnet and telnet-ssl, up to the line `hi`; and the terminal that each has named."""


@pytest.mark.parametrize("program", RECORDS)
def test_the_bytes_of_real_clients_mean_the_same_wherever_they_are_cut(program: str) -> None:
    dump, terminal = RECORDS[program]
    sent = bytes.fromhex(dump)
    for cut in range(len(sent) + 1):
        negotiation = offered()
        pieces = [*negotiation.feed(sent[:cut]), *negotiation.feed(sent[cut:])]

        assert b"".join(piece for piece in pieces if isinstance(piece, bytes)) == b"hi\r\0", cut
        assert negotiation.settled and negotiation.echoes and not negotiation.sends_lines, cut
        assert (negotiation.size, negotiation.terminal, negotiation.lang) == ("80x24", terminal, ""), cut
        assert (says(DONT, 32) in negotiation.replies()) is program.startswith("PuTTY"), cut  # its TSPEED is refused


def test_variables_are_asked_for_and_read() -> None:
    negotiation = offered()
    negotiation.feed(says(WILL, NEW_ENVIRON))
    asked = negotiation.replies()
    negotiation.feed(tells(NEW_ENVIRON, b"\0\0LANG\1ru_RU.KOI8-R\3NO_COLOR\0011"))

    assert asked.startswith(bytes((IAC, SB, NEW_ENVIRON, 1))) and b"NO_COLOR" in asked
    assert negotiation.other_charset == "KOI8-R" and negotiation.no_color


@pytest.mark.parametrize("lang", [b"de_DE.UTF-8", b"C.utf8", b"C", b""])
def test_utf8_and_no_charset_are_no_other_charset(lang: bytes) -> None:
    negotiation = offered()
    negotiation.feed(says(WILL, NEW_ENVIRON) + tells(NEW_ENVIRON, b"\0\0LANG\1" + lang))

    assert negotiation.other_charset == ""


def test_variables_may_hold_escaped_bytes_and_lack_values() -> None:
    assert variables(b"\0A\2\1B\1x\3C\0D\1\1") == [(b"A\1B", b"x"), (b"C", b""), (b"D", b"")]


def test_a_value_before_any_name_is_dropped() -> None:
    assert variables(b"\1lost\0A\1x") == [(b"A", b"x")]


def test_charset_is_refused() -> None:
    negotiation = offered()
    negotiation.feed(says(WILL, 42, DO, 42))

    assert negotiation.replies() == says(DONT, 42, WONT, 42)


def test_names_pass_the_gate() -> None:
    assert named(b"x\x1b[31mterm" + b"y" * 100).terminal.isprintable()
