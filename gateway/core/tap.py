"""Looking over one connection's shoulder: what it sends and what it gets, as its door sees the bytes.

Input is told by the doors (`Session.tap`), output passes the tap on its way to the transport. Without a tap neither
costs more than a look at a slot, and the output nothing at all.
"""

from collections.abc import Callable

from gateway.core.closing import CloseReason
from gateway.core.ports import Transport
from gateway.core.session import Session
from gateway.core.traits import Kernel, Traits

Seen = Callable[[str, bytes], None]
"""Called with `in` or `out`, and the bytes."""


class Trace:
    """A `core.ports.Transport` before another, of the same session. It tells `seen` until it is removed."""

    __slots__ = ("_seen", "_session", "_transport")

    def __init__(self, session: Session, seen: Seen) -> None:
        self._session = session
        self._transport: Transport = session.transport
        self._seen = seen
        session.tap = self
        session.transport = self

    def remove(self) -> None:
        """Tell nothing more."""
        session = self._session
        session.tap = None
        session.transport = self._transport

    def heard(self, data: bytes) -> None:
        """The peer has sent this."""
        self._seen("in", data)

    def send(self, data: bytes) -> int:
        """See `core.ports.Transport`."""
        taken = self._transport.send(data)
        if taken:
            self._seen("out", data[:taken])
        return taken

    def resume(self) -> None:
        """See `core.ports.Transport`."""
        self._transport.resume()

    def close(self, closing: CloseReason, words: str) -> None:
        """See `core.ports.Transport`."""
        self._transport.close(closing, words)

    def kernel(self) -> Kernel | None:
        """See `core.ports.Transport`."""
        return self._transport.kernel()

    def traits(self) -> Traits:
        """See `core.ports.Transport`."""
        return self._transport.traits()
