"""Posting from outside any session.

A post (`curl`) has no connection of its own: here are decided the name it is posted under, its rate, and that a second
try is posted once.
"""

from functools import partial
from typing import NamedTuple

from gateway import wording
from gateway.core import name_rules
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.protocol.events import too_fast
from gateway.core.protocol.message import Door, Kind, Message
from gateway.core.rooms.fanout import Member, Room
from gateway.core.rooms.group_commit import Draft
from gateway.core.rooms.idempotency import Posted
from gateway.core.rooms.pastes import messages_in, shortened
from gateway.core.sessions.rate_limit import pay, repriced, wait
from gateway.core.sessions.session import Identity
from gateway.errors import Code, Refusal

POSTERS = 10_000
"""How many posters' rates are kept; above that, posters that are within their rate are forgotten."""


class Post(NamedTuple):
    """What is posted from outside any session: sanitized `text` for a valid `room`, under `nick` (None: a guest name)
    or as the identity that `token` proves; `id` marks a second try, `address` is where it came from, `counted_as` the
    key under which that address is limited (None: it is not)."""

    room: str
    text: str
    nick: str | None = None
    id: str | None = None
    token: str | None = None
    address: str = ""
    counted_as: str | None = None


class Posting:
    """The hub's side of POST."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._paid_until: dict[str, float] = {}
        self._limits = hub.limits

    def post(self, post: Post) -> Answer[Posted | Refusal]:
        """Post from outside any session (HTTP). Raises Refusal.

        If the identity (without a token: the room and nick) has used this `id` before, the first answer is returned.
        """
        if not self._hub.cluster.node:
            return self._post(post)

        def known(unknown: Refusal | None) -> Answer[Posted | Refusal]:
            try:
                return self._post(post) if unknown is None else Answer.of(unknown)
            except Refusal as refusal:
                return Answer.of(refusal)

        directory = self._hub.directory
        if post.token is None and post.nick is not None:
            nick = name_rules.nick(post.nick)
            # First, because somebody who is banned may still hold the nick on another node.
            self._hub.bans.check_poster(nick, "", post.address)
            return directory.is_free(nick).chain(known)
        return directory.look_up(post.token).chain(known)

    def _post(self, post: Post) -> Answer[Posted | Refusal]:
        identity = None if post.token is None else self._hub.identities.identities.by_token(post.token)
        if post.token is not None and identity is None:
            raise Refusal(Code.TOKEN_INVALID, wording.TOKEN_INVALID)
        proven = identity.id if identity is not None else ""
        claimed = identity.nick if identity is not None else (post.nick or "")[: name_rules.NICK_BYTES]
        self._hub.bans.check_poster(claimed, proven, post.address)
        nick = self._nick_of(identity) if identity is not None else self._poster(post.nick)
        poster = f"{post.room} {post.nick or ''}" if identity is None else identity
        text, paste = shortened(post.text)
        now = self._hub.clock.wall()
        message = Message(post.room, now, nick, str(Door.HTTP), str(Kind.SAY), text, identity=proven)
        if paste is not None:
            message.paste, message.whole = paste, post.text
        answer: Answer[Posted | Refusal] = Answer()
        if post.id is not None and (identity is not None or post.nick is not None):
            message.identity = identity.id if identity is not None else f"{post.room} {nick}"
            message.id = post.id
            answer, first = self._hub.idempotency.begin((message.identity, post.id))
            if not first:
                return answer
        try:
            self._hub.mutes.check_poster(nick, proven, post.address)
            self._check_pace(poster, post.counted_as, 1 if paste is None else messages_in(paste.bytes))
        except Refusal as refusal:
            answer.set(refusal)
        else:
            self._hub.rooms.open(post.room).then(partial(self._submit, message, answer))
        return answer

    def _nick_of(self, identity: Identity) -> str:
        if not identity.holds_nick and self._hub.nicks.held(identity.nick):
            raise Refusal(Code.NICK_TAKEN, wording.NICK_LOST_POSTER.format(nick=identity.nick))
        return identity.nick

    def _poster(self, nick: str | None) -> str:
        if nick is None:
            return self._hub.nicks.guest()
        nick = name_rules.nick(nick)
        if self._hub.nicks.held(nick):
            raise Refusal(Code.NICK_TAKEN, wording.NICK_HERE.format(nick=nick))
        return nick

    def _check_pace(self, poster: str | Identity, address: str | None, messages: int) -> None:
        """Raise Refusal if the poster is too fast or the journal behind; otherwise this post counts.

        All posters to a room that give no name share one rate; a person has one over all of their connections and
        posts.
        """
        seconds = self._seconds(poster, address, messages)
        if seconds:
            raise too_fast(seconds)
        if self._hub.commits.crowded:
            raise Refusal(Code.BUSY, wording.JOURNAL_BEHIND, retry_ms=1000)

    def _submit(self, message: Message, answer: Answer[Posted | Refusal], room: Room | Refusal) -> None:
        if isinstance(room, Refusal):
            answer.set(room)
        else:
            self._hub.commits.submit(Draft(room, [message], None, answer))

    def _seconds(self, poster: str | Identity, address: str | None, messages: int) -> float:
        """Seconds until `poster` and its address may post again; 0 = now, and this post counts as so many
        messages."""
        now, limits = self._hub.clock.now(), self._hub.limits
        if limits is not self._limits:
            rates = self._limits.messages_per_second, limits.messages_per_second
            self._limits = limits
            paid_until = self._paid_until.items()
            self._paid_until = {who: repriced(at, now, *rates, limits.burst) for who, at in paid_until}
        paid = self._paid_until.get(poster, 0.0) if isinstance(poster, str) else poster.paid_until
        addresses = self._hub.rate_limit.addresses
        seconds = max(wait(paid, now, limits.messages_per_second, limits.burst), addresses.wait(address, now))
        if seconds:
            return seconds
        if len(self._paid_until) > POSTERS:
            self._paid_until = {who: until for who, until in self._paid_until.items() if until > now}
        for _ in range(messages):
            paid = pay(paid, now, limits.messages_per_second)
            addresses.pay(address, now)
        if isinstance(poster, str):
            self._paid_until[poster] = paid
        else:
            poster.paid_until = paid
        return 0.0


def say_at_length(hub: Hub, member: Member, text: str, id: str | None = None) -> int:
    """As `Hub.say`, for gated text that may be a paste; return how many messages it counts for. Raises Refusal."""
    beginning, paste = shortened(text)
    hub.say(member, [beginning], Kind.SAY, id, paste, "" if paste is None else text)
    return 1 if paste is None else messages_in(paste.bytes)
