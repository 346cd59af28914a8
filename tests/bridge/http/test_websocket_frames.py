"""Frames byte for byte, in the groups of the Autobahn test suite. There is no echo here: `ping` with an id is one."""

import itertools
import json
import random
import socket
from collections.abc import Iterator

import pytest

from tests.bridge.canary import canary
from tests.bridge.gateways import Gateway
from tests.bridge.peers import HOST, SECONDS, Json

HELLO = b'{"type":"hello","rooms":[]}'
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
dice = random.Random(6455)


def frame(opcode: int, payload: bytes = b"", *, last: bool = True, reserved: int = 0) -> bytes:
    """A frame as a browser sends it."""
    size, mask = len(payload), dice.randbytes(4)
    first = bytes(((0x80 if last else 0) | reserved << 4 | opcode,))
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")).to_bytes(
        size, "big"
    )
    return first + length + mask + masked


def echo(id: str, size: int = 0) -> bytes:
    """A request that comes back with its id, blanks in it up to `size` bytes."""
    return json.dumps({"type": "ping", "id": id}).encode().ljust(size)


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


class Socket:
    """A WebSocket of raw bytes that has said hello; `pieces` is how many bytes go out at once."""

    def __init__(self, port: int, pieces: int = 0) -> None:
        self.sock = socket.create_connection((HOST, port), SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pieces = pieces
        self._buffer = b""
        self.sock.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + frame(TEXT, HELLO)
        )
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self.sock.recv(65536)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert json.loads(self.next()[1])["type"] == "welcome"

    def send(self, *frames: bytes) -> None:
        data = b"".join(frames)
        try:
            for at in range(0, len(data), self._pieces or len(data)):
                self.sock.sendall(data[at : at + (self._pieces or len(data))])
        except OSError:
            pass

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError
            self._buffer += more
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def next(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload."""
        first, size = self._read(2)
        assert first & 0xF0 == 0x80 and size < 128, "a server's frames are whole and not masked"
        if size == 126:
            size = int.from_bytes(self._read(2), "big")
        return first & 0x0F, self._read(size)

    def heard(self) -> list[object]:
        """All up to the end: ids of answered requests, error codes, payloads of pongs, and the close code."""
        found: list[object] = []
        try:
            while True:
                opcode, payload = self.next()
                if opcode == TEXT:
                    event: Json = json.loads(payload)
                    found.append(event["id"] if event["type"] == "pong" else event.get("code", event["type"]))
                elif opcode == PONG:
                    found.append(payload)
                elif opcode == CLOSE:
                    found.append(int.from_bytes(payload[:2], "big"))
        except EOFError:
            return found


@pytest.fixture(scope="module", autouse=True)
def others_do_not_notice(shared: Gateway) -> Iterator[None]:
    """A canary runs during the whole file."""
    with canary(shared.tcp, shared.web):
        yield


SIZES = (0, 125, 126, 127, 128, 65535, 65536)
BYE = close(1000)
TEN = [frame(PING, f"{number}".encode()) for number in range(10)]
A, B = frame(TEXT, echo("a")), frame(TEXT, echo("b"))
FIRST, REST = frame(TEXT, echo("f")[:9], last=False), frame(CONTINUATION, echo("f")[9:])
GOOD_CODES = (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
BAD_CODES = (0, 1, 999, *range(1004, 1007), 1015, 1016, 1100, 2000, 2999, 5000, 65535)
MIDDLE = frame(CONTINUATION, b"  ", last=False)

CASES: dict[str, tuple[list[bytes], list[object]]] = {
    # 1 Framing
    **{f"1.1 text of {size}": ([frame(TEXT, echo("a", size)), BYE], ["a", 1000]) for size in SIZES},
    "1.1 an empty text": ([frame(TEXT), A, BYE], ["bad_message", "a", 1000]),
    **{f"1.2 binary of {size}": ([A, frame(BINARY, b"\xfe" * size), B], ["a", 1003]) for size in (0, 125, 126, 65536)},
    "1.3 a length longer than it needs to be": (
        [
            b"\x81\xfe\x00\x28\0\0\0\0" + echo("a", 40),
            b"\x81\xff" + (40).to_bytes(8, "big") + b"\0\0\0\0" + echo("b", 40),
            BYE,
        ],
        ["a", "b", 1000],
    ),
    # 2 SocketTimers and pongs
    "2.1 ping without payload": ([frame(PING), BYE], [b"", 1000]),
    "2.2 ping with text": ([frame(PING, b"Hello"), BYE], [b"Hello", 1000]),
    "2.3 ping with bytes that are no text": ([frame(PING, b"\x00\xff\xfe\xfd"), BYE], [b"\x00\xff\xfe\xfd", 1000]),
    "2.4 ping of 125": ([frame(PING, b"\xfe" * 125), BYE], [b"\xfe" * 125, 1000]),
    "2.5 ping of 126": ([A, frame(PING, b"\xfe" * 126), B], ["a", 1002]),
    "2.7 pong nobody asked for": ([frame(PONG), BYE], [1000]),
    "2.8 the same with payload": ([frame(PONG, b"unasked"), BYE], [1000]),
    "2.9 pong, then ping": ([frame(PONG, b"unasked"), frame(PING, b"asked"), BYE], [b"asked", 1000]),
    "2.10 ten pings": ([*TEN, BYE], [*(f"{number}".encode() for number in range(10)), 1000]),
    # 3 Reserved bits
    **{f"3 text with bits {bits}": ([A, frame(TEXT, b"x", reserved=bits), A], ["a", 1002]) for bits in range(1, 8)},
    **{f"3 ping with bits {bits}": ([A, frame(PING, reserved=bits), A], ["a", 1002]) for bits in (1, 2, 4)},
    **{f"3 close with bits {bits}": ([A, frame(CLOSE, reserved=bits)], ["a", 1002]) for bits in (1, 2, 4)},
    # 4 Opcodes
    **{f"4 opcode {op}": ([A, frame(op), frame(PING)], ["a", 1002]) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    **{f"4 opcode {op} with payload": ([A, frame(op, b"x"), A], ["a", 1002]) for op in (3, 7, 11, 15)},
    # 5 Fragmentation
    "5.1 a ping in two": ([frame(PING, b"x", last=False), frame(CONTINUATION, b"y")], [1002]),
    "5.2 a pong in two": ([frame(PONG, b"x", last=False), frame(CONTINUATION, b"y")], [1002]),
    "5.3 a text in two": ([FIRST, REST, BYE], ["f", 1000]),
    "5.6 a ping within a text": ([FIRST, frame(PING, b"p"), REST, BYE], [b"p", "f", 1000]),
    "5.9 a last frame of nothing": ([frame(CONTINUATION, b"x"), A], [1002]),
    "5.10 a text, then a last frame of nothing": ([A, frame(CONTINUATION, b"x"), A], ["a", 1002]),
    "5.12 a middle frame of nothing": ([frame(CONTINUATION, b"x", last=False), A], [1002]),
    "5.15 a text in two, then one frame more": ([FIRST, REST, frame(CONTINUATION, b"x"), A], ["f", 1002]),
    "5.18 a text within a text": ([FIRST, A], [1002]),
    "5.18 an unfinished text within a text": ([FIRST, FIRST], [1002]),
    "5.19 pings within a text of five": (
        [FIRST, MIDDLE, frame(PING, b"1"), MIDDLE, MIDDLE, frame(PING, b"2"), frame(PONG), REST, BYE],
        [b"1", b"2", "f", 1000],
    ),
    "5.21 empty frames within a text": (
        [frame(TEXT, last=False), frame(CONTINUATION, last=False), frame(CONTINUATION, echo("e")), BYE],
        ["e", 1000],
    ),
    "5.22 a text within a text of an empty beginning": ([frame(TEXT, last=False), A], [1002]),
    "5.23 1024 frames": ([FIRST, *[MIDDLE] * 1022, REST, BYE], ["f", 1000]),
    "5.24 too many frames": ([A, FIRST, *[MIDDLE] * 1100], ["a", 1008]),
    "5.25 too many empty frames": ([frame(TEXT, last=False), *[frame(0, last=False)] * 60_000], [1008]),
    # 7 Closing
    "7.1.1 a text, then close": ([A, BYE], ["a", 1000]),
    "7.1.2 close twice": ([BYE, BYE], [1000]),
    "7.1.3 a ping after close": ([BYE, frame(PING)], [1000]),
    "7.1.4 a text after close": ([BYE, A], [1000]),
    "7.1.5 close within a text": ([FIRST, BYE, REST], [1000]),
    "7.1.6 much after close": ([BYE, *[frame(TEXT, b"x" * 60_000)] * 20], [1000]),
    "7.1.7 rubbish after close": ([BYE, bytes(range(256)) * 100], [1000]),
    "7.3.1 close without a word": ([frame(CLOSE)], [1000]),
    "7.3.2 close with one byte": ([frame(CLOSE, b"a")], [1002]),
    "7.3.4 close with a reason": ([close(1000, b"Hello")], [1000]),
    "7.3.5 close with a long reason": ([close(1000, b"*" * 123)], [1000]),
    "7.3.6 close with too long a reason": ([close(1000, b"*" * 124)], [1002]),
    "7.5.1 close with a reason that is no text": ([close(1000, b"caf\xe9 \xce\xba\xed\xa0\x80")], [1007]),
    **{f"7.7 close {code}": ([A, close(code)], ["a", code]) for code in GOOD_CODES},
    **{f"7.9 close {code}": ([A, close(code)], ["a", 1002]) for code in BAD_CODES},
    # What the suite leaves out
    "9.1 not masked": ([A, b"\x81\x02hi", A], ["a", 1002]),
    "9.2 a message of 64 KiB and a byte": ([A, frame(TEXT, b" " * 65537)], ["a", 1009]),
    "9.3 the same in two": ([A, frame(TEXT, b" " * 65000, last=False), frame(0, b" " * 537)], ["a", 1009]),
    "9.4 2^63 - 1": ([A, b"\x81\xff\x7f" + b"\xff" * 7], ["a", 1009]),
    "9.5 2^63": ([A, b"\x81\xff\x80" + b"\0" * 7], ["a", 1009]),
    "9.6 a deflated frame nobody agreed to": ([A, frame(TEXT, b"\xaa\x56\x2a\x4b\xcc", reserved=4)], ["a", 1002]),
    "9.7 an HTTP request": ([A, b"GET /rooms HTTP/1.1\r\nHost: localhost\r\n\r\n"], ["a", 1002]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_frames(shared: Gateway, name: str) -> None:
    frames, heard = CASES[name]
    browser = Socket(shared.web)
    browser.send(*frames)
    assert browser.heard() == heard
    browser.sock.close()


SHORT = [name for name, (frames, _) in CASES.items() if len(b"".join(frames)) < 400]


@pytest.mark.parametrize("group", ["1", "2", "3", "4", "5", "7", "9"])
def test_frames_byte_by_byte(shared: Gateway, group: str) -> None:
    """The same cases with every byte in a packet of its own."""
    for name in [name for name in SHORT if name.startswith(group)]:
        frames, heard = CASES[name]
        browser = Socket(shared.web, pieces=1)
        browser.send(*frames)
        assert browser.heard() == heard, name
        browser.sock.close()


WHOLE_TEXTS = [
    "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!",
    "\u03ba\u1f79\u03c3\u03bc\u03b5",
    "\u0800 \ud7ff",
    "\ue000 \ufffd",
    "\U00010000 \U0010fffd",
    "\ufffe \uffff",
]
BROKEN_TEXTS = [
    *(b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80"),
    *(b"\x80", b"\xbf", b"\x80\xbf\x80", b"\xc0 \xc1 ", b"\xe0 \xef ", b"\xf0 \xf7 ", b"\xf8 \xfb ", b"\xfc \xfd "),
    *(b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"),
    *(
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xc0\x80",
    ),
    *(b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf"),
]


@pytest.mark.parametrize("text", WHOLE_TEXTS)
def test_text_in_any_pieces_is_the_same_text(shared: Gateway, text: str) -> None:
    raw = json.dumps({"type": "ping", "id": text}, ensure_ascii=False).encode()
    browser = Socket(shared.web)
    browser.send(frame(TEXT, raw))
    browser.send(*(frame(TEXT if at == 0 else 0, raw[at : at + 1], last=at == len(raw) - 1) for at in range(len(raw))))
    browser.send(BYE)
    assert browser.heard() == [text, text, 1000]
    browser.sock.close()


@pytest.mark.parametrize("broken", BROKEN_TEXTS, ids=bytes.hex)
def test_text_that_is_not_utf_8_closes(shared: Gateway, broken: bytes) -> None:
    raw = b'{"type":"ping","id":"' + broken + b'"}'
    whole, in_two = Socket(shared.web), Socket(shared.web)
    whole.send(A, frame(TEXT, raw), B)
    in_two.send(A, frame(TEXT, raw[:22], last=False), frame(0, raw[22:]), B)
    assert whole.heard() == in_two.heard() == ["a", 1007]
    whole.sock.close()
    in_two.sock.close()


def test_many_pings_are_answered_and_a_flood_of_them_only_now_and_then(shared: Gateway) -> None:
    browser = Socket(shared.web)
    browser.send(*(frame(PING, f"{number}".encode()) for number in range(5000)), A, BYE)
    heard = browser.heard()
    pongs = [int(each) for each in heard if isinstance(each, bytes)]
    assert pongs[:50] == list(range(50)) and len(pongs) < 1000 and pongs == sorted(pongs)
    assert heard[-2:] == ["a", 1000]
    browser.sock.close()


@pytest.mark.timeout(90)
def test_the_end_comes_with_the_close_frame(shared: Gateway) -> None:
    """Nobody waits 120 times for a timer of ours of 0.9 s."""
    sockets = [Socket(shared.web) for _ in range(120)]
    for browser, bad in zip(
        sockets, itertools.cycle((b"\x81\x02hi", frame(BINARY), frame(TEXT, b"\xff"), BYE)), strict=False
    ):
        browser.send(bad)
        browser.heard()
        browser.sock.close()


@pytest.mark.parametrize("crumb", [frame(PING), frame(PONG), frame(CONTINUATION, b" ", last=False)])
def test_a_flood_of_crumbs_does_not_silence_the_others(shared: Gateway, crumb: bytes) -> None:
    """The canary of this file goes on. A flood is handled slowly, so the test does not wait for its end."""
    floods = [Socket(shared.web) for _ in range(4)]
    data = crumb * 40_000
    if crumb[0] == 0:
        data = (FIRST + crumb * 1000 + REST) * 40
    for flood in floods:
        flood.sock.setblocking(False)
        flood.send(data)
    browser = Socket(shared.web)
    for number in range(20):
        browser.send(frame(TEXT, echo(f"{number}")))
        assert json.loads(browser.next()[1])["id"] == f"{number}"
    for flood in [*floods, browser]:
        flood.sock.close()
