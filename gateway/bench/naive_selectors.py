"""A chat server with `selectors`, one send per message and reader.

Run it alone with `python -m gateway.bench.naive_selectors PORT`.
"""

import selectors
import socket
import sys
from collections.abc import Callable

READ_BYTES = 64 << 10


class NaiveClient:
    """A connection: its unfinished line, and the bytes that its socket has not accepted yet."""

    def __init__(self, sock: socket.socket, name: bytes) -> None:
        self.sock = sock
        self.name = name
        self.line = b""
        self.unsent = b""


class NaiveServer:
    """Accepts clients, reads lines, and sends each line to every client at once."""

    def __init__(self, port: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.clients: dict[socket.socket, NaiveClient] = {}
        self.joined = 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def accept(self, events: int) -> None:
        """Accept one client."""
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.joined += 1
        client = NaiveClient(sock, b"guest-%d: " % self.joined)
        self.clients[sock] = client
        self.selector.register(sock, selectors.EVENT_READ, self.callback(client))

    def callback(self, client: NaiveClient) -> Callable[[int], None]:
        """What to do when the client's socket is ready."""

        def ready(events: int) -> None:
            if events & selectors.EVENT_WRITE:
                self.send(client, b"")
            if events & selectors.EVENT_READ:
                self.read(client)

        return ready

    def read(self, client: NaiveClient) -> None:
        """Read, and send every whole line to every client."""
        try:
            chunk = client.sock.recv(READ_BYTES)
        except OSError:
            chunk = b""
        if not chunk:
            self.leave(client)
            return
        *lines, client.line = (client.line + chunk).split(b"\n")
        for line in lines:
            message = client.name + line + b"\n"
            for reader in list(self.clients.values()):
                self.send(reader, message)

    def send(self, client: NaiveClient, message: bytes) -> None:
        """Send, or keep the message until the socket is writable again."""
        client.unsent += message
        try:
            sent = client.sock.send(client.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            client.unsent = b""
            return
        client.unsent = client.unsent[sent:]
        wanted = selectors.EVENT_READ | selectors.EVENT_WRITE if client.unsent else selectors.EVENT_READ
        if self.selector.get_key(client.sock).events != wanted:
            self.selector.modify(client.sock, wanted, self.callback(client))

    def leave(self, client: NaiveClient) -> None:
        """Remove a client."""
        self.selector.unregister(client.sock)
        del self.clients[client.sock]
        client.sock.close()

    def run(self) -> None:
        """Serve until killed."""
        while True:
            for key, events in self.selector.select():
                key.data(events)


if __name__ == "__main__":
    server = NaiveServer(int(sys.argv[1]))
    print(server.listener.getsockname()[1], flush=True)
    server.run()
