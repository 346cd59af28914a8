"""What the web door is set to: settings it is given, and deadlines and sizes with the contract's numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gateway import __version__
from gateway.core.ports.transport import Kernel
from gateway.errors import Refusal

STATIC_DIR = Path(__file__).parent / "static"


class ListenerState(NamedTuple):
    """One open port. `address` is as people write it, `state` is ready, paused, draining or closed."""

    door: str
    address: str
    port: int
    state: str = "ready"


def _no_listeners() -> Sequence[ListenerState]:
    return ()


def _ready() -> Refusal | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """The configuration of the web door. Durations are seconds, sizes bytes.

    `hosts` are the names (besides localhost and address literals) that a Host header may carry, `origins` foreign
    origins (`https://chat.example.org`) that may open WebSockets and post. What `trusted_proxies` (networks) say of the
    peers behind them is believed. `base_path` ("/chat") is the path below which a proxy shows the page: it is part of
    every address that is told, and requests may come with it and without. `ready` returns what keeps the gateway from
    taking messages, `kernel` what is known of a connection's socket. `hsts` is how long browsers that came by https
    use nothing else, 0 = as they like. `watch` lets admins watch a connection live, `workers` is how many
    processes have these ports. `link_key` authorises `POST /admin/login-link` from loopback; None closes it. After the
    loop itself has stalled for `stalled_loop`, missed deadlines are forgiven.
    """

    templates: Path
    static: Path = STATIC_DIR
    version: str = __version__
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    trusted_proxies: Sequence[str] = ()
    base_path: str = ""
    tls: bool = False
    hsts: float = 0.0
    link_key: str | None = None
    connection_limit: Callable[[], int] = lambda: 0
    listeners: Callable[[], Sequence[ListenerState]] = _no_listeners
    ready: Callable[[], Refusal | None] = _ready
    header_deadline: float = 10.0
    body_deadline: float = 15.0
    keepalive: float = 75.0
    answer_deadline: float = 30.0
    hello_deadline: float = 15.0
    frame_deadline: float = 30.0
    ping_every: float = 25.0
    pong_within: float = 12.5
    watch: bool = False
    workers: int = 1
    kernel: Callable[[Any], Kernel | None] = lambda sock: None
    stalled_loop: float = 5.0
    closing: float = 0.9
    body_limit: int = 16 * 1024

    def terminal_ways(self, host: str) -> dict[str, Any]:
        """How terminals get in at that host, as the pages' templates call it: `nc` and `telnet` are what a person
        types, over TLS where that is on; a port of None is off."""
        ports = {listener.door: listener.port for listener in self.listeners()}
        tcp, tcp_tls, telnet, telnet_tls = map(ports.get, ("tcp", "tcp_tls", "telnet", "telnet_tls"))
        nc = f"ncat --ssl {host} {tcp_tls}" if tcp_tls else f"nc {host} {tcp}" if tcp else None
        client = f"telnet-ssl -z ssl {host} {telnet_tls}" if telnet_tls else f"telnet {host} {telnet}"
        return {
            "nc": nc,
            "telnet": client if telnet_tls or telnet else None,
            "tcp_host": host,
            "tcp_port": tcp,
            "tcp_tls_port": tcp_tls,
            "telnet_port": telnet,
            "telnet_tls_port": telnet_tls,
        }

    def at(self, path: str) -> str:
        """A path of ours as browsers know it."""
        return self.base_path + path
