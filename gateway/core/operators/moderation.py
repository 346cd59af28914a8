"""Moderation: kick, ban, mute, message, announce; the same verbs for dashboard, terminals, console and scripts.

Every verb takes the operator who acts, checks the role, acts, and records it (`core.operators.audit`), also when it was
refused. It acts at once and on sessions, so that a newcomer who takes the same nick meanwhile is not hit, and nobody
slips through between a ban and the closing of connections: newcomers are rejected from the first moment.

If the ledger fails, what was done holds until the process ends; the operator is told `storage`.

What another node has done is heard from it (`core.ports.cluster`), and enforced here as if it had been done here. What
was not stored holds on this node alone.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.answer import Answer
from gateway.core.clock import in_slices
from gateway.core.hub import Hub
from gateway.core.operators.announcements import Announcements
from gateway.core.operators.audit import Audit, Outcome, reason_of
from gateway.core.operators.relay import Relay, RelayedAct
from gateway.core.operators.whom import BanBy, Subject, Subjects
from gateway.core.ports.cluster import Forgotten, Missed, PersonKicked, SanctionsChanged
from gateway.core.ports.ledger import Measure, Sanction
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Notice
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.core.sessions import sanctions
from gateway.core.sessions.sanctions import KEPT_MS, Sanctions, Target, TargetKind, end_of
from gateway.core.sessions.session import OWED_BYTES, Session
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger(__name__)


class Moderation:
    """The verbs. A refusal is answered, not raised. `mark` is called with what was done, in words."""

    def __init__(self, hub: Hub, audit: Audit, random_bits: Callable[[int], int], mark: Callable[[str], None]) -> None:
        self._hub = hub
        self._mark = mark
        self._audit = audit
        self._random_bits = random_bits
        self._subjects = Subjects(hub)
        self._relay = Relay(hub.cluster, audit, Outcome, self._asked)
        self._announcements = Announcements(hub)
        self._unstored: set[str] = set()
        """The sanctions that the ledger could not store."""
        hub.cluster.hear(SanctionsChanged, self._heard)
        hub.cluster.hear(PersonKicked, self._kicked)
        hub.cluster.hear(Forgotten, lambda forgotten: self._store_again())
        hub.cluster.hear(Missed, lambda missed: self.start())
        self._awaited: set[str] = set()
        """Mutes whose end is waited for."""

    def start(self) -> None:
        """Load the stored bans and mutes, in place of those known now."""
        self._audit.ledger.sanctions(self._hub.clock.trusted.now() - KEPT_MS).then(self._recalled)

    def _recalled(self, found: list[Sanction] | JournalError) -> None:
        if isinstance(found, JournalError):
            log.error(wording.LOG_SANCTIONS_UNREAD, found)
            return
        stored = {each.id for each in found} | self._unstored
        self._follow(found, [each for measure in Measure for each in self._of(measure).all() if each.id not in stored])

    def _store_again(self) -> None:
        """The ledger has lost what is in force here."""
        if held := [each for measure in Measure for each in self._of(measure).holding()]:
            unstored = {each.id for each in held}
            self._audit.ledger.record((), add=held).then(lambda error: self._unstored.update(unstored if error else ()))

    def _heard(self, changed: SanctionsChanged) -> None:
        """Another node has put sanctions in force, or lifted some; who is meant may be a terminal here."""
        sessions = {each.id: self._hub.nicks.sessions(each.target) for each in changed.add if not each.identity}
        self._follow(changed.add, changed.lift, {id: found[-1] for id, found in sessions.items() if found})

    def _follow(
        self, add: Sequence[Sanction], lift: Sequence[Sanction], meant: Mapping[str, Session] = MappingProxyType({})
    ) -> None:
        """These were put in force, and these lifted, elsewhere or earlier: make it so here. `meant`: the sessions that
        sanctions were meant for, by their ids."""
        if again := [each for each in add if self._of(each.measure).was_lifted(each.id)]:
            self._audit.ledger.record((), lift=again)  # the store has lost that, or the other node has not heard it
        new = [each for each in add if each not in again and self._of(each.measure).get(each.id) is None]
        try:
            for each in new:
                self._of(each.measure).add(each, meant.get(each.id))
        except Refusal as refusal:
            log.error(wording.LOG_SANCTIONS_UNREAD, refusal.text)
        for measure in Measure:
            self._end([each for each in lift if each.measure is measure and self._of(measure).get(each.id) is not None])
            self._enforce(measure, [each for each in new if each.measure is measure])

    # The verbs

    def kick(
        self, operator: Operator, whom: Subject, reason: str, seconds: int | None = None
    ) -> Answer[Outcome | Refusal]:
        """Close the connection with that id, or all connections of the person with that nick; with `seconds` also ban
        the person, a guest by address."""
        if self._relay.elsewhere(whom):
            return self._relay.ask(RelayedAct("kick", operator, whom, reason, seconds))
        if whom.nick and seconds is None and self._hub.cluster.node and not self._hub.nicks.sessions(whom.nick):
            there = self._hub.directory.reaches(whom.nick)
            return there.chain(partial(self._kick_elsewhere, operator, whom, reason))

        def act() -> Outcome:
            session = self._subjects.session(operator, whom)
            named = _named(session)
            if seconds is None:
                meant = self._subjects.connections(whom, session)
                if whom.nick:
                    self._hub.cluster.tell(PersonKicked(session.nick, reason_of(reason), operator.name, operator.role))
                for each in meant:
                    self._hub.close(each, CloseReason.KICKED, reason_of(reason))
                return Outcome(wording.KICKED.format(nick=session.nick), named, connections=len(meant))
            targets = [self._subjects.whole(session, operator)]
            if whom.by is not BanBy.USUAL:
                targets = self._subjects.targets(Measure.BAN, operator, whom, session)
                sanctions.check(targets, operator.address)
            banned = self._impose(Measure.BAN, operator, targets, session, reason, seconds)
            return replace(banned, target=named, also=[("ban", banned.target)])

        least = Role.OPERATOR if seconds is None else Role.ADMIN
        return self.perform(operator, least, "kick", whom, reason, act)

    def ban(
        self, operator: Operator, whom: Subject, reason: str, seconds: int | None, sure: bool = False
    ) -> Answer[Outcome | Refusal]:
        """Keep somebody out for so many seconds, None = for ever. An address that is hardly ever meant (everybody, this
        machine, the operator's own) is refused unless the operator is `sure`."""
        return self._put(Measure.BAN, Role.ADMIN, operator, whom, reason, seconds, sure)

    def mute(
        self, operator: Operator, whom: Subject, reason: str, seconds: int | None, sure: bool = False
    ) -> Answer[Outcome | Refusal]:
        """Keep somebody silent for so many seconds, None = for ever; they may go on reading. Otherwise as `ban`."""
        return self._put(Measure.MUTE, Role.OPERATOR, operator, whom, reason, seconds, sure)

    def unban(self, operator: Operator, which: str) -> Answer[Outcome | Refusal]:
        """Lift the ban with that id, or the bans on that nick, address or range."""
        return self._lift(Measure.BAN, Role.ADMIN, operator, which)

    def unmute(self, operator: Operator, which: str) -> Answer[Outcome | Refusal]:
        """Lift the mute with that id, or the mutes on that nick, address or range, or on the user who has that nick
        now."""
        return self._lift(Measure.MUTE, Role.OPERATOR, operator, which)

    def message(self, operator: Operator, whom: Subject, words: str) -> Answer[Outcome | Refusal]:
        """Tell a connection, or a person on all of theirs, something in the server's voice."""
        if self._relay.elsewhere(whom):
            return self._relay.ask(RelayedAct("message", operator, whom, words))

        def act() -> Outcome:
            said = sanitize.lines(words)
            session = self._subjects.session(None, whom)
            if len(session.owed) >= OWED_BYTES:
                raise Refusal(Code.BUSY, wording.DOES_NOT_READ.format(nick=session.nick), retry_ms=5000)
            meant = self._subjects.connections(whom, session)
            for each in meant:
                each.tell(Notice(wording.OPERATOR_SAYS.format(text=said)))
            return Outcome(wording.TOLD.format(nick=session.nick), _named(session), connections=len(meant))

        return self.perform(operator, Role.OPERATOR, "message", whom, words, act)

    def announce(
        self, operator: Operator, words: str, door: Door | None = None, room: str | None = None
    ) -> Answer[Outcome | Refusal]:
        """Tell everybody, or everybody at a door, in a room or both."""

        def act() -> Outcome:
            inside = None if room is None else name_rules.room(room)
            heard = self._announcements.make(words, door, inside)
            return Outcome(wording.ANNOUNCED.format(count=heard), target, connections=heard)

        target = " ".join([f"door {door}"] * bool(door) + [f"#{room}"] * bool(room)) or "all"
        return self.perform(operator, Role.ADMIN, "announce", target, words, act)

    def _asked(self, act: RelayedAct) -> Answer[Outcome | Refusal]:
        """Do what an operator asked for at another node."""
        if act.action == "kick":
            return self.kick(act.operator, act.whom, act.words, act.seconds)
        if act.action == "message":
            return self.message(act.operator, act.whom, act.words)
        return (self.ban if act.action == "ban" else self.mute)(
            act.operator, act.whom, act.words, act.seconds, act.sure
        )

    def _kick_elsewhere(
        self, operator: Operator, whom: Subject, reason: str, nobody: Refusal | None
    ) -> Answer[Outcome | Refusal]:
        """Kick somebody who is connected to other nodes only, if there is such a person."""

        def act() -> Outcome:
            if nobody is not None:
                raise nobody
            self._hub.cluster.tell(PersonKicked(whom.nick, reason_of(reason), operator.name, operator.role))
            return Outcome(wording.KICKED.format(nick=whom.nick), whom.nick)

        return self.perform(operator, Role.OPERATOR, "kick", whom, reason, act)

    def _kicked(self, kicked: PersonKicked) -> None:
        operator = Operator(kicked.name, Role(kicked.role), "another node")
        for each in self._hub.nicks.sessions(kicked.nick):
            with suppress(Refusal):  # operators spare each other
                self._subjects.session(operator, Subject(connection=each.id))
                self._hub.close(each, CloseReason.KICKED, kicked.reason)

    # How each is done

    def perform(
        self,
        operator: Operator,
        least: Role,
        action: str,
        target: str | Subject,
        reason: str,
        act: Callable[[], Outcome],
    ) -> Answer[Outcome | Refusal]:
        """Check the role, act, mark it in the charts, record it, report."""
        marked, target = (target.one_of, target.text) if isinstance(target, Subject) else ("", target)
        try:
            operator.check(least)
            outcome = act()
            if not marked:
                self._mark(f"{operator.name}: {action} {outcome.target}".rstrip())
        except Refusal as refusal:
            gone = refusal.code is Code.NO_SUCH_USER
            self._audit.note(operator, action, target, reason, "gone" if gone else f"refused: {refusal.text}")
            return self._audit.once_stored(refusal)

        def recorded(failure: Refusal | None) -> Outcome | Refusal:
            if failure is not None:
                self._unstored |= {each.id for each in add}
                kept = wording.ONLY_UNTIL_RESTART if add or outcome.lifted else wording.NOT_IN_AUDIT
                words = kept.format(words=outcome.words, problem=failure.text)
                return Refusal(failure.code, words, failure.retry_ms)
            return outcome

        did = [(action, outcome.target), *outcome.also]
        entries = [self._audit.entry(operator, action, target, reason, "done") for action, target in did]
        add = outcome.sanctions
        return self._audit.record(entries, add, outcome.lifted).map(recorded)

    # Bans and mutes

    def _of(self, measure: Measure) -> Sanctions:
        return self._hub.bans if measure is Measure.BAN else self._hub.mutes

    def _put(
        self,
        measure: Measure,
        least: Role,
        operator: Operator,
        whom: Subject,
        reason: str,
        seconds: int | None,
        sure: bool,
    ) -> Answer[Outcome | Refusal]:
        def act(identity: str) -> Outcome:
            session = self._subjects.meant(operator, whom)
            targets = self._subjects.targets(measure, operator, whom, session)
            if not sure:
                sanctions.check(targets, operator.address)
            return self._impose(measure, operator, targets, session, reason, seconds, identity)

        if self._relay.elsewhere(whom):
            return self._relay.ask(RelayedAct(measure, operator, whom, reason, seconds, sure))
        elsewhere = whom.nick and not self._hub.nicks.sessions(whom.nick)
        asked = self._hub.directory.identity_of(whom.nick) if elsewhere else Answer.of("")
        return asked.chain(lambda found: self.perform(operator, least, measure, whom, reason, partial(act, found)))

    def _impose(
        self,
        measure: Measure,
        operator: Operator,
        targets: Sequence[Target],
        session: Session | None,
        reason: str,
        seconds: int | None,
        identity: str = "",
    ) -> Outcome:
        """Put sanctions in force, in place of any on the same targets; a ban closes the connections it covers.
        `identity` is that of somebody who is connected to another node."""
        now = self._hub.clock.trusted.now()
        if seconds is not None and not 1 <= seconds <= sanctions.LONGEST_SECONDS:
            raise Refusal(Code.BAD_MESSAGE, wording.SECONDS_OR_NEVER.format(most=sanctions.LONGEST_SECONDS))
        until = None if seconds is None else now + seconds * 1000
        if session is not None and session.identity is not None:
            identity = session.identity.id
        table = self._of(measure)
        new, earlier = [], []
        for target in targets:
            id, said = self._new_id(table), reason_of(reason)
            new.append(Sanction(measure, id, target.kind, target.text, identity, said, operator.name, now, until))
            earlier += table.of(target)
            table.add(new[-1], session)
        for each in earlier:
            table.remove(each.id)
        put = wording.BANNED_NOW if measure is Measure.BAN else wording.MUTED_NOW
        named = " ".join(target.text for target in targets)
        words = put.format(target=named, until=end_of(new[0], now))
        found = self._enforce(measure, new)
        if measure is Measure.MUTE:
            return Outcome(words, named, new, earlier)
        if found:
            words += wording.CLOSED_ONE_TOO if len(found) == 1 else wording.CLOSED_TOO.format(count=len(found))
        return Outcome(words, named, new, earlier, len(found))

    def _lift(self, measure: Measure, least: Role, operator: Operator, which: str) -> Answer[Outcome | Refusal]:
        def act() -> Outcome:
            table = self._of(measure)
            found = self._named_by(table, which)
            self._end(found)
            words = " ".join(dict.fromkeys(each.target for each in found))
            lifted = wording.NO_LONGER_BANNED if measure is Measure.BAN else wording.NO_LONGER_MUTED
            return Outcome(lifted.format(target=words), words, lifted=found)

        return self.perform(operator, least, f"un{measure}", which, "", act)

    def _enforce(self, measure: Measure, new: Sequence[Sanction]) -> list[Session]:
        """These are in force from now on: close the connections they cover, or tell them that they are muted; return
        those connections."""
        for each in new:
            self._await_end(each)
        if not self._hub.sessions:
            return []  # at the start, when there may be ten thousands of them
        found = list(dict.fromkeys(session for each in new for session in self._concerned(each)))
        in_slices(self._hub.clock, found, self._tell_standing if measure is Measure.MUTE else self._hub.turn_away)
        return found

    def _await_end(self, found: Sanction) -> None:
        """Tell those who are muted when their mute ends by itself; a page then opens its box."""
        left = 0 if found.until is None else found.until - self._hub.clock.trusted.now()
        if left > 0 and found.measure is Measure.MUTE and found.id not in self._awaited:
            self._awaited.add(found.id)
            self._hub.clock.later(left / 1000, lambda: self._look_at_end(found.id))

    def _look_at_end(self, id: str) -> None:
        self._awaited.discard(id)
        mute = self._hub.mutes.get(id)
        if mute is None:
            return  # lifted
        self._await_end(mute)  # the clock that is trusted may have run more slowly
        if id not in self._awaited:
            in_slices(self._hub.clock, self._concerned(mute), self._tell_standing)

    def _end(self, found: Sequence[Sanction]) -> None:
        """Take these out of force, and tell those they were for."""
        concerned = dict.fromkeys(session for each in found for session in self._concerned(each))
        for each in found:
            self._of(each.measure).remove(each.id)
        in_slices(self._hub.clock, list(concerned), self._tell_standing)

    def _named_by(self, table: Sanctions, which: str) -> list[Sanction]:
        """The sanctions with that id or that target. Raises Refusal when there is none."""
        sanction = table.get(which)
        if sanction is not None:
            return [sanction]
        target = sanctions.target(which)
        found = table.of(target)
        if not found and target.kind is TargetKind.NICK:
            sessions = self._hub.nicks.sessions(target.text)
            found = [each for each in map(table.on, sessions) if each is not None]
        if found:
            return found
        wider = table.on_address(which) if target.kind is TargetKind.ADDRESS else table.on_nick(target.text)
        hint = wording.WIDER_IS.format(target=wider.target) if wider is not None else ""
        absent = wording.NOT_BANNED if table.measure is Measure.BAN else wording.NOT_MUTED
        raise Refusal(Code.NO_SUCH_USER, absent.format(target=target.text) + hint)

    def _new_id(self, table: Sanctions) -> str:
        while True:
            id = f"{self._random_bits(32):08x}"
            if table.get(id) is None:
                return id

    def _concerned(self, sanction: Sanction) -> list[Session]:
        return self._subjects.concerned(sanction, self._of(sanction.measure).number_of(sanction.id))

    def _tell_standing(self, session: Session) -> None:
        sanctions.tell_standing(session, self._hub.bans, self._hub.mutes)


def _named(session: Session) -> str:
    return f"{session.nick} ({session.id}, {session.address})"
