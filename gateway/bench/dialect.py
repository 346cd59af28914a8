"""What a client says to come into the room and to say something: to the gateway, and to the naive servers beside it."""

from typing import Protocol

import msgspec

from gateway.bench.framing import client_frame


class Dialect(Protocol):
    """The bytes a client sends. `door` is tcp, telnet or web; the web door's bytes are whole masked frames."""

    web_path: str

    def enter(self, door: str, room: str) -> bytes:
        """Go into the room to read."""

    def enter_to_write(self, door: str, room: str) -> bytes:
        """Go into the room to write, and get one's own messages too."""

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """One message."""


def _frame(**fields: object) -> bytes:
    return client_frame(msgspec.json.encode(fields))


class GatewayDialect:
    """The gateway's own doors. Speaking first spares the greeting; `/echo on` shows a terminal its own lines."""

    web_path = "/ws"

    def enter(self, door: str, room: str) -> bytes:
        """`/join`, or a hello with the one room."""
        return _frame(type="hello", rooms=[{"room": room}]) if door == "web" else f"/join {room}\n".encode()

    def enter_to_write(self, door: str, room: str) -> bytes:
        """As to read; a terminal asks for its own lines."""
        return self.enter(door, room) if door == "web" else b"/echo on\n" + self.enter(door, room)

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """A line, or a `say` without id: its own `msg` tells the writer, an ack would only load the server."""
        return _frame(type="say", room=room, text=text.decode()) if door == "web" else text + b"\n"


class NaiveDialect:
    """The servers in `gateway.bench.naive`: one room, no commands, what is said goes to all, the sender included."""

    web_path = "/"

    def enter(self, door: str, room: str) -> bytes:
        """Connected is in the room."""
        return b""

    def enter_to_write(self, door: str, room: str) -> bytes:
        """Connected is in the room."""
        return b""

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """A line or a text frame."""
        return client_frame(text) if door == "web" else text + b"\n"
