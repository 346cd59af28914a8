"""The login throttle: limits guessing with token buckets, all of which an attempt has to pay.

A failed attempt has paid; a successful one gets it back. A refused attempt pays nothing, so hammering on does not
prolong the wait, and no more buckets are held than were paid within a minute. A pair of name and address that has
succeeded once is known, and known pairs do not pay the bucket that strangers can empty for everybody.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

from gateway.core.address import is_loopback, subscriber
from gateway.core.sessions import rate_limit

KNOWN_LIMIT = 1024
SWEEP_AT = 1024


class BucketKind(Enum):
    """What a bucket counts, and how many attempts a minute it allows; as many may come at once."""

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
    """The buckets. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._paid: dict[Key, float] = {}
        self._known: dict[Key, None] = {}

    def take(self, keys: Iterable[Key]) -> float:
        """Pay one attempt from each bucket and return 0; or pay nothing and return the seconds until that is
        possible."""
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
        """Pay back what was taken: it was not a wrong guess."""
        for key in keys:
            self._paid[key] = self._paid.get(key, 0.0) - 1 / key.kind.rate

    def remember(self, key: Key) -> None:
        """This key has succeeded. The last KNOWN_LIMIT are remembered."""
        self._known.pop(key, None)
        while len(self._known) >= KNOWN_LIMIT:
            del self._known[next(iter(self._known))]
        self._known[key] = None

    def knows(self, key: Key) -> bool:
        """Whether this key has succeeded before."""
        return key in self._known


def network(address: str) -> tuple[str, bool]:
    """The name under which an address is counted, an IPv6 one as its /64; and whether it is loopback."""
    return subscriber(address), is_loopback(address)
