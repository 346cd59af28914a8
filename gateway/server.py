"""The gateway: builds the parts, starts and stops them in order, and turns the loop's events into ticks.

One thread, one asyncio loop. The selectors server's own descriptor is a reader of that loop, so browser and terminal
traffic meet in one place without a lock or a queue.
"""

import asyncio
import logging
import resource
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gateway import console
from gateway.config import Settings
from gateway.core.hub import Hub
from gateway.core.limits import Limits
from gateway.core.message import Door
from gateway.core.ports import Journal
from gateway.errors import StartError
from gateway.journal.memory import MemoryJournal
from gateway.journal.sqlite import SqliteJournal
from gateway.ready import address, ready_line, write_ports_file
from gateway.tcp.admission import Admission
from gateway.tcp.door import TerminalDoor
from gateway.tcp.server import Accepted, Listener, Server, new_selector

try:
    import uvloop
except ImportError:
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    new_loop = uvloop.new_event_loop

log = logging.getLogger(__name__)

RESERVED_DESCRIPTORS = 64
"""Kept for the journal, the log and the loop."""
DRAIN_SECONDS = 3.0
RETRY_FIRST_MS = 500
CLOSES_PER_TURN = 500


def serve(settings: Settings) -> int:
    """Run the gateway until it is told to stop; the exit code. Raises StartError."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(Gateway(settings).run())


class Gateway:
    """One running gateway."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stopping = asyncio.Event()
        self._hurry = False
        self._wakeup: asyncio.TimerHandle | None = None
