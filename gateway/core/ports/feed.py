"""The feed's port: a journal that several nodes share tells this node what all of them have put into it.

Without a feed the journal is this process's own, and its answer to an append is all there is to know. With one, rooms
change only by what the feed hands on, in the journal's one order; a message of our own comes back that way too.
"""

from collections.abc import Sequence
from typing import Protocol

from gateway.core.ports.journal import Removal, RoomRecord
from gateway.core.protocol.message import Message
from gateway.errors import JournalError


class Follower(Protocol):
    """What the feed tells of the rooms that are followed."""

    def arrived(self, room: str, messages: Sequence[Message]) -> None:
        """The next messages of the room, by number, without holes among them; where they do not follow the last one
        that was told, those between are no longer held. A message that this node has appended, and that still waits
        for its outcome, is the very object that was appended."""

    def known(self, message: Message, room: str, epoch: str, seq: int) -> None:
        """A message that this node has appended was stored before, there, under its id: it does not arrive."""

    def refused(self, message: Message, problem: JournalError) -> None:
        """A message that this node has appended was not stored, unlike others of its batch: it does not arrive."""

    def renewed(self, record: RoomRecord) -> None:
        """The room has another epoch or has lost its end: what was told of it counts no more."""

    def topic_set(self, room: str, topic: str, by: str) -> None:
        """On another node, `by` has given a room a topic."""

    def removed(self, removal: Removal) -> None:
        """On another node, a message was removed."""

    def missed(self) -> None:
        """Topics and removals of other nodes may have been missed for good."""

    def forgotten(self) -> None:
        """The journal has lost its end, or all: what it did not get back by `renewed` can be told again."""


class Feed(Protocol):
    """Follows rooms for one follower."""

    follower: Follower | None

    def follow(self, record: RoomRecord) -> None:
        """Tell what comes after the record's head, from now on. Does nothing for a room that is followed already."""

    def leave(self, room: str) -> None:
        """Tell no more of the room."""


class NoFeed:
    """A `Feed` for a journal of our own: there is nothing to tell."""

    follower: Follower | None = None

    def follow(self, record: RoomRecord) -> None:
        """As `Feed.follow`."""

    def leave(self, room: str) -> None:
        """As `Feed.leave`."""
