"""Whether a door lets newcomers in, and if not, what they are told: the one owner of that question.

Four things close a door. The process stops; an operator drains it, and it is closed once everybody has gone; an
operator has switched maintenance on; SIGUSR2 has paused it. Whoever is here stays here: sending people away is the
drain's (`core.operators.drain`), and keeping single people out the bans' (`core.sessions.sanctions`).

A pause refuses nobody: the listeners stop accepting, and newcomers wait in the kernel's backlog. So `denial` says
nothing of it, while `refusal`, by which load balancers go (/readyz), does.

The doors ask `denial` for each newcomer; /readyz asks `refusal`; what the dashboard says of a listener is `state`.
"""

from enum import StrEnum
from typing import NamedTuple

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal

DOORS = (Door.TCP, Door.TELNET, Door.WEB)
ELSEWHERE_MS = 5000
"""When somebody who comes to a drained or paused door may try again."""
MAINTENANCE_MS = 30_000
"""The same in maintenance."""
STOPPING = "the gateway stops"
CLOSED_FOR_NOW = "this door is closed for now, try again later"


class DoorState(StrEnum):
    """DRAINING: those who are there are being sent away. CLOSED: nobody is left. PAUSED: newcomers wait."""

    READY = "ready"
    PAUSED = "paused"
    DRAINING = "draining"
    CLOSED = "closed"


class Denial(NamedTuple):
    """Why a newcomer is not let in: the reason, words for people, and when to try again."""

    closing: CloseReason
    words: str
    retry_ms: int

    @property
    def refusal(self) -> Refusal:
        """The same for a request."""
        code = Code.DRAINING if self.closing is CloseReason.DRAINING else Code.BUSY
        return Refusal(code, self.words, self.retry_ms)


class Gate:
    """The state of every door of this process. Nothing here closes a socket or tells anybody."""

    def __init__(self) -> None:
        self._drained: dict[Door, DoorState] = {}
        self.paused = False
        self.stopping = False
        self.maintenance: str | None = None
        """What newcomers are told in maintenance; None: it is off."""

    def stop(self) -> None:
        """The process stops: no door opens again."""
        self.stopping = True

    def pause(self, paused: bool) -> None:
        """Whether newcomers wait in the backlog."""
        self.paused = paused

    def maintain(self, words: str | None) -> None:
        """Begin maintenance with these words for newcomers, or end it (None)."""
        self.maintenance = words

    def drain(self, door: Door) -> None:
        """The door is being emptied."""
        self._drained[door] = DoorState.DRAINING

    def close(self, door: Door) -> None:
        """The door is drained: nobody is left there."""
        self._drained[door] = DoorState.CLOSED

    def reopen(self, door: Door) -> None:
        """The drain of the door is over."""
        self._drained.pop(door, None)

    @property
    def drained(self) -> list[Door]:
        """The doors that are being emptied or are empty."""
        return [door for door in DOORS if door in self._drained]

    def drain_state(self, door: Door) -> DoorState:
        """How far the drain of one door is: READY, DRAINING or CLOSED. HTTP streams come by the web door."""
        return self._drained.get(door_of(door), DoorState.READY)

    def state(self, door: Door) -> DoorState:
        """Of one door, whatever closes it."""
        if self.stopping:
            return DoorState.DRAINING
        state = self.drain_state(door)
        return DoorState.PAUSED if state is DoorState.READY and self.paused else state

    def denial(self, door: Door) -> Denial | None:
        """Why nobody new is let in at a door; None: everybody may come."""
        if self.stopping:
            return Denial(CloseReason.DRAINING, STOPPING, ELSEWHERE_MS)
        if door_of(door) in self._drained:
            return Denial(CloseReason.DRAINING, CLOSED_FOR_NOW, ELSEWHERE_MS)
        if self.maintenance is not None:
            return Denial(CloseReason.MAINTENANCE, self.maintenance, MAINTENANCE_MS)
        return None

    def refusal(self) -> Refusal | None:
        """Why nobody should be sent to this process; None: every door is open."""
        if self.stopping:
            return Refusal(Code.DRAINING, STOPPING)
        if self.paused:
            return Refusal(Code.BUSY, "newcomers are not accepted at the moment", retry_ms=ELSEWHERE_MS)
        if self._drained:
            return Refusal(Code.DRAINING, f"closed for now: {', '.join(self.drained)}", ELSEWHERE_MS)
        if self.maintenance is not None:
            return Refusal(Code.BUSY, self.maintenance, MAINTENANCE_MS)
        return None


def door_of(door: Door) -> Door:
    """By which door somebody came: streams come by the web door."""
    return Door.WEB if door is Door.HTTP else door
