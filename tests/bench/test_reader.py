from collections.abc import Callable
from typing import Any

import pytest

from gateway.bench.delivery_check import TRIM_BYTES, ExpectedOrder, client_frame, split_frames, split_lines
from gateway.bench.plan import Payload, key_of
from gateway.bench.reader import AuthorReader, Noise, Reader, skipped_messages
from tests.bench.test_framing import server_frame

TEXTS = Payload(64, "abc123")
KEYS = [key_of(0, 0), key_of(1, 0), key_of(0, 1)]
LINES = [
    b"ana: " + TEXTS.write(0, 0) + b"\n",
    b"bo: " + TEXTS.write(1, 0) + b"\n",
    b"ana: " + TEXTS.write(0, 1) + b"\n",
]
NOTICE = b"-- eve joined (tcp)\n"


def frame(line: bytes) -> bytes:
    return server_frame(b'{"type":"msg","seq":1,"text":"' + line.partition(b": ")[2].strip() + b'"}')


FRAMES = [frame(line) for line in LINES]


def reader(order: ExpectedOrder) -> Reader:
    return Reader(order, TEXTS, Noise())


def heard(reader: Reader) -> list[int]:
    return list(reader.heard().keys[: reader.seen()])


@pytest.mark.parametrize(
    ("split", "pieces", "noise"),
    [
        (split_lines, LINES, NOTICE),
        (split_frames, FRAMES, server_frame(b'{"type":"presence","count":3}')),
    ],
)
def test_first_and_second_reader_hear_the_same_however_the_bytes_are_cut(
    split: Callable[..., Any], pieces: list[bytes], noise: bytes
) -> None:
    stream = b"".join([noise, pieces[0], noise, pieces[1], pieces[2], noise])
    for cut in range(len(stream)):
        order = ExpectedOrder(split)
        first, second, third = reader(order), reader(order), reader(order)
        for one, chunks in ((first, [stream[:cut], stream[cut:]]), (second, [stream]), (third, pieces)):
            for chunk in chunks:
                one.take(chunk)
            assert heard(one) == KEYS
            assert one.own is None


def test_two_readers_that_lead_in_turn_build_one_order() -> None:
    order = ExpectedOrder(split_lines)
    first, second = reader(order), reader(order)
    first.take(LINES[0] + LINES[1][:9])
    second.take(LINES[0] + LINES[1] + NOTICE)
    first.take(LINES[1][9:] + LINES[2])
    second.take(LINES[2])
    assert heard(first) == heard(second) == KEYS


def test_the_same_message_in_other_bytes_is_the_same_message() -> None:
    order = ExpectedOrder(split_lines)
    reader(order).take(b"".join(LINES))
    late = reader(order)
    late.take(b"".join(line.replace(b"\n", b"\r\n") for line in LINES))
    assert late.own is None
    assert heard(late) == KEYS


@pytest.mark.parametrize("shown", [[0, 2], [0, 0, 1, 2], [1, 0, 2], [2]])
def test_a_reader_that_is_shown_something_else_is_checked_alone(shown: list[int]) -> None:
    order = ExpectedOrder(split_lines)
    reader(order).take(b"".join(LINES))
    odd = reader(order)
    odd.take(b"".join(LINES[index] for index in shown))
    assert heard(odd) == [KEYS[index] for index in shown]


def test_an_altered_or_foreign_text_is_no_message() -> None:
    order = ExpectedOrder(split_lines)
    one = reader(order)
    one.take(
        LINES[0].replace(b"abcdef", b"abcdeX") + LINES[0].replace(b"\n", b"more\n") + LINES[0].replace(b"gwba", b"gwbb")
    )
    assert heard(one) == []
    assert one.remarks.count == 3


def test_a_probe_makes_ready_also_as_history() -> None:
    one = reader(ExpectedOrder(split_lines))
    one.take(b"[14:01] ana: " + TEXTS.probe + b"\n")
    assert one.ready


def test_a_ping_is_answered_with_its_own_words() -> None:
    one = reader(ExpectedOrder(split_frames))
    one.take(FRAMES[0] + b"\x89\x02hi" + FRAMES[1])
    assert one.replies == client_frame(b"hi", 0xA)
    assert heard(one) == KEYS[:2]


@pytest.mark.parametrize(
    ("words", "paced"),
    [
        (b"!! rate_limited: slower\n", True),
        (b"!! full: come back later\n", False),
        (b"-- 212 lines skipped: /since 8841 shows them\n", False),
    ],
)
def test_refusals_and_gaps_are_kept_for_the_report(words: bytes, paced: bool) -> None:
    one = reader(ExpectedOrder(split_lines))
    one.take(NOTICE + words)
    assert list(one.remarks.kept) == [words.decode().strip()]
    assert one.remarks.paced is paced


def test_an_order_drops_what_everybody_has_passed() -> None:
    order = ExpectedOrder(split_lines)
    first, second = reader(order), reader(order)
    count = TRIM_BYTES // 60
    lines = [b"ana: " + TEXTS.write(0, number) + b"\n" for number in range(count)]
    first.take(b"".join(lines))
    second.take(b"".join(lines[:-2]) + lines[-2][:7])
    assert order.wants_trim()
    order.trim(second.at)
    assert len(order.stream) == sum(map(len, lines[-2:]))
    assert not order.wants_trim()
    second.take(lines[-2][7:] + lines[-1])
    assert second.seen() == first.seen() == count


def author(order: ExpectedOrder) -> AuthorReader:
    return AuthorReader(order, TEXTS, Noise(), 0)


@pytest.mark.parametrize("ahead", [True, False])
def test_an_author_hears_all_but_its_own_however_the_bytes_are_cut(ahead: bool) -> None:
    """Writer 0 said the first and the last of the three; it may be ahead of the reader that leads, or behind."""
    stream = NOTICE + LINES[1] + NOTICE
    for cut in range(len(stream)):
        order = ExpectedOrder(split_lines)
        leader, one = reader(order), author(order)
        if not ahead:
            leader.take(b"".join(LINES))
        one.take(stream[:cut])
        one.take(stream[cut:])
        if ahead:
            leader.take(b"".join(LINES))
        one.settle()
        assert heard(one) == KEYS
        assert one.own is None
        assert one.remarks.count == 2


@pytest.mark.parametrize("shown", [[1, 1], [0, 1]])
def test_an_author_that_is_shown_something_else_is_checked_alone(shown: list[int]) -> None:
    order = ExpectedOrder(split_lines)
    reader(order).take(b"".join(LINES))
    one = author(order)
    one.take(b"".join(LINES[index] for index in shown))
    one.finish()
    assert one.own is not None
    assert heard(one) == [KEYS[index] for index in shown]


@pytest.mark.parametrize(
    ("piece", "count"),
    [
        (b"-- 212 lines skipped: /since 8841 shows them\n", 212),
        (b'{"type":"gap","room":"lobby","from":12,"to":40}', 29),
        (b"-- eve joined (tcp)\n", 0),
    ],
)
def test_what_was_skipped_is_counted(piece: bytes, count: int) -> None:
    assert skipped_messages(piece) == count
