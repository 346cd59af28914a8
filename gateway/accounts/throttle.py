"""How often somebody may guess: buckets under keys, all of which an attempt has to pay.

An attempt that fails has paid, one that succeeds gets it back. What is refused pays nothing, so nobody who keeps on
hammering locks himself out for longer, and no more buckets are remembered than were paid within a minute. Whoever
succeeded once is known by his key, and known ones need not pay what strangers can use up for all.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

from gateway.core.address import is_loopback, subscriber
from gateway.core.sessions import rate_limit

KNOWN_LIMIT = 1024
SWEEP_AT = 1024


class BucketKind(Enum):
    """What is counted, and how many a minute; so many may also come at once."""

    PAIR = "one name from one address", 3
    ADDRESS = "one address, whatever the name", 3
    ALL = "everybody who is not known", 20

    def __init__(self, meaning: str, per_minute: int) -> None:
        self.meaning = meaning
        self.burst = per_minute
        self.rate = per_minute / 60


class Key(NamedTuple):
    """One bucket."""

    kind: BucketKind
    name: str = ""
    network: str = ""


EVERYBODY = Key(BucketKind.ALL)


class LoginThrottle:
    """The buckets. `clock` answers monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._paid: dict[Key, float] = {}
        self._known: dict[Key, None] = {}

    def take(self, keys: Iterable[Key]) -> float:
        """Pay one attempt of each key, and answer 0; or the seconds until that is possible, and nothing is paid."""
        keys, now = tuple(keys), self._clock()
        wait = max(rate_limit.wait(self._paid.get(key, 0.0), now, key.kind.rate, key.kind.burst) for key in keys)
        if wait:
            return wait
        if len(self._paid) >= SWEEP_AT:
            self._paid = {key: until for key, until in self._paid.items() if until > now}
        for key in keys:
            self._paid[key] = rate_limit.pay(self._paid.get(key, 0.0), now, key.kind.rate)
        return 0.0

    def give_back(self, keys: Iterable[Key]) -> None:
        """What was taken was no guess."""
        for key in keys:
            self._paid[key] = self._paid.get(key, 0.0) - 1 / key.kind.rate

    def remember(self, key: Key) -> None:
        """Who holds this key has succeeded. The last KNOWN_LIMIT are remembered."""
        self._known.pop(key, None)
        while len(self._known) >= KNOWN_LIMIT:
            del self._known[next(iter(self._known))]
        self._known[key] = None

    def knows(self, key: Key) -> bool:
        """Whether who holds this key has succeeded before."""
        return key in self._known


def network(address: str) -> tuple[str, bool]:
    """Under which name an address is counted, an IPv6 one as its /64; and whether it is this machine's own."""
    return subscriber(address), is_loopback(address)
