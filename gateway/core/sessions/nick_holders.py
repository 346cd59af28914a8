"""The nicknames in use: who holds each of them.

`Nicknames` maps each nick to the session or the identity that holds it, so the two can never hold the same one, nor one
that looks like it. What a nick may look like, and when two are the same, is in `core.name_rules`.

Where there are other nodes it claims each nick from them as well. That takes a moment: a peer that asks for a nick gets
it afterwards (`core.sessions.remote_people`), and a guest name, which the server draws, is used meanwhile and drawn
again if it was taken.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports.cluster import Cluster
from gateway.core.protocol import wire
from gateway.core.quantity import short_duration
from gateway.core.sessions.session import Identity, Session
from gateway.errors import Code, JournalError, Refusal

NICK_SECONDS = 120.0
"""For so long a nick is kept from others after the last connection of the person who had it."""
TAKEN_SECONDS = 5.0
GUESTS = 1 << 16
DRAWS = 64
"""Guest names that are drawn before all of them are looked through."""


Holder = Session | Identity


class Nicknames:
    """The nicks of the sessions that are connected and of the identities that may come back.

    `random_bits` draws guest names. `lost` is called when it turns out that somebody at another node has a holder's
    nick.
    """

    def __init__(
        self,
        random_bits: Callable[[int], int],
        clock: Clock,
        cluster: Cluster,
        lost: Callable[[str, Holder], object],
    ) -> None:
        self._random_bits = random_bits
        self._clock = clock
        self._cluster = cluster
        self._lost = lost
        self._roster: name_rules.Roster[Holder] = name_rules.Roster()
        self._owners: dict[str, str] = {}
        """By key of a nick: the account that it belongs to, casefolded."""

    def reserve(self, accounts: Iterable[str]) -> None:
        """The names of these accounts, and what looks like them, belong to those who log in. Who has one of them now
        keeps it until somebody does."""
        self._owners = {
            key: name.casefold() for name in accounts if _may_be_nick(name) for key in name_rules.keys(name)
        }

    def claim(self, nick: str, holder: Holder) -> bool:
        """Give the holder a valid nick; return False when another has it or one that looks like it, or it belongs to
        an account that is not theirs."""
        if self._is_kept_from(nick, holder) or not self._roster.claim(nick, holder):
            return False
        self._claim_from_nodes(nick, holder)
        return True

    def take(self, nick: str, holder: Holder) -> None:
        """As `claim`, but raise Refusal, which proposes a free nick."""
        if self._is_kept_from(nick, holder):
            raise Refusal(Code.NICK_TAKEN, wording.NICK_OWNED.format(nick=nick))
        if not self._roster.claim(nick, holder):
            raise self.taken(nick)
        self._claim_from_nodes(nick, holder)

    def taken(self, nick: str) -> Refusal:
        """The refusal of a nick that somebody has, or had until just now; it proposes a free one."""
        holder, other = self._roster.holder(nick), self._variant(nick)
        if isinstance(holder, Identity) and not holder.connections:
            return Refusal(Code.NICK_TAKEN, wording.NICK_KEPT.format(why=self.absence(nick, holder), other=other))
        return Refusal(Code.NICK_TAKEN, wording.NICK_TAKEN.format(nick=nick, other=other))

    def ask(self, nick: str, holder: Holder) -> Answer[bool | JournalError]:
        """Claim a nick that is free here from the other nodes; it has to be taken afterwards."""
        return self._cluster.claim(name_rules.keys(nick), self._owner(holder))

    def give_back(self, nick: str, holder: Holder) -> None:
        """A nick that was asked for is free again unless it is taken within TAKEN_SECONDS: the holder may have left, or
        may not be called that."""

        def look() -> None:
            if self._roster.holder(nick) != holder:
                self._cluster.release(name_rules.keys(nick), self._owner(holder))

        self._clock.later(TAKEN_SECONDS, look)

    def hand_over(self, nick: str, before: Holder, holder: Holder) -> None:
        """The nick that `before` held is held by `holder` from now on."""
        self._roster.release(nick)
        self._roster.claim(nick, holder)
        self._claim_from_nodes(nick, holder, before)

    def claim_again(self) -> None:
        """The other nodes may have forgotten who has which nick: claim all that are held here."""
        for holder in self._roster.all():
            nick = holder.nick if isinstance(holder, Session) or holder.latest is None else holder.latest.nick
            self._claim_from_nodes(nick, holder)

    def _claim_from_nodes(self, nick: str, holder: Holder, before: Holder | None = None) -> None:
        if self._cluster.node:
            earlier = "" if before is None else self._owner(before)
            claimed = self._cluster.claim(name_rules.keys(nick), self._owner(holder), earlier)
            claimed.then(partial(self._claimed, nick, holder))

    def _claimed(self, nick: str, holder: Holder, theirs: bool | JournalError) -> None:
        # After an error everything is claimed again, as soon as the others are heard of.
        if theirs is False and self._roster.holder(nick) == holder:
            self._lost(nick, holder)

    def _owner(self, holder: Holder) -> str:
        return holder.id if isinstance(holder, Identity) else f"~{self._cluster.node}:{holder.id}"

    def is_account(self, name: str) -> bool:
        """Whether it is the name of an account that can be somebody's nick."""
        return name.casefold() in self._owners.values()

    def release(self, nick: str, keep: str | None = None) -> None:
        """Free the nick, except where it looks like `keep`."""
        if self._cluster.node:
            holder, kept = self._roster.holder(nick), () if keep is None else name_rules.keys(keep)
            if holder is not None:
                keys = [key for key in name_rules.keys(nick) if key not in kept]
                away = isinstance(holder, Identity) and holder.latest is None
                self._cluster.release(keys, self._owner(holder), away)
        self._roster.release(nick, keep)

    def holders(self, nick: str) -> list[Holder]:
        """Those whose nick is that one or looks like it, connected or not."""
        return list(dict.fromkeys(self._roster.holders(nick)))

    def find(self, nick: str) -> Session:
        """The latest connection of the person with that nick. Raises Refusal."""
        holder = self._roster.holder(nick)
        found = holder.connections if holder is not None else []
        if not found:
            raise Refusal(Code.NO_SUCH_USER, self.absence(nick, holder))
        return found[-1]

    def sessions(self, nick: str) -> list[Session]:
        """All connections of the people whose nick is that one or looks like it."""
        return [session for holder in self.holders(nick) for session in holder.connections]

    def held(self, nick: str) -> bool:
        """Whether somebody has that nick or one that looks like it, or it belongs to an account."""
        return self._roster.holder(nick) is not None or (bool(self._owners) and self._is_owned(nick))

    def _is_owned(self, nick: str) -> bool:
        return any(key in self._owners for key in name_rules.keys(nick))

    def guest(self) -> str:
        """A free guest name. Raises Refusal when all are taken."""
        free = next((nick for nick in self._guests() if not self.held(nick)), None)
        if free is None:
            raise Refusal(Code.FULL, wording.NO_GUEST_NAME, retry_ms=30_000)
        return free

    def take_guest(self, holder: Holder) -> str:
        """Give the holder a free guest name, and return it. Raises Refusal when all are taken."""
        for nick in self._guests():
            if self.claim(nick, holder):
                return nick
        raise Refusal(Code.FULL, wording.NO_GUEST_NAME, retry_ms=30_000)

    def _guests(self) -> Iterator[str]:
        """Guest names to try: some that are drawn, then all of them in order."""
        for _ in range(DRAWS):
            yield name_rules.guest(self._random_bits(16))
        yield from map(name_rules.guest, range(GUESTS))

    def _is_kept_from(self, nick: str, holder: Holder) -> bool:
        if not self._owners:
            return False
        own = holder.account.casefold() if isinstance(holder, Identity) else ""
        return any(self._owners.get(key, own) != own for key in name_rules.keys(nick))

    def absence(self, nick: str, holder: Holder | None) -> str:
        """Why nobody is found under that nick, in words."""
        if not isinstance(holder, Identity):
            return wording.NOBODY_CALLED.format(nick=sanitize.shown(nick))
        ago = short_duration(max(0, self._clock.trusted.now() - holder.gone_at) / 1000)
        until = wire.clock(holder.gone_at + int(NICK_SECONDS * 1000))
        words = wording.LEFT_AGO if holder.owns_nick else wording.LEFT_AGO_UNTIL
        return words.format(nick=holder.nick, ago=ago, until=until)

    def _variant(self, nick: str) -> str:
        variants = (f"{nick[:29]}{number}" for number in range(2, 1000))
        return next((variant for variant in variants if not self.held(variant)), wording.NICK_TAKEN_OTHER)


def _may_be_nick(name: str) -> bool:
    try:
        return name_rules.nick(name) == name
    except Refusal:
        return False
