"""Telnet and odd bytes on both terminal doors, and what other people's screens show of them."""

import contextlib
import re
import secrets
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.bridge.canary import canary
from tests.bridge.gateways import Gateway
from tests.bridge.peers import HOST, Browser, Terminal, history, needs_proc, raw, request
from tests.fakes import PATIENCE, until

IAC_SE = b"\xff\xf0"
HARMFUL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\xef\xbb\xbf")


@pytest.fixture(scope="module", autouse=True)
def others_do_not_notice(shared: Gateway) -> Iterator[None]:
    """A canary runs during the whole file."""
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


Program = Callable[[str], str]


def piped(program: Program, port: int, sent: bytes) -> bytes:
    """What `printf … | nc -N` prints."""
    command = [program("nc.openbsd"), "-N", HOST, str(port)]
    return subprocess.run(command, input=sent, stdout=subprocess.PIPE, timeout=PATIENCE, check=False).stdout


def said_since(gateway: Gateway, mark: str) -> list[str]:
    """All that was said in the lobby after the message `mark`."""
    with Browser(gateway.web) as browser:
        browser.say("the end")
    texts = [message["text"] for message in history(gateway.web, "lobby")]
    return texts[texts.index(mark) + 1 : -1]


def marked(gateway: Gateway) -> str:
    """Say something nobody has said before."""
    text = f"mark {secrets.token_hex(4)}"
    with Browser(gateway.web) as browser:
        browser.say(text)
    return text


OTHER_PROTOCOLS = {
    "pc_02 RTSP": b"OPTIONS / RTSP/1.0\r\n\r\n",
    "pc_02 SIP": b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm;branch=foo\r\nCSeq: 42 OPTIONS\r\n\r\n",
    "pc_02 GET": b"GET /\r\n",
    "pc_03 RDP": b"\x03\0\0*%\xe0\0\0\0\0\0Cookie: mstshash=nmap\r\n\x01\0\x08\0\x03\0\0\0",
    "pc_03 MQTT": b"\x10\x0c\0\x04MQTT\x04\x02\0<\0\0",
    "pc_04 SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "pc_12 UTF-16": b"\xff\xfe/\0n\0i\0c\0k\0 \0c\0i\0\r\0\n\0h\0i\0\r\0\n\0",
}


@pytest.mark.parametrize("sent", OTHER_PROTOCOLS.values(), ids=OTHER_PROTOCOLS.keys())
@pytest.mark.parametrize("door", ["tcp", "telnet"])
def test_pc_02_03_04_12_another_protocol_is_answered_once_and_not_posted(
    shared: Gateway, program: Program, door: str, sent: bytes
) -> None:
    mark = marked(shared)
    answer = piped(program, shared.port(door), sent)

    assert answer.count(b"!! ") == 1 or answer.startswith(b"HTTP/1.1 400 ")
    assert said_since(shared, mark) == []


SCRIPTS = {
    "pc_04 no SSH": (b"SSH-Key of bob was rotated\n", ["SSH-Key of bob was rotated"]),
    "pc_07 a mark": (b"\xef\xbb\xbf/nick ci-7\nbuild green\n", ["build green"]),
    "pc_08 LF CR": (b"one\n\r/nick lf\n\rtwo\n\r", ["one", "two"]),
    "pc_08 CR CR LF": (b"hi\r\r\nquit\r\r\n", ["hi"]),
    "pc_08 blanks": (b"hi\nquit \t\nnever\n", ["hi"]),
    "pc_13 Cyrillic": (b"\357\360\356\342\345\360\377\376\n\344\340\n", ["\ufffd" * 8, "\ufffd" * 2]),
    "pc_13 a month": (b"\xec\xe5\xf1\xff\xf6\nda\n", ["\ufffd" * 5, "da"]),
    "pc_13 text": (b"\xff\xfe\nda\n", ["\ufffd" * 2, "da"]),
    "pc_16 two": (b"one\r\ntwo\r\n", ["one", "two"]),
    "pc_18 unasked": (
        b"\xff\xfa\x18\0Mudlet\xff\xf0\xff\xfa\xc9Core.Hello {}\xff\xf0\xff\xfa\x1f\0^\0007\xff\xf0hi\n",
        ["hi"],
    ),
    "pc_18 a hostile type": (b"\xff\xfb\x18\xff\xfa\x18\0<b>\x1b[31mx\r\n/quit\xff\xf0hi\n", ["hi"]),
    "help in a script": (b"help\nexit\n", ["help", "exit"]),
    "help alone, half-closed": (b"help", ["help"]),
    "a path": (b"/usr/bin ls\n//x\n", ["/usr/bin ls", "/x"]),
}


@pytest.mark.parametrize(("sent", "texts"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_pc_04_07_08_13_16_18_a_script_says_its_lines_and_nothing_else(
    shared: Gateway, program: Program, sent: bytes, texts: list[str]
) -> None:
    mark = marked(shared)
    answer = piped(program, shared.tcp, sent)

    assert said_since(shared, mark) == texts
    assert b"\xff" not in answer or b"\xff\xfa" in sent or b"\xff\xfb" in sent


@pytest.mark.parametrize("door", ["tcp", "telnet"])
def test_pc_16_a_late_window_size_leaves_the_lines_around_it_whole(shared: Gateway, door: str) -> None:
    mark = marked(shared)
    with Browser(shared.web) as browser, socket.create_connection((HOST, shared.port(door))) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b"four\r\n")
        browser.texts_until("four")
        sock.sendall(b"\xff\xfb\x1f")
        answer, verb = b"", b"\xfd" if door == "telnet" else b"\xfe"
        while b"\xff" + verb + b"\x1f" not in answer:
            answer += sock.recv(65536) or pytest.fail(f"closed after {answer!r}")
        sock.sendall(b"\xff\xfa\x1f\0P\0\x18\xff\xf0" + b"five\r\n")
        browser.texts_until("five")

    assert said_since(shared, mark) == ["four", "five"]


def test_pc_07_a_mark_before_bot(shared: Gateway, program: Program) -> None:
    assert piped(program, shared.tcp, b"\xef\xbb\xbf/bot\nhi\n").startswith(b'{"type":"joined"')


def test_pc_09_a_peer_that_does_not_send_utf_8_is_told_once(shared: Gateway) -> None:
    mark = marked(shared)
    told = raw(shared.tcp, b"Gr\xfc\xdfe\nnoch einmal \xfc\n", half_close=True).decode().splitlines()

    assert said_since(shared, mark) == ["Gr\ufffd\ufffde", "noch einmal \ufffd"]
    assert len([line for line in told if line.startswith("-- ") and "not UTF-8" in line]) == 1


FLOODS = [b"\xff\xfb\x22\xff\xfc\x22", b"\xff\xfd\x01\xff\xfe\x01", b"\xff\xf6", b"\xff\xfd\x06"]
PROXIED = [b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\1" * 12]


@pytest.mark.parametrize("door", ["tcp", "telnet"])
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_telnet_commands_is_answered_with_little(shared: Gateway, door: str, flood: bytes) -> None:
    answer = raw(shared.port(door), flood * 10_000, half_close=True)
    assert len(answer) < 20_000


@pytest.mark.parametrize("first", PROXIED)
@pytest.mark.parametrize("door", ["tcp", "telnet", "web"])
def test_a_peer_cannot_choose_its_own_address(shared: Gateway, door: str, first: bytes) -> None:
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


def test_constant_joining_and_leaving_is_news_once_a_second(shared: Gateway) -> None:
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
    until(lambda: shared.descriptors() < 60, "all are let go")


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
    *("ADM\u0130N", "guest\u30fcab12", "console", "You", "y\u03bfu"),
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


def test_pc_15_a_client_that_agrees_to_everything_and_sends_whole_lines_keeps_its_input_in_view(
    shared: Gateway,
) -> None:
    """A MUD client hides what is typed while the server echoes: it takes that for a password."""
    mark = marked(shared)
    heard = b""
    with socket.create_connection(("127.0.0.1", shared.telnet), timeout=PATIENCE) as peer:
        peer.settimeout(0.1)
        peer.sendall(b"\xff\xfb\x18\xff\xfb\x1f\xff\xfa\x1f\0P\0\x18\xff\xf0\xff\xfa\x18\0Mudlet\xff\xf0")

        def answered() -> bool:
            nonlocal heard
            with contextlib.suppress(TimeoutError):
                chunk = peer.recv(65536)
                heard += chunk
                for option in re.findall(rb"\xff\xfb(.)", chunk, re.DOTALL):
                    peer.sendall(b"\xff\xfd" + option)
                for option in re.findall(rb"\xff\xfd(.)", chunk, re.DOTALL):
                    peer.sendall(b"\xff\xfb" + option)
            return "whole line" in [message["text"] for message in history(shared.web, "lobby")]

        peer.sendall(b"whole line\r\n")
        until(answered)
        assert said_since(shared, mark) == ["whole line"]
    echoing = [verb for verb in re.findall(rb"\xff([\xfb\xfc])\x01", heard)][-1:]
    assert echoing != [b"\xfb"], "the server still says that it echoes"
    assert b"whole line" not in heard


@pytest.mark.parametrize("door", ["tcp", "telnet"])
def test_the_enter_of_a_raw_terminal_is_a_cr_alone(shared: Gateway, door: str) -> None:
    """connectbot#55, cowrie#415, a modem or `socat -,raw`: without an LF behind it two lines became one, and the first
    was not posted before the second."""
    word = secrets.token_hex(4)

    def said() -> list[str]:
        messages = request(shared.web, "GET", "/r/lobby/messages?limit=300").json.get("messages", [])
        return [message["text"] for message in messages if word in message["text"]]

    with socket.create_connection((HOST, shared.port(door))) as peer:
        for line in (f"{word} one", f"{word} two"):
            peer.sendall(f"{line}\r".encode())
            until(lambda: said()[-1:] == [line], "it is said")  # noqa: B023 - called in this turn of the loop
        peer.sendall(f"\n{word} 50%\r{word} 90%\n".encode())
        until(lambda: said()[-1:] == [f"{word} 50% {word} 90%"], "a CR in a line is a blank")
