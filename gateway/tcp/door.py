"""A terminal door: accepts netcat (`tcp`) or telnet (`telnet`) connections for the hub."""

import socket

from gateway.core.closing import CloseReason
from gateway.core.events import Bye
from gateway.core.hub import Hub
from gateway.core.message import Door
from gateway.core.remote import Remote
from gateway.core.terminal import Terminals
from gateway.core.wire import PLAIN, TELNET, Wire
from gateway.tcp.admission import ConnectionLimits, LimitReached
from gateway.tcp.connection import Connection
from gateway.tcp.server import Server
from gateway.tcp.telnet import Telnet


class TerminalDoor:
    """What all connections of one door share. `page` is the chat page's address for browsers that knock here."""

    def __init__(self, door: Door, server: Server, hub: Hub, admission: ConnectionLimits, page: str) -> None:
        self.door = door
        self.server = server
        self.hub = hub
        self.terminals = Terminals(hub)
        self.admission = admission
        self.page = page
        self.wire: Wire = TELNET if door is Door.TELNET else PLAIN

    def admit(self, remote: Remote) -> LimitReached | None:
        """See `tcp.entrance.Door`."""
        ban = self.hub.bans.refusal(self.hub.bans.on_address(remote.address))
        if ban is not None:
            return LimitReached(CloseReason.BANNED, ban.text)
        closed = self.hub.upkeep.denial(self.door)
        return LimitReached(closed.closing, closed.words) if closed is not None else self.admission.come(remote)

    def arrived(self, sock: socket.socket, remote: Remote) -> None:
        """See `tcp.entrance.Door`."""
        Connection(self, sock, remote)

    def denial(self, first: bytes, last: bool, closing: CloseReason, words: str) -> bytes:
        """See `tcp.entrance.Door`."""
        return self.wire.event(Bye(closing.code, closing.told(words)), "")

    def gone(self, connection: Connection) -> None:
        """The connection's socket is closed."""
        self.admission.go(connection.remote)
        self.admission.leave()
        self.hub.disconnect(connection.session, CloseReason.LOST)

    def new_telnet(self) -> Telnet | None:
        """The telnet parser of a new connection; the plain door makes one when a peer speaks telnet first."""
        return Telnet(spoken=True) if self.door is Door.TELNET else None
