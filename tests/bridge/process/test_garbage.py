"""Garbage on every door of a living gateway, by many peers at once.

By name only: `FUZZ_SECONDS=180 pytest -m soak -k garbage`.
"""

import os
import random
import socket
import threading
import time
from contextlib import suppress

import pytest

from tests.bridge.canary import canary
from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.http.test_requests import BROKEN, WHOLE
from tests.bridge.http.test_websocket_frames import CASES, HELLO, TEXT, frame
from tests.bridge.peers import HOST, needs_proc
from tests.fakes import until

SECONDS = float(os.environ.get("FUZZ_SECONDS", "20"))
PEERS = 6
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HTTP = [*BROKEN.values(), *(data for data, _ in WHOLE.values())]
FRAMES = [one for frames, _ in CASES.values() for one in frames if len(one) < 3000]
SAYS = [frame(TEXT, b'{"type":"%s","room":"lobby","text":"%s"}' % (kind, text))
        for kind in (b"say", b"join", b"part", b"history", b"typing", b"nick", b"hello")
        for text in (b"x", b"/me \\u001b[2J", b"/nick \\u202e", b"\\ud800", b"/help", b"/who")]  # fmt: skip
TYPED = [
    *(b"/nick a\n", b"/me x\n", b"/join b\n", b"/topic \xc2\x9b31m\n", b"/history 300\n", b"/since 1\n", b"/bot\n"),
    *(b"/paste\n", b".\n", b"/resume x\n", b"/who\n", b"/quit\n", b"hello\n", b"//etc\n", b"/msg a b\n", b"x" * 5000),
    *(b"\xff\xfb\x1f", b"\xff\xfa\x1f\0\x50\0\x18", b"\xff\xf0", b"\xff\xf6", b"\xff\xf4\xff\xf2", b"\xf0\x9f"),
    *(b"\x1b[A", b"\x1b[D", b"\t", b"\x7f", b"\x03", b"\r", b"\0", b"\n", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01"),
]


def garbage(dice: random.Random, door: str) -> bytes:
    """Something that a parser half understands."""
    if door == "web" and dice.random() < 0.5:
        parts = [UPGRADE, frame(TEXT, HELLO), *dice.choices(FRAMES + SAYS, k=dice.randrange(1, 30))]
    elif door == "web":
        parts = dice.choices(HTTP, k=dice.randrange(1, 4))
    else:
        parts = dice.choices(TYPED, k=dice.randrange(1, 60))
    data = bytearray(b"".join(parts))
    for _ in range(dice.choice((0, 0, 1, 5))):
        at = dice.randrange(len(data))
        data[at : at + dice.randrange(4)] = dice.randbytes(dice.randrange(4))
    return bytes(data)


def throw(gateway: Gateway, seed: int, end: float, thrown: list[int]) -> None:
    """One peer after the other until the end."""
    dice = random.Random(seed)
    while time.monotonic() < end:
        door = dice.choice(("tcp", "telnet", "web", "web"))
        with suppress(OSError), socket.create_connection((HOST, gateway.port(door)), 5) as sock:
            data = garbage(dice, door)
            while data:
                size = dice.choice((1, 7, 100, 5000, len(data)))
                sock.sendall(data[:size])
                data = data[size:] if size > 1 or dice.random() < 0.9 else b""
            if dice.random() < 0.5:
                sock.shutdown(socket.SHUT_WR)
            sock.settimeout(dice.choice((0.01, 0.1, 0.5)))
            while sock.recv(65536):
                pass
        thrown[0] += 1


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 120)
@needs_proc
def test_garbage_ends_at_most_its_own_connection(start: Start) -> None:
    gateway = start(*NO_PACE)
    seed, thrown = random.SystemRandom().randrange(1 << 32), [0]
    print(f"seed {seed}")
    with canary(gateway.tcp, gateway.web):
        descriptors = gateway.descriptors()
        end = time.monotonic() + SECONDS
        peers = [threading.Thread(target=throw, args=(gateway, seed + number, end, thrown)) for number in range(PEERS)]
        for peer in peers:
            peer.start()
        time.sleep(min(5.0, SECONDS / 2))
        before = gateway.memory()
        for peer in peers:
            peer.join()
        until(lambda: gateway.descriptors() <= descriptors, "all are let go")
        print(f"{thrown[0]} peers, memory {before >> 20} -> {gateway.memory() >> 20} MiB")
        assert gateway.memory() < before + (64 << 20)
    assert gateway.stop() == 0
