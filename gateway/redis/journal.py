"""The journal in Redis: one stream for each room, which is log, order and history at once.

An append is one call for the whole batch, numbered by this node. A second try of the same batch gets the first one's
answer, and a batch that was overtaken by a later one (it was stuck in a socket while Redis stood still) is refused: so
nothing is stored twice, and a sender's messages keep their order.

What is appended to a room that this node follows comes back with the feed, and only then is it answered: what readers
see, and when, is decided by the stream alone.
"""

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import TimeRecord
from gateway.core.ports.journal import UNKNOWN_AGE_MS, Expired, Memory, Page, Person, Removal, RoomRecord
from gateway.core.ports.ledger import Ledger
from gateway.core.protocol.message import Message
from gateway.errors import BackplaneError, JournalError, LostTail
from gateway.redis.backplane import Argument, Backplane
from gateway.redis.connection import refusal_of
from gateway.redis.entries import (
    message_of,
    payload_of,
    receipt_of,
    record_of,
    removal_of,
    unwritten_epoch,
)
from gateway.redis.feed import Followed, StreamFeed, open_arguments

UNANSWERED_SECONDS = 10.0
"""How long a stored batch may take to come back with the feed."""
EVERYTHING = 10**12
MOST_NUMBER = 10**14
"""Above any message's; Lua's numbers are exact up to it."""
KEPT = 10_000
REWRITE_SECONDS = 60
CLEANED_AT_ONCE = 200
"""Entries that are copied by one call: a millisecond or two of Redis' time."""

Appended = Callable[[list[Message] | JournalError], None]


class RedisJournal:
    """A `Journal` over a started backplane. `kept` is how many messages of a room Redis keeps, roughly; 0 =
    all."""

    def __init__(self, backplane: Backplane, feed: StreamFeed, ledger: Ledger, kept: int = KEPT) -> None:
        self.backplane = backplane
        self.feed = feed
        self.ledger = ledger
        """As `Journal.ledger`."""
        self.kept = kept or EVERYTHING
        self._batches = 0
        self._expire_from = "0"
        self._firsts: dict[str, int] = {}
        """The oldest number held of each room that has lost some, as far as this node was told."""
        feed.hear("topic", self._hear_topic)
        feed.hear("removed", self._hear_removed)
        feed.on_forgotten(self._hear_forgotten)
        feed.on_lost(self._hear_lost)
        self._rewriting = False

    def open(self, room: str, recent: int) -> Answer[RoomRecord | JournalError]:
        """As `Journal.open`."""
        arguments = open_arguments(self.backplane.seed, room, recent)
        return self.backplane.do("open", arguments, lambda answer: record_of(room, answer))

    def append(self, batch: list[Message], done: Appended) -> None:
        """As `Journal.append`; `done` may get messages of which some are refused (`core.ports.journal`)."""
        if batch:
            _Batch(self, batch, done)
        else:
            probe = self.backplane.do("probe")
            probe.then(lambda answer: done(answer if isinstance(answer, JournalError) else []))

    def next_batch(self) -> int:
        """The number of this node's next batch."""
        self._batches += 1
        return self._batches

    def read(self, room: str, *, after: int | None, before: int | None, limit: int) -> Answer[Page | JournalError]:
        """As `Journal.read`."""
        low = min(max(after or 0, 0), MOST_NUMBER)
        high = MOST_NUMBER if before is None else min(max(before, 0), MOST_NUMBER)
        direction = "before" if after is None else "after"

        def page(answer: Sequence[Any]) -> Page:
            count, items = answer
            return Page([message_of(room, each) for each in items], more=int(count) > max(limit, 0))

        return self.backplane.do("read", (room, low, high, max(limit, 0), direction), page)

    def set_topic(self, room: str, topic: str, by: str = "") -> Answer[JournalError | None]:
        """As `Journal.set_topic`."""
        event = msgspec.json.encode((room, topic, by))
        epoch = unwritten_epoch(self.backplane.seed, room)
        return self.backplane.do("topic", (room, topic, epoch, self.backplane.node, event), lambda _: None)

    def remember(self, people: Sequence[Person]) -> Answer[JournalError | None]:
        """As `Journal.remember`; the nodes that know a person hear what has changed."""
        arguments: list[Argument] = [self.backplane.node]
        for each in people:
            arguments += (each.identity, msgspec.json.encode(each), each.seen, each.account.casefold())
        return self.backplane.do("remember", arguments, lambda _: None)

    def recall(self, since: int) -> Answer[Memory | JournalError]:
        """As `Journal.recall`. There is nothing: people are looked up when they come (`redis.cluster`), and a retry is
        recognized by Redis itself."""
        return Answer.of(Memory((), ()))

    def paste(self, room: str, seq: int) -> Answer[str | JournalError | None]:
        """As `Journal.paste`."""
        return self.backplane.do("paste", (room, seq), lambda text: None if text is None else text.decode())

    def remove(self, room: str, seq: int, at: int, by: str, reason: str) -> Answer[Removal | JournalError | None]:
        """As `Journal.remove`."""
        arguments = room, seq, at, by, reason, self.backplane.node
        return self.backplane.do("remove", arguments, lambda text: None if text is None else removal_of(text))

    def removed(self, room: str, after: int, upto: int) -> Answer[list[Removal] | JournalError]:
        """As `Journal.removed`."""
        return self.backplane.do(
            "removed", (room, after, upto), lambda found: sorted(map(removal_of, found), key=lambda each: each.seq)
        )

    def removals(self, after: int, limit: int) -> Answer[list[Removal] | JournalError]:
        """As `Journal.removals`."""
        return self.backplane.do("removals", (after, limit), lambda found: list(map(removal_of, found)))

    def erase(self) -> Answer[JournalError | None]:
        """As `Journal.erase`: nobody can read the text any more, but it is left in Redis' memory and files. The streams
        are copied without it, and the append-only file, where there is one, is written anew, at most every
        REWRITE_SECONDS for all nodes together."""

        def erase(due: int) -> None:
            if due:
                clean()
            elif not self._rewriting:
                self._rewriting = True
                self.backplane.later(REWRITE_SECONDS, again)

        def clean() -> None:
            self.backplane.do("clean", (CLEANED_AT_ONCE,)).then(cleaned)

        def cleaned(left: int | JournalError) -> None:
            if isinstance(left, int) and left:
                clean()
            else:
                self.backplane.rewrite_log()

        def again() -> None:
            self._rewriting = False
            self.erase()

        return self.backplane.do("erase", (REWRITE_SECONDS * 1000,), erase)

    def expire(self, before: int) -> Answer[Expired | JournalError]:
        """As `Journal.expire`, some rooms at a time."""
        before += self.backplane.offset_ms

        def expired(answer: Sequence[Any]) -> Expired:
            cursor, more, firsts = answer
            self._expire_from = cursor.decode() if not more else self._expire_from
            found = {room.decode(): int(first) for room, first in firsts}
            # Another node may have deleted them: its own logs and index follow all the same.
            new = {room: first for room, first in found.items() if first > self._firsts.get(room, 1)}
            self._firsts.update(new)
            return Expired(new, more=bool(more) or self._expire_from != "0")

        return self.backplane.do("expire", (self._expire_from, before, before - UNKNOWN_AGE_MS), expired)

    def copy(self, file: str, replace: bool, going: Callable[[int, int], bool]) -> Answer[JournalError | None]:
        """As `Journal.copy`; it is refused."""
        return Answer.of(JournalError(wording.BACKUP_OF_REDIS))

    def new_epoch(self, room: str) -> Answer[bool | JournalError]:
        """As `Journal.new_epoch`."""
        return self.backplane.do("renew", (room, secrets.token_urlsafe(12)), bool)

    def rooms(self) -> Answer[list[RoomRecord] | JournalError]:
        """As `Journal.rooms`."""

        def records(answer: Sequence[Any]) -> list[RoomRecord]:
            return [
                RoomRecord(
                    *(room.decode(), epoch.decode(), int(first), int(head)),
                    *(topic.decode("utf-8", "replace"), (), bool(removed), int(ts)),
                )
                for room, epoch, first, head, topic, removed, ts in answer
            ]

        return self.backplane.do("rooms", (), records)

    def lost_tail(self) -> Answer[LostTail]:
        """As `Journal.lost_tail`; it never comes, because the feed tells of each room by itself."""
        return Answer()

    def time_kept(self) -> tuple[TimeRecord | None, int]:
        """As `Journal.time_kept`."""
        return TimeRecord.parse(self.backplane.time_kept), 0

    def keep_time(self, record: TimeRecord) -> None:
        """As `Journal.keep_time`."""
        self.backplane.do("time", (str(record),))

    def close(self) -> None:
        """As `Journal.close`; `Backplane.close` waits for the answers."""

    def _hear_topic(self, data: bytes, own: bool) -> None:
        if self.feed.follower is not None and not own:
            self.feed.follower.topic_set(*msgspec.json.decode(data, type=tuple[str, str, str]))

    def _hear_lost(self) -> None:
        if self.feed.follower is not None:
            self.feed.follower.missed()

    def _hear_forgotten(self) -> None:
        if self.feed.follower is not None:
            self.feed.follower.forgotten()

    def _hear_removed(self, data: bytes, own: bool) -> None:
        if self.feed.follower is not None and not own:
            self.feed.follower.removed(removal_of(data))


class _Batch:
    """One append. It is over when each of its messages has come back with the feed, is known to be stored, or is
    refused."""

    def __init__(self, journal: RedisJournal, messages: list[Message], done: Appended) -> None:
        self._journal = journal
        self._messages = messages
        self._done = done
        self._left = {id(message): message for message in messages}
        self._nonces: list[str] = []
        self._sent_from: dict[str, Followed | None] = {}
        """By room: how far it was known when its messages were sent."""
        self._problem: BackplaneError | None = None
        self._turn = journal.backplane.turn(self._over)
        self._send(messages, again=True)

    def _send(self, messages: list[Message], again: bool) -> None:
        self._journal.backplane.ask(
            "append", lambda: self._arguments(messages), lambda reply: self._heard(messages, reply, again)
        )

    def _arguments(self, messages: list[Message]) -> Sequence[Argument]:
        """See `append` in server.lua."""
        journal, backplane, places = self._journal, self._journal.backplane, self._journal.feed.places
        rooms = {name: place for place, name in enumerate(dict.fromkeys(each.room for each in messages), 1)}
        number = journal.next_batch()
        arguments: list[Argument] = [backplane.node, number, journal.kept, len(rooms)]
        for name in rooms:
            known = self._sent_from[name] = places.get(name)
            arguments += (name, unwritten_epoch(backplane.seed, name))
            arguments += ("", 0) if known is None else (known.epoch, known.head)
        for index, each in enumerate(messages):
            nonce = f"{backplane.node}:{number}:{index}"
            ts = max(each.ts + backplane.offset_ms, 0)
            arguments += (rooms[each.room], receipt_of(each), ts, nonce, payload_of(each), each.whole)
            if each.room in places:
                self._nonces.append(nonce)
                journal.feed.expect(nonce, each, self._settled)
        return arguments

    def _heard(self, messages: list[Message], reply: Any, again: bool) -> None:
        if isinstance(reply, BackplaneError):
            self._turn.settle(reply)
            return
        feed, renewed = self._journal.feed, []
        for message, each in zip(messages, reply, strict=True):
            if isinstance(each, int):
                if message.room not in feed.places:
                    message.seq, message.whole = each, ""
                    self._settled(message)
            elif each.startswith(b"="):
                self._is_known(message, each)
            elif again and b"GWEPOCH" in each:
                renewed.append(message)
            else:
                self._refuse(message, each)
        for room in {message.room for message in messages}:
            feed.read_soon(room)
        if renewed:
            self._send_renewed(renewed)
        elif not self._turn.settled:
            # The timer holds the turn alone, not the messages.
            failure = BackplaneError(wording.REDIS_KEPT_IT, self._journal.backplane.address)
            self._journal.backplane.later(UNANSWERED_SECONDS, partial(self._turn.settle, failure))

    def _send_renewed(self, messages: list[Message]) -> None:
        """The rooms have got another epoch: send the messages again once the feed has seen it."""
        feed = self._journal.feed
        feed.read_soon("")
        before = {each.room: self._sent_from[each.room] for each in messages}

        def send(left: int) -> None:
            if self._turn.settled:
                return
            if left and any(feed.places.get(room) is place for room, place in before.items()):
                self._journal.backplane.later(0.05, lambda: send(left - 1))
            else:
                self._send(messages, again=False)

        send(20)

    def _is_known(self, message: Message, answer: bytes) -> None:
        room, seq, epoch = answer[1:].decode().split(" ")
        follower = self._journal.feed.follower
        if follower is not None:
            follower.known(message, room, epoch, int(seq))
        else:
            message.seq = int(seq)
        self._settled(message)

    def _refuse(self, message: Message, answer: bytes) -> None:
        words = answer[1:].decode("utf-8", "replace")
        self._problem = refusal_of(ResponseError(words), self._journal.backplane.address)
        if self._journal.feed.follower is not None:
            self._journal.feed.follower.refused(message, self._problem)
        self._settled(message)

    def _settled(self, message: Message) -> None:
        self._left.pop(id(message), None)
        if not self._left:
            stored = any(each.seq for each in self._messages)
            self._turn.settle(self._messages if stored or self._problem is None else self._problem)

    def _over(self, outcome: list[Message] | JournalError) -> None:
        # What is refused now may be in the stream all the same. It then comes like anybody's message, so that a sender
        # who was told that it failed sees that it did not.
        self._journal.feed.expect_no_more(self._nonces)
        self._done(outcome)
