"""The telnet parser: text between commands, and answers that end, whatever is sent and however it is cut."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tcp.telnet.parser import (
    NEGOTIATIONS,
    SUBNEGOTIATION_BYTES,
    Event,
    Signal,
    Subnegotiation,
    Telnet,
    Violation,
)
from gateway.tcp.telnet.q_method import DO, DONT, ECHO, IAC, NAWS, SB, SE, SGA, TTYPE, WILL, WONT, Settled, Side

EXAMPLES = [
    b"plain text\r\n",
    b"a\xff\xffb",
    b"\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0hi\n",
    b"\xff\xfb\x01hello\n",
    b"\xff\xf4\xff\xf2\xff\xfd\x06hello\n",
    b"\xff\xfa\x22\x03" + b"\x12\x0f\x41" * 60 + b"\xff\xf0\n",
    b"\xff\xfa\x27\x00\x00USER\x01-f root\xff\xf0\n",
    b"\xff\xfa\x18\x00A\xff\xffB\xff\xf0x",
    b"\xff\xfa\x1fbroken\xff\xfb\x03x\n",
    b"\xff\x01\xff\xf1x\xff\n\xff\xf9",
    b"".join(bytes((IAC, WILL, option)) for option in range(256)) + b"x",
]


def telnet() -> Telnet:
    return Telnet(spoken=True)


def editor() -> Telnet:
    return Telnet(ours={ECHO, SGA}, theirs={NAWS, TTYPE, SGA}, spoken=True)


def text_of(events: Iterable[object]) -> bytes:
    return b"".join(event for event in events if isinstance(event, bytes))


def fed(parser: Telnet, *chunks: bytes) -> tuple[bytes, bytes, list[Event]]:
    """Text, replies and events of a whole input."""
    pieces = [piece for chunk in chunks for piece in parser.feed(chunk)]
    events = [piece for piece in pieces if not isinstance(piece, bytes)]
    return text_of(pieces) + parser.rest(), parser.replies(), events


def says(*commands: tuple[int, int]) -> bytes:
    return b"".join(bytes((IAC, *command)) for command in commands)


@pytest.mark.parametrize("data", EXAMPLES)
@pytest.mark.parametrize("make", [telnet, editor, Telnet])
def test_a_cut_at_any_byte_changes_nothing(data: bytes, make: type[Telnet]) -> None:
    whole = fed(make(), data)
    assert fed(make(), *(data[at : at + 1] for at in range(len(data)))) == whole
    for cut in range(1, len(data)):
        assert fed(make(), data[:cut], data[cut:]) == whole


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (EXAMPLES[1], b"a\xffb"),
        (EXAMPLES[2], b"hi\n"),
        (EXAMPLES[3], b"hello\n"),
        (EXAMPLES[4], b"hello\n"),
        (EXAMPLES[5], b"\n"),
        (EXAMPLES[6], b"\n"),
        (EXAMPLES[8], b"x\n"),
        (EXAMPLES[9], b"x\n"),
        (b"x\xff", b"x"),
        (b"x\xff\xfa\x01y", b"x"),
        (b"\xff\xfa\xff\xf0x", b"x"),
        (b"\xff\xf0x", b"x"),
    ],
)
def test_commands_leave_the_text_alone(data: bytes, text: bytes) -> None:
    assert fed(telnet(), data)[0] == text


def test_text_without_commands_is_handed_on_as_it_is() -> None:
    chunk = b"hello\n" * 100
    assert telnet().feed(chunk)[0] is chunk


def test_unwanted_options_are_refused() -> None:
    heard = says((WILL, 31), (DO, 1), (WONT, 5), (DONT, 5))
    assert fed(telnet(), heard)[1] == says((DONT, 31), (WONT, 1))


def test_a_peer_that_insists_is_refused_once() -> None:
    parser = telnet()
    replies = b"".join(fed(parser, says((WILL, 31), (WONT, 31), (WILL, 31)))[1] for _ in range(10_000))
    assert replies == says((DONT, 31))


def test_will_of_every_option_is_256_refusals_less_the_timing_mark() -> None:
    assert len(fed(telnet(), EXAMPLES[-1] * 40)[1]) == 255 * 3


def test_wanted_options_are_agreed_to_and_told() -> None:
    _, replies, events = fed(editor(), says((WILL, NAWS), (DO, ECHO), (WILL, ECHO)))
    assert replies == says((DO, NAWS), (WILL, ECHO), (DONT, ECHO))
    assert events == [Settled(Side.PEER, NAWS, True), Settled(Side.US, ECHO, True)]


def test_agreement_to_what_we_asked_is_not_answered() -> None:
    parser = editor()
    parser.enable(Side.US, ECHO)
    parser.enable(Side.US, ECHO)
    assert parser.replies() == says((WILL, ECHO))
    assert fed(parser, says((DO, ECHO))) == (b"", b"", [Settled(Side.US, ECHO, True)])
    assert parser.is_on(Side.US, ECHO)


def test_refusal_of_what_we_asked_is_told_and_not_answered() -> None:
    parser = editor()
    parser.enable(Side.PEER, NAWS)
    assert fed(parser, says((WONT, NAWS)))[1:] == (says((DO, NAWS)), [Settled(Side.PEER, NAWS, False)])


def test_the_peers_withdrawal_is_confirmed_once() -> None:
    parser = editor()
    assert fed(parser, says((WILL, NAWS), (WONT, NAWS), (WONT, NAWS)))[1] == says((DO, NAWS), (DONT, NAWS))
    assert not parser.is_on(Side.PEER, NAWS)


def test_change_of_mind_before_the_answer_waits_for_it() -> None:
    parser = editor()
    parser.enable(Side.US, ECHO)
    parser.disable(Side.US, ECHO)
    assert parser.replies() == says((WILL, ECHO))
    assert fed(parser, says((DO, ECHO)))[1:] == (says((WONT, ECHO)), [])
    parser.enable(Side.US, ECHO)
    assert fed(parser, says((DONT, ECHO)))[1] == says((WILL, ECHO))


def test_two_changes_of_mind_are_none() -> None:
    parser = editor()
    parser.enable(Side.US, ECHO)
    parser.disable(Side.US, ECHO)
    parser.enable(Side.US, ECHO)
    assert fed(parser, says((DO, ECHO)))[1:] == (says((WILL, ECHO)), [Settled(Side.US, ECHO, True)])
    parser.disable(Side.US, ECHO)
    parser.enable(Side.US, ECHO)
    parser.disable(Side.US, ECHO)
    assert fed(parser, says((DONT, ECHO)))[1:] == (says((WONT, ECHO)), [Settled(Side.US, ECHO, False)])


def test_an_option_asked_for_though_refused_before_is_negotiated() -> None:
    parser = telnet()
    assert fed(parser, says((WILL, NAWS)))[1] == says((DONT, NAWS))
    parser.enable(Side.PEER, NAWS)
    assert fed(parser, says((WILL, NAWS)))[1:] == (says((DO, NAWS)), [Settled(Side.PEER, NAWS, True)])


def test_endless_negotiation_of_a_wanted_option_is_a_violation() -> None:
    parser = editor()
    _, replies, events = fed(parser, says((WILL, NAWS), (WONT, NAWS)) * 10_000)
    assert len(replies) == 3 * (NEGOTIATIONS + 1)
    assert isinstance(events[-1], Violation)


def test_timing_mark_is_answered_every_time_but_once_at_a_time() -> None:
    parser = telnet()
    assert [fed(parser, b"\xff\xfd\x06" * 100)[1] for _ in range(2)] == [b"\xff\xfb\x06"] * 2


def test_subnegotiation_of_an_agreed_option_is_told() -> None:
    data = says((WILL, NAWS)) + b"\xff\xfa\x1f\x00\x50\xff\xff\x18\xff\xf0"
    assert fed(editor(), data)[2][1:] == [Subnegotiation(NAWS, b"\x00\x50\xff\x18")]


@pytest.mark.parametrize("data", [EXAMPLES[5], EXAMPLES[6], b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0"])
def test_subnegotiation_nobody_agreed_to_is_dropped(data: bytes) -> None:
    assert fed(editor(), data)[1:] == (b"", [])


@pytest.mark.parametrize("byte", [b"\x22", b"\xff\xff"])
def test_subnegotiation_is_kept_up_to_its_limit(byte: bytes) -> None:
    start = says((WILL, NAWS)) + bytes((IAC, SB, NAWS))
    end = bytes((IAC, SE))
    assert not isinstance(fed(editor(), start + byte * SUBNEGOTIATION_BYTES + end)[2][-1], Violation)
    assert isinstance(fed(editor(), start + byte * (SUBNEGOTIATION_BYTES + 1) + end)[2][-1], Violation)


def test_subnegotiation_without_end_is_a_violation_and_nothing_is_kept() -> None:
    parser = telnet()
    chunk = b"\x22" * 1_000
    _, _, events = fed(parser, b"\xff\xfa", *[chunk] * 1_000)
    assert [type(event) for event in events] == [Violation]
    assert parser.feed(b"hello\n") == [] and parser._held == b""


def test_half_a_subnegotiation_never_exceeds_its_limit() -> None:
    parser = telnet()
    for _ in range(SUBNEGOTIATION_BYTES):
        parser.feed(b"\xff\xfa" if not parser._held else b"\xff\xff")
        assert len(parser._held) <= 2 * SUBNEGOTIATION_BYTES + 4


def test_ten_thousand_questions_at_once_are_one() -> None:
    parser = telnet()
    assert parser.feed(b"a" + b"\xff\xf6" * 10_000 + b"b") == [b"a", Signal.ARE_YOU_THERE, b"b"]
    assert parser.feed(b"\xff\xf6") == [Signal.ARE_YOU_THERE]


@pytest.mark.parametrize("data", [b"ab\xff\xf4cd\n", b"ab\xff\xf3cd\n", b"ab\xff\xf4\xff\xf4cd\n"])
def test_interrupt_is_told_at_its_place(data: bytes) -> None:
    assert telnet().feed(data) == [b"ab", Signal.INTERRUPT, b"cd\n"]


@pytest.mark.parametrize("code", [0xF1, 0xF2, 0xF5, 0xF9])
def test_other_commands_are_ignored(code: int) -> None:
    assert fed(telnet(), bytes((97, IAC, code, 98))) == (b"ab", b"", [])


def test_each_erasure_is_told_at_its_place() -> None:
    character, line = Signal.ERASE_CHARACTER, Signal.ERASE_LINE
    assert telnet().feed(b"ab\xff\xf7\xff\xf7c\xff\xf8\xff\xf7d") == [
        b"ab",
        character,
        character,
        b"c",
        line,
        character,
        b"d",
    ]


CYRILLIC = ["проверяю\n", "меняю, проверяю. да\n", "месяц\n", "месяц", "ясно\n", "ящик я\n", "яхта\r\n", "мяч!\n", "я"]
"""In CP1251 the letter at the end of the alphabet is 0xFF."""


@pytest.mark.parametrize(
    "data",
    [
        *(b"\xff\xfe\xfd x\n", b"\xff\xfeh\0i\0\n\0", b"na\xffve\n", b"\xff\n", b"\xff\xff\xff", b"\xff\xf0\n"),
        *(b"x\xff", b"x\xff\xfb", b"\xff\xfb\xf5\n", b"\xff\xfe\n", b"\xff\xfd\r\n", b"\xff\xfe\t"),
        *(word.encode("cp1251") for word in CYRILLIC),
    ],
)
def test_bytes_that_are_no_telnet_are_text_on_the_plain_door(data: bytes) -> None:
    parser = Telnet()
    assert fed(parser, data) == (data, b"", [])
    assert not parser.spoken


@pytest.mark.parametrize("data", [*EXAMPLES[2:5], EXAMPLES[6], EXAMPLES[10], b"\xff\xf6", b"\xff\xfe\x01"])
def test_plain_door_understands_a_peer_that_begins_with_telnet(data: bytes) -> None:
    assert fed(Telnet(), data)[0] == fed(telnet(), data)[0]


@pytest.mark.parametrize("data", [b"\xff\xf6", b"he\xff\xf1llo\n", b"\xff\xf4\xff\xfd\x06hi\n", b"\xff\xfd\xc9hi\n"])
def test_one_command_of_a_client_is_enough(data: bytes) -> None:
    parser = Telnet()
    fed(parser, data)
    assert parser.spoken


def test_pc_13_the_start_of_a_word_is_remembered_from_chunk_to_chunk() -> None:
    parser = Telnet(before=b"\xf0")
    assert fed(parser, b"\xff\xf6\n", b"\xec", b"\xff", b"\xf6", b"\n")[0] == b"\xff\xf6\n\xec\xff\xf6\n"
    assert not parser.spoken


def test_after_the_first_command_the_plain_door_speaks_telnet() -> None:
    parser = Telnet()
    assert fed(parser, b"\xffa\xff\xfb\x01b\xff\xffc")[0] == b"\xffab\xffc"


PARTS = [*(bytes((code,)) for code in range(SE, IAC + 1)), b"\x1f", b"\x01", b"a", b"\n"]


@given(st.lists(st.sampled_from(PARTS), max_size=40))
def test_any_bytes_in_any_pieces_give_the_same(parts: list[bytes]) -> None:
    for make in (telnet, editor, Telnet):
        text, replies, _ = fed(make(), *parts)
        assert (text, replies) == fed(make(), b"".join(parts))[:2]
        assert len(replies) <= 3 * len(parts)
