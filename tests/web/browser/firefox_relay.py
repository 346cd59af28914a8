"""Firefox as distributions have it, for Playwright, which drives it by WebDriver BiDi but expects a newer version.

Playwright starts this instead of Firefox and reads the address of the debugging port from what it prints. What the two
say to each other passes through, except for what Firefox 153 lacks:

- It does not know the command that sets preferred colours and motion, which Playwright gives for every new context.
  The command succeeds without having done anything.
- Its downloads have no number, and Playwright ignores those. Their address takes the number's place.

    python firefox_relay.py FIREFOX ARGUMENTS...     the arguments are those that Playwright has for Firefox
"""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")


async def main(command: list[str]) -> int:
    """Run Firefox until it ends; its exit code."""
    firefox = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    assert firefox.stderr is not None
    async for line in firefox.stderr:
        if found := LISTENING.search(line):
            await announce(found[1].decode())
        else:
            sys.stderr.buffer.write(line)
            sys.stderr.flush()
    return await firefox.wait()


async def announce(address: str) -> None:
    """Open a port for Playwright that leads to Firefox's, and print its address in Firefox's words."""

    async def relay(playwright: ServerConnection) -> None:
        assert playwright.request is not None
        async with connect(address + playwright.request.path, max_size=None, compression=None) as firefox:
            asked: dict[int, str] = {}

            async def ask() -> None:
                async for text in playwright:
                    command = json.loads(text)
                    asked[command["id"]] = command["method"]
                    await firefox.send(text)
                await firefox.close()

            asking = asyncio.create_task(ask())
            async for text in firefox:
                await playwright.send(mended(str(text), asked))
            await asking

    server = await serve(relay, "127.0.0.1", 0, max_size=None, compression=None)
    port = next(iter(server.sockets)).getsockname()[1]
    print(f"WebDriver BiDi listening on ws://127.0.0.1:{port}", file=sys.stderr, flush=True)


def mended(text: str, asked: dict[int, str]) -> str:
    """What Playwright is told instead of what Firefox said; `asked` are the commands that Firefox has not answered."""
    said = json.loads(text)
    if said.get("method", "").startswith("browsingContext.download"):
        said["params"].setdefault("download", said["params"]["url"])
        return json.dumps(said)
    command = asked.pop(said.get("id"), "")
    if said.get("error") == "unknown command" and command == "emulation.setMediaFeaturesOverride":
        return json.dumps({"type": "success", "id": said["id"], "result": {}})
    return text


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
