"""The transport's port: one peer's connection as the core sees it, and what a transport sees of its session.

`Arrival` is what a door knows when a connection begins. `Kernel` and `Traits` are what the kernel and the door know of
it later. Chat itself has no use for those; they are asked for when somebody looks at the connection.
"""

from typing import NamedTuple, Protocol

import msgspec

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """What a door knows of a peer at the start. `proxy` is the address of the proxy that reported `address`; None: the
    peer itself is connected to us. `agent` is the program at the other end, as it names itself; `encrypted`: the
    connection is protected by TLS; `terminal`: it talks in lines, in one room at a time, whatever its door."""

    door: Door
    address: str
    proxy: str | None = None
    agent: str | None = None
    encrypted: bool = False
    terminal: bool = False


class Kernel(NamedTuple):
    """The kernel's figures of a TCP connection. None: this system does not tell."""

    rtt: float
    """The smoothed round trip, in ms."""
    retransmits: int | None
    """Segments sent again since the beginning."""
    unacked: int | None
    """Segments sent and not acknowledged yet."""
    unsent_bytes: int | None
    """Bytes in the kernel's buffer that have never been sent."""
    acked_bytes: int | None = None
    """Bytes the peer's machine has acknowledged since the beginning."""


class Traits(NamedTuple):
    """What hardly ever changes about a connection. `local` is the address the peer connected to, `host:port`; `telnet`
    are the options both sides agreed to, as words; `terminal` is its size, `80x24`; `agent` is the terminal's own name.
    None or empty: not known."""

    local: str | None = None
    tls: bool = False
    telnet: tuple[str, ...] = ()
    terminal: str | None = None
    agent: str | None = None


class Transport(Protocol):
    """One peer's connection as the hub sees it. No verb raises, blocks or calls the hub before it returns; all may be
    called after the peer has gone."""

    def send(self, data: bytes) -> int:
        """Take some prefix of `data` and return its length in bytes, perhaps 0.

        A transport that took less than all calls `hub.pump(session)` once when it can take more.
        """

    def resume(self) -> None:
        """The session takes input again (see `Session.held`): go on with what was received, soon."""

    def close(self, closing: CloseReason, words: str) -> None:
        """Write a farewell in the door's own way (`CloseReason.told`), then close, at the latest within 2 s; then call
        `hub.disconnect(session)`."""

    def kernel(self) -> Kernel | None:
        """What the kernel knows of the connection now; one or two system calls."""

    def traits(self) -> Traits:
        """What the door knows of the connection."""


class Watcher(Protocol):
    """Receives what a session's peer sends (`core.sessions.trace`)."""

    def heard(self, data: bytes) -> None: ...


class RoomReading(Protocol):
    """A room as a session reads it: the last number it has, and the number of its own last message."""

    cursor: int
    own: int

    @property
    def place(self) -> tuple[str, str, int]:
        """Name and epoch of the room, and the cursor."""

    def lag(self) -> tuple[int, int]:
        """How far the reader is behind: (messages, bytes)."""

    def unsent_since(self) -> int | None:
        """When the oldest message after the cursor was sent, in ms since 1970; None when there is none."""
