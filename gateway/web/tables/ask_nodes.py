"""Surveys: what all nodes answer to the same question, for views of the dashboard that are of all of them.

A node that does not answer is not waited for longer than `Cluster.ask` says, and it is named with the reason: a view
without it says so and never fails. A node of another version, whose answer cannot be read, is one that does not answer.
Nothing is asked but for somebody who looks; a gateway that is alone asks nobody and shows no node at all.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.hub import SESSION_ID
from gateway.core.ports.cluster import SESSION_BITS, Cluster, NodeCard, labels
from gateway.errors import Code, JournalError, Refusal
from gateway.web.http.request import answered

log = logging.getLogger(__name__)

T = TypeVar("T")


class MissingNode(msgspec.Struct, frozen=True):
    """A node that a view lacks, and why."""

    node: str
    why: str


class Asked(NamedTuple, Generic[T]):
    """What the nodes answered, and who did not."""

    answers: list[tuple[NodeCard, T]]
    missing: list[MissingNode]


class Refused(msgspec.Struct, tag="refused"):
    """A Refusal at another node."""

    code: str
    text: str
    retry_ms: int | None = None


class Done(msgspec.Struct, tag="done"):
    """An answer at another node, as JSON."""

    body: msgspec.Raw


_encode = msgspec.json.Encoder().encode
_result = msgspec.json.Decoder(Refused | Done).decode


class Survey:
    """Asks the other nodes of the cluster, and answers them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def alone(self) -> bool:
        """There are no nodes: no view shows any."""
        return not self._cluster.node

    @property
    def number(self) -> int:
        """The number of this node."""
        return self._cluster.number

    @property
    def label(self) -> str:
        """What this node is called."""
        return self.labels().get(self._cluster.node, self._cluster.node[:4])

    def labels(self) -> dict[str, str]:
        """What the nodes are called, by id."""
        return labels(self._cluster.cards())

    def own_card(self) -> NodeCard | None:
        """The card of this node."""
        return next((card for card in self._cluster.cards() if card.id == self._cluster.node), None)

    def others(self) -> list[NodeCard]:
        """The other nodes."""
        return [card for card in self._cluster.cards() if card.id != self._cluster.node]

    def owner(self, id: str) -> NodeCard | None:
        """The other node that has the session with that id; None: this one, or nobody."""
        if SESSION_ID.fullmatch(id) is None:
            return None
        number = int(id, 16) >> SESSION_BITS
        return next((card for card in self.others() if card.number == number), None)

    async def ask_one(self, card: NodeCard, kind: str, question: Any, answer: type[T]) -> T:
        """What one node answers. Raises the Refusal that it answers, or one that says that it does not."""
        label = self.labels().get(card.id, card.label)

        def missing(why: object) -> Refusal:
            return Refusal(Code.BACKPLANE, wording.NODE_MISSING.format(node=label, why=why), retry_ms=2000)

        asked = self._cluster.ask(card.id, kind, _encode(question))
        found = await answered(asked.map(lambda each: missing(each) if isinstance(each, JournalError) else each))
        try:
            result = _result(found)
            if isinstance(result, Done):
                return msgspec.json.decode(result.body, type=answer)
        except msgspec.MsgspecError:
            raise missing(wording.NODE_DIFFERS) from None
        raise Refusal(Code(result.code), result.text, result.retry_ms)

    async def ask(
        self, kind: str, question: Callable[[NodeCard], Any], answer: type[T], cards: Sequence[NodeCard] | None = None
    ) -> Asked[T]:
        """What the other nodes (or those with these `cards`) answer; `question` makes each node's own."""
        cards, names = self.others() if cards is None else cards, self.labels()
        results: list[T | BaseException] = await asyncio.gather(
            *(self.ask_one(card, kind, question(card), answer) for card in cards), return_exceptions=True
        )
        found, missing = list[tuple[NodeCard, T]](), list[MissingNode]()
        for card, result in zip(cards, results, strict=True):
            if isinstance(result, Refusal):
                missing.append(MissingNode(names.get(card.id, card.label), result.text))
            elif isinstance(result, BaseException):
                raise result
            else:
                found.append((card, result))
        return Asked(found, missing)

    def serve(self, kind: str, question: type[T] | None, use: Callable[[T], Awaitable[Any]]) -> None:
        """Answer questions of that kind with what `use` returns; a Refusal reaches the node that asked."""
        read: Callable[[bytes], T] = msgspec.json.Decoder(question).decode

        async def work(asked: bytes, answer: Answer[bytes | JournalError]) -> None:
            try:
                done: Done | Refused = Done(msgspec.Raw(_encode(await use(read(asked)))))
            except Refusal as refusal:
                done = Refused(refusal.code, refusal.text, refusal.retry_ms)
            except Exception as problem:
                if not isinstance(problem, msgspec.MsgspecError):
                    log.error(wording.LOG_QUESTION_FAILED, kind, exc_info=problem)
                answer.set(JournalError(wording.NODE_DIFFERS))
                return
            answer.set(_encode(done))

        def serve(asked: bytes) -> Answer[bytes | JournalError]:
            answer: Answer[bytes | JournalError] = Answer()
            task = asyncio.get_running_loop().create_task(work(asked, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return answer

        self._cluster.serve(kind, serve)
