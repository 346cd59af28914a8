"""Telnet and odd bytes on both terminal doors, and what other people's screens show of them."""

import re
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.bridge.canary import canary
from tests.bridge.gateways import Gateway, until
from tests.bridge.peers import HOST, Browser, Terminal, history, needs_proc, raw

IAC_SE = b"\xff\xf0"
HARMFUL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\xef\xbb\xbf")


@pytest.fixture(scope="module", autouse=True)
def others_do_not_notice(shared: Gateway) -> Iterator[None]:
    """A canary sings during the whole file."""
    with canary(shared.tcp, shared.web):
        yield


SAID = {
    "NAWS": (b"\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18" + IAC_SE + b"hi\n", "hi"),
    "NAWS of 255 columns": (b"\xff\xfb\x1f\xff\xfa\x1f\x00\xff\xff\x00\x18" + IAC_SE + b"hi\n", "hi"),
    "a terminal's type": (b"\xff\xfb\x18\xff\xfa\x18\x00xterm\x1b[2J" + IAC_SE + b"hi\n", "hi"),
    "LINEMODE's table": (b"\xff\xfb\x22\xff\xfa\x22\x03" + b"\x12\x0f\x41" * 60 + IAC_SE + b"hi\n", "hi"),
    "an environment": (b"\xff\xfb\x27\xff\xfa\x27\x00\x00USER\x01-f root" + IAC_SE + b"hi\n", "hi"),
    "a subnegotiation nobody agreed to": (b"\xff\xfa\xc8evil\n" + IAC_SE + b"hi\n", "hi"),
    "Ctrl-C": (b"\xff\xf4\xff\xfd\x06hello\n", "hello"),
    "commands in a word": (b"he\xff\xf1l\xff\xf9lo\xff\xf6\n", "hello"),
    "an unknown command": (b"\xff\xfb\x01\xff\x01hello\n", "hello"),
    "all options offered": (b"".join(b"\xff\xfb" + bytes((option,)) for option in range(256)) + b"hi\n", "hi"),
    "all options asked for": (b"".join(b"\xff\xfd" + bytes((option,)) for option in range(256)) + b"hi\n", "hi"),
    "CR NUL": (b"\xff\xfb\x1fhi\r\0", "hi"),
    "CR LF": (b"hi\r\n", "hi"),
    "a colour": (b"\x1b[31mred\x1b[0m\n", "red"),
    "a title": (b"\x1b]0;pwned\x07words\n", "words"),
    "a terminal's answer": (b"\x1bP$qm\x1b\\words\x1b[6n\n", "words"),
    "raw C1": (b"\x9b31mwords\n", "\ufffd31mwords"),
    "C1 in UTF-8": ("\u009b31mwords\n".encode(), "words"),
    "separators": ("a\u2028[admin] b\u0085c\x0bd\x0ce\x1cf\n".encode(), "a [admin] b c d e f"),
    "an override": ("\u202ewords\u2066\n".encode(), "words"),
    "tags and a mark": ("\ufeffwo\U000e0041rds\n".encode(), "words"),
    "overlong": (b"\xc0\xafx\n", "\ufffd\ufffdx"),
    "a surrogate": (b"\xed\xa0\x80x\n", "\ufffd\ufffd\ufffdx"),
    "above all": (b"\xf4\x90\x80\x80x\n", "\ufffd\ufffd\ufffd\ufffdx"),
    "nothing at all": ("\ufffe\uffffx\n".encode(), "\ufffe\uffffx"),
}


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "byte by byte"])
def test_telnet_and_controls_leave_the_words(shared: Gateway, cut: bool) -> None:
    """On the plain door, where telnet is spoken only by peers that begin it."""
    with Browser(shared.web) as browser, Terminal(shared.tcp) as reader:
        reader.until("/help")
        reader.until("come back|$")
        for name, (sent, words) in SAID.items():
            with socket.create_connection((HOST, shared.tcp)) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for piece in [sent[at : at + 1] for at in range(len(sent))] if cut else [sent]:
                    sock.sendall(piece)
                heard = browser.next("msg")
                assert heard["text"] == words, name
            shown = reader.until(f": {re.escape(words)}$")[-1]
            assert not HARMFUL.search(shown.encode()), name


def test_urgent_data_leaves_the_line_whole(shared: Gateway) -> None:
    with Browser(shared.web) as browser, socket.create_connection((HOST, shared.tcp)) as sock:
        sock.sendall(b"\xff\xf4\xff")
        sock.send(b"\xf2", socket.MSG_OOB)
        sock.sendall(b"after an interrupt\n")
        assert browser.next("msg")["text"] == "after an interrupt"


@needs_proc
@pytest.mark.parametrize("door", ["tcp", "telnet"])
def test_a_subnegotiation_without_end_is_closed_and_not_kept(shared: Gateway, door: str) -> None:
    before = shared.memory()
    answer = raw(shared.port(door), b"\xff\xfa\x22" + b"\x22" * 2_000_000)
    assert len(answer) < 5000
    assert shared.memory() < before + (8 << 20)


FLOODS = [b"\xff\xfb\x22\xff\xfc\x22", b"\xff\xfd\x01\xff\xfe\x01", b"\xff\xf6", b"\xff\xfd\x06"]
PROXIED = [b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\1" * 12]


@pytest.mark.parametrize("door", ["tcp", "telnet"])
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_telnet_commands_is_answered_with_little(shared: Gateway, door: str, flood: bytes) -> None:
    answer = raw(shared.port(door), flood * 10_000, half_close=True)
    assert len(answer) < 20_000


@pytest.mark.parametrize("first", PROXIED)
@pytest.mark.parametrize("door", ["tcp", "telnet", "web"])
def test_nobody_says_himself_where_he_comes_from(shared: Gateway, door: str, first: bytes) -> None:
    answer = raw(shared.port(door), first + b"/whois\nGET / HTTP/1.1\r\n\r\n", half_close=True)
    assert b"1.2.3.4" not in answer and b"1.1.1.1" not in answer


def test_what_was_sent_before_closing_at_once_is_said_and_half_a_line_is_not(shared: Gateway) -> None:
    with Browser(shared.web) as browser:
        for number in range(20):
            sock = socket.create_connection((HOST, shared.tcp))
            sock.sendall(f"flash {number}\nhalf of".encode())
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        browser.until(lambda found: found.get("text") == "flash 18")
        until(lambda: browser.say("are all here?"), "an answer")
    texts = [message["text"] for message in history(shared.web, "lobby")]
    for number in range(0, 20, 2):
        assert texts.count(f"flash {number}") == 1
    assert max(texts.count(f"flash {number}") for number in range(1, 20, 2)) <= 1


def test_who_comes_and_goes_all_the_time_is_news_once_a_second(shared: Gateway) -> None:
    with Browser(shared.web, "flapping") as browser:
        peers = [Terminal(shared.tcp) for _ in range(60)]
        for peer in peers:
            peer.send("/join flapping", "/join lobby")
        for peer in peers:
            peer.until("you are in #lobby")
            peer.sock.close()
        browser.say("over", "flapping")
        found = browser.until(lambda found: found.get("text") == "over")
        assert sum(each["type"] == "presence" for each in found) <= 8


@needs_proc
@pytest.mark.parametrize("door", ["tcp", "web"])
def test_hundreds_of_connections_in_a_row_are_let_go(shared: Gateway, door: str) -> None:
    reset = struct.pack("ii", 1, 0)
    for number in range(800):
        sock = socket.create_connection((HOST, shared.port(door)))
        if number % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        sock.close()
    until(lambda: shared.descriptors() < 60, "all are let go", 20.0)


NAMES = [
    *(
        "\u202enimda",
        "\U000e0041b",
        "z\ufe0f",
        "adm\u0131n",
        "\u0430dmin",
        "\uff41dmin",
        "*",
        "server",
        "[admin]",
        "-->",
    ),
    *("bob:", "a b", "#x", "x" * 33, "\u4f60" * 33, "\x1b[2J", "a\u2028b", "-a", "guest-ffff", "", "\u0301a", "SYSTEM"),
    *("a\u0300\u0301\u0302", "\u200dx", "\u00ad", "0perator", "serv\u0435r"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_mimics_or_breaks_something_is_refused_on_every_door(shared: Gateway, name: str) -> None:
    with Browser(shared.web) as browser, Terminal(shared.tcp) as terminal:
        browser.send(type="nick", nick=name, id="n")
        assert browser.until(lambda found: found.get("id") == "n")[-1]["code"] in ("nick_invalid", "nick_taken")
        if name.strip():
            terminal.send(f"/nick {name}")
            told = terminal.until("^!! nick_|^-- you are")[-1]
            assert told.startswith("!! nick_"), told
            assert not HARMFUL.search(told.encode())
