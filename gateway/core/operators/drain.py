"""Emptying doors while the process stays up: nobody new comes in, and who is there is sent away at a set rate.

ready -> draining (people are being sent away) -> closed (nobody is there) -> ready again, when an operator ends it.
The gate (`core.gate`) holds the state; this file moves it and sends people away.

- A terminal door's port is closed, so that a load balancer, which knows nothing but connecting, goes elsewhere. The web
  door goes on listening, or nobody could end the drain: it serves /admin and the health checks, /readyz says 503, and
  other newcomers are told `draining`.
- All doors that drain share one rate; draining one more, or one of them again, sets it anew. Each peer is told a moment
  of its own to come back, spread evenly, so that those who are sent away together do not come back together.
- A session whose lines are just being stored, or that waits for its turn, is given PATIENCE_SECONDS to see the end of
  it. What such a peer has sent and we have not read by then is lost, as with a kick; only the end of the process reads
  all out.

`send_away` closes sessions for a while, here and at the end of the process: each peer is told when to come back, and a
terminal by which code. A terminal has no token, so whoever has spoken there or taken a name is given a code as by
/resume. It is told only when it is stored, or it would not work after the restart.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from gateway.core.gate import DOORS, DoorState, door_of
from gateway.core.hub import Hub
from gateway.core.operators.audit import Audit
from gateway.core.operators.moderation import Moderation, Outcome
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.core.sessions.identity import spelled
from gateway.core.sessions.nicknames import is_guest
from gateway.core.sessions.session import Session
from gateway.errors import Code, JournalError, Refusal

PER_SECOND = 50
FASTEST = 2500
STEP_SECONDS = 0.02
STEP_MOST = 50
"""Sessions sent away in one turn of the loop: about 10 ms."""
PATIENCE_SECONDS = 2.0
RETRY_FIRST_MS = 500
SPREAD_SECONDS = 2.0
LONGEST_SPREAD = 600.0


def send_away(
    hub: Hub,
    sessions: Sequence[Session],
    retry_ms: Callable[[], int],
    done: Callable[[], None],
    *,
    codes: bool = True,
) -> None:
    """Close the sessions with DRAINING, then call `done`; at once or, where codes are to be stored, after that.

    `retry_ms` draws the time for each. All codes are stored in one transaction: hand in some hundred sessions at once.
    Without `codes` nobody gets a new one, and none is told.
    """
    known = [session for session in sessions if codes and _has_a_place(session)]
    for session in known:
        hub.reception.code(session)

    def stored(failure: JournalError | None) -> None:
        told = set(known) if failure is None else set()
        for session in sessions:
            delay = retry_ms()
            words = "" if session.wire.objects else f"come back in {max(1, round(delay / 1000))} s"
            hub.close(session, CloseReason.DRAINING, words, delay, aside=_code(session) if session in told else "")
        done()

    if known:
        hub.reception.stored(stored)
    else:
        stored(None)


def _has_a_place(session: Session) -> bool:
    """Whether there is something to come back to."""
    if session.closed or not session.terminal or session.wire.objects:
        return False
    return session.identity is not None or session.messages_in > 0 or not is_guest(session.nick)


def _code(session: Session) -> str:
    assert session.identity is not None
    return f", /resume {spelled(session.identity.id)} brings you back"


class DoorPorts(Protocol):
    """The listening sockets of this process, by door."""

    def doors(self) -> Collection[Door]:
        """The doors that there are."""

    def shut(self, door: Door) -> None:
        """Let nobody connect. Again does nothing."""

    def open(self, door: Door) -> None:
        """Listen again. Raises Refusal where the port is somebody else's by now."""


class Progress(NamedTuple):
    """A door: how many were there when it began, how many were sent away, how many are there now."""

    door: Door
    state: DoorState
    total: int
    sent: int
    left: int


class Drain:
    """Moves the doors' states and sends people away; one per process."""

    def __init__(
        self, hub: Hub, audit: Audit, moderation: Moderation, ports: DoorPorts, random_bits: Callable[[int], int]
    ) -> None:
        self.per_second = 0
        self._hub = hub
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
        """Who is being told at this moment."""
        self._patience: dict[Session, float] = {}
        self._sending = False

    def progress(self) -> list[Progress]:
        """Every door."""
        here = Counter(door_of(session.door) for session in self._hub.sessions.values())
        doors = [door for door in DOORS if door in self._ports.doors()]
        return [
            Progress(door, self._gate.drain_state(door), self._total[door], self._sent[door], here[door])
            for door in doors
        ]

    def begin(
        self,
        operator: Operator,
        door: Door | None,
        per_second: int,
        spread_seconds: float,
        done: Callable[[Outcome | Refusal], None],
    ) -> None:
        """Drain a door, or all."""

        def act() -> Outcome:
            doors = self._meant(door)
            if not 1 <= per_second <= FASTEST:
                raise Refusal(Code.BAD_MESSAGE, f"per_second is from 1 to {FASTEST}")
            if not 0 <= spread_seconds <= LONGEST_SPREAD:
                raise Refusal(Code.BAD_MESSAGE, f"spread_seconds is from 0 to {LONGEST_SPREAD:.0f}")
            self._operator, self.per_second, self._spread_ms = operator, per_second, int(spread_seconds * 1000)
            for each in doors:
                if each not in self._gate.drained:
                    self._gate.drain(each)
                    self._total[each] = self._sent[each] = 0
                    self._ports.shut(each)
            self._gather()
            self._begin_sending()
            return Outcome(f"{_words(doors)}: draining, {per_second} a second", _words(doors))

        target = f"door {door}" if door is not None else "all doors"
        self._moderation.perform(operator, Role.ADMIN, "drain", target, f"{per_second} a second", act, done)

    def cancel(self, operator: Operator, done: Callable[[Outcome | Refusal], None]) -> None:
        """Send nobody else away, and open every door again."""

        def act() -> Outcome:
            doors = self._gate.drained
            if not doors:
                raise Refusal(Code.BAD_MESSAGE, "no door is draining or closed")
            self._queue.clear()
            self._patience.clear()
            problems = []
            for each in doors:
                try:
                    self._ports.open(each)
                except Refusal as problem:
                    self._gate.close(each)
                    problems.append(f"{each}: {problem.text}")
                else:
                    self._gate.reopen(each)
            if problems:
                raise Refusal(Code.BUSY, "; ".join(problems), retry_ms=5000)
            return Outcome(f"{_words(doors)}: open again", _words(doors))

        self._moderation.perform(operator, Role.ADMIN, "drain cancel", "all doors", "", act, done)

    def _meant(self, door: Door | None) -> list[Door]:
        here = [each for each in DOORS if each in self._ports.doors()]
        if door is not None and door not in here:
            raise Refusal(Code.BAD_MESSAGE, f"there is no door {door} to drain: {', '.join(here)}")
        return here if door is None else [door]

    def _draining(self) -> list[Door]:
        return [door for door in self._gate.drained if self._gate.drain_state(door) is DoorState.DRAINING]

    def _gather(self) -> None:
        """Queue who is at a door that drains and is not queued yet."""
        doors, queued = self._draining(), {*self._queue, *self._going}
        found = [each for each in self._hub.sessions.values() if door_of(each.door) in doors and each not in queued]
        self._total.update(door_of(each.door) for each in found)
        self._queue += found

    def _begin_sending(self) -> None:
        if not self._sending:
            self._sending = True
            self._step()

    def _step(self) -> None:
        """Send some away; when they are told, wait for the next."""
        some = self._going = self._next()
        if not some and not self._queue:
            self._gather()
        if not some and not self._queue:
            self._sending = False
            self._close()
            return

        def told() -> None:
            self._going = []
            self._sent.update(door_of(each.door) for each in some)
            self._hub.clock.later(len(some) / self.per_second if some else STEP_SECONDS, self._step)

        send_away(self._hub, some, self._retry_ms, told)

    def _next(self) -> list[Session]:
        """Who goes now. Who is busy goes to the end of the queue, as long as his patience lasts."""
        now, some, put_off = self._hub.clock.now(), list[Session](), list[Session]()
        most = min(STEP_MOST, max(1, int(self.per_second * STEP_SECONDS)))
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
        """Nobody is left."""
        doors = self._draining()
        for door in doors:
            self._gate.close(door)
        self._patience.clear()
        if doors and self._operator is not None:
            sent = sum(self._sent[door] for door in doors)
            self._audit.note(self._operator, "drain closed", _words(doors), "", f"done: {sent} sent away")


def _words(doors: Collection[Door]) -> str:
    return f"door{'s' * (len(doors) > 1)} {', '.join(doors)}"
