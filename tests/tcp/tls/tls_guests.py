"""Somebody with a socket and TLS, who is served by a house."""

import ssl

from tests.tcp.house import Caller, House, turn, turn_until
from tests.tls_peers import TlsClient


class TlsGuest(Caller):
    """A caller at a house whose port speaks TLS; what is said and heard is text."""

    def __init__(
        self, house: House, trust: ssl.SSLContext, before: bytes = b"", receive_buffer: int = 0, cut: bool = False
    ) -> None:
        super().__init__(house.server, house.listener.address, receive_buffer)
        self.client = TlsClient(trust)
        self.bytes_heard = 0
        first = before + self.client.begin()
        self.sends(*(first[at : at + 1] for at in range(len(first))) if cut else (first,))

    def sends(self, *pieces: bytes) -> None:
        """Send bytes as they are."""
        super().says(*pieces)

    def shakes_hands(self) -> "TlsGuest":
        """Until the handshake is complete."""

        def complete() -> bool:
            self.listens()
            return self.client.ready

        turn_until(self.server, complete)
        return self

    def says(self, *pieces: bytes) -> None:
        """Send each piece as a record of its own."""
        self.sends(*(self.client.says(piece) for piece in pieces))

    def leaves(self) -> None:
        """close_notify, without the end of the connection."""
        self.sends(self.client.leaves())

    def listens(self) -> None:
        """Take what has come."""
        before = self.heard
        self.heard = b""
        try:
            super().listens()
        finally:
            data, self.heard = self.heard, before
            self.bytes_heard += len(data)
            if data:
                self.heard += self.client.takes(data)
                answer = self.client.output()
                if answer and not self.ended:
                    self.sock.send(answer)
                    turn(self.server, 0)
