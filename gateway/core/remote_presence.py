"""Remote presence: the people who are in our rooms at other nodes (`ports.cluster`).

A node tells the others who is in a room on it, at most once per room and SHOWN_EVERY, and only when that has
changed: always how many there are, and of LISTED of them the nick and the door. So what presence costs the nodes is
bounded by the rooms in which people come and go, however many come and go there. It is told whole, not as a change,
because then nothing has to be told again after something was missed.

A node hears it of every room, and keeps it of those it has in memory. What it told last is kept for nodes that open the
room later. To the people in a room it makes no difference where others are: somebody who enters it on another node is
announced like anybody who enters it here, and is in it once even when in it on two nodes. A node that dies takes its
people with it.
"""

from collections.abc import Mapping
from functools import partial

from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports.cluster import Cluster, Missed, NodeGone, PeopleThere, TypingThere
from gateway.core.protocol.events import Typing
from gateway.core.rooms.fanout import NOBODY, Member, Room
from gateway.core.rooms.join_notices import JoinNotices
from gateway.core.rooms.registry import NO_COUNTS, ListedRoom, Rooms
from gateway.core.sessions.session import OWED_BYTES
from gateway.errors import JournalError, Refusal

SHOWN_EVERY = 1.0
LISTED = 200
"""People of one room that a node tells of, at most."""


class RemotePresence:
    """Tells the other nodes who is here, and our rooms who is there."""

    def __init__(self, cluster: Cluster, rooms: Rooms, notices: JoinNotices, clock: Clock) -> None:
        self._cluster = cluster
        self._rooms = rooms
        self._notices = notices
        self._clock = clock
        self._shown: dict[str, PeopleThere] = {}
        """By room: what was told last of those in which somebody is."""
        self._due: dict[str, list[tuple[str, str]]] = {}
        """By room that has changed: the new nicks since, as (from, to)."""
        if cluster.node:
            rooms.look, notices.introduced = self._look, self.changed
        cluster.hear(PeopleThere, self._heard)
        cluster.hear(TypingThere, self._typing)
        cluster.hear(NodeGone, lambda gone: self._gone(gone.node))
        cluster.hear(Missed, lambda missed: self._say_again())

    def changed(self, room: str, renamed: tuple[str, str] | None = None) -> None:
        """Somebody has come, left or taken another nick; tell the other nodes soon."""
        if not self._cluster.node:
            return
        if room not in self._due:
            self._due[room] = []
            self._clock.later(SHOWN_EVERY, partial(self._show, room))
        if renamed is not None:
            self._due[room].append(renamed)

    def typing(self, member: Member) -> None:
        """The member is typing: tell the room's other browsers, also at other nodes."""
        room, nick = member.room, member.session.nick
        _tell_typing(room, nick, member)
        if room.elsewhere:
            self._cluster.tell(TypingThere(room.name, nick))

    def _show(self, name: str) -> None:
        renamed = self._due.pop(name, [])
        room = self._rooms.get(name)
        there = PeopleThere(self._cluster.node, name, 0)
        if room is not None and room.attendance.count:
            introduced = (each for each in room.attendance.people(LISTED) if room.attendance.first(each).introduced)
            people = {each.session.nick: str(each.session.door) for each in introduced}
            there = PeopleThere(self._cluster.node, name, room.attendance.count, people, renamed)
        before = self._shown.pop(name, None)
        if there.count:
            self._shown[name] = there
        told = (0, {}) if before is None else (before.count, before.people)
        if told != (there.count, there.people):
            self._cluster.show(there)

    def _say_again(self) -> None:
        """What was told may be forgotten, and what others told may have been missed."""
        self._shown.clear()
        for name, room in self._rooms.items():
            if room.attendance.count:
                self.changed(name)
            self._look(room)

    def listed(self) -> Answer[list[ListedRoom] | Refusal]:
        """The list of rooms, with the people at all nodes."""

        def counted(counts: Mapping[str, int] | JournalError) -> Answer[list[ListedRoom] | Refusal]:
            return self._rooms.listed(NO_COUNTS if isinstance(counts, JournalError) else counts)

        return self._cluster.counts().chain(counted)

    # What others tell

    def _look(self, room: Room | Refusal) -> Answer[Room | Refusal]:
        """Learn who is in the room elsewhere; then it may be entered."""
        if isinstance(room, Refusal):
            return Answer.of(room)

        def seen(found: list[PeopleThere] | JournalError) -> Room | Refusal:
            if not isinstance(found, JournalError):
                for node in room.elsewhere.keys() - {each.node for each in found}:
                    self._update(room, PeopleThere(node, room.name, 0))
                for each in found:
                    self._update(room, each)
            return room

        return self._cluster.shown(room.name).map(seen)

    def _heard(self, there: PeopleThere) -> None:
        room = self._rooms.get(there.room)
        if room is not None:
            self._update(room, there)

    def _typing(self, there: TypingThere) -> None:
        room = self._rooms.get(there.room)
        if room is not None:
            _tell_typing(room, there.nick)

    def _gone(self, node: str) -> None:
        for room in self._rooms.values():
            if node in room.elsewhere:
                self._update(room, PeopleThere(node, room.name, 0))

    def _update(self, room: Room, there: PeopleThere) -> None:
        before, count = room.people_elsewhere(), room.count
        others = {node: known for node, known in room.elsewhere.items() if node != there.node}
        if there.count:
            others[there.node] = there
        room.elsewhere = others or NOBODY
        after = room.people_elsewhere()
        left, joined = before.keys() - after.keys(), after.keys() - before.keys()
        for old, new in there.renamed:
            if old in left and new in joined:
                room.presences.renamed(old, new, announced=True, listed_as=old)
                left, joined = left - {old}, joined - {new}
        for nick in sorted(left):
            room.presences.left(nick, announced=True, listed_as=nick)
        for nick in sorted(joined):
            room.presences.joined(nick, after[nick])
        if room.count != count:
            room.presences.counted()
        if room.presences.pending and room.members:
            self._notices.tell_soon(room)


def _tell_typing(room: Room, nick: str, typing: Member | None = None) -> None:
    if not room.presences.crowd:
        for other in room.members.values():
            if other is not typing and other.session.wire.objects and len(other.session.owed) < OWED_BYTES:
                other.session.tell(Typing(room.name, nick))
