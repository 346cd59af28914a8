"""A terminal door: accepts netcat (`tcp`) or telnet (`telnet`) connections for the hub."""

import socket

from gateway.core.closing import Closing
from gateway.core.hub import Hub
from gateway.core.message import Door
from gateway.core.terminal import Terminals
from gateway.core.wire import PLAIN, TELNET, Wire
from gateway.tcp.admission import Admission
from gateway.tcp.connection import Connection
from gateway.tcp.server import Server
from gateway.tcp.telnet import Telnet


class TerminalDoor:
    """What all connections of one door share. `page` is the chat page's address for browsers that knock here."""

    def __init__(self, door: Door, server: Server, hub: Hub, admission: Admission, page: str) -> None:
        self.door = door
        self.server = server
        self.hub = hub
        self.terminals = Terminals(hub)
        self.admission = admission
        self.page = page
        self.wire: Wire = TELNET if door is Door.TELNET else PLAIN

    def accepted(self, sock: socket.socket, address: str) -> None:
        """A new connection: let it in, or tell it in one line why not."""
        refusal = self.admission.admit(address)
        if refusal is None:
            Connection(self, sock, address)
        else:
            refuse(sock, f"!! {refusal}\r\n".encode() if self.door is Door.TELNET else f"!! {refusal}\n".encode())

    def gone(self, connection: Connection) -> None:
        """The connection's socket is closed."""
        self.admission.release(connection.address)
        self.hub.disconnect(connection.session, Closing.LOST)

    def new_telnet(self) -> Telnet | None:
        """The telnet parser of a new connection; the plain door makes one when a peer speaks telnet first."""
        return Telnet(spoken=True) if self.door is Door.TELNET else None


def refuse(sock: socket.socket, words: bytes) -> None:
    """Say why and close at once: one small write into an empty buffer."""
    try:
        sock.send(words)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    sock.close()
