"""What the web door knows of a connection, from its transport."""

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.core.traits import Kernel, Traits, host_and_port


def kernel_of(transport: asyncio.Transport, ask: Callable[[Any], Kernel | None]) -> Kernel | None:
    """What the kernel knows, asked by `ask`; None for a connection that is gone."""
    sock = transport.get_extra_info("socket")
    return ask(sock) if sock is not None and not transport.is_closing() else None


def traits_of(transport: asyncio.Transport) -> Traits:
    """See `core.ports.Transport`."""
    name = transport.get_extra_info("sockname")
    tls = transport.get_extra_info("sslcontext") is not None
    return Traits(local=host_and_port(*name[:2]) if name else None, tls=tls)
