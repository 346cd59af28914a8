"""A chat server with aiohttp, one `send_str` per message and reader.

Run it alone with `python -m gateway.bench.naive_aiohttp PORT`.

One task sends, from a queue: handlers that each send to everybody would show different readers different orders as soon
as one send has to wait.
"""

import asyncio
import contextlib
import sys

from aiohttp import WSMsgType, web


class NaiveRoom:
    """The clients in the room, and the messages still to be sent."""

    def __init__(self) -> None:
        self.sockets: set[web.WebSocketResponse] = set()
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.joined = 0

    async def send_all(self) -> None:
        """Send every message to every client, in order."""
        while True:
            message = await self.queue.get()
            for socket in list(self.sockets):
                with contextlib.suppress(ConnectionError):
                    await socket.send_str(message)


ROOM = web.AppKey("ROOM", NaiveRoom)


async def chat(request: web.Request) -> web.WebSocketResponse:
    """Serve one WebSocket from its handshake to its end."""
    room = request.app[ROOM]
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    room.sockets.add(socket)
    room.joined += 1
    name = f"guest-{room.joined}"
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                room.queue.put_nowait(f"{name}: {message.data}")
    finally:
        room.sockets.discard(socket)
    return socket


async def serve(port: int) -> None:
    """Serve until killed."""
    app = web.Application()
    app[ROOM] = room = NaiveRoom()
    app.router.add_get("/", chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await room.send_all()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
