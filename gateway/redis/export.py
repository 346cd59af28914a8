"""Exports of what the nodes share in Redis, and filling an empty Redis (the lines: `core.ports.export_format`).

Unlike a node this works without the script's verbs, on the keys that `server.lua` names, while no node lives.

Filling is done beside the nodes' keys: every key is written below STAGED, and one script call renames all of them.
Until then there is nothing for a node to see; what an import that died has left is deleted by the next one.

A receipt (kept for two minutes) tells the place of a message and the id under which it was sent; who sent it stands in
the message. What is missing from a stream because somebody deleted it by hand is exported as a removed message.
"""

import time
from collections.abc import Iterator
from secrets import token_urlsafe
from typing import Any

import msgspec
import redis
from redis.exceptions import RedisError

from gateway import wording
from gateway.core.ports.export_format import (
    FORMAT,
    AnyLine,
    AuditLine,
    BanLine,
    BeginLine,
    ExportLines,
    IdentityLine,
    KeysLine,
    MessageLine,
    MuteLine,
    ReceiptLine,
    RoomHeadLine,
    SanctionLine,
    Taken,
    WholePaste,
)
from gateway.core.ports.journal import Person, Removal
from gateway.core.ports.ledger import Measure, Sanction
from gateway.core.protocol.message import Message, PasteSize
from gateway.errors import JournalError
from gateway.redis.connection import refusal_of, shown
from gateway.redis.entries import RECEIPT_DIGITS, message_of, payload_of, person_of, receipt_of

STAGED = "gw-import:"
AT_ONCE = 500
LEASE_MS, PERSON_MS, KEPT_MS, RECEIPT_MS = 10_000, 600_000, 172_800_000, 120_000
"""As in server.lua."""
USED = ("gw:rooms", "gw:bans", "gw:mutes", "gw:audit", "gw:removals")
PUT_IN_PLACE = f"""
for _, key in ipairs({{'{"', '".join(USED)}'}}) do
  if redis.call('EXISTS', key) == 1 then return 0 end
end
for _, name in ipairs(redis.call('LRANGE', '{STAGED}names', 0, -1)) do
  -- A receipt may have expired meanwhile.
  if redis.call('EXISTS', '{STAGED}' .. name) == 1 then redis.call('RENAME', '{STAGED}' .. name, 'gw:' .. name) end
end
redis.call('DEL', '{STAGED}names')
return 1
"""

_encode = msgspec.json.Encoder().encode


class RedisExport:
    """The Redis of `url` as a whole. Every verb raises BackplaneError when Redis does not do what is asked."""

    def __init__(self, url: str) -> None:
        self.address = shown(url)
        self.counts: dict[str, int] = {}
        """Of what was filled: lines by type."""
        self.live = False
        """Whether nodes went on while the export that was filled in was made."""
        self.renewed = False
        """Whether every room was given a new epoch."""
        self.longest = 0
        """Messages of the room that has most."""
        self._client: Any = redis.Redis.from_url(url, protocol=2, socket_timeout=30.0)
        self._staged: set[str] = set()
        self._epochs: dict[str, str] = {}
        self._held = 0
        self._pipe: Any = self._client.pipeline(transaction=False)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def nodes(self) -> int:
        """How many nodes live."""
        try:
            now = self._now()
            return sum(now - int(beat) < LEASE_MS for beat in self._client.hvals("gw:nodes"))
        except (RedisError, OSError) as error:
            raise refusal_of(error, self.address) from error

    def new_epoch(self, room: str) -> bool:
        """As `Whole.new_epoch`; nodes that live find out by themselves."""
        try:
            if not self._client.hexists(f"gw:room:{room}", "epoch"):
                return False
            self._client.hset(f"gw:room:{room}", "epoch", token_urlsafe(12))
            self._client.publish(f"gw:hint:{room}", "")
            return True
        except (RedisError, OSError) as error:
            raise refusal_of(error, self.address) from error

    # Exporting

    def dump(self) -> Iterator[AnyLine]:
        """The lines without the end; the export is `live` when nodes live."""
        try:
            yield from self._lines()
        except (RedisError, OSError) as error:
            raise refusal_of(error, self.address) from error

    def _lines(self) -> Iterator[AnyLine]:
        client = self._client
        yield BeginLine(FORMAT, self.nodes() > 0, int(client.get("gw:removals:last") or 0))
        yield KeysLine((client.get("gw:seed") or token_urlsafe(32).encode()).decode(), _key(client))
        for name in sorted(each.decode() for each in client.smembers("gw:rooms")):
            epoch, head, topic = client.hmget(f"gw:room:{name}", "epoch", "head", "topic")
            if epoch is not None:
                yield RoomHeadLine(name, epoch.decode(), int(head or 0), (topic or b"").decode("utf-8", "replace"))
                yield from self._messages(name, int(head or 0))
        yield from sorted(self._receipts(), key=lambda line: (line.identity, line.id))
        people = sorted(client.scan_iter("gw:person:*", count=1000))
        for key in people:
            line = self._person(key)
            if line is not None:
                yield line
        for kind, name in ((BanLine, "gw:bans"), (MuteLine, "gw:mutes")):
            for _, text in sorted(client.hgetall(name).items()):
                yield kind(*msgspec.json.decode(text, type=Sanction)[1:])  # type: ignore[arg-type]
        for number, fields in self._entries("gw:audit", 0, None):
            yield AuditLine(number, *msgspec.json.decode(fields[b"e"]))

    def _entries(self, key: str, low: int, high: int | None) -> Iterator[tuple[int, dict[bytes, bytes]]]:
        """The numbers and fields of a stream's entries from low to high."""
        while found := self._client.xrange(key, f"{low}-0", "+" if high is None else f"{high}-0", AT_ONCE):
            for name, fields in found:
                low = int(name.partition(b"-")[0]) + 1
                yield low - 1, fields

    def _messages(self, room: str, head: int) -> Iterator[MessageLine]:
        gone = {int(seq): text for seq, text in self._client.hgetall(f"gw:gone:{room}").items()}
        entries = self._entries(f"gw:log:{room}", 1, head)
        entry = next(entries, None)
        seq = head + 1 if entry is None else entry[0]
        while seq - 1 in gone:
            seq -= 1
        while seq <= head:
            if entry is not None and entry[0] == seq:
                fields = entry[1]
                item = [seq, fields.get(b"t", b""), b"", fields.get(b"m", b"")]
                entry = next(entries, None)
            else:
                item = [seq, b"", b"", gone[seq]] if seq in gone else [seq]
            yield self._message(room, message_of(room, item), gone.get(seq))
            seq += 1

    def _message(self, room: str, message: Message, gone: bytes | None) -> MessageLine:
        removed, paste = None, None
        if not message.text:
            found = Removal(*msgspec.json.decode(gone)["removal"]) if gone is not None else None
            number = self._client.incr("gw:removals:last") if found is None else found.number
            removed = Taken(number, *(found[3:] if found is not None else (message.ts, "-", message.redacted)))
        elif message.paste is not None:
            whole = self._client.xrange(f"gw:paste:{room}", f"{message.seq}-0", f"{message.seq}-0")
            text = whole[0][1].get(b"w", b"").decode("utf-8", "replace") if whole else ""
            paste = WholePaste(message.paste.bytes, message.paste.lines, text)
        fields = (message.ts, message.nick, message.door, message.kind, message.text, message.identity)
        return MessageLine(room, message.seq, *fields, removed, paste)  # type: ignore[arg-type]

    def _receipts(self) -> Iterator[ReceiptLine]:
        heads: dict[str, list[bytes | None]] = {}
        for key in self._client.scan_iter("gw:id:*", count=1000):
            place = (self._client.get(key) or b"").decode("utf-8", "replace").split(" ", 3)
            if len(place) < 4:
                continue  # it has expired meanwhile
            room, seq, epoch, id = place
            if room not in heads:
                heads[room] = self._client.hmget(f"gw:room:{room}", "epoch", "head")
            known, head = heads[room]
            message = self._sent(room, int(seq))
            if known == epoch.encode() and int(seq) <= int(head or 0) and message is not None:
                yield ReceiptLine(message.identity, id, room, message.seq, message.ts)

    def _sent(self, room: str, seq: int) -> Message | None:
        """A message, or what is left of a removed one."""
        gone = self._client.hget(f"gw:gone:{room}", str(seq))
        if gone is not None:
            return message_of(room, [seq, b"", b"", gone])
        for _, fields in self._client.xrange(f"gw:log:{room}", f"{seq}-0", f"{seq}-0"):
            return message_of(room, [seq, fields.get(b"t", b""), b"", fields.get(b"m", b"")])
        return None

    def _person(self, key: bytes) -> IdentityLine | None:
        held = self._client.hgetall(key)
        person = person_of(held.get(b"p", b""))
        if person is None:
            return None
        codes = [code for code in person.codes if self._client.get(f"gw:code:{code}")]
        seen = int(held.get(b"s", 0))
        return IdentityLine(
            person.identity, person.nick, list(person.rooms), seen, codes, list(person.reads), person.account
        )

    # Filling

    def load(self, lines: ExportLines, *, new_epochs: bool | None) -> None:
        """Fill the empty Redis. Raises WrongLine, or JournalError when it is not empty or nodes live."""
        if self.nodes():
            raise JournalError(wording.GATEWAYS_ON_REDIS.format(address=self.address))
        try:
            used = [key.removeprefix("gw:") for key in USED if self._client.exists(key)]
            if used or any(self._client.scan_iter("gw:person:*")):
                words = ", ".join(used or ["people"])
                raise JournalError(wording.REDIS_NOT_EMPTY.format(address=self.address, words=words))
            self._clear()
            for line in lines:
                self.counts[_tag(line)] = self.counts.get(_tag(line), 0) + 1
                self._take(line, new_epochs)
                if len(self._pipe.command_stack) >= AT_ONCE:
                    self._pipe.execute()
            self._end_room()
            self._pipe.execute()
            for first in range(0, len(names := sorted(self._staged)), AT_ONCE):
                self._client.rpush(f"{STAGED}names", *names[first : first + AT_ONCE])
            if not self._client.eval(PUT_IN_PLACE, 0):
                raise JournalError(wording.REDIS_FILLED.format(address=self.address))
        except (RedisError, OSError) as error:
            raise refusal_of(error, self.address) from error
        except BaseException:
            self._clear()
            raise

    def _clear(self) -> None:
        """Delete what an import has left."""
        self._pipe.reset()
        try:
            for key in self._client.scan_iter(f"{STAGED}*", count=1000):
                self._client.unlink(key)
        except (RedisError, OSError) as error:
            raise refusal_of(error, self.address) from error

    def _at(self, name: str) -> str:
        self._staged.add(name)
        return STAGED + name

    def _take(self, line: AnyLine, new_epochs: bool | None) -> None:
        pipe = self._pipe
        match line:
            case MessageLine():
                self._take_message(line)
            case BeginLine():
                self.live = line.live
                self.renewed = line.live if new_epochs is None else new_epochs
                pipe.set(self._at("removals:last"), line.removals)
            case KeysLine():
                pipe.set(self._at("seed"), token_urlsafe(32) if self.renewed else line.epochs)
                if line.tokens:
                    pipe.set(self._at("token-key"), bytes.fromhex(line.tokens))
            case RoomHeadLine():
                self._end_room()
                self._held = 0
                epoch = self._epochs[line.room] = token_urlsafe(12) if self.renewed else line.epoch
                about = {"epoch": epoch, "head": line.head, "topic": line.topic}
                pipe.hset(self._at(f"room:{line.room}"), mapping=about)
                pipe.sadd(self._at("rooms"), line.room)
            case ReceiptLine():
                self._take_receipt(line)
            case IdentityLine():
                self._take_person(line)
            case BanLine() | MuteLine():
                measure = Measure.BAN if isinstance(line, BanLine) else Measure.MUTE
                pipe.hset(self._at(f"{measure}s"), line.id, _encode(_sanction(measure, line)))
            case AuditLine():
                entry = (line.at, line.who, line.source, line.action, line.target, line.reason, line.result)
                pipe.xadd(self._at("audit"), {"e": _encode(entry)}, id=f"{line.number}-0")

    def _take_message(self, line: MessageLine) -> None:
        pipe, room, seq = self._pipe, line.room, line.seq
        self._held += 1
        size = PasteSize(line.paste.bytes, line.paste.lines) if line.paste is not None else None
        message = Message(room, line.ts, line.nick, line.door, line.kind, line.text, identity=line.identity, paste=size)
        if line.removed is not None:
            removal = (line.removed.number, room, seq, line.removed.at, line.removed.by, line.removed.reason)
            left = {"ts": line.ts, "m": msgspec.json.decode(payload_of(message)), "removal": removal}
            pipe.hset(self._at(f"gone:{room}"), str(seq), _encode(left))
            pipe.zadd(self._at("removals"), {_encode(removal): line.removed.number})
            return
        pipe.xadd(self._at(f"log:{room}"), {"t": line.ts, "n": "", "m": payload_of(message)}, id=f"{seq}-0")
        pipe.hset(self._at(f"room:{room}"), "ts", line.ts)
        if line.paste is not None and line.paste.whole:
            pipe.xadd(self._at(f"paste:{room}"), {"w": line.paste.whole}, id=f"{seq}-0")

    def _end_room(self) -> None:
        self.longest = max(self.longest, self._held)

    def _take_receipt(self, line: ReceiptLine) -> None:
        left = line.ts + RECEIPT_MS - time.time_ns() // 1_000_000
        if 0 < left <= RECEIPT_MS:
            receipt = receipt_of(Message("", 0, "", "", "", "", identity=line.identity, id=line.id))
            place = f"{line.room} {line.seq} {self._epochs[line.room]} {line.id}"
            self._pipe.set(self._at(f"id:{receipt[:RECEIPT_DIGITS]}"), place, px=left)

    def _take_person(self, line: IdentityLine) -> None:
        pipe, key = self._pipe, self._at(f"person:{line.identity}")
        person = Person(line.identity, line.nick, line.rooms, line.seen, line.codes, line.reads, line.account)
        now = time.time_ns() // 1_000_000
        account = line.account.casefold()
        pipe.hset(key, mapping={"p": _encode(person), "a": account, "s": line.seen or now})
        if account:
            pipe.set(self._at(f"account:{account}"), line.identity)
        else:
            pipe.pexpire(key, PERSON_MS)
        for code in line.codes:
            pipe.set(self._at(f"code:{code}"), f"{line.identity} ", px=KEPT_MS)

    def _now(self) -> int:
        seconds, rest = self._client.time()
        return int(seconds) * 1000 + int(rest) // 1000


def _tag(line: AnyLine) -> str:
    return str(type(line).__struct_config__.tag)


def _key(client: Any) -> str:
    key = client.get("gw:token-key")
    return "" if key is None or len(key) != 32 else str(key.hex())


def _sanction(measure: Measure, line: SanctionLine) -> tuple[Any, ...]:
    return (
        measure, line.id, line.kind, line.target, line.identity, line.reason, line.author, line.created, line.until
    )  # fmt: skip
