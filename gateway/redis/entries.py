"""How messages, rooms and removals are written in Redis; `server.lua` names the keys.

A message is an entry of its room's stream: `t` is when it was sent, `n` is its nonce (which node appended it in which
batch, so that the node knows its own messages when they come back), `m` is a JSON list, because people look at streams
with redis-cli:

    [nick, door, kind, text, identity, bytes of the whole paste, its lines]        both 0 for what is no paste
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway import wording
from gateway.core.ports.journal import Person, Removal, RoomRecord
from gateway.core.protocol.message import Door, Kind, Message, PasteSize

Payload = tuple[str, str, str, str, str, int, int]

_encode = msgspec.json.Encoder().encode
_payload = msgspec.json.Decoder(Payload).decode
_person = msgspec.json.Decoder(Person).decode
_removal = msgspec.json.Decoder(Removal).decode


class _Gone(msgspec.Struct):
    """What is left of a removed message."""

    ts: int
    m: Payload
    removal: Removal


_gone = msgspec.json.Decoder(_Gone).decode


def unwritten_epoch(seed: str, room: str) -> str:
    """The epoch of a room that is not stored, the same on all nodes."""
    digest = hashlib.blake2b(room.encode(), key=seed.encode()[:64], digest_size=12).digest()
    return urlsafe_b64encode(digest).decode()


def payload_of(message: Message) -> bytes:
    """The `m` of a message."""
    paste = message.paste or PasteSize(0, 0)
    fields = (message.nick, message.door, message.kind, message.text, message.identity, paste.bytes, paste.lines)
    return _encode(fields)


RECEIPT_DIGITS = 32


def receipt_of(message: Message) -> str:
    """The name under which a message's place is kept for its retries (RECEIPT_DIGITS), then its id, which is kept for
    exports; empty for one without an id."""
    if not message.id:
        return ""
    # Hashed: an identity may be "ROOM NICK", and both are the peer's own words.
    name = hashlib.blake2b(f"{message.identity}\n{message.id}".encode(), digest_size=RECEIPT_DIGITS // 2).hexdigest()
    return name + message.id


def item_of(found: Sequence[Any]) -> Sequence[Any]:
    """An entry of a stream as an item of `window`; what is one already stays as it is."""
    if isinstance(found[0], int):
        return found
    fields = dict(zip(found[1][::2], found[1][1::2], strict=True))
    seq = int(found[0].partition(b"-")[0])
    return seq, fields.get(b"t", b"?"), fields.get(b"n", b""), fields.get(b"m", b"")


def message_of(room: str, item: Sequence[Any]) -> Message:
    """The message of an item that `window` in server.lua has made. One that is missing or cannot be read is like one
    that was removed, so that no number is ever without a message."""
    seq = item[0]
    try:
        if len(item) > 1 and not item[1]:
            gone = _gone(item[3])
            message = _message(room, seq, gone.ts, gone.m)
            message.text, message.redacted = "", gone.removal.reason
            return message
        if len(item) > 1:
            return _message(room, seq, int(item[1]), _payload(item[3]))
    except (msgspec.DecodeError, ValueError):
        pass
    return Message(room, 0, wording.UNKNOWN_NICK, Door.HTTP, Kind.SAY, "", seq=seq, redacted=wording.ENTRY_LOST)


def _message(room: str, seq: int, ts: int, payload: Payload) -> Message:
    nick, door, kind, text, identity, size, lines = payload
    paste = PasteSize(size, lines) if size else None
    return Message(room, ts, nick, door, kind, text, seq=seq, identity=identity, paste=paste)


def record_of(room: str, answer: Sequence[Any]) -> RoomRecord:
    """The room in Redis' answer to `open`."""
    epoch, first, head, topic, removed, items = answer
    recent = [message_of(room, each) for each in items]
    words = topic.decode("utf-8", "replace")
    return RoomRecord(room, epoch.decode(), int(first), int(head), words, recent, bool(removed))


def removal_of(text: bytes) -> Removal:
    """A removal as server.lua writes it."""
    return _removal(text)


def person_of(text: bytes) -> Person | None:
    """The stored identity; None if it cannot be read."""
    try:
        return _person(text)
    except msgspec.DecodeError:
        return None
