"""The cluster over Redis: facts as events that all nodes share, and the people with their nicks (`server.lua`).

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
from functools import partial
from typing import Any, TypeVar

import msgspec

from gateway.core.answer import Answer
from gateway.core.ports.cluster import (
    AnnouncementMade,
    CodeUsed,
    ConnectionsThere,
    DrainBegun,
    DrainEnded,
    Fact,
    Forgotten,
    GuessesFailed,
    LinkMinted,
    LinkUsed,
    LoginsChanged,
    LogLevelSet,
    Maintained,
    Missed,
    NodeCard,
    NodeGone,
    PeopleThere,
    PersonChanged,
    PersonKicked,
    SanctionsChanged,
    Serve,
    TypingThere,
    Whisper,
)
from gateway.core.ports.journal import Person
from gateway.errors import BackplaneError, JournalError
from gateway.redis.backplane import Backplane
from gateway.redis.entries import person_of
from gateway.redis.feed import StreamFeed
from gateway.redis.questions import Questions

BEAT_SECONDS = 2.0
LEASE_MS = 10_000
"""See server.lua."""
CLAIMED_EVERY = 12 * 3600.0
KINDS: tuple[type[Fact], ...] = (
    SanctionsChanged, LoginsChanged, PersonChanged, CodeUsed, PeopleThere, ConnectionsThere, TypingThere, Whisper,
    AnnouncementMade, PersonKicked, Maintained, DrainBegun, DrainEnded, LogLevelSet, GuessesFailed,
    LinkMinted, LinkUsed,
)  # fmt: skip
"""The facts, each a shared event of its own kind: its tag."""

F = TypeVar("F", bound=Fact)
packed = msgspec.json.Encoder().encode


class Hearers:
    """The listeners to each kind of fact."""

    def __init__(self) -> None:
        self._by_kind: dict[type, list[Callable[[Any], object]]] = {}

    def add(self, kind: type[F], use: Callable[[F], object]) -> None:
        """As `Cluster.hear`."""
        self._by_kind.setdefault(kind, []).append(use)

    def tell(self, fact: Fact) -> None:
        """Hand a fact to those who want to hear it."""
        for use in self._by_kind.get(type(fact), ()):
            use(fact)


class RedisCluster:
    """The `Cluster` of the nodes that share a Redis. `number` is there once `begin` has been answered."""

    def __init__(self, backplane: Backplane, feed: StreamFeed, questions: Questions) -> None:
        self.node, self.number = backplane.node, 0
        self._backplane = backplane
        self._questions = questions
        self._card: NodeCard | None = None
        self._cards: Sequence[NodeCard] = ()
        self._hearers = Hearers()
        self._beaten = self._stopped = False
        self._since_claim = 0.0
        self._living: set[str] = set()
        self._key = b""
        for kind in KINDS:
            feed.hear(kind_of(kind), partial(self._heard, msgspec.json.Decoder(kind)))
        feed.on_forgotten(self._put_back)
        feed.on_lost(self._missed)
        backplane.came_back.append(self._missed)

    def begin(self, new_key: bytes) -> Answer[bytes | BackplaneError]:
        """Live from now on; the answer is the key that signs the tokens of all nodes, `new_key` if there was none."""
        self._backplane.do("node_number", (), int).then(self._numbered)
        return self._backplane.do("token_key", (new_key,), self._keyed)

    def stop(self) -> None:
        """The node ends, and what its sessions held is free."""
        self._stopped = True
        self._backplane.do("leave", (self.node,))

    def _keyed(self, key: bytes) -> bytes:
        self._key = key
        return key

    def _numbered(self, number: int | JournalError) -> None:
        if not isinstance(number, JournalError):  # otherwise the start fails
            self.number = number
            self._live()

    def _live(self) -> None:
        if not self._stopped:
            self._backplane.do("beat", (self.node, self.number, self._own_card()), _beat_of).then(self._beat)

    def _own_card(self) -> bytes:
        """The card as it is now; empty while there is none."""
        if self._card is None:
            return b""
        self._card = msgspec.structs.replace(self._card, clock_ms=self._backplane.offset_ms)
        return packed(self._card)

    def _beat(self, answer: tuple[int, int, set[str], list[NodeCard]] | JournalError) -> None:
        if not isinstance(answer, JournalError):
            now, last, living, self._cards = answer
            for node in self._living - living:
                self._hearers.tell(NodeGone(node))
                self._questions.gone(node)
            self._living = living
            late = now - last >= LEASE_MS
            self._since_claim += BEAT_SECONDS
            if (late and self._beaten) or self._since_claim >= CLAIMED_EVERY:
                self._missed()
            self._beaten = True
        self._backplane.later(BEAT_SECONDS, self._live)

    def _put_back(self) -> None:
        """Redis has forgotten something: it is told what this node knows before anybody reads it again."""
        if self._key:
            self._backplane.do("put_key", (self._key,))
        self._hearers.tell(Forgotten())

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

    def reached(self, keys: Sequence[str]) -> Answer[Sequence[str] | JournalError]:
        """As `Cluster.reached`."""
        return self._backplane.do("reached", tuple(keys), lambda found: [each.decode() for each in found])

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

    # Questions

    def introduce(self, card: NodeCard) -> None:
        """As `Cluster.introduce`."""
        self._card = card
        arguments = (self.node, self.number, self._own_card())
        self._backplane.do("beat", arguments, _beat_of).then(self._introduced)

    def _introduced(self, answer: tuple[int, int, set[str], list[NodeCard]] | JournalError) -> None:
        if not isinstance(answer, JournalError):
            self._cards = answer[3]

    def cards(self) -> Sequence[NodeCard]:
        """As `Cluster.cards`."""
        return self._cards

    def ask(self, node: str, kind: str, question: bytes = b"") -> Answer[bytes | JournalError]:
        """As `Cluster.ask`."""
        return self._questions.ask(node, kind, question)

    def serve(self, kind: str, use: Serve) -> None:
        """As `Cluster.serve`."""
        self._questions.serve(kind, use)


_people = msgspec.json.Decoder(PeopleThere).decode


def _counts(found: list[bytes]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for room, count in zip(found[::2], found[1::2], strict=True):
        counts[room.decode()] += int(count)
    return counts


_card = msgspec.json.Decoder(NodeCard).decode


def _beat_of(answer: tuple[bytes, bytes, list[bytes], list[bytes]]) -> tuple[int, int, set[str], list[NodeCard]]:
    now, last, living, cards = answer
    found = sorted(map(_card, cards), key=lambda card: card.number)
    return int(now), int(last), {node.decode() for node in living}, found


def kind_of(kind: type[Fact]) -> str:
    """The kind of the shared event that tells this fact."""
    return str(kind.__struct_config__.tag)


def _person(found: Any) -> Person | None:
    """A person, and when the last connection to any node ended."""
    if not found:
        return None
    person = person_of(found[0])
    return None if person is None else msgspec.structs.replace(person, seen=int(found[1]))
