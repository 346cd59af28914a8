"""The cluster over Redis: facts as events of the house, and who the people are and have which nick (`server.lua`).

Facts are events that every node reads in one order (`redis.feed`). A node hears its own too, and ignores them: it has
done already what they tell.

A node lives while its last beat is younger than ten seconds, by Redis' clock; what is held by sessions of a node that
does not live any more is free. A node that finds its own beat older than that, or gone, may have lost what it held, and
says all of it again (`Missed`). The same happens each CLAIMED_EVERY, because what nobody says again for two days is
forgotten: so nothing is left of a node that was killed.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import msgspec

from gateway.core.answer import Answer
from gateway.core.ports.cluster import (
    AnnouncementMade,
    CodeUsed,
    Fact,
    Hearers,
    LinkMinted,
    LinkUsed,
    LoginsChanged,
    LogLevelSet,
    Maintained,
    Missed,
    NodeGone,
    PeopleThere,
    PersonChanged,
    PersonKicked,
    SanctionsChanged,
    Whisper,
)
from gateway.core.ports.journal import Person
from gateway.errors import BackplaneError, JournalError
from gateway.redis.connection import Backplane
from gateway.redis.entries import person_of
from gateway.redis.feed import StreamFeed

BEAT_SECONDS = 2.0
LEASE_MS = 10_000
"""See server.lua."""
CLAIMED_EVERY = 12 * 3600.0
KINDS: tuple[type[Fact], ...] = (
    SanctionsChanged, LoginsChanged, PersonChanged, CodeUsed, PeopleThere, Whisper, AnnouncementMade, PersonKicked,
    Maintained, LogLevelSet, LinkMinted, LinkUsed,
)  # fmt: skip
"""The facts, each an event of the house of its own kind: its tag."""

F = TypeVar("F", bound=Fact)
packed = msgspec.json.Encoder().encode


class RedisCluster:
    """The `Cluster` of the nodes that share a Redis."""

    def __init__(self, backplane: Backplane, feed: StreamFeed) -> None:
        self.node = backplane.node
        self._backplane = backplane
        self._hearers = Hearers()
        self._beaten = self._stopped = False
        self._since_claim = 0.0
        self._living: set[str] = set()
        for kind in KINDS:
            feed.hear(kind_of(kind), partial(self._heard, msgspec.json.Decoder(kind)))
        feed.on_lost(self._missed)
        backplane.came_back.append(self._missed)

    def begin(self, new_key: bytes) -> Answer[bytes | BackplaneError]:
        """Live from now on; the answer is the key that signs the tokens of all nodes, `new_key` if there was none."""
        self._live()
        return self._backplane.do("token_key", (new_key,))

    def stop(self) -> None:
        """The node ends, and what its sessions held is free."""
        self._stopped = True
        self._backplane.do("leave", (self.node,))

    def _live(self) -> None:
        if not self._stopped:
            self._backplane.do("beat", (self.node,), _beat_of).then(self._beat)

    def _beat(self, answer: tuple[int, int, set[str]] | JournalError) -> None:
        if not isinstance(answer, JournalError):
            now, last, living = answer
            for node in self._living - living:
                self._hearers.tell(NodeGone(node))
            self._living = living
            late = now - last >= LEASE_MS
            self._since_claim += BEAT_SECONDS
            if (late and self._beaten) or self._since_claim >= CLAIMED_EVERY:
                self._missed()
            self._beaten = True
        self._backplane.later(BEAT_SECONDS, self._live)

    def _missed(self) -> None:
        self._since_claim = 0.0
        self._hearers.tell(Missed())

    def _heard(self, decoder: msgspec.json.Decoder[Fact], data: bytes, own: bool) -> None:
        if not own:
            self._hearers.tell(decoder.decode(data))

    def tell(self, fact: Fact) -> None:
        """As `Cluster.tell`."""
        self._backplane.announce(kind_of(type(fact)), packed(fact))

    def hear(self, kind: type[F], use: Callable[[F], object]) -> None:
        """As `Cluster.hear`."""
        self._hearers.add(kind, use)

    # People

    def person(self, id: str) -> Answer[Person | JournalError | None]:
        """As `Cluster.person`."""
        return self._backplane.do("person", (self.node, id), _person)

    def person_of(self, account: str) -> Answer[Person | JournalError | None]:
        """As `Cluster.person_of`."""
        return self._backplane.do("person_of", (self.node, account.casefold()), _person)

    def use_code(self, code: str, own: str) -> Answer[Person | JournalError | None]:
        """As `Cluster.use_code`."""
        return self._backplane.do("use_code", (secrets.token_hex(8), self.node, code, own), _person)

    def keep_code(self, code: str, id: str) -> None:
        """As `Cluster.keep_code`."""
        self._backplane.do("keep_code", (code, id))

    # Nicks

    def claim(self, keys: Sequence[str], owner: str, before: str = "") -> Answer[bool | JournalError]:
        """As `Cluster.claim`."""
        return self._backplane.do("claim", (self.node, owner, before, *keys), bool)

    def release(self, keys: Sequence[str], owner: str, away: bool = False) -> None:
        """As `Cluster.release`."""
        self._backplane.do("release", (self.node, owner, int(away), *keys))

    def held(self, keys: Sequence[str]) -> Answer[bool | JournalError]:
        """As `Cluster.held`."""
        return self._backplane.do("held", tuple(keys), bool)

    def holder(self, keys: Sequence[str]) -> Answer[str | JournalError]:
        """As `Cluster.holder`."""
        return self._backplane.do("holder", tuple(keys), bytes.decode)

    def reached(self, keys: Sequence[str]) -> Answer[bool | JournalError]:
        """As `Cluster.reached`."""
        return self._backplane.do("reached", tuple(keys), bool)

    # Rooms

    def show(self, there: PeopleThere) -> None:
        """As `Cluster.show`."""
        self._backplane.do("show", (self.node, there.room, there.count, packed(there)))

    def shown(self, room: str) -> Answer[list[PeopleThere] | JournalError]:
        """As `Cluster.shown`."""
        return self._backplane.do("shown", (self.node, room), lambda found: [_people(each) for each in found])

    def counts(self) -> Answer[Mapping[str, int] | JournalError]:
        """As `Cluster.counts`."""
        return self._backplane.do("counts", (self.node,), _counts)


_people = msgspec.json.Decoder(PeopleThere).decode


def _counts(found: list[bytes]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for room, count in zip(found[::2], found[1::2], strict=True):
        counts[room.decode()] += int(count)
    return counts


def _beat_of(answer: tuple[bytes, bytes, list[bytes]]) -> tuple[int, int, set[str]]:
    now, last, living = answer
    return int(now), int(last), {node.decode() for node in living}


def kind_of(kind: type[Fact]) -> str:
    """The kind of the house's event that is this fact."""
    return str(kind.__struct_config__.tag)


def _person(found: Any) -> Person | None:
    """A person, and when the last connection to any node ended."""
    if not found:
        return None
    person = person_of(found[0])
    return None if person is None else replace(person, seen=int(found[1]))
