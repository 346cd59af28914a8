"""Browsers, TLS and SSH clients at a terminal door: each is answered in its own protocol, and none is posted."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import WaysIn
from gateway.tcp import wrong_door
from gateway.tcp.wrong_door import answer_to, undecided
from tests.tcp.house import PAGE, House

OTHERS = {
    "a browser": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "a form": (b"POST /a?b=c d HTTP/1.0\nContent-Length: 6\n\nhello\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", b"\x15\x03\x01\x00\x02\x02\x28"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", b"!! bad_message: "),
    "IRC": (b"CAP LS 302\r\n", b"!! bad_message: this is a chat for nc and telnet, not IRC"),
    "IRC of old": (b"USER ana 0 * :Ana\r\n", b"!! bad_message: "),
    "IRC with a nick": (
        b"NICK ana\r\nUSER ana 0 * :Ana\r\n",
        b"!! bad_message: this is a chat for nc and telnet, not IRC",
    ),
    "IRC with a password": (b"PASS x\nNICK ana\nUSER ana 0 * ana\n", b"!! bad_message: "),
    "mail": (b"EHLO x\r\n", b"554 this is a chat"),
    "mail without a name": (b"EHLO\r\n", b"554 "),
    "mail of old": (b"HELO mail.example.org\n", b"554 "),
    "mail of old, a word": (b"HELO x\r\n", b"554 "),
    "mail sent at once": (b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n", b"554 "),
    "Redis": (b"*1\r\n$4\r\nPING\r\n", b"-ERR this is a chat"),
    "memcached": (b"set k 0 0 5\r\nhello\r\n", b"!! bad_message: "),
    "memcached, binary": (b"\x80\x0b" + b"\0" * 22, b"!! bad_message: "),
    "Postgres": (b"\0\0\0\x08\x04\xd2\x16\x2f", b"!! bad_message: "),
    "MySQL": (b"\x20\0\0\x01\x85\xa6\x03\0\0\0\0\x01", b"!! bad_message: "),
    "Kafka": (b"\0\0\0\x2b\0\x12\0\x03\0\0\0\0", b"!! bad_message: "),
    "LDAP": (b"0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\0\x80\0", b"!! bad_message: "),
    "XMPP": (b"<?xml version='1.0'?><stream:stream to='x' xmlns='jabber:client'>", b"!! bad_message: "),
    "STOMP": (b"CONNECT\naccept-version:1.2\nhost:x\n\n\0", b"!! bad_message: "),
    "NATS": (b'CONNECT {"verbose":false}\r\nPING\r\n', b"!! bad_message: "),
    "IMAP": (b"A001 CAPABILITY\r\n", b"!! bad_message: "),
    "rsync": (b"@RSYNCD: 31.0\n", b"!! bad_message: "),
    "SSLv2": (b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10\x01\0\x80" + b"\x11" * 16, b"\x15\x03\x01"),
    "TLS in an SSLv2 hello": (b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10" + b"\x11" * 16, b"\x15\x03\x01"),
    "pc-02 RTSP": (b"OPTIONS / RTSP/1.0\r\n\r\n", b"!! bad_message: "),
    "pc-02 SIP": (b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm;branch=foo\r\n\r\n", b"!! bad_message: "),
    "pc-02 bare GET": (b"GET /\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "small letters": (b"get / http/1.0\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "SSDP": (b"M-SEARCH * HTTP/1.1\r\nHOST: x\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "empty lines first": (b"\r\n\r\nGET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
    "an answer": (b"SIP/2.0 200 OK\r\n\r\n", b"!! bad_message: "),
    "pc-03 RDP": (b"\x03\0\0*%\xe0\0\0\0\0\0Cookie: mstshash=nmap\r\n\x01\0\x08\0\x03\0\0\0", b"!! bad_message: "),
    "pc-03 MQTT": (b"\x10\x0c\0\x04MQTT\x04\x02\0<\0\0", b"!! bad_message: "),
    "AMQP": (b"AMQP\0\0\x09\x01", b"!! bad_message: "),
    "UTF-16 without a mark": ("hi\n".encode("utf-16-le"), b"!! bad_message: "),
    "pc-12 UTF-16": (b"\xff\xfe" + "/nick ci\r\nhi\r\n".encode("utf-16-le"), b"!! bad_text: this is UTF-16"),
    "UTF-16, the other end": (b"\xfe\xff" + "你好\n".encode("utf-16-be"), b"!! bad_text: this is UTF-16"),
}


@pytest.mark.parametrize(("hello", "answer"), OTHERS.values(), ids=OTHERS.keys())
def test_another_protocol_cut_at_every_byte_is_answered_and_not_said(house: House, hello: bytes, answer: bytes) -> None:
    for cut in range(1, len(hello) + 1):
        caller = house.stranger()
        caller.says(hello[:cut], hello[cut:])

        assert answer in caller.hears_all()
    assert not house.said


def test_pc_12_chinese_in_utf_16_is_seen_by_the_end_of_its_line(house: House) -> None:
    caller = house.stranger()
    caller.says(b"\xff\xfe" + "你好上\n".encode("utf-16-le"))

    assert b"!! bad_text: this is UTF-16" in caller.hears_all()
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

    assert b"HTTP/1.1 400 " in caller.hears_all()
    assert not house.said


def test_a_request_line_that_ends_with_the_input_is_not_said(house: House) -> None:
    caller = house.stranger()
    caller.says(b"GET / HTTP/1.1")
    caller.says_no_more()

    assert b"HTTP/1.1 400 " in caller.hears_all()
    assert not house.said


CHAT = [
    *(b"CAP LS 302 is what it sends", b"USER ana left", b"NICK ana"),
    *(
        b"NICK ana is my name",
        b"USER ana and you",
        b"PASS the salt",
        b"CONNECT",
        b"CONNECT me",
        b"CONNECT {x",
        b"STOMP",
    ),
    *(b"EHLO all you there", b"HELO", b"HELO bob", b"HELO my friends", b"MAIL FROM: bob", b"*1", b"*12 bottles", b"$4"),
    *(b"PING", b"PING bob", b"set k 0 0 5", b"set the table 0 0", b"add 1 2 3", b"stats", b"version", b"QUIT it"),
    *(
        b"RFB 003",
        b"the A001 CAPABILITY",
        b"@RSYNCD",
        b"<?xml version='1.0'?>",
        b"<open the door",
        b"POST it on the wall",
    ),
    *(b"GET well soon", b"HELLO WORLD", b"S", b"SSH", b"G", b"HTTP/1.1 is old", b"GET / x", b"GET", b"get /"),
    *(b"SSH-Key of bob was rotated", b"SSH-2", b"nginx speaks HTTP/2 now", b"we deploy over HTTP/2", b"SIP/2.0 or not"),
    *(b"OPTIONS / RTSP", b"DELETE /tmp/x", b"PROXY wanted", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"x\ty"),
]


@pytest.mark.parametrize("line", CHAT)
def test_a_line_that_only_looks_like_one_at_first_is_said(house: House, line: bytes) -> None:
    caller = house.stranger()
    caller.says(*[line[at : at + 1] for at in range(len(line))], b"\n")

    house.until(lambda: house.said == [line.decode()])


@pytest.mark.parametrize(
    "lines",
    [
        [b"NICK ana", b"USER friendly is what we are"],
        [b"NICK ana", b"NICK bob", b"NICK cid"],
        [b"*1\r", b"$4 for a coffee\r"],
        [b"CONNECT", b"host me"],
        [b"<?xml version='1.0'?>", b"<a>"],
    ],
)
@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_first_line_that_the_second_does_not_confirm_is_said(house: House, lines: list[bytes], end: bytes) -> None:
    caller = house.stranger()
    sent = b"\n".join(lines) + end
    caller.says(*[sent[at : at + 1] for at in range(len(sent))])
    caller.says_no_more()
    caller.hears_all()

    assert house.said == [line.decode().rstrip("\r") for line in lines]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\r\n\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_pc_07_a_byte_order_mark_at_the_start_counts_for_nothing(house: House, mark: bytes, end: bytes) -> None:
    caller = house.stranger()
    sent = mark + b"/nick ci\nbuild green" + end
    caller.says(*[sent[at : at + 1] for at in range(len(sent))])
    caller.says_no_more()
    caller.hears_all()

    assert house.said == ["build green"]


@pytest.mark.parametrize(
    "start", [b"\x08hi", b"\x07hi", b"\x0chi", b"\x0ehi", b"\x0fhi", b"\x1b[Ahi", b"\thi", b"\x7fhi"]
)
def test_what_a_keyboard_sends_first_is_not_another_protocol(house: House, start: bytes) -> None:
    caller = house.stranger()
    caller.says(start + b"\n")

    house.until(lambda: [said.strip() for said in house.said] == ["hi"])


def test_pc_03_a_later_line_may_hold_a_nul_and_keeps_its_words(house: House) -> None:
    caller = house.stranger()
    caller.says(b"first\n", b"a\0b\x07c\n")

    house.until(lambda: house.said == ["first", "abc"])


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
    answer = answer_to(b"GET / HTTP/1.1\r\n", lambda: WaysIn().page(None))

    assert answer is not None and b"switched off" in answer


PIECES = sorted(
    {*b"a /:*-.1\n\r\0\x03\x1b\xff\xfe".split(b" ")}
    | {
        b" ",
        b"\n",
        b"\r\n",
        b"\0",
        b"/",
        b"a",
        b"7",
        b"\xff",
        b"get",
        b"GET",
        b"/x",
        b"http://x",
        b" HTTP/1.1",
        b" http/1.0",
    }
    | {b" RTSP/1.0", b" SIP/2.0", b"options", b"set ", b"add k", b" 0 0 5", b"a1", b" CAPABILITY", b"NICK a", b"HELO"}
    | {b"/nick ana", b"hello", b"*1", b"$4", b"PROXY TCP4", b"SSH-2.0-", b"\x16\x03", b"\xef\xbb\xbf", b"x" * 9000}
)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))
def test_what_is_taken_for_chat_at_a_glance_is_chat_at_a_closer_look(first: bytes) -> None:
    if not wrong_door._CHAT.match(first):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wrong_door, "_CHAT", re.compile(rb"(?!)"))
        assert not undecided(first)
        assert answer_to(first, str) is None


@pytest.mark.parametrize("hello", [hello for hello, _ in OTHERS.values()], ids=OTHERS.keys())
def test_no_other_protocol_is_taken_for_chat_at_a_glance(hello: bytes) -> None:
    assert not any(wrong_door._CHAT.match(hello[:cut]) for cut in range(len(hello) + 1))


@pytest.mark.parametrize("line", [b"/bot\n", b"hello\r\n", b"/nick ana\nhello\n"])
def test_ordinary_first_lines_are_taken_for_chat_at_a_glance(line: bytes) -> None:
    assert wrong_door._CHAT.match(line)
