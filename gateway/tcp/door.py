"""A terminal door: accepts netcat (`tcp`) or telnet (`telnet`) connections for the hub."""

import socket
from functools import lru_cache

from gateway.core.address import Remote
from gateway.core.clock import Delay
from gateway.core.connection_limits import ConnectionLimits, LimitReached
from gateway.core.doors.terminal import Terminals
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Bye
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import LINES_OF
from gateway.tcp.connection import Connection
from gateway.tcp.lines import SHORT_PAUSE_SECONDS, Allowance, ReadAhead
from gateway.tcp.server import Server
from gateway.tcp.tls_connection import TlsConnection, TlsSocket
from gateway.tls import TlsSession


@lru_cache(1024)
def arrival_of(door: Door, remote: Remote, encrypted: bool) -> Arrival:
    """What a terminal's door knows of a peer. Those that come from one address share it."""
    return Arrival(door, remote.address, remote.proxy, encrypted=encrypted, terminal=True)


class TerminalDoor:
    """One terminal door: what its connections share."""

    def __init__(self, door: Door, server: Server, terminals: Terminals, admission: ConnectionLimits) -> None:
        self.door = door
        self.server = server
        self.hub = terminals.hub
        self.terminals = terminals
        self.admission = admission
        self.wire = LINES_OF[door]
        self.read_ahead = Allowance()
        self.nothing_ahead = ReadAhead(self.read_ahead)
        self.first_pauses = Delay(terminals.hub.clock, SHORT_PAUSE_SECONDS, Connection.look_for_pause)

    def forwards(self, address: str) -> bool:
        """See `tcp.acceptor.DoorServer`: lines carry no addresses."""
        return False

    def admit(self, remote: Remote) -> LimitReached | None:
        """See `tcp.acceptor.DoorServer`."""
        bans = self.hub.bans
        ban = bans.refusal(bans.on_address(remote.address)) if bans.by_id else None
        if ban is not None:
            return LimitReached(CloseReason.BANNED, ban.text)
        closed = self.hub.gate.denial(self.door)
        return LimitReached(closed.closing, closed.words) if closed is not None else self.admission.come(remote)

    def arrived(self, sock: socket.socket, remote: Remote) -> None:
        """See `tcp.acceptor.DoorServer`."""
        Connection(self, sock, arrival_of(self.door, remote, remote.encrypted))

    def arrived_by_tls(self, sock: socket.socket, tls: TlsSession, remote: Remote) -> None:
        """See `tcp.acceptor.DoorServer`."""
        TlsConnection(self, TlsSocket(sock, tls), arrival_of(self.door, remote, True))

    def withdrawn(self, remote: Remote) -> None:
        """See `tcp.acceptor.DoorServer`."""
        self.admission.go(remote)

    def denial(self, first: bytes, last: bool, closing: CloseReason, words: str) -> bytes:
        """See `tcp.acceptor.DoorServer`."""
        return self.wire.event(Bye(closing.code, closing.told(words)), "")

    def gone(self, connection: Connection) -> None:
        """The connection's socket is closed."""
        session = connection.session
        self.admission.go_as(session.counted_as)
        self.admission.leave()
        self.hub.disconnect(session, CloseReason.LOST)
