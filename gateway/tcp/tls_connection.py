"""A terminal's connection over TLS: a socket that encrypts, and what a `Connection` has to do besides because of it.

Plain connections know nothing of this and pay nothing for it: the door chooses the class when a peer arrives.

- `TlsSocket.recv` returns all that it could decrypt, so no text is left in it that would wake no selector. Three things
  may be: text that came with the handshake, close_notify behind some text, and a fault behind some text. `pending`
  says so, and the connection then reads again by itself, also when it goes on reading after a pause.
- `TlsSocket.send` encrypts at most a record at a time, and the next one when the last is out: what a stalled reader
  holds is bounded, and the rest stays with its cursor in the room's log. A record that was begun is finished before
  anything else is sent. So it counts as sent, and the selector is asked for room as long as a part of it is left.
- Our side is shut down after close_notify, which is a write like any other, and may have to wait for room.
"""

import errno
import socket
import ssl

from gateway.core.ports.transport import Arrival
from gateway.tcp.connection import Connection, Shared
from gateway.tcp.server import READ, WRITE
from gateway.tls import RECORD_BYTES, TlsSession


def send_outgoing(sock: socket.socket, tls: TlsSession) -> bool:
    """Send what is to be sent; return whether all of it went out. Raises OSError if the connection is broken."""
    try:
        while data := tls.outgoing:
            tls.sent(socket.socket.send(sock, data))
    except (BlockingIOError, InterruptedError):
        return False
    return True


class TlsSocket(socket.socket):
    """A non-blocking socket whose handshake is complete; what is sent and received is text. It takes over the
    descriptor of `sock`."""

    __slots__ = ("_early", "tls")

    def __init__(self, sock: socket.socket, tls: TlsSession) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self.setblocking(False)
        self.tls = tls
        try:
            self._early = tls.feed(b"")
        except ssl.SSLError:
            self._early = b""

    @property
    def pending(self) -> bool:
        """Whether `recv` has something to return, or to raise, although nothing makes the socket readable."""
        tls = self.tls
        return not tls.left and (self._early != b"" or tls.ended or tls.fault is not None)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """All the text there is, perhaps more than `bufsize`; b"" at the peer's end, by close_notify or without. Raises
        BlockingIOError while there is none, and OSError (ssl.SSLError) if the connection is broken. After our own
        close_notify what comes is returned as it is: nobody reads it."""
        tls = self.tls
        if tls.left:
            return super().recv(bufsize)
        if self._early:
            text, self._early = self._early, b""
            return text
        if tls.fault is None and tls.ended:
            return b""
        data = b"" if tls.fault is not None else super().recv(min(bufsize, RECORD_BYTES))
        if not data and tls.fault is None:
            return b""
        try:
            text = tls.feed(data)
        finally:
            self._answer()
        if text or tls.ended:
            return text
        raise BlockingIOError(errno.EAGAIN, "no complete record")

    def _answer(self) -> None:
        """Send what reading has caused. If that fails there may still be something to read; a later send will fail as
        well."""
        try:
            send_outgoing(self, self.tls)
        except OSError:
            self.tls.take()

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]  # nobody sends views
        """Encrypt and send as much as goes out, and perhaps a record more; return how much of `data` that was. Raises
        BlockingIOError while a record is waiting, and OSError."""
        if not self.flush():
            raise BlockingIOError(errno.EAGAIN, "a record is waiting")
        taken = 0
        while taken < len(data):
            self.tls.write(data[taken : taken + RECORD_BYTES])
            taken += min(RECORD_BYTES, len(data) - taken)
            if not self.flush():
                break
        return taken

    def flush(self) -> bool:
        """Send what is waiting; return whether all of it went out. Raises OSError."""
        return send_outgoing(self, self.tls)

    def leave(self) -> bool:
        """Say close_notify; return whether it and all before it went out. Call it again when there is room."""
        self.tls.leave()
        return self.flush()

    def shutdown(self, how: int, /) -> None:
        """Say close_notify if that was not said, then shut down."""
        self.leave()
        super().shutdown(how)


class TlsConnection(Connection):
    """A `Connection` over a `TlsSocket`."""

    __slots__ = ("_reading_on",)

    ends_silently = False
    sock: TlsSocket

    def __init__(self, door: Shared, sock: TlsSocket, arrival: Arrival) -> None:
        self._reading_on = False
        """Whether `_read_on` is going to be called."""
        super().__init__(door, sock, arrival)

    def transmit(self, data: bytes) -> int:
        """See `Connection`."""
        taken = super().transmit(data)
        self._mind_the_rest()
        return taken

    def _mind_the_rest(self) -> None:
        """Ask for room for a record of which a part is left."""
        if self._broken:
            self.sock.tls.take()
        elif not self.closed and self.sock.tls.outgoing:
            self._watch(self.events | WRITE)

    def _writable(self) -> None:
        try:
            if not self.sock.flush():
                return
        except OSError as problem:
            self._break(problem)
            self.sock.tls.take()
        super()._writable()

    def _shut_down(self) -> None:
        try:
            if not self._broken and not self.sock.leave():
                return  # the selector is still asked for room
        except OSError as problem:
            self._break(problem)
        super()._shut_down()

    def _readable(self) -> None:
        super()._readable()
        if not self.closed:
            self._mind_the_rest()
            self._look_for_pending()

    def _watch(self, events: int) -> None:
        super()._watch(events)
        self._look_for_pending()

    def _look_for_pending(self) -> None:
        if self.events & READ and not self._reading_on and self.sock.pending:
            self._reading_on = True
            self.door.server.later(0, self._read_on)

    def _read_on(self) -> None:
        self._reading_on = False
        if not self.closed:
            self.ready(READ)
