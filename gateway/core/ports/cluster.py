"""The cluster: the other nodes of one gateway, as the core sees them.

Several processes may serve one journal, and together they are one gateway. What each of them holds in memory (bans and
mutes, who is logged in to the dashboard) is told to the others as *facts*:

- A fact is told after it is true where it was made. Whoever hears it makes it true there too, without telling it on.
- Each node hears the facts of another in the order they were told in. It may hear one twice, so hearing one again must
  do no harm.
- A node that may have missed facts (it was cut off for long, or the store forgot them) hears `Missed` and reads again
  everything that facts are about. Before that it hears `Forgotten` when the store has lost what it had.

What is stored in the ledger is told by the ledger, in the transaction that stores it: what is not stored is not told.

People and their nicks belong to all nodes, and the store that the nodes share decides who has what: a node asks it
before somebody who comes with a token or a code, or wants a nick, gets it. A nick is held by an *owner*, which is the
id of an identity or a session of one node, for as long as that node lives. What `Journal.remember` stores of a person
is told to the other nodes that know the person.

One node alone is `Alone`: nothing is told, nothing is ever heard, every verb returns at once, and whoever asks for
something may have it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.ports.journal import Person
from gateway.core.ports.ledger import Sanction
from gateway.errors import JournalError

SESSION_BITS = 32
"""A session's number is a count within its node, above which stands the number of the node: so an id is of one session
of all nodes, and says which node has it."""


class NodeCard(msgspec.Struct, frozen=True):
    """What the others know of a node: its `id`, new with every start; its `number`, never used again; the `name` that
    people read; which of its family's workers it is, from 1 on (0: it is alone on its ports); its version; since when
    it runs (ms since 1970), how far Redis' clock is ahead of its own (ms; 0 while they agree), and its `doors`."""

    id: str
    number: int
    name: str
    worker: int = 0
    family: str = ""
    version: str = ""
    started_at: int = 0
    clock_ms: int = 0
    doors: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name, with the worker's number where there are several: `chat-1:8080/2`."""
        return f"{self.name}/{self.worker}" if self.worker else self.name


def labels(cards: Sequence[NodeCard]) -> dict[str, str]:
    """The label of each node, by its id. Nodes that would have the same one are told apart by their ids."""
    often = Counter(card.label for card in cards)
    return {card.id: card.label if often[card.label] == 1 else f"{card.label}~{card.id[:4]}" for card in cards}


class Missed(msgspec.Struct, frozen=True, tag="missed"):
    """Facts may have been missed: read again what they are about. Never told, only heard."""


class Forgotten(msgspec.Struct, frozen=True, tag="forgotten"):
    """What the nodes share was lost, in part or whole: store again what this node knows. `Missed` follows. Never told,
    only heard."""


class SanctionsChanged(msgspec.Struct, frozen=True, tag="sanctions"):
    """These bans and mutes were put in force, and these lifted, and the ledger has stored it."""

    add: Sequence[Sanction] = ()
    lift: Sequence[Sanction] = ()


class LoginsChanged(msgspec.Struct, frozen=True, tag="logins"):
    """The ledger has stored other logins to the dashboard."""


class PersonChanged(msgspec.Struct, frozen=True, tag="person"):
    """What is stored of a person that this node knows has changed."""

    person: Person


class CodeUsed(msgspec.Struct, frozen=True, tag="code"):
    """A code of that identity proves nothing any more."""

    identity: str
    code: str


class PeopleThere(msgspec.Struct, frozen=True, tag="people"):
    """Who is in a room at a node: so many people; the nick and the door of those that the others may be told of, as far
    as they are listed; and who has taken another nick since this was told last, as (from, to)."""

    node: str
    room: str
    count: int
    people: Mapping[str, str] = {}
    renamed: Sequence[tuple[str, str]] = ()


class ConnectionsThere(msgspec.Struct, frozen=True, tag="connections"):
    """The connections of a person to a node, the earliest first: since when each is there (ms since 1970 by Redis'
    clock), and its number. If one has just come: its door and address."""

    node: str
    identity: str
    connections: Sequence[tuple[int, int]]
    door: str = ""
    address: str = ""


class TypingThere(msgspec.Struct, frozen=True, tag="typing"):
    """Somebody is typing in a room."""

    room: str
    nick: str


class Whisper(msgspec.Struct, frozen=True, tag="private"):
    """Somebody has written privately to somebody, at `ts` (ms since 1970)."""

    sender: str
    to: str
    ts: int
    text: str


class AnnouncementMade(msgspec.Struct, frozen=True, tag="announced"):
    """An operator tells everybody something (gated), or those at a door, in a room or both."""

    text: str
    door: str | None = None
    room: str | None = None


class PersonKicked(msgspec.Struct, frozen=True, tag="kicked"):
    """The operator of that name and role has kicked the person with that nick."""

    nick: str
    reason: str
    name: str
    role: int


class Maintained(msgspec.Struct, frozen=True, tag="maintained"):
    """Maintenance has begun, and newcomers are told this; null: it is over. `at`: see `ordered_at`."""

    words: str | None
    at: int = 0


class DrainBegun(msgspec.Struct, frozen=True, tag="drain"):
    """The operator of that name, role and source drains a door, null: all, of all nodes or of that one: so many
    sessions a second at each, which are told to come back within so many ms. `at`: see `ordered_at`."""

    door: str | None
    per_second: float
    spread_ms: int
    name: str
    role: int
    source: str
    node: str = ""
    at: int = 0


class DrainEnded(msgspec.Struct, frozen=True, tag="drain_ended"):
    """Every door of every node is open again. `at`: see `ordered_at`."""

    at: int = 0


class LogLevelSet(msgspec.Struct, frozen=True, tag="level"):
    """The log's level is another one for so many seconds. `at`: see `ordered_at`."""

    level: str
    seconds: int
    at: int = 0


class GuessesFailed(msgspec.Struct, frozen=True, tag="guess"):
    """A password, a token or a code was guessed wrongly: what has paid for it (`accounts.authenticator.Key`), at a node
    of that family (`NodeCard.family`), whose workers count it once for all of them."""

    payers: Sequence[tuple[str, str, str]]
    family: str = ""


class LinkMinted(msgspec.Struct, frozen=True, tag="link"):
    """There is a one-time link to the dashboard; this is the digest of its token."""

    digest: str


class LinkUsed(msgspec.Struct, frozen=True, tag="link_used"):
    """The one-time link with this digest has been used."""

    digest: str


class NodeGone(msgspec.Struct, frozen=True, tag="gone"):
    """A node has stopped or died, and whoever was connected to it is gone. Never told, only heard."""

    node: str


Fact = (
    Missed
    | Forgotten
    | NodeGone
    | SanctionsChanged
    | LoginsChanged
    | PersonChanged
    | CodeUsed
    | PeopleThere
    | ConnectionsThere
    | TypingThere
    | Whisper
    | AnnouncementMade
    | PersonKicked
    | Maintained
    | DrainBegun
    | DrainEnded
    | LogLevelSet
    | GuessesFailed
    | LinkMinted
    | LinkUsed
)
F = TypeVar("F", bound=Fact)
Serve = Callable[[bytes], Answer[bytes | JournalError]]


class Cluster(Protocol):
    """The nodes. No verb blocks or raises."""

    @property
    def node(self) -> str:
        """The id of this node; empty when it is alone."""

    @property
    def number(self) -> int:
        """The number of this node, see SESSION_BITS; 0 when it is alone."""

    def tell(self, fact: Fact) -> None:
        """Tell all other nodes, in the order of the calls. While the others cannot be reached facts
        wait; those that cannot wait any longer are lost, and the others hear `Missed`."""

    def hear(self, kind: type[F], use: Callable[[F], object]) -> None:
        """Call `use` with each fact of that kind that another node tells."""

    def person(self, id: str) -> Answer[Person | JournalError | None]:
        """What is stored of the identity with that id, `seen` 0 while it is connected to any living node; None when
        nothing is, or it was forgotten. From now on this node hears when it changes."""

    def person_of(self, account: str) -> Answer[Person | JournalError | None]:
        """The same for the identity of an account."""

    def use_code(self, code: str, own: str) -> Answer[Person | JournalError | None]:
        """The person that the code proves, to whom it proves nothing from now on; None, and nothing is used up, when it
        proves nothing or is a code of the identity `own`."""

    def keep_code(self, code: str, id: str) -> None:
        """The code proves that identity from now on."""

    def claim(self, keys: Sequence[str], owner: str, before: str = "") -> Answer[bool | JournalError]:
        """Give the owner a nick, by its keys (`core.name_rules`); false, and nothing is changed, when somebody
        else has it. Who had it as `before` hands it over."""

    def release(self, keys: Sequence[str], owner: str, away: bool = False) -> None:
        """The owner no longer has this nick. `away`: only if it is connected to no other node."""

    def held(self, keys: Sequence[str]) -> Answer[bool | JournalError]:
        """Whether anybody at any node has one of these keys."""

    def holder(self, keys: Sequence[str]) -> Answer[str | JournalError]:
        """The owner of a nick, by its keys; empty when nobody has it."""

    def reached(self, keys: Sequence[str]) -> Answer[Sequence[str] | JournalError]:
        """The ids of the living nodes to which somebody who has one of these keys is connected."""

    def show(self, there: PeopleThere) -> None:
        """Tell the other nodes who is in a room here, and keep it for those that ask later."""

    def shown(self, room: str) -> Answer[list[PeopleThere] | JournalError]:
        """Who is in a room at the other nodes."""

    def counts(self) -> Answer[Mapping[str, int] | JournalError]:
        """How many people are in each room at the other nodes."""

    def introduce(self, card: NodeCard) -> None:
        """Let the others know this node, from now on: it can be asked."""

    def cards(self) -> Sequence[NodeCard]:
        """The nodes that live and can be asked, this one among them, in the order of their numbers; none when alone."""

    def ask(self, node: str, kind: str, question: bytes = b"") -> Answer[bytes | JournalError]:
        """What another node answers to a question of that kind, within a second or two; an error when it does not."""

    def serve(self, kind: str, use: "Serve") -> None:
        """Let `use` answer the questions of that kind that other nodes ask this one."""


def shared_time(cluster: Cluster, wall: int) -> int:
    """What this machine's clock calls `wall`, by Redis' clock, which all nodes share (ms since 1970)."""
    return wall + next((card.clock_ms for card in cluster.cards() if card.id == cluster.node), 0)


def ordered_at(cluster: Cluster, wall: int, before: int) -> int:
    """The time of an order that is given at `wall` by this machine's clock, as `shared_time`. It is later than
    `before`, the time of the order that it takes the place of: of two orders all nodes follow the later one, in
    whatever order they hear them."""
    return max(shared_time(cluster, wall), before + 1)


class Alone:
    """The `Cluster` of a single node."""

    node, number = "", 0

    def tell(self, fact: Fact) -> None:
        """As `Cluster.tell`; there is nobody."""

    def hear(self, kind: type[F], use: Callable[[F], object]) -> None:
        """As `Cluster.hear`; there is nothing."""

    def person(self, id: str) -> Answer[Person | JournalError | None]:
        """As `Cluster.person`; nobody knows more than this node."""
        return Answer.of(None)

    def person_of(self, account: str) -> Answer[Person | JournalError | None]:
        """As `Cluster.person_of`."""
        return Answer.of(None)

    def use_code(self, code: str, own: str) -> Answer[Person | JournalError | None]:
        """As `Cluster.use_code`; the node itself knows all codes."""
        return Answer.of(None)

    def keep_code(self, code: str, id: str) -> None:
        """As `Cluster.keep_code`."""

    def claim(self, keys: Sequence[str], owner: str, before: str = "") -> Answer[bool | JournalError]:
        """As `Cluster.claim`; nobody else can have it."""
        return Answer.of(True)

    def release(self, keys: Sequence[str], owner: str, away: bool = False) -> None:
        """As `Cluster.release`."""

    def held(self, keys: Sequence[str]) -> Answer[bool | JournalError]:
        """As `Cluster.held`; the node itself knows who has what."""
        return Answer.of(False)

    def holder(self, keys: Sequence[str]) -> Answer[str | JournalError]:
        """As `Cluster.holder`; the node itself knows."""
        return Answer.of("")

    def reached(self, keys: Sequence[str]) -> Answer[Sequence[str] | JournalError]:
        """As `Cluster.reached`; the node itself knows who is connected."""
        return Answer.of(())

    def show(self, there: PeopleThere) -> None:
        """As `Cluster.show`."""

    def shown(self, room: str) -> Answer[list[PeopleThere] | JournalError]:
        """As `Cluster.shown`."""
        return Answer.of([])

    def counts(self) -> Answer[Mapping[str, int] | JournalError]:
        """As `Cluster.counts`."""
        return Answer.of({})

    def introduce(self, card: NodeCard) -> None:
        """As `Cluster.introduce`; there is nobody."""

    def cards(self) -> Sequence[NodeCard]:
        """As `Cluster.cards`."""
        return ()

    def ask(self, node: str, kind: str, question: bytes = b"") -> Answer[bytes | JournalError]:
        """As `Cluster.ask`; nobody answers."""
        return Answer.of(JournalError(wording.NO_OTHER_NODE))

    def serve(self, kind: str, use: Serve) -> None:
        """As `Cluster.serve`; nobody asks."""
