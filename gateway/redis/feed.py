"""The feed: brings what is appended to the rooms' streams, by any node, to this node's rooms.

For every room that this node has in memory the feed knows a place: its epoch and the number of the last message that
was handed on. Redis publishes a hint whenever a room gets a message; the node has subscribed to the hints of its
rooms alone, so a room that nobody here reads costs nothing. A hinted room is read from its place, all hinted rooms in
one call. Hints that gather while a call is on its way cost one more call, not one for each.

A hint carries nothing and may get lost: Redis confirms every subscription, also those made again after a reconnect, and
a confirmed room is read from its place like a hinted one. So nothing is missed, and nothing comes twice.

(XREAD BLOCK over all rooms was the alternative. Redis registers every stream of such a call anew each time it returns,
so it costs rooms times wake-ups; hints cost only the rooms in which something is said.)

House events are for all nodes: topics, removals, and whatever else is announced (`Backplane.announce`). They are
numbered without holes and are read in the same call, before the rooms.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway import wording
from gateway.core.ports.journal import Follower, RoomRecord
from gateway.core.protocol.message import Message
from gateway.errors import BackplaneError
from gateway.redis.backplane import TRY_SECONDS, Argument, Backplane, cure_of
from gateway.redis.connection import RedisConnection
from gateway.redis.entries import item_of, message_of, record_of, unwritten_epoch

HEARTBEAT = 1.0
"""Seconds between two signs of life on the connection of the hints."""
SILENCE = 3.0
ROOMS_AT_ONCE = 200
MESSAGES_AT_ONCE = 500
"""Of one room in one answer; what is left comes with the next."""
RECENT_MESSAGES = 50
"""Of a room with a new epoch."""
PAUSE = 0.1
"""Seconds before what failed is tried again."""
HINTS = "gw:hint:"

log = logging.getLogger(__name__)

Arrived = Callable[[Message], None]
HouseEvent = Callable[[bytes, bool], None]
"""Takes the data of a shared event, and whether this node announced it."""


class Followed:
    """How far a room was handed on. `nonce` is that of the last message, empty while it is not known."""

    __slots__ = ("epoch", "head", "nonce")

    def __init__(self, epoch: str, head: int) -> None:
        self.epoch = epoch
        self.head = head
        self.nonce = ""


class StreamFeed:
    """The rooms that this node follows. `follower` is told what happens in them."""

    def __init__(self, backplane: Backplane) -> None:
        self.follower: Follower | None = None
        self.places: dict[str, Followed] = {}
        self._backplane = backplane
        self._own: dict[str, tuple[Message, Arrived]] = {}
        """By nonce: messages that this node appends, and who waits for them."""
        self._due: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._talk = asyncio.Event()
        self._subscribed: set[str] = set()
        self._hints, self._connection = (
            RedisConnection(backplane.url, TRY_SECONDS),
            RedisConnection(backplane.url, TRY_SECONDS),
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._house_last = 0
        self._listeners: dict[str, HouseEvent] = {}
        self._lost: list[Callable[[], None]] = []
        self._forgotten: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to listen; the backplane has been started."""
        self._house_last = self._backplane.house_last
        self._backplane.entered = self.compare
        self._backplane.came_back.append(self.read_all)
        for work in (self._listen, self._subscribe, self._read):
            self._tasks.append(asyncio.create_task(work()))

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await self._hints.close()
        await self._connection.close()

    def follow(self, record: RoomRecord) -> None:
        """Hand on what is said in the room after the record's head, from now on."""
        if record.room not in self.places:
            self.places[record.room] = Followed(record.epoch, record.head)
            self._talk.set()

    def leave(self, room: str) -> None:
        """Nobody here reads the room any more."""
        if self.places.pop(room, None) is not None:
            self._due.pop(room, None)
            self._talk.set()

    def hear(self, kind: str, listener: HouseEvent) -> None:
        """Call `listener` for each shared event of that kind."""
        self._listeners[kind] = listener

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call back when shared events were missed for good: what they told has to be read afresh."""
        self._lost.append(callback)

    def on_forgotten(self, callback: Callable[[], None]) -> None:
        """Call back when Redis has lost its end, or all, and can be told again what is known here; those of `on_lost`
        are called after it."""
        self._forgotten.append(callback)

    def expect(self, nonce: str, message: Message, arrived: Arrived) -> None:
        """A message of this node's is on its way: it will be handed on as this very object."""
        self._own[nonce] = message, arrived

    def expect_no_more(self, nonces: Iterable[str]) -> None:
        """Those may still come, as messages like any other."""
        for nonce in nonces:
            self._own.pop(nonce, None)

    def read_soon(self, room: str) -> None:
        """There may be something new in the room; with an empty name: among the shared events."""
        if not room or room in self.places:
            self._due[room] = None
            self._wake.set()

    def read_all(self) -> None:
        """There may be something new anywhere."""
        self._due.update(dict.fromkeys(("", *self.places)))
        self._wake.set()

    # Hints

    async def _listen(self) -> None:
        while True:
            try:
                self._subscribed.clear()
                await self._hints.send([("SUBSCRIBE", HINTS)])
                self._talk.set()
                while True:
                    kind, channel, *_ = await self._hints.heard(SILENCE)
                    if kind in (b"message", b"subscribe"):
                        self.read_soon(channel.decode("utf-8", "replace").removeprefix(HINTS))
            except (BackplaneError, ValueError, TypeError):
                await self._hints.close()
                await asyncio.sleep(PAUSE)

    async def _subscribe(self) -> None:
        """Keep the subscriptions what they should be, and show signs of life."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._talk.wait()
            except TimeoutError:
                pass
            self._talk.clear()
            if not self._hints.connected:
                continue
            wanted = set(self.places)
            come, gone = list(wanted - self._subscribed), list(self._subscribed - wanted)
            self._subscribed = wanted
            commands = [("SUBSCRIBE", *names) for names in _chunks(come)]
            commands += [("UNSUBSCRIBE", *names) for names in _chunks(gone)]
            try:
                await self._hints.send(commands or [("PING",)])
            except BackplaneError:
                self._subscribed.clear()

    # Reading

    async def _read(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                due = list(self._due)[:ROOMS_AT_ONCE]
                for room in due:
                    del self._due[room]
                try:
                    await self._read_rooms([room for room in due if room in self.places])
                except BackplaneError:
                    self._due.update(dict.fromkeys(due))
                    await asyncio.sleep(PAUSE)

    async def _read_rooms(self, rooms: Sequence[str]) -> None:
        places = {room: self.places[room] for room in rooms}
        house_last = self._house_last
        arguments: list[Argument] = [MESSAGES_AT_ONCE, house_last]
        for room, place in places.items():
            arguments += (room, place.epoch, place.head)
        ((counted, events, answers),) = await self._backplane.call(self._connection, [("news", arguments)])
        if house_last == self._house_last:
            self._hear_house(int(counted), events)
        else:  # meanwhile it was found that Redis has lost events: this answer is about a place that no longer exists
            self.read_soon("")
        renewed = []
        for (room, place), answer in zip(places.items(), answers, strict=True):
            if self.places.get(room) is not place:
                continue
            if answer is None:
                renewed.append(room)
            else:
                self._hand_on(room, place, answer)
        if renewed:
            await self._compare(self._connection, renewed)

    def _hand_on(self, room: str, place: Followed, answer: Sequence[Any]) -> None:
        now, items = answer
        if not items:
            return
        messages, waiting = [], []
        for item in map(item_of, items):
            nonce = item[2].decode("utf-8", "replace") if len(item) > 2 else ""
            own = self._own.pop(nonce, None) if nonce else None
            message = message_of(room, item)
            if own is not None:
                # The very object that was appended: it knows its author, who is waiting for it.
                own[0].seq, own[0].ts, own[0].whole = message.seq, message.ts, ""
                message = own[0]
                waiting.append(own)
            messages.append(message)
            place.nonce = nonce
        place.head = messages[-1].seq
        if place.head < now:
            self.read_soon(room)
        if self.follower is not None:
            self.follower.arrived(room, messages)
        for message, arrived in waiting:
            arrived(message)

    def _hear_house(self, counted: int, events: Sequence[Any]) -> None:
        if counted < self._house_last or (events and int(events[0][0]) != self._house_last + 1):
            log.warning(wording.LOG_REDIS_MISSED)
            self._house_last = counted
            for lost in self._lost:
                lost()
            return
        for number, kind, node, data in events:
            self._house_last = int(number)
            listener = self._listeners.get(kind.decode("utf-8", "replace"))
            if listener is not None:
                listener(data, node.decode("utf-8", "replace") == self._backplane.node)
        if self._house_last < counted and events:
            self.read_soon("")

    # Comparing

    async def compare(self) -> None:
        """Compare all rooms with what Redis holds now, after it was entered anew; it may have lost their ends. Raises
        BackplaneError."""
        connection = RedisConnection(self._backplane.url, TRY_SECONDS)
        house_last = self._house_last  # before what is read meanwhile changes it
        try:
            rooms = list(self.places)
            for start in range(0, len(rooms), ROOMS_AT_ONCE):
                await self._compare(connection, rooms[start : start + ROOMS_AT_ONCE])
        finally:
            await connection.close()
        began = self._backplane.house_began
        if began < house_last:
            log.warning(wording.LOG_REDIS_FORGOT)
            self._house_last = max(began, 0)
            for each in (*self._forgotten, *self._lost):
                self._backplane.when_back(each)
        self.read_all()

    async def _compare(self, connection: RedisConnection, rooms: Sequence[str]) -> None:
        places = {room: self.places[room] for room in rooms if room in self.places}
        calls = [
            ("open", open_arguments(self._backplane.seed, room, RECENT_MESSAGES, place))
            for room, place in places.items()
        ]
        answers = await self._backplane.try_each(connection, calls)
        for answer in answers:
            if isinstance(answer, BackplaneError) and cure_of(answer.__cause__):
                raise answer  # it was restarted again meanwhile: whoever asks next enters anew
        for (room, place), answer in zip(places.items(), answers, strict=True):
            if isinstance(answer, BackplaneError):
                log.error(wording.LOG_ROOM_UNREAD, room, answer)
            elif self.places.get(room) is place:
                self._compared(record_of(room, answer), place)

    def _compared(self, record: RoomRecord, place: Followed) -> None:
        if record.epoch == place.epoch and record.head >= place.head:
            return
        self.places[record.room] = Followed(record.epoch, record.head)
        if self.follower is not None:
            self.follower.renewed(record)


def open_arguments(seed: str, room: str, recent: int, place: Followed | None = None) -> Sequence[Argument]:
    """The arguments of `open` in server.lua; with the `place` at which the room is known."""
    epoch, head, nonce = (place.epoch, place.head, place.nonce) if place is not None else ("", 0, "")
    return room, recent, unwritten_epoch(seed, room), secrets.token_urlsafe(12), epoch, head, nonce


def _chunks(rooms: Sequence[str]) -> list[list[str]]:
    return [[HINTS + room for room in rooms[start : start + 500]] for start in range(0, len(rooms), 500)]
