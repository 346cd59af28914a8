"""What a run shall do, and against whom."""

from dataclasses import dataclass

DOORS = ("tcp", "web", "telnet")


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The load. `rate` (messages/s in all) None: closed loop with `window` messages in flight in all.

    `seconds` None: until `messages` are published. `size` is the text in bytes, `patience` the seconds without any
    progress after which the run is given up.
    """

    readers: int = 500
    doors: tuple[str, ...] = ("tcp", "web")
    writers: int = 4
    window: int = 64
    rate: float | None = None
    size: int = 64
    seconds: float | None = 5.0
    messages: int | None = None
    room: str = "bench"
    patience: float = 10.0

    def door_of(self, reader: int) -> str:
        """The door of one reader: they take turns, so that every door is loaded alike."""
        return self.doors[reader % len(self.doors)]


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """A running server: its `ports` by door (None, absent or -1: closed) and, where known, its process."""

    host: str
    ports: dict[str, int | None]
    pid: int | None = None

    def port(self, door: str) -> int | None:
        """Where the door listens, None if it is closed."""
        port = self.ports.get(door)
        return port if port is not None and port > 0 else None

    def writing_door(self) -> str | None:
        """The door the writers take: plain lines cost the server least, frames come next."""
        return next((door for door in ("tcp", "web") if self.port(door)), None)
