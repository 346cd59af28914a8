"""The gate: whether a door lets newcomers in, and what they are told if not. The one owner of that question.

Four things close a door: the process stops; an operator drains the door, and it is closed once the last session has
gone; an operator has switched maintenance on; SIGUSR2 has paused it. The gate disconnects nobody: emptying a door is up
to the drain (`core.operators.drain`), keeping single people out is up to the bans (`core.sessions.sanctions`).

A pause refuses nobody: the listeners stop accepting, and newcomers wait in the kernel's backlog. So `denial` ignores
it, while `refusal`, which load balancers see as /readyz, reports it.

The doors ask `denial` for each newcomer; /readyz asks `refusal`; the dashboard shows a listener's `state`.
"""

from enum import StrEnum
from typing import NamedTuple

from gateway import wording
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal

DOORS = (Door.TCP, Door.TELNET, Door.WEB)
ELSEWHERE_MS = 5000
"""Milliseconds after which a newcomer to a drained or paused door may try again."""
MAINTENANCE_MS = 30_000
"""The same in maintenance."""


class DoorState(StrEnum):
    """DRAINING: sessions are being disconnected. CLOSED: none is left. PAUSED: newcomers wait."""

    READY = "ready"
    PAUSED = "paused"
    DRAINING = "draining"
    CLOSED = "closed"


class Denial(NamedTuple):
    """Why a newcomer is rejected: the reason, a text for people, and when to try again."""

    closing: CloseReason
    words: str
    retry_ms: int

    @property
    def refusal(self) -> Refusal:
        """The same as the answer to a request."""
        code = Code.DRAINING if self.closing is CloseReason.DRAINING else Code.BUSY
        return Refusal(code, self.words, self.retry_ms)


class Gate:
    """The state of every door of this process. Nothing here closes a socket or tells anybody."""

    def __init__(self) -> None:
        self._drained: dict[Door, DoorState] = {}
        self.paused = False
        self.stopping = False
        self.maintenance: str | None = None
        """What newcomers are told in maintenance; None when it is off."""

    def stop(self) -> None:
        """The process stops: no door opens again."""
        self.stopping = True

    def pause(self, paused: bool) -> None:
        """Let newcomers wait in the backlog, or accept them again."""
        self.paused = paused

    def maintain(self, words: str | None) -> None:
        """Begin maintenance with these words for newcomers, or end it (None)."""
        self.maintenance = words

    def drain(self, door: Door) -> None:
        """The door is being emptied."""
        self._drained[door] = DoorState.DRAINING

    def close(self, door: Door) -> None:
        """The door is drained: no session is left."""
        self._drained[door] = DoorState.CLOSED

    def reopen(self, door: Door) -> None:
        """The drain of the door is over."""
        self._drained.pop(door, None)

    @property
    def drained(self) -> list[Door]:
        """The doors that are being emptied or are empty."""
        return [door for door in DOORS if door in self._drained]

    def drain_state(self, door: Door) -> DoorState:
        """The state of one door's drain: READY, DRAINING or CLOSED. HTTP streams belong to the web door."""
        return self._drained.get(door_of(door), DoorState.READY)

    def state(self, door: Door) -> DoorState:
        """The state of one door, whatever closes it."""
        if self.stopping:
            return DoorState.DRAINING
        state = self.drain_state(door)
        return DoorState.PAUSED if state is DoorState.READY and self.paused else state

    def denial(self, door: Door) -> Denial | None:
        """Why a door rejects newcomers; None when it lets them in."""
        if self.stopping:
            return Denial(CloseReason.DRAINING, wording.STOPPING, ELSEWHERE_MS)
        if self._drained and door_of(door) in self._drained:
            return Denial(CloseReason.DRAINING, wording.CLOSED_FOR_NOW, ELSEWHERE_MS)
        if self.maintenance is not None:
            return Denial(CloseReason.MAINTENANCE, self.maintenance, MAINTENANCE_MS)
        return None

    def refusal(self) -> Refusal | None:
        """Why a load balancer should send nobody to this process; None when every door is open."""
        if self.stopping:
            return Refusal(Code.DRAINING, wording.STOPPING)
        if self.paused:
            return Refusal(Code.BUSY, wording.NOT_ACCEPTING, retry_ms=ELSEWHERE_MS)
        if self._drained:
            words = wording.DOORS_CLOSED.format(doors=", ".join(self.drained))
            return Refusal(Code.DRAINING, words, ELSEWHERE_MS)
        if self.maintenance is not None:
            return Refusal(Code.BUSY, self.maintenance, MAINTENANCE_MS)
        return None


def door_of(door: Door) -> Door:
    """The door behind a session's `door`: HTTP streams come in by the web door."""
    return Door.WEB if door is Door.HTTP else door
