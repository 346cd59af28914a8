"""The chat servers that people write with three libraries, as each library's own documentation shows it:
`python -m tests.bench.side_by_side.websocket_peers aiohttp|websockets|socketify PORT`.

All do the same. The path is the room. The first text of a connection is its hello, which is answered with `welcome`;
every other goes to all in the room, the sender included. Nothing is stored, filtered, numbered or limited. Compression
is off, as in the gateway. Each imports only its own library, so that its memory is its own; those on asyncio run on
uvloop.
"""

import asyncio
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Coroutine
from pkgutil import resolve_name
from typing import Any

HOST = "127.0.0.1"
WELCOME = "welcome"


def say_port(port: int) -> None:
    """The first line of output tells where the server listens."""
    print(port, flush=True)


def run_aiohttp(port: int) -> None:
    """One `send_str` for each message and reader, by one task, so that all see one order."""
    web: Any = resolve_name("aiohttp.web")
    rooms: dict[str, set[Any]] = defaultdict(set)
    queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def chat(request: Any) -> Any:
        peer, room = web.WebSocketResponse(compress=False), request.path
        await peer.prepare(request)
        try:
            async for message in peer:
                if peer in rooms[room]:
                    queue.put_nowait((room, message.data))
                else:
                    rooms[room].add(peer)
                    await peer.send_str(WELCOME)
        finally:
            rooms[room].discard(peer)
        return peer

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/{room}", chat)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, port, backlog=1024).start()
        say_port(runner.addresses[0][1])
        while True:
            room, text = await queue.get()
            for peer in list(rooms[room]):
                try:
                    await peer.send_str(text)
                except ConnectionError:
                    rooms[room].discard(peer)

    on_uvloop(serve())


def run_websockets(port: int) -> None:
    """`broadcast()`, which waits for nobody."""
    library: Any = resolve_name("websockets.asyncio.server")
    closed: Any = resolve_name("websockets.exceptions:ConnectionClosed")
    rooms: dict[str, set[Any]] = defaultdict(set)

    async def chat(peer: Any) -> None:
        room = peer.request.path
        try:
            async for text in peer:
                if peer in rooms[room]:
                    library.broadcast(rooms[room], text)
                else:
                    rooms[room].add(peer)
                    await peer.send(WELCOME)
        except closed:
            pass
        finally:
            rooms[room].discard(peer)

    async def serve() -> None:
        server = await library.serve(chat, HOST, port, compression=None, ping_interval=None, backlog=1024)
        say_port(server.sockets[0].getsockname()[1])
        await server.wait_closed()

    on_uvloop(serve())


def run_socketify(port: int) -> None:
    """uWebSockets' own topics: it joins what is published in one turn."""
    library: Any = resolve_name("socketify")
    with socket.create_server((HOST, port)) as free:
        chosen = free.getsockname()[1]
    app = library.App()

    def upgrade(response: Any, request: Any, context: Any) -> None:
        key, protocol, extensions = (request.get_header(f"sec-websocket-{name}") for name in HEADERS)
        response.upgrade(key, protocol, extensions, context, [request.get_url()])

    def message(peer: Any, text: str, opcode: Any) -> None:
        data = peer.get_user_data()
        if len(data) > 1:
            app.publish(data[0], text, opcode)
        else:
            data.append(True)
            peer.subscribe(data[0])
            peer.send(WELCOME, opcode)

    app.ws(
        "/*",
        {
            "compression": library.CompressOptions.DISABLED,
            "max_backpressure": 64 << 20,
            "idle_timeout": 0,
            "upgrade": upgrade,
            "message": message,
        },
    )
    app.listen(library.AppListenOptions(port=chosen, host=HOST), lambda config: say_port(config.port))
    app.run()


HEADERS = ("key", "protocol", "extensions")
SERVERS: dict[str, Callable[[int], None]] = {
    "aiohttp": run_aiohttp,
    "websockets": run_websockets,
    "socketify": run_socketify,
}


def on_uvloop(serving: Coroutine[Any, Any, None]) -> None:
    """Serve until killed, on the fastest loop there is for asyncio."""
    resolve_name("uvloop:run")(serving)


if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
