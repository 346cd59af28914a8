"""Acts on connections of other nodes: the node that has the connection does what an operator asked for at this one.

The id of a connection says which node has it (`ports.cluster.SESSION_BITS`). That node checks the role, acts and
records it, under the operator's name, as if the operator had come to it: so there is one way in which a connection is
closed, banned, muted or told something, and one entry in the log of all nodes.

What was asked is sent once. If no answer comes, it may have been done or not: the operator is told which node does not
answer, that is recorded, and a second try is theirs. A node that is gone has taken its connections with it.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.hub import SESSION_ID
from gateway.core.operators.audit import Audit
from gateway.core.operators.whom import Subject
from gateway.core.ports.cluster import SESSION_BITS, Cluster, labels
from gateway.core.roles import Operator
from gateway.errors import Code, JournalError, Refusal

KIND = "act"

OutcomeT = TypeVar("OutcomeT")


class RelayedAct(msgspec.Struct, frozen=True):
    """What an operator asked for at another node: the verb, and what it takes. `words` are a reason or a text."""

    action: str
    operator: Operator
    whom: Subject
    words: str
    seconds: int | None = None
    sure: bool = False


_encode = msgspec.json.Encoder().encode
_act = msgspec.json.Decoder(RelayedAct).decode


class Relay(Generic[OutcomeT]):
    """Hands acts to the nodes that have the connections, and does what they hand to this one. `do` does an act here;
    `outcome` is what acts return."""

    def __init__(
        self, cluster: Cluster, audit: Audit, outcome: type[OutcomeT], do: Callable[[RelayedAct], Answer[Any]]
    ) -> None:
        self._cluster = cluster
        self._audit = audit
        self._do = do
        kinds: Any = outcome
        self._read = msgspec.json.Decoder(tuple[kinds | None, str, str, int | None]).decode
        cluster.serve(KIND, self._serve)

    def elsewhere(self, whom: Subject) -> bool:
        """Whether the connection that is meant is another node's."""
        if not self._cluster.node or SESSION_ID.fullmatch(whom.connection) is None:
            return False
        return int(whom.connection, 16) >> SESSION_BITS != self._cluster.number

    def ask(self, act: RelayedAct) -> Answer[OutcomeT | Refusal]:
        """Have it done by the node that has the connection."""
        number = int(act.whom.connection, 16) >> SESSION_BITS
        cards = self._cluster.cards()
        card = next((each for each in cards if each.number == number), None)
        if card is None:
            return Answer.of(self._failed(act, Refusal(Code.NO_SUCH_USER, wording.NO_SUCH_CONNECTION), "gone"))
        label = labels(cards)[card.id]

        def answered(found: bytes | JournalError) -> OutcomeT | Refusal:
            try:
                if not isinstance(found, JournalError):
                    done, code, text, retry_ms = self._read(found)
                    return done if done is not None else Refusal(Code(code), text, retry_ms)
            except (msgspec.MsgspecError, ValueError):
                found = JournalError(wording.NODE_DIFFERS)
            words = wording.NODE_MISSING.format(node=label, why=found)
            return self._failed(act, Refusal(Code.BACKPLANE, words, retry_ms=2000), f"unknown: {words}")

        return self._cluster.ask(card.id, KIND, _encode(act)).map(answered)

    def _failed(self, act: RelayedAct, refusal: Refusal, result: str) -> Refusal:
        """Record what no other node has recorded."""
        self._audit.note(act.operator, act.action, act.whom.text, act.words, result)
        return refusal

    def _serve(self, asked: bytes) -> Answer[bytes | JournalError]:
        try:
            act = _act(asked)
        except msgspec.MsgspecError:
            return Answer.of(JournalError(wording.NODE_DIFFERS))
        if self.elsewhere(act.whom):  # it would be handed on and on
            return Answer.of(JournalError(wording.NODE_DIFFERS))
        return self._do(act).map(_told)


def _told(outcome: Any) -> bytes:
    if isinstance(outcome, Refusal):
        return _encode((None, outcome.code, outcome.text, outcome.retry_ms))
    return _encode((outcome, "", "", None))
