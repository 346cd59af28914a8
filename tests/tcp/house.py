"""A hub with one terminal door on a real socket, and peers that connect. All of it runs in the test's own thread."""

import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence

from gateway.core.address import Networks, WaysIn
from gateway.core.clock import Clock
from gateway.core.connection_limits import ConnectionLimits
from gateway.core.doors.join import Greeting
from gateway.core.doors.terminal import Terminals
from gateway.core.protocol.message import Door
from gateway.core.sessions.session import Session
from gateway.tcp.acceptor import Acceptor
from gateway.tcp.connection import Connection
from gateway.tcp.door import TerminalDoor
from gateway.tcp.reject import Rejections
from gateway.tcp.server import Server, new_selector
from tests.fakes import new_hub, new_operators, until

PAGE = "http://127.0.0.1:8080/"
"""Where the house says its chat page is to peers that come by loopback."""
ROUND = 0.01
LOCALHOST = "127.0.0.1"


def turn(server: Server, timeout: float = ROUND) -> None:
    """One round of the server's loop."""
    server.poll(timeout)
    server.timers.run(time.monotonic())


def turn_until(server: Server, condition: Callable[[], object]) -> None:
    """Turn the server's loop until the condition holds."""
    until(condition, meanwhile=lambda: turn(server))


def reset(sock: socket.socket) -> None:
    """Close so that the other side gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def connection_of(session: Session) -> Connection:
    """What the door holds behind a session."""
    assert isinstance(session.transport, Connection)
    return session.transport


class Reception:
    """Keeps the accepted sockets."""

    def __init__(self) -> None:
        self.here: list[socket.socket] = []

    def __call__(self, sock: socket.socket, address: str) -> None:
        self.here.append(sock)


class Caller:
    """Somebody with a socket and no program behind it."""

    def __init__(self, server: Server, address: tuple[str, int], receive_buffer: int = 0) -> None:
        self.server = server
        self.sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(address)
        self.sock.setblocking(False)
        self.name = "{}:{}".format(*self.sock.getsockname()[:2])
        self.heard = b""
        self.ended = ""

    def says(self, *pieces: bytes) -> None:
        """Send each piece; the server gets a turn in between and whenever the socket is full."""
        for piece in pieces:
            while piece:
                try:
                    piece = piece[self.sock.send(piece) :]
                except BlockingIOError:
                    turn(self.server)
            turn(self.server, 0)

    def says_no_more(self) -> None:
        """Half-close."""
        self.sock.shutdown(socket.SHUT_WR)

    def resets(self) -> None:
        """Be gone at once."""
        reset(self.sock)

    def listens(self) -> None:
        """Take what has come."""
        while not self.ended:
            try:
                data = self.sock.recv(1 << 20)
            except BlockingIOError:
                return
            except ConnectionResetError:
                self.ended = "reset"
                return
            self.heard += data
            if not data:
                self.ended = "closed"

    def hears(self, words: bytes) -> None:
        """Listen until the words have come."""

        def heard() -> bool:
            self.listens()
            return words in self.heard

        turn_until(self.server, heard)

    def hears_all(self) -> bytes:
        """Listen until the server closes; everything that was heard since the last `forgets`."""

        def over() -> str:
            self.listens()
            return self.ended

        turn_until(self.server, over)
        assert self.ended == "closed"
        return self.heard

    def hears_all_or_reset(self) -> bytes:
        """The same where the server may close at once, with our words unread."""

        def over() -> str:
            self.listens()
            return self.ended

        turn_until(self.server, over)
        return self.heard

    def forgets(self) -> None:
        """What was heard so far does not matter."""
        self.listens()
        self.heard = b""


class Guest(Caller):
    """A caller at the house's door."""

    def __init__(self, house: "House", receive_buffer: int = 0) -> None:
        before = set(house.hub.sessions)
        super().__init__(house.server, house.listener.address, receive_buffer)
        turn_until(house.server, lambda: set(house.hub.sessions) - before)
        (number,) = set(house.hub.sessions) - before
        self.session: Session = house.hub.sessions[number]


class House:
    """The hub, its door and its server. There is no rate unless `limits` name one."""

    def __init__(
        self, door: Door = Door.TCP, proxies: Sequence[str] = (), tls: ssl.SSLContext | None = None, **limits: float
    ) -> None:
        self.server = Server(new_selector("auto"))
        clock = Clock(
            time.monotonic,
            lambda: time.time_ns() // 1_000_000,
            self._tick_later,
        )
        self.hub = new_hub(clock, limits)
        self.hub.start()
        operators = new_operators(self.hub)
        terminals = Terminals(self.hub, operators, Greeting(ways_in=WaysIn(web=8080, tcp=9999)))
        self.admission = ConnectionLimits(0, 0)
        self.refusals = Rejections(self.server, 2)
        self.door = TerminalDoor(door, self.server, terminals, self.admission)
        self.entrance = Acceptor(self.server, self.hub, self.admission, self.refusals, Networks(proxies))
        self.listener = self.server.listen(
            "127.0.0.1", 0, self.entrance.to(self.door, None if tls is None else lambda: tls)
        )

    def _tick_later(self, seconds: float) -> None:
        self.server.later(seconds, self.hub.tick)

    @property
    def said(self) -> list[str]:
        """All that was said in the lobby."""
        return [message.text for message in self.hub.rooms["lobby"].log.after(0)]

    def stranger(self, receive_buffer: int = 0) -> Guest:
        """A peer that has just connected and received nothing yet."""
        return Guest(self, receive_buffer)

    def knocks(self, first: bytes = b"") -> Caller:
        """A peer that may be rejected; `first` has been sent when the door looks."""
        caller = Caller(self.server, self.listener.address)
        caller.sock.sendall(first)
        return caller

    def guest(self, nick: str, receive_buffer: int = 0) -> Guest:
        """Somebody who has a nick and reads the room."""
        guest = Guest(self, receive_buffer)
        guest.says(f"/nick {nick}\n".encode())
        guest.hears(nick.encode())
        guest.forgets()
        return guest

    def until(self, condition: Callable[[], object]) -> None:
        """Let time pass until the condition holds."""
        turn_until(self.server, condition)

    def close(self) -> None:
        """Everybody goes."""
        for session in list(self.hub.sessions.values()):
            connection_of(session).finish()
        self.server.close()
