"""Shutdown: after SIGTERM or SIGINT nothing that was received is lost, and every peer is told when to come back.

    stop listening; let handshakes that have begun be completed
    → hear out: handle and deliver what was received, most of it from peers that were held by their rate
    → send away: tell each peer its own moment to come back, a terminal also its resume code, and close
    → wait for the connections to close and for the journal to store the identities

Each step has a time limit, so that the process ends within 25 s whatever its peers do. A second signal means hurry: no
step waits any more.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.connection_limits import ConnectionLimits
from gateway.core.hub import Hub
from gateway.core.operators.drain import send_away
from gateway.core.sessions.session import Session
from gateway.listeners import Listeners
from gateway.tcp.acceptor import Acceptor
from gateway.tcp.server import Server

HANDSHAKES_SECONDS = 1.0
HEAR_OUT_SECONDS = 3.0
QUIET_TURNS = 3
"""Turns of the loop without input after which everything is taken to be handled."""
CLOSES_PER_TURN = 500
EDITOR_SECONDS = 0.1
"""A line editor takes what the room says at most every 50 ms: time to show it the last of it."""
CODES_SECONDS = 2.0
"""How long the journal may take to store the terminals' resume codes."""
CLOSING_SECONDS = 3.0
"""How long peers may take to read their farewell."""
POLL_SECONDS = 0.02
RETRY_FIRST_MS = 500
RETRY_SPREAD_MS = 2000


class Shutdown:
    """One per gateway. `codes`: terminals get resume codes, because the journal outlives the process."""

    def __init__(
        self,
        hub: Hub,
        server: Server,
        listeners: Listeners,
        acceptor: Acceptor,
        connections: ConnectionLimits,
        *,
        codes: bool,
    ) -> None:
        self._hub = hub
        self._server = server
        self._listeners = listeners
        self._acceptor = acceptor
        self._connections = connections
        self._codes = codes
        self._hurry = asyncio.Event()
        self.asked = asyncio.Event()
        """Set once the gateway is to stop."""

    def ask(self) -> None:
        """Begin to stop; asked again, hurry."""
        if self.asked.is_set():
            self._hurry.set()
        self._hub.gate.stop()
        self.asked.set()

    async def run(self) -> None:
        """Stop listening, commit and deliver what was received, tell every peer when to come back, wait for them."""
        self._hub.stats.sampler.mark("draining: the gateway stops")
        self._listeners.close()
        await self._shake_hands()
        self._acceptor.close()
        await self._hear_out()
        await self._send_away()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                while (self._connections.count or self._hub.identities.pending) and not self._hurry.is_set():
                    self._hub.clock.soon()  # departures are stored at leisure, but not now
                    await asyncio.sleep(POLL_SECONDS)
        self._hub.stats.access_log.tell()

    async def _shake_hands(self) -> None:
        """Let handshakes that have begun be completed: afterwards these peers can be heard and told like all others."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANDSHAKES_SECONDS):
                while self._acceptor.shakes_hands and not self._hurry.is_set():
                    await asyncio.sleep(POLL_SECONDS)

    async def _hear_out(self) -> None:
        """Handle what was received and not handled yet, and deliver it. Peers that keep sending are cut off after
        HEAR_OUT_SECONDS."""
        hub, loop = self._hub, asyncio.get_running_loop()
        hub.rate_limit.hurry()
        end = loop.time() + HEAR_OUT_SECONDS
        heard, quiet = -1, 0
        while quiet < QUIET_TURNS and loop.time() < end and not self._hurry.is_set():
            self._server.poll()
            await asyncio.sleep(0)
            quiet = 0 if hub.busy or hub.rate_limit.heard != heard else quiet + 1
            heard = hub.rate_limit.heard
        if hub.stats.counters.blocked and not self._hurry.is_set():
            await asyncio.sleep(EDITOR_SECONDS)
        while hub.busy and loop.time() < end + HEAR_OUT_SECONDS:
            await asyncio.sleep(0)

    async def _send_away(self) -> None:
        """Tell every peer when to come back, and close. If the journal does not answer in time, only the codes are
        lost."""
        sessions = list(self._hub.sessions.values())
        codes = self._codes
        end = asyncio.get_running_loop().time() + CODES_SECONDS
        for start in range(0, len(sessions), CLOSES_PER_TURN):
            some = sessions[start : start + CLOSES_PER_TURN]
            if not await _comes(self._part_from(some, codes), end):
                codes = False
                self._part_from(some, codes=False)
            await asyncio.sleep(0)

    def _part_from(self, sessions: Sequence[Session], codes: bool) -> Answer[None]:
        return send_away(self._hub, sessions, _retry_ms, wording.RESTARTING, codes=codes)


async def _comes(answer: Answer[None], end: float) -> bool:
    """Whether the answer comes before that time of the loop."""
    here = asyncio.Event()
    answer.then(lambda _: here.set())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(end):
            await here.wait()
    return here.is_set()


def _retry_ms() -> int:
    """When one peer is to come back, drawn at random so that they do not all come at once."""
    return RETRY_FIRST_MS + secrets.randbelow(RETRY_SPREAD_MS)
