"""The nicks in use, by session or identity."""

from collections.abc import Callable
from itertools import chain

from gateway.core import sanitize
from gateway.core.sessions import nicknames
from gateway.core.sessions.session import Identity, Session
from gateway.errors import Code, Refusal

GUESTS = 1 << 16


Holder = Session | Identity


class Nicknames:
    """The nicks of the sessions that are connected and of the identities that may come back.

    `random_bits` draws guest names.
    """

    def __init__(self, random_bits: Callable[[int], int]) -> None:
        self._random_bits = random_bits
        self._roster: nicknames.Roster[Holder] = nicknames.Roster()

    def claim(self, nick: str, holder: Holder) -> bool:
        """Give the holder a valid nick; return False when another has it or one that looks like it."""
        return self._roster.claim(nick, holder)

    def take(self, nick: str, holder: Holder) -> None:
        """The same, but raises Refusal, which proposes a free nick."""
        if not self.claim(nick, holder):
            raise Refusal(Code.NICK_TAKEN, f"{nick} is taken, try {self._variant(nick)}")

    def release(self, nick: str, keep: str | None = None) -> None:
        """The nick is free again, except where it looks like `keep`."""
        self._roster.release(nick, keep)

    def find(self, nick: str) -> Session:
        """The session with that nick. Raises Refusal."""
        holder = self._roster.holder(nick)
        session = holder.session if isinstance(holder, Identity) else holder
        if session is None:
            raise Refusal(Code.NO_SUCH_USER, f"nobody here is called {sanitize.shown(nick)}")
        return session

    def sessions(self, nick: str) -> list[Session]:
        """The sessions whose nicks are that one or look like it."""
        holders = dict.fromkeys(self._roster.holders(nick))
        found = (holder.session if isinstance(holder, Identity) else holder for holder in holders)
        return [session for session in found if session is not None]

    def held(self, nick: str) -> bool:
        """Whether somebody has that nick or one that looks like it."""
        return self._roster.holder(nick) is not None

    def guest(self) -> str:
        """A free guest name. Raises Refusal when all are taken."""
        drawn = (nicknames.guest(self._random_bits(16)) for _ in range(64))
        for nick in chain(drawn, map(nicknames.guest, range(GUESTS))):
            if not self.held(nick):
                return nick
        raise Refusal(Code.FULL, "every guest name is taken", retry_ms=30_000)

    def _variant(self, nick: str) -> str:
        variants = (f"{nick[:29]}{number}" for number in range(2, 1000))
        return next((variant for variant in variants if not self.held(variant)), "another one")
