"""Presence: the people in one room, and its joins, leaves and renames since it was last told, netted: a quick reconnect
is no news.

A person is in the room once, however many of their connections are: they join with the first and leave with the last.

In a room of more than CROWD_ABOVE people names are no longer told, only the count, until CROWD_UNTIL again. What
happens meanwhile is kept, netted, and told to the pages when the crowd is over, so that their lists of members are
right.

A page knows a name from a presence event or from the list of members that it got on joining, a terminal only from a
presence event. So what happens to a member that was listed but never announced is told to pages only. So is the join of
a member that spoke before it was announced: people at terminals have read the name already, pages need it in their
list; from its first new name on it is announced to all. A page applies all this to a set: a name that it already has,
or does not have, does no harm. Between two events (a crowd may be long) a member may have had several names, each
in the list of another page: for the one last told and the one last listed the new name is told, those between are told
as having left.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import msgspec

from gateway.core.protocol.events import Listed, Presence, Renamed
from gateway.core.protocol.message import Door
from gateway.core.sessions.session import Session

MEMBERS_LISTED = 200
"""People in the list that a newcomer gets."""
CROWD_ABOVE = 50
CROWD_UNTIL = 40
INTERVAL = 1.0
"""Seconds between two presence events of a room, at least; in a crowd CROWD_INTERVAL."""
CROWD_INTERVAL = 2.0
GONE_NAMES = 4096
"""Names that left during a crowd and are remembered; the earliest are forgotten first."""

_encode: Callable[[list[Listed]], bytes] = msgspec.json.Encoder().encode


class Appearing(Protocol):
    """A member of the room. Of a person's connections the earliest carries how the person is known in the room."""

    session: Session
    introduced: bool
    announced: bool
    listed_as: str | None


Known = TypeVar("Known", bound=Appearing)


class Attendance(Generic[Known]):
    """The people in one room, among its `members`. HTTP streams only read and are none."""

    __slots__ = ("_encoded", "_list", "_members", "_nicks", "count")

    def __init__(self, members: Mapping[Session, Known]) -> None:
        self._members = members
        self._list: list[Listed] | None = None
        """The last list that was sent, while another would be the same."""
        self._encoded: msgspec.Raw | None = None
        """The same list as JSON."""
        self._nicks: list[str] | None = None
        """Everybody's nick, by name, from the first time it is asked for."""
        self.count = 0
        """People in the room."""

    def enter(self, member: Appearing) -> None:
        """The member has been added."""
        session = member.session
        alone = session.identity is None  # without one it has no other connections, and nobody looks for them
        if len(self._list or ()) < MEMBERS_LISTED or not (alone or len(session.connections) == 1):
            self._list = None
        if session.door is not Door.HTTP and (alone or len(self.here(session)) == 1):
            self.count += 1
            if self._nicks is not None:
                insort(self._nicks, session.nick, key=str.casefold)

    def leave(self, member: Appearing) -> bool:
        """The member has been taken out; return whether it was the last of the person's connections here."""
        session = member.session
        alone = session.identity is None
        if member.listed_as is not None or not (alone or len(session.connections) <= 1):
            self._list = None
        if session.door is Door.HTTP:
            return False
        for each in () if alone else self.here(session):
            if member.introduced:
                each.introduced, each.announced, each.listed_as = True, member.announced, member.listed_as
            return False
        self.count -= 1
        self._forget(session.nick)
        return True

    def _forget(self, nick: str) -> None:
        nicks = self._nicks
        if nicks is None:
            return
        place = bisect_left(nicks, nick.casefold(), key=str.casefold)
        if self.count and nicks[place : place + 1] == [nick]:
            del nicks[place]
        else:
            self._nicks = None

    def gone(self, listed_as: str | None) -> None:
        """A person who was in a list under that name, if in any, counts as gone."""
        if listed_as is not None:
            self._list = None

    def renamed(self) -> None:
        """A person has another nick."""
        self._list = self._nicks = None

    def nicks(self) -> list[str]:
        """Everybody's nick, by name. From the first time on joins and leaves are entered one by one: a crowd in which
        many ask who is here is not sorted for each of them."""
        if self._nicks is None or len(self._nicks) != self.count:
            self._nicks = sorted((each.session.nick for each in self.people()), key=str.casefold)
        return self._nicks

    def listed(self) -> list[Listed]:
        """The list for a newcomer, the earliest first, at most MEMBERS_LISTED; what it says of each is noted there.
        When many come at once into a room that has more, it is the same list for all of them."""
        if self._list is None:
            people = self.people(MEMBERS_LISTED)
            for each in people:
                self.first(each).listed_as = each.session.nick
            # JSON of an enumeration's member takes four times as long as of its text.
            self._list = [Listed(each.session.nick, str(each.session.door)) for each in people]
            self._encoded = None
        return self._list

    def encoded(self) -> msgspec.Raw:
        """The same list as JSON, which is made once for all newcomers that get it."""
        listed = self.listed()
        if self._encoded is None:
            self._encoded = msgspec.Raw(_encode(listed))
        return self._encoded

    def here(self, session: Session) -> list[Known]:
        """The members that are connections of the session's person, the earliest first."""
        return [self._members[each] for each in session.connections if each in self._members]

    def first(self, member: Known) -> Known:
        """The earliest of the connections of the member's person."""
        identity = member.session.identity
        return member if identity is None or not identity.earlier else self.here(member.session)[0]

    def people(self, most: int | None = None) -> list[Known]:
        """Each person by the latest of their connections, the earliest first."""
        found = []
        for each in self._members.values():
            session = each.session
            if session.door is not Door.HTTP:
                identity = session.identity
                if identity is None or not identity.earlier or self.here(session)[-1] is each:
                    found.append(each)
                    if len(found) == most:
                        break
        return found


@dataclass(slots=True, eq=False)
class Presences:
    """The changes in one room that have not been told yet."""

    room: str
    crowd: bool = False
    scheduled: bool = False
    """Whether a presence event is on its way; what changes meanwhile goes with it."""
    told_at: float = float("-inf")
    """When the last presence event was sent, in monotonic seconds."""
    _counted: bool = False
    _joined: dict[str, str] = field(default_factory=dict)
    _listed: dict[str, str] = field(default_factory=dict)
    _left: dict[str, None] = field(default_factory=dict)
    _renamed: dict[str, str] = field(default_factory=dict)
    _relisted: dict[str, str] = field(default_factory=dict)
    _unlisted: dict[str, None] = field(default_factory=dict)

    @property
    def interval(self) -> float:
        """Seconds between two presence events."""
        return CROWD_INTERVAL if self.crowd else INTERVAL

    @property
    def pending(self) -> bool:
        """Whether there is something to tell."""
        names = self._joined or self._listed or self._left or self._renamed or self._relisted or self._unlisted
        return bool(names) or self._counted

    def counted(self) -> None:
        """How many people are in the room has changed."""
        self._counted = True

    def joined(self, nick: str, door: str) -> None:
        """A member is announced. If it was back before its leave was told, that is no news."""
        self._unlisted.pop(nick, None)
        if nick in self._left:
            del self._left[nick]
        else:
            self._joined[nick] = door

    def listed(self, nick: str, door: str) -> None:
        """A member need not be announced, but belongs in the pages' lists of members."""
        if self._unlisted.pop(nick, "") == "":
            self._listed[nick] = door

    def spoke(self, nick: str) -> bool:
        """A member has spoken: if its join is still to be told, only pages need it. Return whether that is so."""
        if nick not in self._joined:
            return False
        self._listed[nick] = self._joined.pop(nick)
        return True

    def left(self, nick: str, announced: bool, listed_as: str | None) -> None:
        """A member has left that had been announced, or was in a list of members (last as `listed_as`), or both."""
        if not (announced or listed_as or nick in self._joined or nick in self._listed or self._has_renames):
            return
        if nick in self._joined:
            del self._joined[nick]
            announced = False
        elif nick in self._listed:
            del self._listed[nick]
            listed_as = None
        told, *others = self._last_told(nick, listed_as)
        if announced:
            _keep(self._left, told)
        elif listed_as is not None:
            _keep(self._unlisted, told)
        for each in others:
            _keep(self._unlisted, each)

    def renamed(self, old: str, new: str, announced: bool, listed_as: str | None) -> None:
        """A member that had been announced, or was in a list of members, or both, has another nick."""
        if old in self._joined:
            self._joined[new] = self._joined.pop(old)
            announced = False
        elif old in self._listed:
            self._listed[new] = self._listed.pop(old)
            listed_as = None
        self._unlisted.pop(new, None)
        told, *others = self._last_told(old, listed_as)
        if told != new and (announced or listed_as is not None):
            changes = self._renamed if announced else self._relisted
            changes[told] = new
        for each in others[:-1]:
            _keep(self._unlisted, each)
        for each in others[-1:]:
            if each != new:
                self._relisted[each] = new

    @property
    def _has_renames(self) -> bool:
        return bool(self._renamed or self._relisted)

    def _last_told(self, nick: str, listed_as: str | None) -> list[str]:
        """The names under which the member now called `nick` is known: first the one last told, then those of lists
        that were sent since. Drop its untold renames."""
        known: list[str] = []
        if not (self._renamed or self._relisted):
            return [nick]
        for changes in (self._renamed, self._relisted):
            untold = [old for old, new in changes.items() if new == nick]
            for old in untold:
                del changes[old]
            known += untold
        return [*known, nick] if known and listed_as == nick else known or [nick]

    def take(self, count: int) -> tuple[Presence, Presence | None]:
        """What to tell now (to pages; to terminals, or None), and begin anew. `count` people are in the room."""
        self.scheduled = self._counted = False
        was_crowd, self.crowd = self.crowd, count > (CROWD_UNTIL if self.crowd else CROWD_ABOVE)
        if self.crowd:
            return Presence(self.room, [], [], [], count), None
        joined = [Listed(nick, door) for nick, door in self._joined.items()]
        renamed = [Renamed(old, new) for old, new in self._renamed.items()]
        relisted = [Renamed(old, new) for old, new in self._relisted.items()]
        left = list(self._left)
        lines = None if was_crowd else Presence(self.room, joined, left, renamed, count)
        listed = [Listed(nick, door) for nick, door in self._listed.items()]
        told = Presence(self.room, joined + listed, [*left, *self._unlisted], renamed + relisted, count)
        self._joined, self._listed, self._left, self._renamed, self._relisted, self._unlisted = {}, {}, {}, {}, {}, {}
        return told, lines


def _keep(gone: dict[str, None], nick: str) -> None:
    gone[nick] = None
    if len(gone) > GONE_NAMES:
        del gone[next(iter(gone))]


def for_others(presence: Presence, nick: str) -> Presence:
    """The same without what `nick` itself did: a terminal need not read about its own user."""
    joined = [listed for listed in presence.joined if listed.nick != nick]
    renamed = [change for change in presence.renamed if change.new != nick]
    return Presence(presence.room, joined, presence.left, renamed, presence.count)
