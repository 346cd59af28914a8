"""Replication: what comes out of a journal that several nodes share changes this node's rooms.

The feed (`core.ports.journal`) hands on each room's messages in the one order that the journal has given them, whoever
appended them. The room's log takes them as they come. A message that was sent from here is recognized by being the very
object that was appended: its author gets the acknowledgement, and as a terminal not its own line back. A message of
another node has no author here.

When the journal has dropped messages before this node could read them (it was paused, and the stream is bounded), the
log goes on behind the gap, and its readers are told of it like any whom the log's tail has passed.
"""

import logging
from collections.abc import Sequence
from functools import partial

from gateway import wording
from gateway.core.ports.journal import Journal, Removal, RoomRecord
from gateway.core.protocol.events import storage_refusal
from gateway.core.protocol.message import Message
from gateway.core.rooms.fanout import Room
from gateway.core.rooms.group_commit import GroupCommit
from gateway.core.rooms.idempotency import Posted
from gateway.core.rooms.indexing import Search
from gateway.core.rooms.registry import Rooms
from gateway.core.rooms.removals import Removals
from gateway.errors import JournalError

log = logging.getLogger(__name__)


class Replication:
    """The `Follower` of the feed."""

    def __init__(
        self, journal: Journal, rooms: Rooms, commits: GroupCommit, removals: Removals, search: Search
    ) -> None:
        self._journal = journal
        self._rooms = rooms
        self._commits = commits
        self._removals = removals
        self._search = search

    def arrived(self, room: str, messages: Sequence[Message]) -> None:
        """As `Follower.arrived`."""
        found = self._rooms.get(room)
        if found is None:
            return
        if messages[0].seq > found.log.head + 1:
            found.skip_to(messages[0].seq)
        for message in messages:
            self._commits.arrived(found, message)
        self._search.arrived(room, list(messages))

    def known(self, message: Message, room: str, epoch: str, seq: int) -> None:
        """As `Follower.known`."""
        self._commits.settle(message, Posted(room, epoch, seq))

    def refused(self, message: Message, problem: JournalError) -> None:
        """As `Follower.refused`."""
        self._commits.settle(message, storage_refusal(problem))

    def renewed(self, record: RoomRecord) -> None:
        """As `Follower.renewed`."""
        room = self._rooms.get(record.room)
        topic = "" if room is None else room.topic
        self._rooms.renewed(record)
        if room is not None and not record.topic:
            room.topic = topic  # it was lost with the rest, and is stored again when it is `forgotten`

    def topic_set(self, room: str, topic: str, by: str) -> None:
        """As `Follower.topic_set`."""
        found = self._rooms.get(room)
        if found is not None:
            self._rooms.topic_set(found, topic, by)

    def removed(self, removal: Removal) -> None:
        """As `Follower.removed`."""
        self._removals.apply(removal)

    def forgotten(self) -> None:
        """As `Follower.forgotten`: the topics of the rooms in memory, and what was removed."""
        self._removals.remove_again()
        for name, room in self._rooms.items():
            if room.topic:
                self._journal.set_topic(name, room.topic, wording.ANOTHER_NODE)

    def missed(self) -> None:
        """As `Follower.missed`."""
        self._search.look_again()
        for name, room in self._rooms.items():
            self._journal.open(name, 0).then(partial(self._look_at_topic, room))
            self._journal.removed(name, room.log.first - 1, room.log.head).then(self._apply)

    def _look_at_topic(self, room: Room, record: RoomRecord | JournalError) -> None:
        if isinstance(record, RoomRecord) and record.topic != room.topic:
            self._rooms.topic_set(room, record.topic, wording.ANOTHER_NODE)

    def _apply(self, removals: list[Removal] | JournalError) -> None:
        if isinstance(removals, JournalError):
            log.warning(wording.LOG_REMOVALS_UNREAD, removals)
            return
        for removal in removals:
            room = self._rooms.get(removal.room)
            if room is not None and any(each.text for each in room.log.between(removal.seq - 1, removal.seq + 1)):
                self._removals.apply(removal)
