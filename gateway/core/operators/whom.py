"""Whom an operator means, by connection, nick or address, and which connections that is.

A nick means the person, on all of their connections; the id of a connection means that one alone, except that a
sanction is always the person's. Operators spare each other (`core.roles.Operator.spare`).
"""

from enum import StrEnum
from typing import NamedTuple

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.name_rules import is_guest
from gateway.core.ports.ledger import Measure, Sanction
from gateway.core.roles import Operator
from gateway.core.sessions import sanctions
from gateway.core.sessions.sanctions import Target, TargetKind
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal


class BanBy(StrEnum):
    """What a ban of a connected person goes by. USUAL: the nick; for a guest at a terminal, who gets another one by
    connecting again, the address."""

    USUAL = ""
    NAME = "name"
    ADDRESS = "address"
    BOTH = "both"


class Subject(NamedTuple):
    """Who is meant: a `connection` by its id, a `nick`, or an `address` or range; exactly one is given. `one_of` names
    the campaign that acts on many, whose own mark stands for all of its acts; `by` is what a ban goes by."""

    connection: str = ""
    nick: str = ""
    address: str = ""
    one_of: str = ""
    by: BanBy = BanBy.USUAL

    @property
    def text(self) -> str:
        """What was asked for, as the record shows it."""
        return self.connection or self.nick or self.address


class Subjects:
    """Finds who is meant among the hub's sessions."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def session(self, operator: Operator | None, whom: Subject) -> Session:
        """The connection that is meant, of a nick the latest; not the operator's own, nor one of an operator of the
        same or a higher role (`operator` None: unchecked). Raises Refusal."""
        if whom.connection:
            session = self._hub.find(whom.connection)
            if session is None:
                raise Refusal(Code.NO_SUCH_USER, wording.NO_SUCH_CONNECTION)
        else:
            session = self._hub.nicks.find(whom.nick)
        if operator is not None:
            for each in session.connections:
                operator.spare(each.operator, each.nick)
        return session

    def connections(self, whom: Subject, session: Session) -> list[Session]:
        """The connections that are meant, when `session` is what was found."""
        return [session] if whom.connection else session.connections

    def meant(self, operator: Operator, whom: Subject) -> Session | None:
        """As `session`, or None where a nick or an address is meant that need not be connected."""
        if whom.address:
            return None
        if whom.connection:
            return self.session(operator, whom)
        found = self._hub.nicks.sessions(whom.nick)
        for each in found:
            operator.spare(each.operator, each.nick)
        return found[-1] if found else None

    def targets(self, measure: Measure, operator: Operator, whom: Subject, session: Session | None) -> list[Target]:
        """What a sanction goes by, at least one. `session`: the connection that is meant, if there is one. Raises
        Refusal."""
        if whom.address:
            return [sanctions.address(whom.address)]
        if session is None:
            return [sanctions.nick(whom.nick)]
        if measure is Measure.MUTE or (whom.by is BanBy.USUAL and not whom.connection):
            return [sanctions.nick(session.nick)]
        if whom.by is BanBy.USUAL:
            return [self.whole(session, operator)]
        name, address = sanctions.nick(session.nick), sanctions.address(session.address)
        return [*[name][: whom.by is not BanBy.ADDRESS], *[address][: whom.by is not BanBy.NAME]]

    def whole(self, session: Session, operator: Operator) -> Target:
        """What a ban of a connected person goes by if nothing else is said; not by the address of an operator."""
        if session.identity is None and is_guest(session.nick):
            target = sanctions.address(session.address)
            operators = (each for each in self.under(target) if each.operator is not None)
            if sanctions.doubt(target, operator.address) is None and next(operators, None) is None:
                return target
        return sanctions.nick(session.nick)

    def concerned(self, sanction: Sanction, number: int) -> list[Session]:
        """The connections that a sanction holds for: under its target, and of the person who was meant, whatever they
        are called now. `number` is that of the session that was meant, 0 for none."""
        found = dict.fromkeys(self.under(Target(TargetKind(sanction.kind), sanction.target)))
        for holder in (self._hub.sessions.get(number), self._hub.identities.identities.by_id(sanction.identity)):
            found |= dict.fromkeys(() if holder is None else holder.connections)
        return list(found)

    def under(self, target: Target) -> list[Session]:
        """The connections with that nick, or one that looks like it, or from that address or range."""
        if target.kind is TargetKind.NICK:
            return self._hub.nicks.sessions(target.text)
        inside = sanctions.inside(target)
        return [each for each in self._hub.sessions.values() if inside(each.address)]
