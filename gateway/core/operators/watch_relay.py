"""Watching a connection of another node: that node watches it (`core.operators.watching`) and hands over what it sees.

The node that has the connection checks the operator's role and its own setting, records the beginning and the end, and
covers passwords and codes; so nothing leaves it that may not be shown. Whoever watches asks it for what was seen, with
one question at a time, which is answered when there is something, or after PARKED_SECONDS.

- An answer that got lost is asked for again by its number, and is the same: nothing is shown twice or left out.
- As long as what has come is not taken, nothing is asked for. So no more is kept than for a watch at one node: what is
  too much is dropped, and counted, by the node that has the connection.
- A watch also ends when nobody has asked for LEFT_SECONDS, or the node that asks is gone. When the node that has the
  connection is gone, the watch ends for whoever watches, and is recorded there, because nobody else can.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.hub import SESSION_ID
from gateway.core.ports.cluster import SESSION_BITS, Cluster, NodeGone, labels
from gateway.core.roles import Operator
from gateway.errors import Code, JournalError, Refusal

BEGIN, MORE, END = "watch", "watched", "unwatch"
PARKED_SECONDS = 1.0
"""Below the time for which a node that is not known to be silent is waited for (`redis.questions`)."""
GATHERED_SECONDS = 0.1
"""Seconds for which what is seen is gathered before it is handed over: at most ten answers a second."""
AGAIN_SECONDS = 0.5
LEFT_SECONDS = 60.0
"""Longer than a watcher's page may stand still, and than a node is missed before it counts as gone."""


class Seen(msgspec.Struct, gc=False):
    """Some bytes at `at` (ms since 1970), as visible text. `cut` bytes of them are not shown."""

    at: int
    text: str
    cut: int = 0


class Dropped(msgspec.Struct):
    """The number of pieces that were too much to show, until `at` (ms since 1970)."""

    at: int
    count: int


class SeenSince(msgspec.Struct):
    """What was seen, each piece sent (`in`) or got (`out`) by the peer, and what was dropped after it."""

    seen: list[tuple[str, Seen]] = []
    dropped: Dropped | None = None


class Over(msgspec.Struct, frozen=True):
    """Why a watch is over: the reason in one word, and the last words of a connection that was closed."""

    reason: str
    words: str = ""


class Begin(msgspec.Struct, frozen=True):
    """Watch a connection by its id, or that of a person by their nick, for an operator at that `node`."""

    operator: Operator
    whom: str
    node: str


class Begun(msgspec.Struct, frozen=True):
    """The watch of that `number`, and whom it watches; or why there is none."""

    number: int = 0
    id: str = ""
    nick: str = ""
    code: str = ""
    text: str = ""
    retry_ms: int | None = None


class More(msgspec.Struct, frozen=True):
    """What has that watch seen since the part before this one?"""

    number: int
    part: int


class WatchPart(msgspec.Struct, frozen=True):
    """What was seen, and why there will be no more; `part` is the number that was asked for."""

    part: int
    taken: SeenSince
    over: Over | None = None


class End(msgspec.Struct, frozen=True):
    """That watch is over, for the `reason`."""

    number: int
    reason: str


class LiveWatch(Protocol):
    """A watch of a connection, of this node or of another: whom it watches, and what was seen and not taken yet."""

    id: str
    nick: str

    def over(self) -> Over | None:
        """Why there will be nothing more to see, if that is so."""

    def take(self) -> SeenSince:
        """Everything since the last call."""

    def end(self, reason: str) -> bool:
        """Stop watching; return whether the end is recorded elsewhere."""


LOST = Over("lost")
GONE = Over("node_gone")
_encode = msgspec.json.Encoder().encode


class RelayedWatch:
    """The `LiveWatch` of a connection of another node."""

    def __init__(self, cluster: Cluster, clock: Clock, node: str, begun: Begun, news: Callable[[], object]) -> None:
        self.id, self.nick = begun.id, begun.nick
        self._cluster = cluster
        self._clock = clock
        self._node = node
        self._number = begun.number
        self._news = news
        self._part = 0
        self._taken = SeenSince()
        self._over: Over | None = None
        self._asking = self._ended = False
        self._ask()

    def over(self) -> Over | None:
        """Why there will be nothing more to see, if that is so."""
        return self._over

    def take(self) -> SeenSince:
        """Everything since the last call."""
        taken, self._taken = self._taken, SeenSince()
        if not self._asking:
            self._ask()
        return taken

    def end(self, reason: str) -> bool:
        """As `LiveWatch.end`: the other node records it, now or when it notices that nobody asks, unless it is
        gone."""
        self._ended = True
        if self._over is None:
            self._cluster.ask(self._node, END, _encode(End(self._number, reason)))
        return self._over is not GONE

    def _ask(self) -> None:
        if self._over is None and not self._ended:
            self._asking = True
            question = More(self._number, self._part + 1)
            self._cluster.ask(self._node, MORE, _encode(question)).then(self._answered)

    def _answered(self, found: bytes | JournalError) -> None:
        try:
            part = None if isinstance(found, JournalError) else msgspec.json.decode(found, type=WatchPart)
        except msgspec.MsgspecError:
            part = WatchPart(self._part + 1, SeenSince(), LOST)
        if part is not None and part.part == self._part + 1:
            self._asking = False
            self._part, self._taken, self._over = part.part, part.taken, part.over
            if part.over is not None or part.taken != SeenSince():
                self._news()
            else:
                self._ask()
        elif all(card.id != self._node for card in self._cluster.cards()):
            self._asking, self._over = False, GONE
            self._news()
        else:
            self._clock.later(AGAIN_SECONDS, self._ask)


class _Lent:
    """A watch for an operator at another node."""

    def __init__(self, operator: Operator, node: str, watch: LiveWatch, now: float) -> None:
        self.operator, self.node, self.watch, self.asked_at = operator, node, watch, now
        self.told = WatchPart(0, SeenSince())
        """The part that was handed over last."""
        self.waiting: Answer[bytes | JournalError] | None = None
        self.due = False


class WatchRelay:
    """Begins watches at other nodes, and lends them those of this one: `lend` begins one (and raises Refusal), `end`
    ends it."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        lend: Callable[[Operator, str, Callable[[], object]], LiveWatch],
        end: Callable[[Operator, LiveWatch, str], object],
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._lend = lend
        self._end = end
        self._lent: dict[int, _Lent] = {}
        self._last = 0
        cluster.serve(BEGIN, self._serve_begin)
        cluster.serve(MORE, self._serve_more)
        cluster.serve(END, self._serve_end)
        cluster.hear(NodeGone, self._gone)

    # For operators of this node

    def elsewhere(self, id: str) -> bool:
        """Whether this is the id of a connection of another node."""
        if not self._cluster.node or SESSION_ID.fullmatch(id) is None:
            return False
        number = int(id, 16) >> SESSION_BITS
        return any(card.number == number != self._cluster.number for card in self._cluster.cards())

    def begin(self, operator: Operator, id: str, news: Callable[[], object]) -> Answer[LiveWatch | Refusal]:
        """A RelayedWatch of the connection with that id, which is `elsewhere`, or a Refusal."""
        number = int(id, 16) >> SESSION_BITS
        node = next(card.id for card in self._cluster.cards() if card.number == number)
        return self.begin_at(node, operator, id, news)

    def begin_at(
        self, node: str, operator: Operator, whom: str, news: Callable[[], object]
    ) -> Answer[LiveWatch | Refusal]:
        """The same of an id or a nick, at the node with that id."""
        asked = self._cluster.ask(node, BEGIN, _encode(Begin(operator, whom, self._cluster.node)))
        return asked.map(partial(self._begun, node, news))

    def _begun(self, node: str, news: Callable[[], object], found: bytes | JournalError) -> LiveWatch | Refusal:
        try:
            begun = found if isinstance(found, JournalError) else msgspec.json.decode(found, type=Begun)
        except msgspec.MsgspecError:
            begun = JournalError(wording.NODE_DIFFERS)
        if isinstance(begun, JournalError):
            label = labels(self._cluster.cards()).get(node, node[:4])
            return Refusal(Code.BACKPLANE, wording.NODE_MISSING.format(node=label, why=begun), retry_ms=2000)
        if begun.code:
            return Refusal(Code(begun.code), begun.text, begun.retry_ms)
        return RelayedWatch(self._cluster, self._clock, node, begun, news)

    # For operators of other nodes

    def _serve_begin(self, asked: bytes) -> Answer[bytes | JournalError]:
        try:
            question = msgspec.json.decode(asked, type=Begin)
        except msgspec.MsgspecError:
            return Answer.of(JournalError(wording.NODE_DIFFERS))
        self._last += 1
        number = self._last
        try:
            watch = self._lend(question.operator, question.whom, partial(self._seen, number))
        except Refusal as refusal:
            return Answer.of(_encode(Begun(0, "", "", refusal.code, refusal.text, refusal.retry_ms)))
        self._lent[number] = _Lent(question.operator, question.node, watch, self._clock.now())
        self._clock.later(PARKED_SECONDS, partial(self._look, number))
        return Answer.of(_encode(Begun(number, watch.id, watch.nick)))

    def _serve_more(self, asked: bytes) -> Answer[bytes | JournalError]:
        try:
            question = msgspec.json.decode(asked, type=More)
        except msgspec.MsgspecError:
            return Answer.of(JournalError(wording.NODE_DIFFERS))
        lent = self._lent.get(question.number)
        if lent is None:
            return Answer.of(_encode(WatchPart(question.part, SeenSince(), LOST)))
        lent.asked_at = self._clock.now()
        if question.part <= lent.told.part:  # its answer was lost
            return Answer.of(_encode(lent.told))
        waiting: Answer[bytes | JournalError] = Answer()
        lent.waiting = waiting
        self._clock.later(PARKED_SECONDS, partial(self._tell, lent, waiting))
        self._seen(question.number)  # something may have been seen since the last part
        return waiting

    def _serve_end(self, asked: bytes) -> Answer[bytes | JournalError]:
        try:
            question = msgspec.json.decode(asked, type=End)
        except msgspec.MsgspecError:
            return Answer.of(JournalError(wording.NODE_DIFFERS))
        self._finish(question.number, question.reason)
        return Answer.of(b"")

    def _seen(self, number: int) -> None:
        """Hand over soon what was seen, if there is something."""
        lent = self._lent.get(number)
        if lent is not None and not lent.due:
            lent.due = True
            self._clock.later(GATHERED_SECONDS, partial(self._gathered, lent))

    def _gathered(self, lent: _Lent) -> None:
        lent.due = False
        if lent.waiting is not None:
            self._tell(lent, lent.waiting, only_news=True)

    def _tell(self, lent: _Lent, waiting: Answer[bytes | JournalError], only_news: bool = False) -> None:
        """Answer a question that still waits."""
        if lent.waiting is not waiting:
            return
        over, taken = lent.watch.over(), lent.watch.take()
        if only_news and over is None and taken == SeenSince():
            return
        lent.waiting, lent.told = None, WatchPart(lent.told.part + 1, taken, over)
        waiting.set(_encode(lent.told))

    def _look(self, number: int) -> None:
        """End a watch whose connection has closed, or whose watcher has left."""
        lent = self._lent.get(number)
        if lent is None:
            return
        if lent.told.over is not None:
            self._finish(number, lent.told.over.reason)
        elif self._clock.now() - lent.asked_at >= LEFT_SECONDS:
            self._finish(number, wording.WATCHER_WENT)
        else:
            if lent.waiting is not None and lent.watch.over() is not None:
                self._tell(lent, lent.waiting)
            self._clock.later(PARKED_SECONDS, partial(self._look, number))

    def _gone(self, gone: NodeGone) -> None:
        for number in [number for number, lent in self._lent.items() if lent.node == gone.node]:
            self._finish(number, wording.WATCHER_WENT)

    def _finish(self, number: int, reason: str) -> None:
        lent = self._lent.pop(number, None)
        if lent is not None:
            self._end(lent.operator, lent.watch, reason)
