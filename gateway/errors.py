"""The whole error tree, and whose fault each branch is.

GatewayError
├── Refusal        the peer's request cannot be done; it is told `code` and `text`, the connection stays open
├── JournalError   ours: the journal could not store or read; senders are refused with `storage`
│   ├── LostTail   … and its end is missing: every room has a new epoch
│   └── BackplaneError  … because Redis is away or refuses: senders are refused with `backplane`
├── StartError     the operator's machine: a port or the journal is taken; exit code 1
└── ConfigError    the operator's settings; exit code 78
    └── UsageError the command line itself; exit code 2
"""

from enum import StrEnum


class Code(StrEnum):
    """Why something was refused: the same word on every door."""

    RATE_LIMITED = "rate_limited"
    TOO_LONG = "too_long"
    BAD_TEXT = "bad_text"
    BAD_MESSAGE = "bad_message"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_COMMAND = "unknown_command"
    NICK_TAKEN = "nick_taken"
    NICK_INVALID = "nick_invalid"
    ROOM_INVALID = "room_invalid"
    ROOM_LIMIT = "room_limit"
    NOT_JOINED = "not_joined"
    NO_SUCH_USER = "no_such_user"
    NO_SUCH_ROOM = "no_such_room"
    NO_SUCH_MESSAGE = "no_such_message"
    MUTED = "muted"
    BANNED = "banned"
    FORBIDDEN = "forbidden"
    TOKEN_INVALID = "token_invalid"
    EPOCH_CHANGED = "epoch_changed"
    BUSY = "busy"
    STORAGE = "storage"
    BACKPLANE = "backplane"
    FULL = "full"
    DRAINING = "draining"
    KICKED = "kicked"


class GatewayError(Exception):
    """Base of everything that the gateway itself raises."""


class Refusal(GatewayError):
    """A request of a peer cannot be done.

    `code` is the contract's word, `text` one sentence that says what to do, `retry_ms` when it may work again
    (milliseconds, None = trying again does not help).
    """

    def __init__(self, code: Code, text: str, retry_ms: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.retry_ms = retry_ms


class JournalError(GatewayError):
    """The journal could not store or read. The message says what and, where known, what the operator can do."""


class StoreCloses(JournalError):
    """The store is being closed, because the gateway stops: nothing has failed, and nothing more is done."""


class LostTail(JournalError):
    """The journal came back without its end, and every room has a new epoch and perhaps an earlier head.

    Any verb may report it, once per loss: open the rooms again before the next append.
    """


class BackplaneError(JournalError):
    """Redis, which the nodes share, cannot be reached, does not answer, or refuses. What was to be stored may have been
    stored all the same: under the same id it is stored once. `words` are without the address, which peers need not
    know."""

    def __init__(self, words: str, address: str = "") -> None:
        super().__init__(f"{words} ({address})" if address else words)
        self.words = words


class StartError(GatewayError):
    """The gateway cannot start here: exit code 1. The message is one line with advice."""


class ConfigError(GatewayError):
    """The settings are wrong: exit code 78.

    One line for each problem: the setting, the value, where it came from, and what is right.
    """


class UsageError(ConfigError):
    """The command line is wrong: exit code 2. The same kind of lines."""
