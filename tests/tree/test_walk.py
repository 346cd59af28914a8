"""README's walk follows one message through the files in the order in which it passes them: a real one is followed."""

import asyncio
import re
import sys
from pathlib import Path
from types import CodeType, FrameType

from websockets.asyncio.client import connect

from gateway.config.settings import Settings
from gateway.core.protocol.wire import FRAME
from gateway.core.rooms.fanout import Room
from gateway.core.rooms.group_commit import GroupCommit
from gateway.journal.sqlite import SqliteJournal
from gateway.server import Gateway
from gateway.tcp.lines import LineBuffer
from gateway.web.websocket import Socket

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "gateway"
SECONDS = 45
LAID_DOWN: tuple[CodeType, ...] = tuple(
    verb.__code__
    for verb in (
        LineBuffer.feed,
        GroupCommit.submit,
        SqliteJournal.append,
        Room.publish,
        type(FRAME).message,
        Socket.send,
    )
)
"""Where a message waits for its next step, changes its form or leaves us. Whatever stands on the stack there carries
it; whatever was only asked something on the way (the text gate, the commands' names, the clock) does not."""


def readmes_walk() -> list[str]:
    """The files that README names, in its order."""
    (walk,) = re.findall(r"Follow one message: (.*?→ the browser)", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    return [name.removeprefix("gateway/") for name in re.findall(r"`([\w/]+\.py)`", walk)]


class Walk:
    """A profile function that notes the gateway's files, each when the message first passes it."""

    def __init__(self) -> None:
        self.files: list[str] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event != "call" or frame.f_code not in LAID_DOWN:
            return
        stack: list[str] = []
        at: FrameType | None = frame
        while at is not None:
            path = Path(at.f_code.co_filename)
            if path.is_relative_to(GATEWAY):
                stack.append(path.relative_to(GATEWAY).as_posix())
            at = at.f_back
        self.files += [name for name in dict.fromkeys(reversed(stack)) if name not in self.files]


async def one_message(gateway: Gateway) -> list[str]:
    """The files by which a line from netcat comes to a browser."""
    await gateway.start()
    web, tcp = (dict(gateway.listeners.ports())[door] for door in ("web", "tcp"))
    walk = Walk()
    async with asyncio.timeout(SECONDS), connect(f"ws://127.0.0.1:{web}/ws") as browser:
        await browser.send('{"type":"hello"}')
        while '"joined"' not in await browser.recv(decode=True):
            pass
        reader, netcat = await asyncio.open_connection("127.0.0.1", tcp)
        await reader.readline()  # the greeting: nothing else is on its way now
        sys.setprofile(walk)
        try:
            netcat.write(b"follow me\n")
            while "follow me" not in await browser.recv(decode=True):
                pass
        finally:
            sys.setprofile(None)
        netcat.close()
    return walk.files


def test_the_walk_in_readme_is_the_way_a_message_goes(tmp_path: Path) -> None:
    settings = Settings(tcp_port=0, telnet_port=-1, web_port=0, data=tmp_path)

    async def run() -> list[str]:
        gateway = Gateway(settings, lambda: settings, asyncio.get_running_loop(), b"key")
        try:
            return await one_message(gateway)
        finally:
            await gateway.close()

    walked = asyncio.run(run())

    assert walked == readmes_walk()
    assert len(walked) <= 12


def test_every_file_that_readme_names_is_there() -> None:
    named = set(re.findall(r"`(?:gateway/)?((?:[a-z_]+/)*[a-z_]+\.py)`", (ROOT / "README.md").read_text("utf-8")))

    assert len(named) > 30
    assert not [name for name in named if not ((GATEWAY / name).is_file() or (ROOT / name).is_file())]
