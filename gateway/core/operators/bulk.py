"""Bulk actions: one act on many connections, one after the other at a set rate, until all are done or it is stopped.

A bulk action (`campaign` in the API) covers the connections that its filter matched when it began, by their ids; later
connections are never hit. Logged-in operators are left out unless the filter names their connection by id. Each act is
a verb of `core.operators.moderation`, checked and recorded like any other; the beginning and the end are recorded too.
A bulk action that cannot be recorded does not begin, and one whose acts can no longer be recorded stops.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from gateway import wording
from gateway.core import sanitize
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.operators.audit import Audit, Outcome, reason_of
from gateway.core.operators.moderation import Moderation
from gateway.core.operators.whom import Subject
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal

RUNNING = 4
KEPT = 20
PER_SECOND = 50
FASTEST = 1000
WORDS_BYTES = 4_000
"""Of a filter."""
STEP_SECONDS = 0.1
"""Seconds between two rounds of a fast bulk action; in between chat has its turn."""
TURN_SECONDS = 0.005
REST_SECONDS = 0.02
"""Seconds that it may act at a stretch, and rests after that: banning an address walks all sessions (4 ms for 10,000),
so a bulk action may be slower than its rate."""


class Action(StrEnum):
    """What is done to each connection."""

    KICK = "kick"
    BAN = "ban"
    MUTE = "mute"
    MESSAGE = "message"


class BulkState(StrEnum):
    """The state of a bulk action. STOPPED: an operator, or a failure of the journal, ended it early."""

    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"


class BulkPlan(NamedTuple):
    """What is to be done. `targets` are the ids that the filter `words` matches now, `named` those that it names;
    `operators` are operators' at other nodes; `expected` is how many the operator counts on. `reason` is for kick, ban
    and mute, `seconds` for ban and mute (None: for ever), `said` for message."""

    action: Action
    words: str
    targets: Sequence[str]
    named: frozenset[str]
    expected: int
    reason: str = ""
    seconds: int | None = None
    said: str = ""
    per_second: int = PER_SECOND
    operators: frozenset[str] = frozenset()

    @property
    def least(self) -> Role:
        """The least role needed: the same as for a single connection."""
        return Role.ADMIN if self.action is Action.BAN else Role.OPERATOR

    def cleaned(self) -> "BulkPlan":
        """The plan with the operator's texts sanitized, because other operators read them. Raises Refusal for a message
        or a reason that the text gate refuses."""
        reason = reason_of(self.reason)
        said = sanitize.lines(self.said) if self.action is Action.MESSAGE or self.said.strip() else ""
        words = sanitize.line(self.words, WORDS_BYTES) if self.words.strip() else ""
        return self._replace(reason=reason, said=said, words=words)


class TooMany(Refusal):
    """More connections match (`matches`) than the operator expected."""

    def __init__(self, matches: int, expected: int) -> None:
        super().__init__(Code.BAD_MESSAGE, wording.CAMPAIGN_GREW.format(matches=matches, expected=expected))
        self.matches = matches


class Campaign:
    """One bulk action. Times are ms since 1970; `problem` says what ended it early, if it was not an operator."""

    __slots__ = ("_left", "began_at", "done", "ended_at", "gone", "id", "operator", "plan", "problem", "refused",
                 "spared", "state", "total", "waiting")  # fmt: skip

    def __init__(self, id: str, operator: Operator, plan: BulkPlan, targets: list[str], now: int) -> None:
        self.id = id
        self.operator = operator
        self.plan = plan
        self.began_at = now
        self.ended_at: int | None = None
        self.total = len(targets)
        self.spared = len(plan.targets) - len(targets)
        """Operators' connections that are left out."""
        self.done = self.gone = self.refused = 0
        self.waiting = 0
        """Acts that are not recorded yet."""
        self.state = BulkState.RUNNING
        self.problem: str | None = None
        self._left = targets[::-1]

    def take(self) -> str:
        """The next id."""
        return self._left.pop()

    @property
    def left(self) -> int:
        """How many connections have not been acted on."""
        return len(self._left)

    @property
    def counts(self) -> str:
        """The result so far, in words."""
        return wording.CAMPAIGN_COUNTS.format(done=self.done, gone=self.gone, refused=self.refused, left=self.left)


class BulkActions:
    """The running bulk actions, at most RUNNING, and the last ones that ended; KEPT in all."""

    def __init__(self, hub: Hub, audit: Audit, moderation: Moderation, random_bits: Callable[[int], int]) -> None:
        self._hub = hub
        self._audit = audit
        self._moderation = moderation
        self._random_bits = random_bits
        self._known: dict[str, Campaign] = {}

    def all(self) -> list[Campaign]:
        """The latest first."""
        return list(self._known.values())[::-1]

    @property
    def running(self) -> int:
        """How many run."""
        return sum(each.state is BulkState.RUNNING for each in self._known.values())

    def find(self, id: str) -> Campaign:
        """The bulk action with that id. Raises Refusal."""
        campaign = self._known.get(id)
        if campaign is None:
            raise Refusal(Code.NO_SUCH_USER, wording.CAMPAIGN_UNKNOWN)
        return campaign

    def begin(self, operator: Operator, plan: BulkPlan) -> Answer[Campaign | Refusal]:
        """Begin once the beginning is recorded."""
        target = plan.words or "everybody"
        try:
            operator.check(plan.least)
            campaign = self._new(operator, plan)
        except Refusal as refusal:
            reason = plan.said or plan.reason
            self._audit.note(operator, f"campaign {plan.action}", target, reason, f"refused: {refusal.text}")
            return self._audit.once_stored(refusal)

        def recorded(failure: Refusal | None) -> Campaign | Refusal:
            if failure is not None:
                del self._known[campaign.id]
                return Refusal(failure.code, wording.CAMPAIGN_UNRECORDED.format(problem=failure.text))
            self._hub.stats.sampler.mark(
                f"{operator.name}: campaign {plan.action} {target}, {campaign.total} connections"
            )
            self._step(campaign)
            return campaign

        words = f"{campaign.id}: {campaign.total} connections, {plan.per_second} a second; {plan.said or plan.reason}"
        entry = self._audit.entry(operator, f"campaign {plan.action}", target, words.rstrip("; "), "done")
        return self._audit.record([entry]).map(recorded)

    def stop(self, operator: Operator, id: str) -> Answer[Campaign | Refusal]:
        """Act on no further connection. One that has ended stays as it is."""

        def act() -> Outcome:
            campaign = self.find(id)
            if campaign.state is BulkState.RUNNING:
                self._stop(campaign)
            return Outcome(wording.CAMPAIGN_STATE.format(state=campaign.state), id)

        stopped = self._moderation.perform(operator, Role.OPERATOR, "campaign stop", id, "", act)
        return stopped.map(lambda outcome: outcome if isinstance(outcome, Refusal) else self.find(id))

    def _new(self, operator: Operator, plan: BulkPlan) -> Campaign:
        if not 1 <= plan.per_second <= FASTEST:
            raise Refusal(Code.BAD_MESSAGE, wording.PER_SECOND_RANGE.format(most=FASTEST))
        plan = plan.cleaned()
        if len(plan.targets) > plan.expected:
            raise TooMany(len(plan.targets), plan.expected)
        if sum(each.state is BulkState.RUNNING for each in self._known.values()) >= RUNNING:
            raise Refusal(Code.BUSY, wording.CAMPAIGNS_RUN.format(count=RUNNING), retry_ms=5000)
        targets = [id for id in plan.targets if id in plan.named or not self._is_operator(id, plan)]
        campaign = Campaign(self._new_id(), operator, plan, targets, self._hub.clock.wall())
        ended = [each.id for each in self._known.values() if each.state is not BulkState.RUNNING]
        for id in ended[: max(0, len(self._known) + 1 - KEPT)]:
            del self._known[id]
        self._known[campaign.id] = campaign
        return campaign

    def _new_id(self) -> str:
        while (id := f"{self._random_bits(32):08x}") in self._known:
            pass
        return id

    def _is_operator(self, id: str, plan: BulkPlan) -> bool:
        session = self._hub.find(id)
        return id in plan.operators or (session is not None and session.operator is not None)

    def _step(self, campaign: Campaign) -> None:
        if campaign.state is not BulkState.RUNNING:
            return
        rate, began = campaign.plan.per_second, self._hub.clock.now()
        wait = 0.0
        for _ in range(min(campaign.left, max(1, int(rate * STEP_SECONDS)))):
            campaign.waiting += 1
            wait += 1 / rate
            self._act(campaign, campaign.take()).then(partial(self._acted, campaign))
            if campaign.state is not BulkState.RUNNING:
                return
            if self._hub.clock.now() - began > TURN_SECONDS:
                wait = max(wait, REST_SECONDS)
                break
        if campaign.left:
            self._hub.clock.later(wait, lambda: self._step(campaign))
        self._end(campaign)

    def _act(self, campaign: Campaign, id: str) -> Answer[Outcome | Refusal]:
        plan, moderation = campaign.plan, self._moderation
        whom = Subject(id, one_of=campaign.id)
        match plan.action:
            case Action.KICK:
                return moderation.kick(campaign.operator, whom, plan.reason)
            case Action.BAN:
                return moderation.ban(campaign.operator, whom, plan.reason, plan.seconds)
            case Action.MUTE:
                return moderation.mute(campaign.operator, whom, plan.reason, plan.seconds)
            case Action.MESSAGE:
                return moderation.message(campaign.operator, whom, plan.said)

    def _acted(self, campaign: Campaign, outcome: Outcome | Refusal) -> None:
        campaign.waiting -= 1
        if isinstance(outcome, Outcome):
            campaign.done += 1
        elif outcome.code is Code.NO_SUCH_USER:
            campaign.gone += 1
        elif outcome.code in (Code.STORAGE, Code.BACKPLANE):
            campaign.done += 1
            campaign.problem = outcome.text
            self._stop(campaign)
        else:
            campaign.refused += 1
        self._end(campaign)

    def _stop(self, campaign: Campaign) -> None:
        if campaign.state is BulkState.RUNNING:
            campaign.state = BulkState.STOPPED
            self._end(campaign)

    def _end(self, campaign: Campaign) -> None:
        """Record the end, if nothing is left to do."""
        if campaign.waiting or campaign.ended_at is not None or (campaign.state is BulkState.RUNNING and campaign.left):
            return
        if campaign.state is BulkState.RUNNING:
            campaign.state = BulkState.FINISHED
        campaign.ended_at = self._hub.clock.wall()
        action, target = f"campaign {campaign.plan.action} {campaign.state}", campaign.plan.words or "everybody"
        self._audit.note(campaign.operator, action, target, campaign.id, f"done: {campaign.counts}")
