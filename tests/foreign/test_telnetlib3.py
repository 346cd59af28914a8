"""telnetlib3, a telnet client that negotiates all it knows, at both terminal doors."""

import asyncio
from typing import Any

import pytest
import telnetlib3

from tests.bridge.gateways import Gateway
from tests.bridge.peers import SECONDS, history


@pytest.mark.parametrize("door", ["tcp", "telnet"])
async def test_telnetlib3_negotiates_and_chats(shared: Gateway, room: str, door: str) -> None:
    async with asyncio.timeout(2 * SECONDS):
        reader: Any
        writer: Any  # both speak text where an encoding is given, which their types do not say
        reader, writer = await telnetlib3.open_connection(
            "127.0.0.1",
            shared.port(door),
            encoding="utf-8",
            force_binary=True,
            term="xterm-256color",
            cols=132,
            rows=43,
        )
        writer.write(f"/join {room}\r\n")
        heard = ""
        while f"#{room}" not in heard:
            heard += await reader.read(4096)
        writer.write("grüße von telnetlib3\r\n")
        writer.write("/quit\r\n")
        while await reader.read(4096):
            pass
        writer.close()

    assert [message["text"] for message in history(shared.web, room)] == ["grüße von telnetlib3"]
