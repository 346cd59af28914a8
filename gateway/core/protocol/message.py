"""One message of a room, and the words for where it came from."""

from enum import StrEnum

import msgspec


class Door(StrEnum):
    """The way a session came in."""

    TCP = "tcp"
    TELNET = "telnet"
    WEB = "web"
    HTTP = "http"

    __hash__ = str.__hash__  # an enumeration's own is written in Python; doors are keys of many tables


class Kind(StrEnum):
    """What a message is: something said, or something done (`/me waves`)."""

    SAY = "say"
    ACTION = "action"


PASTES_KEPT = 1000
"""Pastes of a room that the journal holds whole; of older ones the beginning stays."""


class PasteSize(msgspec.Struct, frozen=True, gc=False):
    """The size of a paste: bytes of UTF-8, and lines."""

    bytes: int
    lines: int


class Message(msgspec.Struct, gc=False):
    """A message on its way into a room's log.

    `seq` is 0 until the journal has committed the message; the journal sets it exactly once. `ts` is milliseconds
    since 1970 UTC. `text` has passed the text gate (`core.sanitize`) and has a line feed only if it came by a door
    where a message may have several lines. `author` is the number of the session that sent it, 0 where it is not known
    (read back from the journal, posted by HTTP): it never leaves the process. `identity` is who said it, across
    connections; with `id` it is the key by which a retry is recognized; empty where there can be none. `redacted` is
    the reason of a message that was removed, whose text is empty; empty for all others. Of a `paste`, `text` is only
    the beginning; `whole` is all of it on its way to the journal, which keeps it, and empty from then on.

    `door` and `kind` are the words of a `Door` and a `Kind` and not these themselves: an enumerated value costs SQLite
    1 µs more to store, because it asks every other type than `str` how it wants to be.
    """

    room: str
    ts: int
    nick: str
    door: str
    kind: str
    text: str
    author: int = 0
    seq: int = 0
    identity: str = ""
    id: str = ""
    redacted: str = ""
    paste: PasteSize | None = None
    whole: str = ""
