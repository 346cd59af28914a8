"""Who came, went or changed the nick in one room since people were last told; netted, so that a blink is no news.

In a room of more than CROWD_ABOVE people nobody is told names any more, only the count, until CROWD_UNTIL again.
"""

from gateway.core.events import Listed, Presence, Renamed

CROWD_ABOVE = 50
CROWD_UNTIL = 40
INTERVAL = 1.0
"""At most one presence per room in so many seconds; in a crowd, one in CROWD_INTERVAL."""
CROWD_INTERVAL = 2.0
ANNOUNCE_AFTER = 2.0
"""A join is announced so many seconds after the connection, if it is still open both ways."""


class Presences:
    """The changes of one room that have not been told yet."""

    __slots__ = ("_joined", "_left", "_renamed", "_unlisted", "crowd", "room", "scheduled", "told_at")

    def __init__(self, room: str) -> None:
        self.room = room
        self.crowd = False
        self.scheduled = False
        """A presence is on its way: what changes meanwhile goes with it."""
        self.told_at = float("-inf")
        """Monotonic seconds of the last telling."""
        self._joined: dict[str, str] = {}
        self._left: dict[str, None] = {}
        self._renamed: dict[str, str] = {}
        self._unlisted: dict[str, None] = {}

    @property
    def interval(self) -> float:
        """Seconds between two tellings."""
        return CROWD_INTERVAL if self.crowd else INTERVAL

    @property
    def pending(self) -> bool:
        """There is something to tell."""
        return bool(self._joined or self._left or self._renamed or self._unlisted)

    def joined(self, nick: str, door: str) -> None:
        """Somebody is here. Back before his leaving was told: no news."""
        if nick in self._left:
            del self._left[nick]
        else:
            self._joined[nick] = door

    def left(self, nick: str) -> None:
        """Somebody who had been announced has gone."""
        if nick in self._joined:
            del self._joined[nick]
            return
        self._left[self._last_told(nick)] = None

    def unlisted(self, nick: str) -> None:
        """Somebody who stood in a list of members but was never announced has gone: pages strike the name."""
        self._unlisted[self._last_told(nick)] = None

    def renamed(self, old: str, new: str) -> None:
        """An announced person has another nick."""
        if old in self._joined:
            self._joined[new] = self._joined.pop(old)
            return
        for first, last in self._renamed.items():
            if last == old:
                del self._renamed[first]
                old = first
                break
        if old != new:
            self._renamed[old] = new

    def _last_told(self, nick: str) -> str:
        """The name under which people know who is now called `nick`; his change of it is no news any more."""
        for old, new in self._renamed.items():
            if new == nick:
                del self._renamed[old]
                return old
        return nick

    def take(self, count: int) -> tuple[Presence, Presence | None]:
        """What to tell now (pages, terminals or None), and begin anew. `count` people are in the room."""
        self.scheduled = False
        self.crowd = count > (CROWD_UNTIL if self.crowd else CROWD_ABOVE)
        if self.crowd:
            told = Presence(self.room, [], [], [], count)
            lines = None
        else:
            joined = [Listed(nick, door) for nick, door in self._joined.items()]
            renamed = [Renamed(old, new) for old, new in self._renamed.items()]
            left = list(self._left)
            lines = Presence(self.room, joined, left, renamed, count)
            told = Presence(self.room, joined, [*left, *self._unlisted], renamed, count)
        self._joined, self._left, self._renamed, self._unlisted = {}, {}, {}, {}
        return told, lines


def for_others(presence: Presence, nick: str) -> Presence:
    """The same without what `nick` did himself: a terminal need not read about its own user."""
    joined = [listed for listed in presence.joined if listed.nick != nick]
    renamed = [change for change in presence.renamed if change.new != nick]
    return Presence(presence.room, joined, presence.left, renamed, presence.count)
