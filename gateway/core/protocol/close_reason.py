"""Why a connection ended: one list for WebSocket close codes, terminals, logs, metrics and the dashboard.

Codes below 4000 are RFC 6455's. Of our own, 4000 to 4499 say "come back", 4500 to 4999 "do not".
"""

from enum import Enum

from gateway.errors import Code


class CloseReason(Enum):
    """A reason: `word` is its name in logs, metrics and the dashboard, `code` the WebSocket close code, `said` the word
    that the peer reads where it is a different one."""

    LEFT = "left", 1000
    """The peer said goodbye: quit, end of file, a close frame."""
    LOST = "lost", 1006
    """The connection was reset or died, or a WebSocket ended without a close frame. The code is never sent."""
    GOING_AWAY = "going_away", 1001
    """The web door stops with the WebSocket still open."""
    BAD_FRAME = "bad_frame", 1002
    BAD_TELNET = "bad_telnet", 1002, Code.BAD_MESSAGE
    BINARY = "binary", 1003
    BAD_UTF8 = "bad_utf8", 1007
    BAD_MESSAGES = "bad_messages", 1008
    FRAGMENTS = "fragments", 1008
    """One message came in too many frames."""
    NO_HELLO = "no_hello", 1008
    SLOW_FRAME = "slow_frame", 1008
    WRONG_DOOR = "wrong_door", 1008
    """HTTP, TLS or SSH at a terminal door."""
    TOO_BIG = "too_big", 1009
    FAILED = "failed", 1011
    """Our fault: an exception in the work for this connection."""
    DRAINING = "draining", 4001
    NO_PONG = "no_pong", 4012
    FULL = "full", 4013
    MAINTENANCE = "maintenance", 4013, Code.BUSY
    """An operator has switched maintenance on."""
    STALLED = "stalled", 4012
    """The peer took nothing for `limits.stall_seconds` while something was owed to it: like a missing pong, it is a
    sign that nobody reads, and a client that does read is to come back."""
    KICKED = "kicked", 4500
    BANNED = "banned", 4501
    FORBIDDEN = "forbidden", 4503
    TOO_MANY = "too_many", 4504, Code.FULL
    """Too many connections from one address."""
    REPLACED = "replaced", 4505

    __hash__ = object.__hash__  # an enumeration's own is written in Python

    def __init__(self, word: str, code: int, said: str | None = None) -> None:
        self.word = word
        self.code = code
        self.said = said or word

    def told(self, words: str = "") -> str:
        """What the peer reads: `kicked: spam`. A peer that leaves of its own accord reads `words` alone."""
        if self is CloseReason.LEFT:
            return words or "bye"
        return f"{self.said}: {words}" if words else self.said
