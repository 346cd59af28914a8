"""Moderation: kick, ban, mute, message, announce; the same verbs for dashboard, terminals, console and scripts.

Every verb takes the operator who acts, checks the role, acts, and records it (`core.operators.audit`), also when it was
refused. It acts at once and on sessions, so that a newcomer who takes the same nick meanwhile is not hit, and nobody
slips through between a ban and the closing of connections: newcomers are rejected from the first moment.

If the ledger fails, what was done holds until the process ends; the operator is told `storage`.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gateway import wording
from gateway.core import sanitize
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.operators.audit import REASON_BYTES, Audit
from gateway.core.ports import Measure, Sanction
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Notice, too_fast
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import Wire
from gateway.core.roles import Operator, Role
from gateway.core.sessions import nicknames, sanctions
from gateway.core.sessions.rate_limit import pay, wait
from gateway.core.sessions.sanctions import KEPT_MS, Sanctions, Target, TargetKind, end_of, words_of
from gateway.core.sessions.session import OWED_BYTES, Session
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger(__name__)

ANNOUNCEMENT_BYTES = 8_000
LONGEST_SECONDS = 100 * 365 * 24 * 3600
SLICE = 200
"""Sessions told or closed in one turn of the loop: about 5 ms."""
ANNOUNCEMENTS_PER_SECOND = 1.0
ANNOUNCEMENTS_BURST = 5


class Subject(NamedTuple):
    """Who is meant: a `connection` by its id, a `nick`, or an `address` or range; exactly one is given. `one_of` names
    the campaign that acts on many, whose own mark stands for all of its acts."""

    connection: str = ""
    nick: str = ""
    address: str = ""
    one_of: str = ""

    @property
    def text(self) -> str:
        """What was asked for, as the record shows it."""
        return self.connection or self.nick or self.address


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: in `words`, the `target` as the record shows it, and the result: the ban or mute now in force,
    those that were lifted, and the number of connections that were told or closed."""

    words: str
    target: str
    sanction: Sanction | None = None
    lifted: Sequence[Sanction] = ()
    connections: int = 0
    also: Sequence[tuple[str, str]] = field(default=())
    """Further entries of the record: action and target."""


class Moderation:
    """The verbs. A refusal is answered, not raised. `mark` is called with what was done, in words."""

    def __init__(self, hub: Hub, audit: Audit, random_bits: Callable[[int], int], mark: Callable[[str], None]) -> None:
        self._hub = hub
        self._mark = mark
        self._audit = audit
        self._random_bits = random_bits
        self._announced_until = 0.0

    def start(self) -> None:
        """Load the stored bans and mutes, in place of those known now."""
        self._audit.ledger.sanctions(self._hub.clock.trusted.now() - KEPT_MS).then(self._recalled)

    def _recalled(self, found: list[Sanction] | JournalError) -> None:
        if isinstance(found, JournalError):
            log.error(wording.LOG_SANCTIONS_UNREAD, found)
            return
        for measure in Measure:
            self._of(measure).clear()
        for each in found:
            self._of(each.measure).add(each)

    # The verbs

    def kick(
        self, operator: Operator, whom: Subject, reason: str, seconds: int | None = None
    ) -> Answer[Outcome | Refusal]:
        """Close the connection with that id, or all connections of the person with that nick; with `seconds` also ban
        the person, a guest by address."""

        def act() -> Outcome:
            session = self._session(operator, whom)
            named = _named(session)
            if seconds is None:
                meant = [session] if whom.connection else session.connections
                for each in meant:
                    self._hub.close(each, CloseReason.KICKED, _reason(reason))
                return Outcome(wording.KICKED.format(nick=session.nick), named, connections=len(meant))
            banned = self._impose(Measure.BAN, operator, self._whole(session, operator), session, reason, seconds)
            assert banned.sanction is not None
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

        def act() -> Outcome:
            said = sanitize.lines(words)
            session = self._session(None, whom)
            if len(session.owed) >= OWED_BYTES:
                raise Refusal(Code.BUSY, wording.DOES_NOT_READ.format(nick=session.nick), retry_ms=5000)
            meant = [session] if whom.connection else session.connections
            for each in meant:
                each.tell(Notice(wording.OPERATOR_SAYS.format(text=said)))
            return Outcome(wording.TOLD.format(nick=session.nick), _named(session), connections=len(meant))

        return self.perform(operator, Role.OPERATOR, "message", whom, words, act)

    def announce(
        self, operator: Operator, words: str, door: Door | None = None, room: str | None = None
    ) -> Answer[Outcome | Refusal]:
        """Tell everybody, or everybody at a door, in a room or both."""

        def act() -> Outcome:
            inside = None if room is None else nicknames.room(room)
            said = Notice(wording.ANNOUNCEMENT.format(text=sanitize.lines(words, ANNOUNCEMENT_BYTES)))
            now = self._hub.clock.now()
            seconds = wait(self._announced_until, now, ANNOUNCEMENTS_PER_SECOND, ANNOUNCEMENTS_BURST)
            if seconds:
                raise too_fast(seconds)
            self._announced_until = pay(self._announced_until, now, ANNOUNCEMENTS_PER_SECOND)
            heard = [each for each in self._hub.sessions.values() if _hears(each, door, inside)]
            shapes: dict[Wire, bytes] = {}

            def tell(session: Session) -> None:
                if len(session.owed) < OWED_BYTES:
                    shape = shapes.get(session.wire)
                    if shape is None:
                        shape = shapes[session.wire] = session.wire.event(said, session.nick)
                    session.owe(shape)

            self._in_slices(heard, tell)
            return Outcome(wording.ANNOUNCED.format(count=len(heard)), target, connections=len(heard))

        target = " ".join([f"door {door}"] * bool(door) + [f"#{room}"] * bool(room)) or "all"
        return self.perform(operator, Role.ADMIN, "announce", target, words, act)

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
            return Answer.of(refusal)

        def recorded(failure: Refusal | None) -> Outcome | Refusal:
            if failure is not None:
                kept = wording.ONLY_UNTIL_RESTART if add or outcome.lifted else wording.NOT_IN_AUDIT
                words = kept.format(words=outcome.words, problem=failure.text)
                return Refusal(failure.code, words, failure.retry_ms)
            return outcome

        did = [(action, outcome.target), *outcome.also]
        entries = [self._audit.entry(operator, action, target, reason, "done") for action, target in did]
        add = [outcome.sanction] if outcome.sanction is not None else []
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
        def act() -> Outcome:
            session = self._meant(operator, whom)
            target = self._target(measure, operator, whom, session)
            doubt = None if sure else sanctions.doubt(target, operator.address)
            if doubt is not None:
                raise Refusal(Code.BAD_MESSAGE, wording.SURE_NEEDED.format(doubt=doubt))
            return self._impose(measure, operator, target, session, reason, seconds)

        return self.perform(operator, least, measure, whom, reason, act)

    def _impose(
        self,
        measure: Measure,
        operator: Operator,
        target: Target,
        session: Session | None,
        reason: str,
        seconds: int | None,
    ) -> Outcome:
        """Put a sanction in force, in place of any on the same target; a ban closes the connections it covers."""
        now = self._hub.clock.trusted.now()
        if seconds is not None and not 1 <= seconds <= LONGEST_SECONDS:
            raise Refusal(Code.BAD_MESSAGE, wording.SECONDS_OR_NEVER.format(most=LONGEST_SECONDS))
        until = None if seconds is None else now + seconds * 1000
        identity = session.identity.id if session is not None and session.identity is not None else ""
        table = self._of(measure)
        id = self._new_id(table)
        sanction = Sanction(measure, id, target.kind, target.text, identity, _reason(reason), operator.name, now, until)
        earlier = table.of(target)
        table.add(sanction, session)
        for each in earlier:
            table.remove(each.id)
        said = wording.BANNED_NOW if measure is Measure.BAN else wording.MUTED_NOW
        words = said.format(target=target.text, until=end_of(sanction, now))
        if measure is Measure.MUTE:
            return Outcome(words, target.text, sanction, earlier)
        found = self._under(target, session)
        self._in_slices(found, lambda each: self._hub.close(each, CloseReason.BANNED, words_of(sanction, now)))
        if found:
            words += wording.CLOSED_ONE_TOO if len(found) == 1 else wording.CLOSED_TOO.format(count=len(found))
        return Outcome(words, target.text, sanction, earlier, len(found))

    def _lift(self, measure: Measure, least: Role, operator: Operator, which: str) -> Answer[Outcome | Refusal]:
        def act() -> Outcome:
            table = self._of(measure)
            found = self._named_by(table, which)
            for each in found:
                table.remove(each.id)
            words = " ".join(dict.fromkeys(each.target for each in found))
            lifted = wording.NO_LONGER_BANNED if measure is Measure.BAN else wording.NO_LONGER_MUTED
            return Outcome(lifted.format(target=words), words, lifted=found)

        return self.perform(operator, least, f"un{measure}", which, "", act)

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

    # Whom it hits

    def _session(self, operator: Operator | None, whom: Subject) -> Session:
        """The connection that is meant; not the operator's own, nor one of an operator of the same or a higher role
        (`operator` None: unchecked). Raises Refusal."""
        if whom.connection:
            session = self._hub.find(whom.connection)
            if session is None:
                raise Refusal(Code.NO_SUCH_USER, wording.NO_SUCH_CONNECTION)
        else:
            session = self._hub.nicks.find(whom.nick)
        if operator is not None:
            for each in session.connections:
                _spare(operator, each)
        return session

    def _meant(self, operator: Operator, whom: Subject) -> Session | None:
        """The same, or None where a nick or an address is meant that need not be connected."""
        if whom.address:
            return None
        if whom.connection:
            return self._session(operator, whom)
        found = self._hub.nicks.sessions(whom.nick)
        for each in found:
            _spare(operator, each)
        return found[0] if found else None

    def _target(self, measure: Measure, operator: Operator, whom: Subject, session: Session | None) -> Target:
        """What the sanction goes by. `session`: the connection that is meant, if there is one."""
        if whom.address:
            return sanctions.address(whom.address)
        if session is not None and whom.connection and measure is Measure.BAN:
            return self._whole(session, operator)
        return sanctions.nick(session.nick if session is not None else whom.nick)

    def _whole(self, session: Session, operator: Operator) -> Target:
        """What a ban of a connected user goes by: the nick; for a guest, who gets another one by connecting again, the
        address, unless it is an operator's."""
        if session.identity is None and session.nick.startswith("guest-"):
            target = sanctions.address(session.address)
            operators = (each for each in self._under(target, None) if each.operator is not None)
            if sanctions.doubt(target, operator.address) is None and next(operators, None) is None:
                return target
        return sanctions.nick(session.nick)

    def _under(self, target: Target, session: Session | None) -> list[Session]:
        if target.kind is TargetKind.ADDRESS:
            inside = sanctions.inside(target)
            found = [each for each in self._hub.sessions.values() if inside(each.address)]
        else:
            found = self._hub.nicks.sessions(target.text)
        return [*found, session] if session is not None and session not in found else found

    def _in_slices(self, sessions: list[Session], job: Callable[[Session], None]) -> None:
        """Run `job` for each session, SLICE at a time."""
        for session in sessions[:SLICE]:
            job(session)
        if len(sessions) > SLICE:
            self._hub.clock.later(0, lambda: self._in_slices(sessions[SLICE:], job))


def _spare(operator: Operator, session: Session) -> None:
    """Raise Refusal if the session is the operator's own, or that of an operator of the same or a higher role."""
    other = session.operator
    if other is None or operator.source == "console":
        return
    if other == operator:
        raise Refusal(Code.BAD_MESSAGE, wording.THAT_IS_YOU)
    if other.role >= operator.role and other.name != operator.name:
        words = wording.PEER_OF_YOURS.format(nick=session.nick, name=other.name, role=other.role.word)
        raise Refusal(Code.FORBIDDEN, words)


def _hears(session: Session, door: Door | None, room: str | None) -> bool:
    """Whether the session gets an announcement. A browser is told nothing before its welcome."""
    here = (door is None or session.door is door) and (room is None or room in session.rooms)
    return here and (session.greeted or session.door is not Door.WEB)


def _named(session: Session) -> str:
    return f"{session.nick} ({session.id}, {session.address})"


def _reason(words: str) -> str:
    return sanitize.line(words, REASON_BYTES) if words.strip() else ""
