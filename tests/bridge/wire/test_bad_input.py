"""Wrong doors, garbage and floods: a clear error or a clean end for that peer, and nobody else notices."""

import random
import socket
from collections.abc import Iterator

import pytest

from tests.bridge.canary import canary
from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import HOST, Browser, Terminal, history, needs_proc, raw
from tests.fakes import until

LINE_BYTES = 4096
TEXT_BYTES = 4000
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200))


@pytest.fixture(autouse=True)
def others_do_not_notice(shared: Gateway) -> Iterator[None]:
    """A canary runs during every test of this file."""
    with canary(shared.tcp, shared.web):
        yield


def texts(gateway: Gateway) -> list[str]:
    """What was said in the lobby, up to now."""
    with Browser(gateway.web) as browser:
        browser.say("now")
    return [message["text"] for message in history(gateway.web, "lobby")]


@pytest.mark.parametrize("door", ["tcp", "telnet"])
@pytest.mark.parametrize(
    "hello",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /r/lobby HTTP/1.0\r\n\r\npwned\n", b"OPTIONS * HTTP/1.1\r\n\r\n"],
    ids=["get", "post", "options"],
)
def test_a_browser_at_a_terminal_door_is_shown_the_page(shared: Gateway, door: str, hello: bytes) -> None:
    answer = raw(shared.port(door), hello)

    assert b"HTTP/1.1 400 Bad Request\r\n" in answer
    assert f"http://{HOST}:{shared.web}/".encode() in answer
    assert not [text for text in texts(shared) if "HTTP" in text or "pwned" in text or "Host" in text]


@pytest.mark.parametrize("door", ["tcp", "telnet"])
@pytest.mark.parametrize("hello", [TLS_HELLO, b"SSH-2.0-OpenSSH_9.2\r\n"], ids=["tls", "ssh"])
def test_tls_and_ssh_at_a_terminal_door_get_one_answer_and_the_end(shared: Gateway, door: str, hello: bytes) -> None:
    answer = raw(shared.port(door), hello)

    assert answer.count(b"!! ") == 1 or b"\x15\x03" in answer
    assert not [text for text in texts(shared) if "SSH" in text]


def test_chat_and_tls_at_the_web_door_are_refused(shared: Gateway) -> None:
    for hello in (b"hello everybody\n\n", TLS_HELLO, b"\xff\xfb\x1fhi\r\n", b"\x00" * 9000):
        assert raw(shared.web, hello)[:9] in (b"", b"HTTP/1.1 ", b"HTTP/1.0 ")


@pytest.mark.parametrize(
    ("bytes_", "refused"),
    [(TEXT_BYTES, False), (TEXT_BYTES + 1, True), (LINE_BYTES, True), (LINE_BYTES + 1, True), (3 * LINE_BYTES, True)],
)
def test_a_line_has_its_limit_and_what_is_over_is_told_once_and_skipped(
    shared: Gateway, bytes_: int, refused: bool
) -> None:
    with Terminal(shared.tcp) as terminal, Browser(shared.web) as browser:
        terminal.send("z" * bytes_, "the next one")
        assert [len(text) for text in browser.texts_until("the next one")] == [*([] if refused else [bytes_]), 12]
        terminal.send("/nick")
        lines = terminal.until("you are")
    assert [line[:13] for line in lines if line.startswith("!!")] == (["!! too_long: "] if refused else [])


def test_a_command_may_fill_the_line(shared: Gateway) -> None:
    with Terminal(shared.tcp) as terminal, Browser(shared.web, nick="longreader") as browser:
        terminal.send("/msg longreader " + "y" * TEXT_BYTES)
        assert len(browser.next("private")["text"]) == TEXT_BYTES


@needs_proc
def test_megabytes_without_an_end_of_line_cost_one_error_and_no_memory(shared: Gateway) -> None:
    before = shared.memory()
    with Terminal(shared.tcp) as terminal, Browser(shared.web) as browser:
        for _ in range(40):
            terminal.sock.sendall(b"x" * 1_000_000)
        terminal.send("", "the next line works")
        browser.texts_until("the next line works")
        terminal.send("/nick")
        assert [line[:12] for line in terminal.until("you are") if line.startswith("!!")] == ["!! too_long:"]
    assert shared.memory() < before + (8 << 20)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"\xc0\xaf\n", "\ufffd\ufffd"),
        (b"\xed\xa0\x80\n", "\ufffd\ufffd\ufffd"),
        (b"\xf4\x90\x80\x80\n", "\ufffd\ufffd\ufffd\ufffd"),
        (b"a\xf0\x9f\n", "a\ufffd"),
        (b"a first line\na\x00b\x07c\n", "abc"),
        (b"\x9b31mred\n", "\ufffd31mred"),
        (b"\x1b[31mred\x1b[0m\n", "red"),
        ("a\u2028[admin] b\n".encode(), "a [admin] b"),
        (b"tab\there\n", "tab\there"),
        (b"one\rtwo\r\n", "one two"),
        (b"nul\r\0next\r\0", "next"),
        (b"\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0hi\n", "hi"),
    ],
)
def test_bytes_that_are_no_clean_text_become_clean_text(shared: Gateway, sent: bytes, shown: str) -> None:
    with Terminal(shared.tcp) as terminal, Browser(shared.web) as browser:
        terminal.sock.sendall(sent)
        assert shown in browser.until(lambda found: found["type"] == "msg" and found["text"] == shown)[-1]["text"]


def test_empty_lines_are_ignored(shared: Gateway) -> None:
    with Terminal(shared.tcp) as terminal, Browser(shared.web) as browser:
        terminal.sock.sendall(b"\n" * 200_000 + b"\r\n\r\n words\n")
        assert browser.texts_until(" words") == [" words"]


@pytest.mark.parametrize("door", ["tcp", "telnet", "web"])
def test_random_bytes_end_at_most_their_own_connection(shared: Gateway, door: str) -> None:
    dice = random.Random(42)
    for _ in range(60):
        with socket.create_connection((HOST, shared.port(door))) as sock:
            sock.setblocking(True)
            try:
                sock.sendall(dice.randbytes(dice.randrange(1, 3000)))
                if dice.random() < 0.5:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                continue


def test_random_frames_end_at_most_their_own_connection(shared: Gateway) -> None:
    dice = random.Random(43)
    for _ in range(8):
        with Browser(shared.web) as browser:
            browser.socket.socket.sendall(dice.randbytes(dice.randrange(1, 400)))


def test_a_line_that_comes_in_two_pieces_cut_anywhere_is_said_once(shared: Gateway) -> None:
    line = "caf\u00e9 \U0001f600 whole".encode()
    for cut in range(1, len(line)):
        with Terminal(shared.tcp) as terminal:
            terminal.sock.sendall(line[:cut])
            terminal.sock.sendall(line[cut:] + b"\n")
    until(lambda: texts(shared).count(line.decode()) == len(line) - 1, "all of them")


def test_a_flood_does_not_silence_the_others(shared: Gateway) -> None:
    with Terminal(shared.tcp) as flood, Browser(shared.web, "elsewhere") as browser:
        flood.send("/join flood")
        flood.until("you are in")
        for _ in range(20):
            flood.send(*(f"flood {number}" for number in range(500)))
            assert browser.say("between", "elsewhere")["type"] == "ack"


def test_a_paced_flood_is_read_slowly_and_complete(start: Start) -> None:
    gateway = start("--limits.burst", 10, "--limits.messages_per_second", 200)
    with canary(gateway.tcp, gateway.web), Terminal(gateway.tcp) as terminal, Browser(gateway.web) as browser:
        terminal.send(*(f"line {number}" for number in range(400)))
        assert browser.texts_until("line 399") == [f"line {number}" for number in range(400)]


def test_the_seventeenth_connection_of_one_address_is_not_counted_on_loopback(shared: Gateway) -> None:
    peers = [Terminal(shared.tcp) for _ in range(40)]
    assert peers[-1].answer("/nick").startswith("-- you are guest-")
    for peer in peers:
        peer.sock.close()
