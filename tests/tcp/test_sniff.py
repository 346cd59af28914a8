"""Browsers, TLS and SSH clients at a terminal door: they get an answer of their own, and nothing of theirs is said."""

import pytest

from gateway.tcp.sniff import answer_to, undecided
from tests.tcp.house import PAGE, House

OTHERS = {
    "a browser": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "a form": (b"POST /a?b=c d HTTP/1.0\nContent-Length: 6\n\nhello\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", b"\x15\x03\x01\x00\x02\x02\x28"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", b"!! bad_message: "),
}


@pytest.mark.parametrize(("hello", "answer"), OTHERS.values(), ids=OTHERS.keys())
def test_another_protocol_cut_at_every_byte_is_answered_and_not_said(house: House, hello: bytes, answer: bytes) -> None:
    for cut in range(1, len(hello)):
        caller = house.stranger()
        caller.says(hello[:cut], hello[cut:])

        assert caller.hears_all().startswith(answer)
    assert not house.said


def test_the_answer_to_a_browser_names_the_page(house: House) -> None:
    caller = house.stranger()
    caller.says(b"GET / HTTP/1.1\r\n\r\n")
    head, _, body = caller.hears_all().partition(b"\r\n\r\n")

    assert PAGE.encode() in body
    assert b"Content-Length: %d\r\n" % len(body) in head


def test_a_form_with_an_endless_address_cannot_talk(house: House) -> None:
    caller = house.stranger()
    caller.says(b"POST /" + b"a" * 5000, b"a" * 5000, b"a HTTP/1.1\r\n\r\nhello\n")

    assert caller.hears_all().startswith(b"HTTP/1.1 400 ")
    assert not house.said


def test_a_request_line_that_ends_with_the_input_is_not_said(house: House) -> None:
    caller = house.stranger()
    caller.says(b"GET / HTTP/1.1")
    caller.says_no_more()

    assert caller.hears_all().startswith(b"HTTP/1.1 400 ")
    assert not house.said


@pytest.mark.parametrize("line", [b"GET well soon", b"HELLO WORLD", b"S", b"SSH", b"G", b"HTTP/1.1 is old", b"GET / x"])
def test_a_line_that_only_looks_like_one_at_first_is_said(house: House, line: bytes) -> None:
    caller = house.stranger()
    caller.says(*[line[at : at + 1] for at in range(len(line))], b"\n")

    house.until(lambda: house.said == [line.decode()])


@pytest.mark.parametrize("line", [b"GET well soon", b"S", b"SSH"])
def test_such_a_line_is_also_said_when_it_ends_with_the_input(house: House, line: bytes) -> None:
    caller = house.stranger()
    caller.says(line)
    caller.says_no_more()
    caller.hears_all()

    assert house.said == [line.decode()]


def test_what_is_waited_for_is_bounded() -> None:
    assert undecided(b"HELLO " + b"x" * 8000)
    assert not undecided(b"HELLO " + b"x" * 9000)


def test_without_a_web_door_no_page_is_named() -> None:
    answer = answer_to(b"GET / HTTP/1.1\r\n", "")

    assert answer is not None and b"switched off" in answer
