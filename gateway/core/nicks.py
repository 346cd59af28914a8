"""Who is called what: every nick in use, by its key, under which look-alikes are the same name."""

from collections.abc import Callable
from itertools import chain

from gateway.core import names
from gateway.core.session import Session
from gateway.errors import Code, Refusal

GUESTS = 1 << 16


class Nicks:
    """The nicks of the sessions that are here. `random_bits` draws guest names."""

    def __init__(self, random_bits: Callable[[int], int]) -> None:
        self._random_bits = random_bits
        self._holders: dict[str, Session] = {}

    def take(self, nick: str, session: Session) -> None:
        """Give the session a valid nick. Raises Refusal when another holds it or one that looks like it."""
        holder = self._holders.setdefault(names.key(nick), session)
        if holder is not session:
            raise Refusal(Code.NICK_TAKEN, f"{nick} is taken, try {self._variant(nick)}")

    def release(self, nick: str) -> None:
        """The nick is free again."""
        self._holders.pop(names.key(nick), None)

    def find(self, nick: str) -> Session:
        """The session with that nick. Raises Refusal."""
        session = self._holders.get(names.key(nick))
        if session is None:
            raise Refusal(Code.NO_SUCH_USER, f"nobody here is called {nick}")
        return session

    def held(self, nick: str) -> bool:
        """Somebody is called that."""
        return names.key(nick) in self._holders

    def guest(self) -> str:
        """A guest name nobody has."""
        drawn = (names.guest(self._random_bits(16)) for _ in range(64))
        for nick in chain(drawn, map(names.guest, range(GUESTS))):
            if not self.held(nick):
                return nick
        raise Refusal(Code.FULL, "every guest name is taken", retry_ms=30_000)

    def _variant(self, nick: str) -> str:
        variants = (f"{nick[:29]}{number}" for number in range(2, 1000))
        return next((variant for variant in variants if not self.held(variant)), "another one")
