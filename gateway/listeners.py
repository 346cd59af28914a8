"""The listening sockets of all doors: opened at the start, paused by SIGUSR2, closed and reopened by a drain, closed at
the end.

`core.gate` decides whether newcomers are let in; this file applies that to the sockets, and reports their state.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from gateway.core.gate import DoorState, Gate
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal, StartError
from gateway.tcp.server import Accepted, Listener, Server

RETRY_MS = 5000


class ListeningAt(NamedTuple):
    """One open port and its state."""

    door: Door
    host: str
    port: int
    state: DoorState


class Listeners:
    """The listeners by door, in the order of opening; the `DoorPorts` of `core.operators.drain`."""

    def __init__(self, server: Server, gate: Gate) -> None:
        self._server = server
        self._gate = gate
        self._of: dict[Door, list[Listener]] = {}

    def listen(self, door: Door, hosts: Sequence[str], port: int, accepted: Accepted) -> None:
        """Open a door's port at each host; `accepted` gets each new connection. Raises StartError."""
        self._of[door] = self._server.listen_all(hosts, port, accepted)

    def first(self, door: Door) -> tuple[str, int] | None:
        """Host and port of a door's first listener; None where the door is off."""
        listeners = self._of.get(door)
        return listeners[0].address if listeners else None

    def ports(self) -> Mapping[str, int]:
        """The port of each door that is open."""
        return {door: listeners[0].address[1] for door, listeners in self._of.items() if listeners}

    def all(self) -> list[ListeningAt]:
        """Every listener and its state."""
        return [
            ListeningAt(door, *each.address, self._state(door, each))
            for door, listeners in self._of.items()
            for each in listeners
        ]

    def _state(self, door: Door, listener: Listener) -> DoorState:
        state = self._gate.state(door)
        if state is not DoorState.READY:
            return state
        if listener.closed:
            return DoorState.CLOSED
        return DoorState.READY if listener.accepting else DoorState.PAUSED

    @property
    def queue(self) -> float:
        """The share of the fullest backlog that waits to be accepted."""
        return max((each.queue for listeners in self._of.values() for each in listeners), default=0.0)

    def pause(self, paused: bool) -> None:
        """Leave newcomers in the backlog, or accept again."""
        for listeners in self._of.values():
            for each in listeners:
                each.pause() if paused else each.open()

    def close(self) -> None:
        """Stop listening for good."""
        for listeners in self._of.values():
            for each in listeners:
                each.close()

    def doors(self) -> Collection[Door]:
        """See `core.operators.drain.DoorPorts`."""
        return [door for door, listeners in self._of.items() if listeners]

    def shut(self, door: Door) -> None:
        """See `core.operators.drain.DoorPorts`. The web door keeps its port, so that /admin stays reachable."""
        if door is not Door.WEB:
            for each in self._of[door]:
                each.shut()

    def open(self, door: Door) -> None:
        """See `core.operators.drain.DoorPorts`."""
        try:
            for each in self._of[door]:
                each.listen_again()
        except StartError as problem:
            raise Refusal(Code.BUSY, str(problem), RETRY_MS) from problem
