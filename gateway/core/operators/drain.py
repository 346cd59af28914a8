"""Draining doors while the process stays up: newcomers are rejected, and sessions are disconnected at a set rate.

ready -> draining (sessions are being disconnected) -> closed (none is left) -> ready again, when an operator ends it.
The gate (`core.gate`) holds the state; this file changes it and disconnects the sessions.

- A terminal door's port is closed, so that a load balancer, whose only test is to connect, goes elsewhere. The web door
  keeps listening, or the drain could never be ended: it serves /admin and the health checks, /readyz says 503, and
  other newcomers are told `draining`.
- All draining doors share one rate; draining another one, or one of them again, sets it anew. Each peer is told its own
  moment to come back, spread evenly, so that peers disconnected together do not come back together.
- Of several nodes all drain, or the one that is named; the rate is that of all together. Whoever begins it tells the
  others, each of which drains as if it had been asked; a door that a node does not have is none of its business. To end
  it is to end it everywhere. A node that starts meanwhile, or did not hear of it, drains as well
  (`core.operators.standing_orders`). Of two orders the later one holds, in whatever order a node hears them.
- A session whose messages are being stored, or that is held by its rate, gets PATIENCE_SECONDS to finish. What such a
  peer has sent and we have not read by then is lost, as with a kick; only the shutdown of the process reads everything.

`send_away` disconnects sessions that may come back, here and at shutdown: each peer is told when, and a terminal with
which code. A terminal has no token, so a terminal that has spoken or taken a name is given a code as by /resume. It is
told only after the code is stored, or the code would not work after a restart.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.gate import DOORS, DoorState, door_of
from gateway.core.hub import Hub
from gateway.core.name_rules import is_guest
from gateway.core.operators.audit import Audit, Outcome
from gateway.core.operators.moderation import Moderation
from gateway.core.ports.cluster import DrainBegun, DrainEnded, NodeCard, labels, ordered_at
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.core.sessions.identity import spelled
from gateway.core.sessions.session import Session
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger(__name__)

PER_SECOND = 50
FASTEST = 2500
STEP_SECONDS = 0.02
STEP_MOST = 50
"""Sessions disconnected in one turn of the loop: about 10 ms."""
PATIENCE_SECONDS = 2.0
RETRY_FIRST_MS = 500
SPREAD_SECONDS = 2.0
LONGEST_SPREAD = 600.0


def send_away(
    hub: Hub, sessions: Sequence[Session], retry_ms: Callable[[], int], why: str, *, codes: bool = True
) -> Answer[None]:
    """Close the sessions with DRAINING, then answer: at once or, where codes have to be stored, after that.

    `why` is one of the texts that say so, to be filled in with the seconds; `retry_ms` draws the time for each. All
    codes are stored in one transaction: hand in some hundred sessions at once. Without `codes` none is made and none is
    told.
    """
    known = [session for session in sessions if codes and _has_a_place(session)]
    asides = {session: wording.THEN_RESUME.format(code=spelled(hub.identities.code(session))) for session in known}

    def stored(failure: JournalError | None) -> None:
        told = asides if failure is None else {}
        for session in sessions:
            delay = retry_ms()
            words = "" if session.wire.objects else why.format(seconds=max(1, round(delay / 1000)))
            hub.close(session, CloseReason.DRAINING, words, delay, aside=told.get(session, ""))

    return (hub.identities.stored() if known else Answer[JournalError | None].of(None)).map(stored)


def _has_a_place(session: Session) -> bool:
    """Whether the session has a name or a place to come back to."""
    if session.closed or not session.terminal or session.wire.objects:
        return False
    return session.identity is not None or session.messages_in > 0 or not is_guest(session.nick)


class DoorPorts(Protocol):
    """The listening sockets of this process, by door."""

    def doors(self) -> Collection[Door]:
        """The doors that listen, or did before they were drained."""

    def shut(self, door: Door) -> None:
        """Stop listening. Calling it again does nothing."""

    def open(self, door: Door) -> None:
        """Listen again. Raises Refusal where another process has taken the port."""


class DrainingDoor(msgspec.Struct, frozen=True):
    """The drain of one door: connections when it began, those disconnected, and those open now."""

    door: Door
    state: DoorState
    total: int
    sent: int
    left: int


class Drain:
    """Changes the doors' states and disconnects their sessions; one per process."""

    def __init__(
        self, hub: Hub, audit: Audit, moderation: Moderation, ports: DoorPorts, random_bits: Callable[[int], int]
    ) -> None:
        self.per_second = 0
        """As it was asked for; of all nodes together."""
        self.ended_at = 0
        """When a drain of all nodes was ended last, as far as this node knows; see `ports.cluster`."""
        self._rate = 0.0
        self._hub = hub
        self._cluster = hub.cluster
        self._gate = hub.gate
        self._audit = audit
        self._moderation = moderation
        self._ports = ports
        self._random_bits = random_bits
        self._total: Counter[Door] = Counter()
        self._sent: Counter[Door] = Counter()
        self._spread_ms = 0
        self._operator: Operator | None = None
        self._queue: list[Session] = []
        self._going: list[Session] = []
        """The sessions that are being told right now."""
        self._standing: dict[str | None, DrainBegun] = {}
        """By door, None: all; the drains of all nodes."""
        self._patience: dict[Session, float] = {}
        self._sending = self._ordered_here = False
        hub.cluster.hear(DrainBegun, self._heard)
        hub.cluster.hear(DrainEnded, self._heard_end)

    def progress(self) -> list[DrainingDoor]:
        """The drain of every door."""
        here = Counter(door_of(session.door) for session in self._hub.sessions.values())
        doors = [door for door in DOORS if door in self._ports.doors()]
        return [
            DrainingDoor(door, self._gate.drain_state(door), self._total[door], self._sent[door], here[door])
            for door in doors
        ]

    def begin(
        self,
        operator: Operator,
        door: Door | None,
        per_second: int,
        spread_seconds: float,
        node: str = "",
    ) -> Answer[Outcome | Refusal]:
        """Drain a door, or all doors; of all nodes, or of the one with that name."""

        def act() -> Outcome:
            if not 1 <= per_second <= FASTEST:
                raise Refusal(Code.BAD_MESSAGE, wording.PER_SECOND_RANGE.format(most=FASTEST))
            if not 0 <= spread_seconds <= LONGEST_SPREAD:
                raise Refusal(Code.BAD_MESSAGE, wording.SPREAD_RANGE.format(most=LONGEST_SPREAD))
            card = self._named(node) if node else None
            one = card.id if card is not None else ""
            doors = self._meant(door, card)
            rate = per_second / (1 if one else max(1, len(self._cluster.cards())))
            spread_ms = int(spread_seconds * 1000)
            begun = DrainBegun(door, rate, spread_ms, *operator, node=one, at=self._now())
            if one in ("", self._cluster.node):
                self.per_second = per_second
                self._ordered_here = True
                self._note(begun)
                self._start(operator, doors, rate, spread_ms)
            if one != self._cluster.node:
                self._cluster.tell(begun)
            whose = wording.OF_NODE.format(node=node) if node else wording.ALL_NODES * bool(self._cluster.node)
            words = _words(doors) + whose
            return Outcome(wording.DRAINING_DOORS.format(doors=words, rate=per_second), words)

        target = f"door {door}" if door is not None else "all doors"
        return self._moderation.perform(operator, Role.ADMIN, "drain", target, f"{per_second} a second", act)

    def cancel(self, operator: Operator) -> Answer[Outcome | Refusal]:
        """Disconnect nobody else, and open every door again, of every node."""

        def act() -> Outcome:
            doors = self._gate.drained
            if not doors and not self._cluster.node:
                raise Refusal(Code.BAD_MESSAGE, wording.NOTHING_DRAINS)
            self.ended_at = self._now()
            self._cluster.tell(DrainEnded(self.ended_at))
            problems = self._open_all()
            if problems:
                raise Refusal(Code.BUSY, "; ".join(problems), retry_ms=5000)
            words = _words(doors or self._meant(None)) + wording.ALL_NODES * bool(self._cluster.node)
            return Outcome(wording.DOORS_OPEN.format(doors=words), words)

        return self._moderation.perform(operator, Role.ADMIN, "drain cancel", "all doors", "", act)

    def _heard(self, told: DrainBegun) -> None:
        """An operator has begun it at another node."""
        if told.node == self._cluster.node or (not told.node and self._is_new(told)):
            self._note(told)
            self.join(told)

    def standing(self) -> list[DrainBegun]:
        """The drain of all nodes, for a node that starts later."""
        return list(self._standing.values())

    @property
    def ordered_at(self) -> int:
        """When a drain of all nodes was begun or ended last, as far as this node knows."""
        return max(self.ended_at, *(each.at for each in self._standing.values()), 0)

    def follow(self, drains: Sequence[DrainBegun], ended_at: int) -> None:
        """Do what another node does, as far as this one has not heard of it."""
        self._heard_end(DrainEnded(ended_at))
        for each in drains:
            self._heard(each)

    def tell_again(self) -> None:
        """Tell what holds to nodes that have not heard it."""
        self._cluster.tell(DrainEnded(self.ended_at))
        for each in self._standing.values():
            self._cluster.tell(each)

    def _now(self) -> int:
        return ordered_at(self._cluster, self._hub.clock.wall(), self.ordered_at)

    def _is_new(self, told: DrainBegun) -> bool:
        known = self._standing.get(told.door)
        return told.at > self.ended_at and (known is None or told.at > known.at)

    def _note(self, begun: DrainBegun) -> None:
        if begun.node:
            return
        if begun.door is None:
            self._standing.clear()
        self._standing[begun.door] = begun

    def join(self, told: DrainBegun) -> None:
        """Drain the doors that are there."""
        doors = [each for each in DOORS if each in self._ports.doors() and told.door in (None, each)]
        self.per_second = max(1, round(told.per_second * (1 if told.node else max(1, len(self._cluster.cards())))))
        operator = Operator(told.name, Role(told.role), told.source)
        self._ordered_here = False
        self._start(operator, doors, told.per_second, told.spread_ms)

    def _heard_end(self, told: DrainEnded) -> None:
        if told.at <= self.ended_at:
            return
        self.ended_at = told.at
        later = [each for each in self._standing.values() if each.at > told.at]
        for problem in self._open_all():
            log.error(wording.LOG_DOOR_STAYS_SHUT, problem)
        for each in later:
            self._heard(each)

    def _start(self, operator: Operator, doors: Sequence[Door], rate: float, spread_ms: int) -> None:
        self._operator, self._rate, self._spread_ms = operator, rate, spread_ms
        for each in doors:
            if each not in self._gate.drained:
                self._gate.drain(each)
                self._total[each] = self._sent[each] = 0
                self._ports.shut(each)
        self._gather()
        self._begin_sending()

    def _open_all(self) -> list[str]:
        """Open the doors of this process again; return what keeps one shut."""
        self._queue.clear()
        self._patience.clear()
        self._standing.clear()
        problems = []
        for each in self._gate.drained:
            try:
                self._ports.open(each)
            except Refusal as problem:
                self._gate.close(each)
                problems.append(f"{each}: {problem.text}")
            else:
                self._gate.reopen(each)
        return problems

    def _named(self, node: str) -> NodeCard:
        """The node with that name. Raises Refusal."""
        cards = self._cluster.cards()
        names = labels(cards)
        found = next((card for card in cards if names[card.id] == node), None)
        if found is None:
            nodes = ", ".join(sorted(names.values())) or "none"
            raise Refusal(Code.BAD_MESSAGE, wording.NO_SUCH_NODE.format(node=node[:60], nodes=nodes))
        return found

    def _meant(self, door: Door | None, card: NodeCard | None = None) -> list[Door]:
        """The doors to drain, of this node or of the one with that card. Raises Refusal for one that is not there."""
        there = self._ports.doors() if card is None or card.id == self._cluster.node else card.doors
        here = [each for each in DOORS if each in there]
        if door is not None and door not in here:
            raise Refusal(Code.BAD_MESSAGE, wording.NO_SUCH_DOOR.format(door=door, doors=", ".join(here)))
        return here if door is None else [door]

    def _draining(self) -> list[Door]:
        return [door for door in self._gate.drained if self._gate.drain_state(door) is DoorState.DRAINING]

    def _gather(self) -> None:
        """Queue the sessions of draining doors that are not queued yet."""
        doors, queued = self._draining(), {*self._queue, *self._going}
        found = [each for each in self._hub.sessions.values() if door_of(each.door) in doors and each not in queued]
        self._total.update(door_of(each.door) for each in found)
        self._queue += found

    def _begin_sending(self) -> None:
        if not self._sending:
            self._sending = True
            self._step()

    def _step(self) -> None:
        """Disconnect some sessions; once they have been told, wait for the next step."""
        some = self._going = self._next()
        if not some and not self._queue:
            self._gather()
        if not some and not self._queue:
            self._sending = False
            self._close()
            return

        def told(_: None) -> None:
            self._going = []
            self._sent.update(door_of(each.door) for each in some)
            self._hub.clock.later(len(some) / self._rate if some else STEP_SECONDS, self._step)

        send_away(self._hub, some, self._retry_ms, wording.DOOR_CLOSES).then(told)

    def _next(self) -> list[Session]:
        """The sessions to disconnect now. A busy session goes to the end of the queue until PATIENCE_SECONDS are
        over."""
        now, some, put_off = self._hub.clock.now(), list[Session](), list[Session]()
        most = min(STEP_MOST, max(1, int(self._rate * STEP_SECONDS)))
        queue = iter(self._queue)
        for session in queue:
            if session.closed:
                continue
            busy = session.pending or session.held
            if busy and now < self._patience.setdefault(session, now + PATIENCE_SECONDS):
                put_off.append(session)
                continue
            self._patience.pop(session, None)
            some.append(session)
            if len(some) == most:
                break
        self._queue = [*queue, *put_off]
        return some

    def _retry_ms(self) -> int:
        return RETRY_FIRST_MS + self._random_bits(32) % (self._spread_ms + 1)

    def _close(self) -> None:
        """No session is left: the doors are closed. The node where that was ordered records it, and so do those
        that have disconnected somebody; a node that starts during the drain does not."""
        doors = self._draining()
        for door in doors:
            self._gate.close(door)
        self._patience.clear()
        sent = sum(self._sent[door] for door in doors)
        if doors and self._operator is not None and (sent or self._ordered_here):
            self._audit.note(self._operator, "drain closed", _words(doors), "", f"done: {sent} sent away")


def _words(doors: Collection[Door]) -> str:
    return f"door{'s' * (len(doors) > 1)} {', '.join(doors)}"
