"""A terminal door: accepts netcat (`tcp`) or telnet (`telnet`) connections for the hub."""

import socket

from gateway.core.closing import Closing
from gateway.core.events import Bye
from gateway.core.hub import Hub
from gateway.core.message import Door
from gateway.core.terminal import Terminals
from gateway.core.wire import PLAIN, TELNET, Wire
from gateway.tcp.admission import Admission, Denial
from gateway.tcp.connection import Connection
from gateway.tcp.refusals import Refusals
from gateway.tcp.server import Server
from gateway.tcp.telnet import Telnet


class TerminalDoor:
    """What all connections of one door share. `page` is the chat page's address for browsers that knock here."""

    def __init__(
        self, door: Door, server: Server, hub: Hub, admission: Admission, page: str, refusals: Refusals
    ) -> None:
        self.door = door
        self.server = server
        self.hub = hub
        self.terminals = Terminals(hub)
        self.admission = admission
        self.page = page
        self.refusals = refusals
        self.wire: Wire = TELNET if door is Door.TELNET else PLAIN

    def accepted(self, sock: socket.socket, address: str) -> None:
        """A new connection: let it in, or tell it in one line why not."""
        ban = self.hub.bans.refusal(self.hub.bans.on_address(address))
        denial = Denial(Closing.BANNED, ban.text) if ban is not None else self.admission.admit(address)
        if denial is None:
            Connection(self, sock, address)
            return
        self.hub.refused(self.door, address, *denial)
        words = self.wire.event(Bye(denial.closing.code, denial.closing.told(denial.words)), "")
        self.refusals.refuse(sock, lambda first, last: words)

    def gone(self, connection: Connection) -> None:
        """The connection's socket is closed."""
        self.admission.release(connection.address)
        self.hub.disconnect(connection.session, Closing.LOST)

    def new_telnet(self) -> Telnet | None:
        """The telnet parser of a new connection; the plain door makes one when a peer speaks telnet first."""
        return Telnet(spoken=True) if self.door is Door.TELNET else None
