"""The browser door's requests: the objects of the protocol, client to server, and what each does.

`BrowserDoor.receive` takes one text frame. Whatever is wrong with it is answered by an `error` event; a peer that sends
too many malformed ones is closed (1008; `RateLimit.bad_message`). For JSON that the strict decoder refused, a second,
lenient look finds the `id` to answer to and what was wrong.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import msgspec

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.doors import commands
from gateway.core.doors.join import ROOMS_PER_SESSION, Greeting, join, show_history, too_many_rooms
from gateway.core.doors.post import say_at_length
from gateway.core.doors.sign_in import rename, take_nick, welcome
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Error, Notice, Pong, Read, error_event, too_fast
from gateway.core.protocol.message import Kind
from gateway.core.rooms.fanout import Member, member_of
from gateway.core.rooms.history import Position, Range
from gateway.core.rooms.registry import LOBBY, RECENT_MESSAGES
from gateway.core.sessions.rate_limit import BAD_MESSAGES, BAD_SECONDS
from gateway.core.sessions.session import OWED_BYTES, Session
from gateway.errors import Code, Refusal


def fields_of(document: str | bytes) -> dict[str, Any]:
    """The fields of a JSON object; empty for anything else, however deep or broken it is."""
    try:
        fields = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def has_half_a_pair(fields: dict[str, Any]) -> bool:
    """Whether one of the fields is a text with a lone surrogate, which JSON can express and UTF-8 cannot."""
    words = [field for field in fields.values() if isinstance(field, str)]
    return any("\ud800" <= character <= "\udfff" for word in words for character in word)


BAD_CODES = frozenset((Code.BAD_MESSAGE, Code.BAD_TEXT, Code.NOT_JOINED, Code.UNKNOWN_COMMAND))
"""Refusals that count as malformed messages."""
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Seq = Annotated[int, msgspec.Meta(ge=0)]


class Place(msgspec.Struct, frozen=True):
    """A room to join, and where the session stopped reading it."""

    room: str
    epoch: str | None = None
    after: Seq | None = None


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first request."""

    nick: str | None = None
    token: str | None = None
    rooms: list[Place] | None = None


class Say(msgspec.Struct, frozen=True, tag="say"):
    """Post to a room, or run a command."""

    room: str
    text: str
    id: Id | None = None
    kind: Kind = Kind.SAY


class Join(msgspec.Struct, frozen=True, tag="join"):
    """Join a room."""

    room: str
    epoch: str | None = None
    after: Seq | None = None
    id: Id | None = None


class Part(msgspec.Struct, frozen=True, tag="part"):
    """Leave a room."""

    room: str
    id: Id | None = None


class Nick(msgspec.Struct, frozen=True, tag="nick"):
    """Take another nick."""

    nick: str
    id: Id | None = None


class Earlier(msgspec.Struct, frozen=True, tag="history"):
    """Ask for older messages."""

    room: str
    before: Seq | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] = 50
    id: Id | None = None


class MarkRead(msgspec.Struct, frozen=True, tag="read"):
    """The person has seen the room up to `seq`."""

    room: str
    epoch: str
    seq: Seq


class Write(msgspec.Struct, frozen=True, tag="typing"):
    """Say that something is being written."""

    room: str


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Ask for a pong."""

    id: Id | None = None


TYPES = {"hello", "say", "join", "part", "nick", "history", "read", "typing", "ping"}
Request = Hello | Say | Join | Part | Nick | Earlier | MarkRead | Write | Ping
decode = msgspec.json.Decoder(Request).decode


class BrowserDoor:
    """The browser door's side of the hub."""

    def __init__(self, hub: Hub, operators: Operators, greeting: Greeting) -> None:
        self.hub = hub
        self._operators = operators
        self._greeting = greeting
        self._handlers: dict[type, Callable[[Session, Any], None]] = {
            Hello: self._hello,
            Say: self._say,
            Join: self._join,
            Part: self._part,
            Nick: self._nick,
            Earlier: self._history,
            MarkRead: self._seen,
            Write: self._typing,
            Ping: self._ping,
        }

    def receive(self, session: Session, frame: str) -> None:
        """Handle one text frame. Afterwards the session may be held: pass in no more until it resumes."""
        session.heard(self.hub.clock.now())
        try:
            request = decode(frame)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as problem:
            self._malformed(session, frame, str(problem))
            return
        if not session.greeted and not isinstance(request, Hello):
            self._complain(session, Error(Code.BAD_MESSAGE, 'say {"type":"hello"} first'))
            return
        try:
            self._handlers[type(request)](session, request)
        except Refusal as refusal:
            error = error_event(refusal, getattr(request, "id", None))
            if refusal.code in BAD_CODES:
                self._complain(session, error)
            else:
                session.tell(error)

    def _hello(self, session: Session, hello: Hello) -> None:
        if session.greeted:
            raise Refusal(Code.BAD_MESSAGE, wording.HELLO_TWICE)
        session.greet()
        session.hold()
        self.hub.directory.look_up(hello.token).then(partial(self._settle, session, hello))

    def _settle(self, session: Session, hello: Hello, unknown: Refusal | None) -> None:
        """Who the token proves is known, unless there is a Refusal: then a new token must not take its place."""
        if session.closed:
            return
        if unknown is not None:
            session.tell(error_event(unknown))
            self.hub.close(session, CloseReason.FULL, unknown.text, unknown.retry_ms)
            return
        refusals = [self.hub.identities.settle(session, hello.token)]
        if self.hub.turn_away(session):
            return
        identity = session.identity
        restored = identity.rooms[:ROOMS_PER_SESSION] if identity is not None else ()
        # A device that slept may still ask for the nick of yesterday: while another of the person's connections is
        # open, the nick is what it is there.
        nick = hello.nick if session.connections == [session] or name_rules.is_guest(session.nick) else None
        places = hello.rooms
        if places is None:
            places = [Place(name) for name, _, _ in restored] or [Place(LOBBY)]
        possible, impossible = _sorted_out(places[: ROOMS_PER_SESSION + 1])

        def named(refusal: Refusal | None) -> None:
            told = [*refusals, refusal, *impossible]
            self.hub.identities.enters(session, [name_rules.room(place.room) for place in possible])
            self.hub.identities.stored().then(lambda failure: self._welcome(session, told, possible))

        if nick is None:
            named(None)
        else:
            rename(self.hub, session, nick).then(named)

    def _welcome(self, session: Session, refusals: list[Refusal | None], places: list[Place]) -> None:
        """The identity is stored, with the rooms that can be joined: reply to the hello."""
        if session.closed:
            return
        welcome(self.hub, session)
        for refused in refusals:
            if refused is not None:
                session.tell(error_event(refused))
        for place in places:
            self._enter(session, place)
        if self._greeting.motd:
            session.tell(Notice(self._greeting.motd))
        session.release()

    def _say(self, session: Session, say: Say) -> None:
        self._pace(session)
        member = self._member(session, say.room)
        if say.kind is Kind.SAY and commands.named_command(say.text):
            commands.run(self.hub, self._operators, session, member, say.text, say.id)
        else:
            words = say.text.removeprefix("/") if say.kind is Kind.SAY and say.text.startswith("//") else say.text
            self._say_words(session, member, say, words)

    def _say_words(self, session: Session, member: Member, say: Say, words: str) -> None:
        if say.kind is not Kind.SAY or len(words) * 4 <= sanitize.TEXT_BYTES:
            self.hub.say(member, [sanitize.lines(words)], say.kind, say.id)
            return
        text = sanitize.lines(words, self.hub.limits.top_paste_bytes)
        for _ in range(say_at_length(self.hub, member, text, say.id) - 1):
            self.hub.rate_limit.pay(session)

    def _join(self, session: Session, request: Join) -> None:
        self._pace(session)
        self._enter(session, Place(request.room, request.epoch, request.after), request.id)

    def _enter(self, session: Session, place: Place, id: str | None = None) -> None:
        try:
            name = name_rules.room(place.room)
            known = place.epoch is not None and place.after is not None
            position = Position(place.epoch or "", place.after or 0) if known else None
            join(self.hub, session, name, RECENT_MESSAGES, position, id)
        except Refusal as refusal:
            session.tell(error_event(refusal, id))

    def _part(self, session: Session, part: Part) -> None:
        self.hub.leave(self._member(session, part.room))

    def _nick(self, session: Session, nick: Nick) -> None:
        self._pace(session)
        id = {"id": nick.id} if nick.id is not None else {}

        def named(_: None) -> None:
            session.tell(Notice(wording.YOU_ARE.format(nick=session.nick), nick=session.nick, **id))

        session.wait_for(take_nick(self.hub, session, nick.nick), named, nick.id)

    def _history(self, session: Session, earlier: Earlier) -> None:
        self._pace(session)
        name = self._member(session, earlier.room).room.name
        wanted = Range(before=earlier.before, limit=earlier.limit)
        page = self.hub.commits.after_own(session).chain(lambda _: self.hub.history.read(name, wanted))
        session.wait_for(page, partial(show_history, self.hub, session), earlier.id)

    def _seen(self, session: Session, read: MarkRead) -> None:
        """Remember how far the person has read, and tell their other connections. Not counted against the rate: it only
        grows, so there are no more of these than messages."""
        room = self._member(session, read.room).room
        seq = min(read.seq, room.log.head)
        if read.epoch != room.epoch or not self.hub.identities.read(session, room.name, room.epoch, seq):
            return
        others = [each for each in session.connections if each is not session]

        def stored(_: object) -> None:
            for other in others:
                if len(other.owed) < OWED_BYTES:
                    other.tell(Read(room.name, read.epoch, seq))

        if others:  # until it is stored a kill would take back what they were told
            self.hub.identities.stored().then(stored)

    def _typing(self, session: Session, write: Write) -> None:
        """Tell the room's browsers, if the room is small enough for it to matter; above the rate it is dropped
        silently."""
        member = self._member(session, write.room)
        crowd = member.room.presences.crowd
        if self.hub.rate_limit.too_fast(session) or crowd or self.hub.mutes.on(session) is not None:
            return
        self.hub.rate_limit.pay(session)
        self.hub.remote_presence.typing(member)

    def _ping(self, session: Session, ping: Ping) -> None:
        session.tell(Pong() if ping.id is None else Pong(ping.id))

    def _member(self, session: Session, room: str) -> Member:
        member = member_of(session, name_rules.room(room))
        if member is None:
            raise Refusal(Code.NOT_JOINED, wording.NOT_IN_ROOM.format(room=sanitize.shown(room)))
        return member

    def _pace(self, session: Session) -> None:
        seconds = self.hub.rate_limit.too_fast(session)
        if seconds:
            raise too_fast(seconds)
        self.hub.rate_limit.pay(session)

    def _malformed(self, session: Session, frame: str, problem: str) -> None:
        fields = fields_of(frame)
        type, id = fields.get("type"), fields.get("id")
        if has_half_a_pair(fields):
            refusal = Refusal(Code.BAD_TEXT, wording.HALF_A_PAIR)
        elif isinstance(type, str) and type not in TYPES:
            refusal = Refusal(Code.UNKNOWN_TYPE, wording.NO_SUCH_TYPE.format(type=sanitize.shown(type)))
        else:
            refusal = Refusal(Code.BAD_MESSAGE, problem)
        id = id if isinstance(id, str) and 1 <= len(id) <= 64 and id.isprintable() else None
        self._complain(session, error_event(refusal, id))

    def _complain(self, session: Session, error: Error) -> None:
        session.tell(error)
        if self.hub.rate_limit.bad_message(session):
            words = wording.BAD_MESSAGES.format(count=BAD_MESSAGES, seconds=BAD_SECONDS)
            self.hub.close(session, CloseReason.BAD_MESSAGES, words)


def _sorted_out(places: list[Place]) -> tuple[list[Place], list[Refusal]]:
    """The rooms of a hello that can be joined, and a refusal for each of the others."""
    entered: set[str] = set()
    possible, impossible = [], []
    for place in places:
        try:
            name = name_rules.room(place.room)
            if name not in entered and len(entered) == ROOMS_PER_SESSION:
                raise too_many_rooms()
        except Refusal as refusal:
            impossible.append(refusal)
        else:
            entered.add(name)
            possible.append(place)
    return possible, impossible
