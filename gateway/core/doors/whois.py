"""/whois: what is known of one person, at whichever nodes they are connected.

Only the nodes to which somebody with that nick is connected are asked, which the store of the nodes knows. Each
describes the person by their latest connection there, and the latest of all tells where they are; rooms are those of
all their connections. A node that does not answer is left out as long as another one does. Addresses leave a node only
for operators. Of a person who has left, it is learned when, also from another node.
"""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.doors.post import somebody
from gateway.core.doors.who import PersonSeen, presence, seen_of
from gateway.core.hub import Hub
from gateway.core.ports.cluster import labels
from gateway.core.quantity import short_duration
from gateway.core.sessions.session import Session
from gateway.errors import Code, JournalError, Refusal

KIND = "whois"


class WhoisQuestion(msgspec.Struct, frozen=True):
    """Who is that? `operator`: one asks."""

    nick: str
    operator: bool = False


_encode = msgspec.json.Encoder().encode


def whois(hub: Hub, asking: Session, nick: str) -> Answer[str | Refusal]:
    """What is known of the person with that nick. Raises Refusal where this gateway is alone."""
    operator = asking.operator is not None
    if not hub.cluster.node:
        return Answer.of(_words([seen_of(hub, somebody(hub, asking, nick))], operator))
    found = hub.nicks.sessions(nick)[-1:]
    here = [seen_of(hub, each) for each in found]

    def asked(nodes: Sequence[str] | Refusal) -> Answer[str | Refusal]:
        if isinstance(nodes, Refusal):
            if here:
                return Answer.of(_words(here, operator))
            return Answer[str | Refusal].of(nodes) if nodes.code is not Code.NO_SUCH_USER else _left(hub, asking, nick)
        question = _encode(WhoisQuestion(nick, operator))
        others = [node for node in nodes if node != hub.cluster.node]
        answers = [hub.cluster.ask(node, KIND, question) for node in others]
        return _all(answers).map(partial(_together, hub, here, others, operator=operator))

    return hub.directory.nodes_of(nick).chain(asked)


def serve_whois(hub: Hub) -> None:
    """Answer other nodes that ask for a person who is connected to this one."""

    def serve(asked: bytes) -> Answer[bytes | JournalError]:
        try:
            question = msgspec.json.decode(asked, type=WhoisQuestion)
        except msgspec.MsgspecError:
            return Answer.of(JournalError(wording.NODE_DIFFERS))
        found = [seen_of(hub, each) for each in hub.nicks.sessions(question.nick)[-1:]]
        if not question.operator:
            found = [msgspec.structs.replace(each, address="", lag=0) for each in found]
        return Answer.of(_encode(found))

    hub.cluster.serve(KIND, serve)


def _together(
    hub: Hub, here: list[PersonSeen], nodes: Sequence[str], answers: list[bytes | JournalError], *, operator: bool
) -> str | Refusal:
    seen, problem = list(here), None
    for node, answer in zip(nodes, answers, strict=True):
        try:
            if isinstance(answer, JournalError):
                raise answer
            seen += msgspec.json.decode(answer, type=list[PersonSeen])
        except (JournalError, msgspec.MsgspecError) as error:
            why = wording.NODE_DIFFERS if isinstance(error, msgspec.MsgspecError) else error
            label = labels(hub.cluster.cards()).get(node, node[:4])
            problem = Refusal(Code.BACKPLANE, wording.NODE_MISSING.format(node=label, why=why), retry_ms=2000)
    if seen:
        return _words(seen, operator)
    return problem or Refusal(Code.NO_SUCH_USER, wording.LEFT_JUST_NOW)


def _words(seen: Sequence[PersonSeen], operator: bool) -> str:
    latest = min(seen, key=lambda each: each.open_for)
    rooms = " ".join(dict.fromkeys(f"#{room}" for each in seen for room in each.rooms))
    return wording.WHOIS.format(
        nick=latest.nick,
        presence=presence(latest, operator=operator),
        time=short_duration(max(each.here_for for each in seen)),
        rooms=rooms or wording.NO_ROOM,
    )


def _left(hub: Hub, asking: Session, nick: str) -> Answer[str | Refusal]:
    """Nobody with that nick is connected to any node."""
    try:
        return Answer.of(_words([seen_of(hub, somebody(hub, asking, nick))], asking.operator is not None))
    except Refusal as refusal:
        if refusal.text != hub.nicks.absence(nick, None):  # more is known here: they have left, or only post
            return Answer.of(refusal)
    return hub.directory.absence(nick).map(partial(Refusal, Code.NO_SUCH_USER))


def _all(answers: Sequence[Answer[bytes | JournalError]]) -> Answer[list[bytes | JournalError]]:
    """All answers, in their order, once the last is there."""
    values: list[bytes | JournalError] = [b""] * len(answers)
    all_there: Answer[list[bytes | JournalError]] = Answer()
    waiting = [len(answers)]

    def taker(place: int) -> Callable[[bytes | JournalError], None]:
        def take(value: bytes | JournalError) -> None:
            values[place] = value
            waiting[0] -= 1
            if not waiting[0]:
                all_there.set(values)

        return take

    for place, answer in enumerate(answers):
        answer.then(taker(place))
    if not answers:
        all_there.set(values)
    return all_there
