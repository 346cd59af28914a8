"""Why a connection ended: one list for WebSocket close codes, terminals, logs, metrics and the dashboard.

Codes below 4000 are RFC 6455's. Of our own, 4000 to 4499 say "come back", 4500 to 4999 "do not".
"""

from enum import Enum


class Closing(Enum):
    """A reason: `word` is how logs, metrics and the dashboard spell it, `code` what a WebSocket is closed with."""

    LEFT = "left", 1000
    LOST = "lost", 1006  # never sent: the connection was reset, or its peer is dead
    GOING_AWAY = "going_away", 1001
    BAD_FRAME = "bad_frame", 1002
    BAD_TELNET = "bad_telnet", 1002
    BINARY = "binary", 1003
    BAD_UTF8 = "bad_utf8", 1007
    BAD_MESSAGES = "bad_messages", 1008
    NO_HELLO = "no_hello", 1008
    SLOW_FRAME = "slow_frame", 1008
    WRONG_DOOR = "wrong_door", 1008
    TOO_BIG = "too_big", 1009
    FAILED = "failed", 1011
    DRAINING = "draining", 4001
    NO_PONG = "no_pong", 4012
    FULL = "full", 4013
    KICKED = "kicked", 4500
    BANNED = "banned", 4501
    FORBIDDEN = "forbidden", 4503
    TOO_MANY = "too_many", 4504
    REPLACED = "replaced", 4505

    def __init__(self, word: str, code: int) -> None:
        self.word = word
        self.code = code
