"""What a door and the kernel know of a connection and chat has no use for; asked for when somebody looks at it."""

from typing import NamedTuple


class Kernel(NamedTuple):
    """TCP as the kernel sees it. None: this system does not tell."""

    rtt: float
    """The smoothed round trip, in ms."""
    retransmits: int | None
    """Segments sent again since the beginning."""
    unacked: int | None
    """Segments on their way."""
    unsent_bytes: int | None
    """Bytes in the kernel's buffer that have never been sent."""


class Traits(NamedTuple):
    """What stays the same, or nearly so. `local` is the address the peer reached, `host:port`; `telnet` are the options
    both sides agreed to, as words; `terminal` is its size, `80x24`; `agent` is the terminal's own name. None or empty:
    not known."""

    local: str | None = None
    tls: bool = False
    telnet: tuple[str, ...] = ()
    terminal: str | None = None
    agent: str | None = None


def host_and_port(host: str, port: int) -> str:
    """An address as people write it: `127.0.0.1:9999`, `[::1]:9999`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
