"""The listening sockets as doors that an operator drains and opens again (`core.operators.drain`)."""

from collections.abc import Collection, Mapping, Sequence

from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal, StartError
from gateway.tcp.server import Listener

RETRY_MS = 5000


class ListenerGates:
    """The listeners by the door's name; the mapping may still grow."""

    def __init__(self, listeners: Mapping[str, Sequence[Listener]]) -> None:
        self._listeners = listeners

    def doors(self) -> Collection[Door]:
        """See `core.operators.drain.Gates`."""
        return [Door(name) for name, listeners in self._listeners.items() if listeners]

    def shut(self, door: Door) -> None:
        """See `core.operators.drain.Gates`. The web door keeps its port: /admin stays within reach."""
        if door is not Door.WEB:
            for listener in self._listeners[door]:
                listener.shut()

    def open(self, door: Door) -> None:
        """See `core.operators.drain.Gates`."""
        try:
            for listener in self._listeners[door]:
                listener.listen_again()
        except StartError as problem:
            raise Refusal(Code.BUSY, str(problem), RETRY_MS) from problem
