"""The limits the hub keeps; the gateway fills them from its settings. 0 = no limit, but memory keeps a hard top."""

from dataclasses import dataclass

HARD_LOG_MESSAGES = 1_000_000
HARD_LOG_BYTES = 1 << 30
HARD_ROOMS = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Per session, per room and in all; where each default comes from stands with the settings."""

    messages_per_second: float = 10
    burst: int = 100
    rooms: int = 10_000
    log_messages: int = 10_000
    log_bytes: int = 8 << 20
    create_rooms: bool = True
    connections: int = 10_000

    @property
    def top_log_messages(self) -> int:
        """Messages a room's log holds at most."""
        return self.log_messages or HARD_LOG_MESSAGES

    @property
    def top_log_bytes(self) -> int:
        """Bytes a room's log takes at most."""
        return self.log_bytes or HARD_LOG_BYTES

    @property
    def top_rooms(self) -> int:
        """Rooms in memory at most."""
        return self.rooms or HARD_ROOMS
