"""Signing in: who a connection is. Its hello, and what makes it another person later: /resume CODE and /login.

A connection that becomes another person first leaves its rooms, as who it was; what it was before is gone, unless
another connection is still that person. Then it is welcomed like a newcomer with a token: `welcome` with the token that
counts from now on, then `joined` for each of its rooms. A terminal reads the same as lines.

The owner of an account is one person on all devices. They get the account's name, whoever has it: the holder becomes a
guest and is told.
"""

from collections.abc import Collection, Sequence
from functools import partial

from gateway import __version__, wording
from gateway.core import name_rules, sanitize
from gateway.core.address import is_loopback
from gateway.core.answer import Answer
from gateway.core.doors.join import ROOMS_PER_SESSION, join, rejoin
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.protocol.events import Notice, Standing, Welcome, error_event
from gateway.core.roles import Operator, Role
from gateway.core.rooms.fanout import members_of
from gateway.core.rooms.history import HISTORY_MESSAGES, Position
from gateway.core.rooms.registry import LOBBY, RECENT_MESSAGES
from gateway.core.sessions.sanctions import standing_of
from gateway.core.sessions.session import Identity, Session
from gateway.errors import Code, Refusal

WRONG_CODE_SECONDS = 1.0
"""How long a wrong code takes: a thousand million codes are too many to try at that rate."""

Places = Sequence[tuple[str, str, int]]
"""Rooms by name, each with its epoch and the last number that was read there."""


def welcome(hub: Hub, session: Session) -> None:
    """Tell a session that has an identity who it is."""
    assert session.identity is not None
    limits = hub.limits
    standing = standing_of(session, hub.bans, hub.mutes)
    told = {"standing": standing} if standing != Standing() else {}
    session.tell(
        Welcome(
            session.id,
            hub.identities.identities.token(session.identity),
            session.nick,
            {"name": "gateway", "version": __version__},
            {
                "text_bytes": sanitize.TEXT_BYTES,
                "paste_bytes": limits.top_paste_bytes,
                "messages_per_second": limits.messages_per_second,
                "burst": limits.burst,
                "history": HISTORY_MESSAGES,
            },
            **told,
        )
    )


def rename(hub: Hub, session: Session, nick: str) -> Answer[Refusal | None]:
    """Give the person of the session another nick, if nobody at any node has it."""

    if nick == session.nick:
        return Answer.of(None)

    def free(taken: Refusal | None) -> Refusal | None:
        if taken is not None or session.closed:
            return taken
        try:
            hub.rename(session, nick)
        except Refusal as refusal:
            return refusal
        return None

    try:
        hub.bans.check_nick(name_rules.nick(nick))  # before it is claimed from the other nodes
    except Refusal as refusal:
        return Answer.of(refusal)
    return hub.directory.ask_for(session, nick).map(free)


def take_nick(hub: Hub, session: Session, nick: str) -> Answer[Refusal | None]:
    """As `rename`; whoever has a token or a code is told of the nick only once it is stored for them."""

    def taken(refusal: Refusal | None) -> Answer[Refusal | None]:
        if refusal is not None or session.identity is None:
            return Answer.of(refusal)
        return hub.identities.stored().map(lambda _: None)

    return rename(hub, session, nick).chain(taken)


def resume(hub: Hub, operators: Operators, session: Session, code: str, id: str | None) -> None:
    """Make the session the person that the code proves, in the rooms where they were."""
    session.hold()

    def found(identity: Identity | Refusal | None) -> None:
        try:
            if isinstance(identity, Refusal):
                raise identity
            _resume(hub, operators, session, identity, code, id)
        except Refusal as refusal:
            session.tell(error_event(refusal, id))
        session.release()

    hub.directory.by_code(session, code).then(found)


def _resume(
    hub: Hub, operators: Operators, session: Session, identity: Identity | None, code: str, id: str | None
) -> None:
    try:
        operators.passwords.guessed("code", session.address, identity is not None)
        if identity is None:
            raise Refusal(Code.TOKEN_INVALID, wording.RESUME_UNKNOWN)
    except Refusal:
        session.hold()
        hub.clock.later(WRONG_CODE_SECONDS, session.release)
        raise
    if session.closed:
        return
    hub.identities.use_up(identity, code)
    identity.note()
    places = identity.rooms[:ROOMS_PER_SESSION] if not session.terminal else identity.rooms[:1]
    refusal = become(hub, session, identity)
    if hub.turn_away(session):
        return
    words = refusal.text if refusal is not None else wording.WELCOME_BACK.format(nick=session.nick)
    _come_in(hub, session, places, words, id)


def login(hub: Hub, operators: Operators, session: Session, words: str, id: str | None) -> None:
    """Log the session in with `[NAME] PASSWORD`. Raises Refusal.

    The words go to the authenticator and nowhere else: what looks like a name may be half of a password.
    """
    audit = operators.audit
    name, _, password = words.partition(" ")
    if not password:
        name, password = "", name
    source = source_of(session)
    if not (session.encrypted or (session.proxy is None and is_loopback(session.address))):
        refusal = audit.stranger(session.nick, source, "login", "", wording.PASSWORD_IN_CLEAR)
        session.wait_for(audit.once_stored(refusal), lambda _: None, id)
        return
    if not password:
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_PASSWORD)
    session.hold()

    def checked(answer: Operator | Refusal) -> None:
        if isinstance(answer, Refusal):
            audit.stranger(session.nick, source, "login", "", answer.text)
            audit.once_stored(answer).then(wrong)
            return
        operator = answer._replace(source=source)
        audit.note(operator, "login", session.nick, "", "done")
        recorded = audit.once_stored(operator.name)
        recorded.chain(hub.directory.look_up_account).then(partial(known, operator))

    def wrong(refusal: Refusal) -> None:
        session.tell(error_event(refusal, id))
        hub.clock.later(WRONG_CODE_SECONDS, session.release)

    def known(operator: Operator, unknown: Refusal | None) -> None:
        if unknown is not None:
            session.tell(error_event(unknown, id))
        elif not session.closed:
            _logged_in(hub, session, operator, id)
        session.release()

    operators.passwords.login(name, password, session.address).then(checked)


def _logged_in(hub: Hub, session: Session, account: Operator, id: str | None) -> None:
    places = [member.place for member in members_of(session)]
    moves = hub.nicks.is_account(account.name)
    if moves:
        own_name(hub, session, account.name)
    words = wording.YOU_OWN.format(nick=session.nick)
    if account.role is not Role.MEMBER:
        session.log_in(account)
        words = wording.YOU_OPERATE.format(name=account.name, role=account.role.word)
    if moves:
        _come_in(hub, session, places, words, id)
    else:
        _answer(session, words, id)
        session.tell(standing_of(session, hub.bans, hub.mutes))


def own_name(hub: Hub, session: Session, account: str) -> None:
    """Make the session the owner of the account, under its name."""
    identity = hub.identities.identities.of_account(account)
    for holder in hub.nicks.holders(account):
        if holder is not identity and holder.connections:
            hub.rename(holder.connections[-1], None)
            told = holder.connections[-1]
            told.tell(Notice(wording.OWNER_IS_HERE.format(account=account, nick=told.nick), nick=told.nick))
        elif isinstance(holder, Identity):
            hub.identities.release(holder)
    hub.identities.call(identity, account)
    if session.identity is not identity:
        become(hub, session, identity)
    hub.rename(session, account)


def log_out(hub: Hub, accounts: Collection[str]) -> None:
    """These accounts (casefolded) are gone or have changed: nobody acts as an operator by them any more, and whoever
    owned their name is somebody new on each connection until the next login."""
    for session in list(hub.sessions.values()):
        if session.operator is not None and session.operator.name.casefold() in accounts:
            session.log_in(None)
            session.tell(Notice(wording.ACCOUNT_CHANGED))
            session.tell(standing_of(session, hub.bans, hub.mutes))
    for account in accounts:
        for session in hub.identities.renew(account):
            places = [member.place for member in members_of(session)]
            for member in members_of(session):
                hub.leave(member)
            hub.identities.begin_anew(session)
            _come_in(hub, session, places, wording.ACCOUNT_CHANGED)


def become(hub: Hub, session: Session, identity: Identity) -> Refusal | None:
    """Take the session out of its rooms and make it a connection of the identity; return what could not be done, if
    anything."""
    for member in members_of(session):
        hub.leave(member)
    return hub.identities.take_over(session, identity)


def _come_in(hub: Hub, session: Session, places: Places, words: str, id: str | None = None) -> None:
    """Once the person is stored, tell the session why it is somebody else, welcome it and bring it into these rooms, if
    there is none into the lobby."""
    session.hold()

    def stored(_: object) -> None:
        if not session.closed:
            _answer(session, words, id)
            welcome(hub, session)
            for name, epoch, after in places or [(LOBBY, "", 0)]:
                if session.terminal:
                    rejoin(hub, session, name, Position(epoch, after))
                else:
                    join(hub, session, name, RECENT_MESSAGES)
        session.release()

    hub.identities.stored().then(stored)


def _answer(session: Session, words: str, id: str | None) -> None:
    session.tell(Notice(words, nick=session.nick) if id is None else Notice(words, id=id, nick=session.nick))


def source_of(session: Session) -> str:
    """The door and the address that somebody acts from: `tcp 127.0.0.1`."""
    return f"{session.door} {session.address}"
