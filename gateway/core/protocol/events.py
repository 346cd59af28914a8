"""Events: the objects of the protocol that the server sends, and the refusals among them.

Each event is one JSON object with its `type`; terminals get the same events as lines (`core.protocol.wire` holds both
shapes). Times are milliseconds since 1970 UTC, `retry_ms` and the like durations in milliseconds. An absent optional
field is left out of the JSON. `error_event` turns any refusal into the event that the peer receives.
"""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from gateway import wording
from gateway.core.protocol.message import PasteSize
from gateway.errors import BackplaneError, Code, JournalError, Refusal


class Event(msgspec.Struct, frozen=True, gc=False):
    """Base of the events."""


class Standing(Event, frozen=True, tag="standing"):
    """What the person may do: told when that changes, and in a welcome where there is anything to tell. Times are ms
    since 1970, null for ever; `role` is the account's that the connection has logged in to; `reason` is of the ban or
    mute."""

    role: str | None = None
    muted: bool = False
    muted_until: int | None = None
    banned: bool = False
    banned_until: int | None = None
    reason: str = ""


class Welcome(Event, frozen=True, tag="welcome"):
    """First answer to hello; sent again when the session has become another person (/resume, /login)."""

    session: str
    token: str
    nick: str
    server: dict[str, str]
    limits: dict[str, float]
    standing: Standing | UnsetType = UNSET


class Listed(msgspec.Struct, frozen=True, gc=False):
    """Somebody in a list of members."""

    nick: str
    door: str


class Joined(Event, frozen=True, tag="joined"):
    """The session is in the room now; `first`..`head` are the numbers held. An empty room: first 1, head 0. `read` is
    the last message that the person has seen, on any of their connections; `own` are those of the latest messages that
    the person said."""

    room: str
    epoch: str
    first: int
    head: int
    recovered: bool
    topic: str
    count: int
    members: list[Listed]
    read: int | UnsetType = UNSET
    own: list[int] | UnsetType = UNSET


class Read(Event, frozen=True, tag="read"):
    """The person has seen the room up to `seq` on another of their connections."""

    room: str
    epoch: str
    seq: int


class Msg(Event, frozen=True, tag="msg"):
    """A message of a room's log; `redacted` is the reason of one that was removed, whose text is empty; of a
    `paste` the text is only the beginning."""

    room: str
    seq: int
    ts: int
    nick: str
    door: str
    kind: str
    text: str
    redacted: str | UnsetType = UNSET
    paste: PasteSize | UnsetType = UNSET


class Redacted(Event, frozen=True, tag="redacted"):
    """A message was removed: show it without its text. `by` is its author's nick or an operator's name."""

    room: str
    epoch: str
    seq: int
    by: str
    reason: str


class Ack(Event, frozen=True, tag="ack"):
    """The message sent under `id` is committed as `seq` (a private message: queued, no room and no seq)."""

    id: str
    room: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET


class History(Event, frozen=True, tag="history"):
    """Earlier messages, oldest first; `more`: there are older ones; `own` are the numbers of those that the person
    said."""

    room: str
    messages: list[Msg]
    more: bool
    own: list[int] | UnsetType = UNSET


class PageShown(History, frozen=True, tag="history"):
    """History that somebody asked for: a terminal's lines show the numbers, so that they can be named."""


class Renamed(msgspec.Struct, frozen=True, gc=False, rename={"old": "from", "new": "to"}):
    """One change of a nick."""

    old: str
    new: str


class Presence(Event, frozen=True, tag="presence"):
    """Joins, leaves and renames since the last one; `count` people are here now."""

    room: str
    joined: list[Listed]
    left: list[str]
    renamed: list[Renamed]
    count: int


class Private(Event, frozen=True, tag="private", rename={"sender": "from", "to": "to"}):
    """A private message, to its receiver and, as an echo, to its sender."""

    sender: str
    to: str
    ts: int
    text: str


class Typing(Event, frozen=True, tag="typing"):
    """Somebody is typing. Never sent to terminals."""

    room: str
    nick: str


class Gap(Event, frozen=True, tag="gap", rename={"first": "from", "last": "to"}):
    """Messages `from`..`to` of the room were not sent to this session."""

    room: str
    first: int
    last: int


class Notice(Event, frozen=True, tag="notice"):
    """Words of the server: answers to commands carry the command's `id`. `text` may have several lines.

    Words about a change carry it: the room's new `topic`, the session's new `nick`. Pages need not read the words.
    """

    text: str
    room: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    nick: str | UnsetType = UNSET


class Listing(Event, frozen=True, tag="notice"):
    """A notice that terminals are shown as it stands: lines that do not begin like those of the server or of a user."""

    text: str
    room: str
    id: str | UnsetType = UNSET


class Error(Event, frozen=True, tag="error"):
    """A refusal. `code` is one of `errors.Code`."""

    code: str
    text: str
    id: str | UnsetType = UNSET
    retry_ms: int | UnsetType = UNSET


class Pong(Event, frozen=True, tag="pong"):
    """Answer to ping."""

    id: str | UnsetType = UNSET


class Bye(Event, frozen=True, tag="bye"):
    """The last object before the server closes. `code` is the WebSocket close code that follows."""

    code: int
    reason: str
    retry_ms: int | UnsetType = UNSET


AnyEvent = (
    Welcome | Joined | Msg | Redacted | Ack | History | Presence | Private | Typing | Gap | Notice | Error | Pong | Bye
    | Read | Standing
)  # fmt: skip
encode_json: Callable[[Event], bytes] = msgspec.json.Encoder().encode


Value = TypeVar("Value")

_FOLDERS = re.compile(r"(?<!\S)/(?:(?:(?! cannot be used \()[^/\n:])+/)*")
"""The folders before a file's name; what follows it may hold a slash of its own (`disk I/O error`)."""


def too_fast(seconds: float) -> Refusal:
    """The refusal for a peer that must wait that many seconds."""
    return Refusal(Code.RATE_LIMITED, wording.TOO_FAST.format(seconds=seconds), retry_ms=int(seconds * 1000) + 1)


def storage_refusal(error: JournalError) -> Refusal:
    """The refusal when the journal fails, without its folder, which peers need not know."""
    if isinstance(error, BackplaneError):
        return Refusal(Code.BACKPLANE, wording.BACKPLANE_FAILED.format(problem=error.words), retry_ms=2000)
    words = _FOLDERS.sub("", str(error)).removeprefix("journal: ")
    return Refusal(Code.STORAGE, wording.JOURNAL_FAILED.format(problem=words), retry_ms=2000)


def told(found: Value | JournalError) -> Value | Refusal:
    """The journal's result, its error turned into the refusal that a peer is told."""
    return storage_refusal(found) if isinstance(found, JournalError) else found


def error_event(refusal: Refusal, id: str | None = None) -> Error:
    """The event for a refusal of the request with that id."""
    fields: dict[str, str | int] = {}
    if id is not None:
        fields["id"] = id
    if refusal.retry_ms is not None:
        fields["retry_ms"] = refusal.retry_ms
    return Error(refusal.code, refusal.text, **fields)  # type: ignore[arg-type]
