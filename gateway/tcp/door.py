"""A terminal door: accepts netcat (`tcp`) or telnet (`telnet`) connections for the hub."""

import socket

from gateway.core.hub import Hub
from gateway.core.message import Door
from gateway.core.remote import Remote
from gateway.core.terminal import Terminals
from gateway.core.wire import PLAIN, TELNET, Wire
from gateway.tcp.admission import Admission
from gateway.tcp.connection import Connection
from gateway.tcp.server import Server, refuse
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

    def arrived(self, sock: socket.socket, remote: Remote) -> None:
        """A connection that has entered: let it in, or tell it in one line why not."""
        words = self.admission.come(remote)
        if words is None:
            Connection(self, sock, remote)
        else:
            self.admission.leave()
            self.refuse(sock, words)

    def refuse(self, sock: socket.socket, words: str) -> None:
        """Tell a newcomer in one line why not."""
        refuse(sock, f"!! {words}\r\n".encode() if self.door is Door.TELNET else f"!! {words}\n".encode())

    def gone(self, connection: Connection) -> None:
        """The connection's socket is closed."""
        self.admission.go(connection.remote)
        self.admission.leave()
        self.hub.disconnect(connection.session, "left")

    def new_telnet(self) -> Telnet | None:
        """The telnet parser of a new connection; the plain door makes one when a peer speaks telnet first."""
        return Telnet(spoken=True) if self.door is Door.TELNET else None
