"""The authenticator: logs operators in by password and scripts by token, and throttles guessing.

Hashing takes tens of milliseconds and megabytes on purpose. So it runs in threads of its own, two at most, never on
more bytes than a password may have, and only after the throttle has counted the attempt.

`LoginThrottle` limits guessing with token buckets, all of which an attempt has to pay. A failed attempt has paid; a
successful one gets its payment back. A refused attempt pays nothing, so further attempts do not prolong the wait, and
no more buckets are held than were paid within a minute. A pair of name and address that has succeeded once is known,
and known pairs do not pay the bucket that all strangers share: failing under somebody else's name, from anywhere and
for however long, does not lock that person out.

Simple on purpose: known pairs are forgotten at a restart, and from an address where a token is known others at that
address may guess tokens without limit; a token made here has 192 random bits.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from functools import partial
from pkgutil import resolve_name
from typing import NamedTuple, Protocol

from gateway import wording
from gateway.accounts.accounts import Accounts, composed, digest_of
from gateway.core import sanitize
from gateway.core.address import is_loopback, subscriber
from gateway.core.answer import Answer
from gateway.core.ports.cluster import Alone, Cluster, GuessesFailed
from gateway.core.roles import Operator
from gateway.core.sessions import rate_limit
from gateway.core.sessions.rate_limit import OwnPayments, Payments
from gateway.errors import Code, Refusal

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


class KnownKeys(Protocol):
    """The keys that have succeeded; of this process, or of all that share the throttle."""

    def add(self, key: Hashable) -> None:
        """This key has succeeded."""
        ...

    def __contains__(self, key: Hashable) -> bool: ...


class OwnKnownKeys:
    """The last KNOWN_LIMIT keys that have succeeded at one process."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, None] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Hashable) -> None:
        """As `KnownKeys.add`."""
        self._keys.pop(key, None)
        while len(self._keys) >= KNOWN_LIMIT:
            del self._keys[next(iter(self._keys))]
        self._keys[key] = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._keys


class Others(NamedTuple):
    """The other nodes, which count what is guessed here, as this one counts what is guessed there. Workers that share
    their buckets are of one `family`, and only one of them `hears` the others."""

    cluster: Cluster
    family: str = ""
    hears: bool = True


NO_OTHERS = Others(Alone())


class LoginThrottle:
    """The buckets. `clock` returns monotonic seconds. `payments` and `known` are those of several processes."""

    def __init__(
        self,
        clock: Callable[[], float],
        payments: Payments | None = None,
        known: KnownKeys | None = None,
        others: Others = NO_OTHERS,
    ) -> None:
        self._clock = clock
        self._others = others
        if others.hears:
            others.cluster.hear(GuessesFailed, self._failed_elsewhere)
        self._payments = OwnPayments(SWEEP_AT) if payments is None else payments
        self._known = OwnKnownKeys() if known is None else known

    def take(self, keys: Iterable[Key]) -> float:
        """Pay one attempt from each bucket and return 0; or pay nothing and return the seconds until that is
        possible."""
        keys, now = tuple(keys), self._clock()
        wait = max(rate_limit.wait(self._payments.until(key), now, key.kind.rate, key.kind.burst) for key in keys)
        if wait:
            return wait
        for key in keys:
            self._payments.pay(key, now, key.kind.rate)
        return 0.0

    def give_back(self, keys: Iterable[Key]) -> None:
        """Return what an attempt has paid: it was not a wrong guess."""
        for key in keys:
            self._payments.give_back(key, key.kind.rate)

    def failed(self, keys: Iterable[Key]) -> None:
        """An attempt that has paid from these buckets was a wrong guess: the other nodes count it too."""
        payers = [(key.kind.name, key.name, key.network) for key in keys]
        self._others.cluster.tell(GuessesFailed(payers, self._others.family))

    def _failed_elsewhere(self, guesses: GuessesFailed) -> None:
        if self._others.family and guesses.family == self._others.family:
            return
        for kind, name, network in guesses.payers:
            self.take([Key(BucketKind[kind], name, network)])  # not more than a bucket holds: nodes hear it late

    def remember(self, key: Key) -> None:
        """This key has succeeded."""
        self._known.add(key)

    def knows(self, key: Key) -> bool:
        """Whether this key has succeeded before."""
        return key in self._known


def network(address: str) -> tuple[str, bool]:
    """The name under which an address is counted, an IPv6 one as its /64; and whether it is loopback."""
    return subscriber(address), is_loopback(address)


VERIFY = "gateway.accounts.argon:verify"
"""Loaded in the thread at the first login, so that it costs nothing at the start."""
HASHING_AT_ONCE = 2
NAME_BYTES = 128
TOKEN_CHARACTERS = 1024
WRONG_TOKENS = 256

log = logging.getLogger("gateway.admin")


class Authenticator:
    """Checks passwords and tokens. `clock` returns monotonic seconds. The caller records the result, and completes the
    `source` of the operator, which is only the address here. `payments`, `known` and `others` as for
    `LoginThrottle`."""

    def __init__(
        self,
        accounts: Accounts,
        clock: Callable[[], float],
        payments: Payments | None = None,
        known: KnownKeys | None = None,
        others: Others = NO_OTHERS,
    ) -> None:
        self._accounts = accounts
        self._attempts = LoginThrottle(clock, payments, known, others)
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(HASHING_AT_ONCE, thread_name_prefix="password")
        self._wrong_tokens: dict[Key, None] = {}

    @property
    def has_operators(self) -> bool:
        """Whether anybody can log in to the dashboard with a password."""
        return self._accounts.has_operators

    @property
    def names(self) -> list[str]:
        """The names of all accounts."""
        return self._accounts.names

    def know(self, accounts: Accounts) -> frozenset[str]:
        """Use these accounts and tokens from now on. Return the accounts whose logins are no longer valid."""
        before, self._accounts = self._accounts, accounts
        return before.changed(accounts)

    def proof(self, name: str) -> str:
        """A text that a login of this account keeps: it changes with the role or the password, and if the account is
        removed."""
        return self._accounts.proof(name)

    def close(self) -> None:
        """Stop verifying; attempts that still wait get no answer."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def login(self, name: str, password: str, address: str) -> Answer[Operator | Refusal]:
        """Check a password; the answer comes on the loop's thread. Without a name the administrator is meant.

        A Refusal is bad_message for an impossible name or password, rate_limited after too many failed attempts,
        forbidden when the name or the password is wrong, busy when the check itself failed.
        """
        try:
            if not self._accounts.has_passwords:
                raise Refusal(Code.FORBIDDEN, wording.NO_PASSWORDS)
            name, raw = _sound_name(name or self._accounts.administrator), composed(password)
            keys = self._keys(name.casefold(), address)
            self._take(keys)
        except Refusal as refusal:
            return Answer.of(refusal)
        future = self._threads.submit(_verify, self._accounts.hash(name), raw)
        verified: Answer[Future[bool]] = Answer()

        def hand_over(future: "Future[bool]") -> None:
            if not future.cancelled():
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(verified.set, future)

        future.add_done_callback(hand_over)
        return verified.map(partial(self._verified, name, address, keys))

    def _verified(self, name: str, address: str, keys: tuple[Key, ...], future: "Future[bool]") -> Operator | Refusal:
        account, problem = self._accounts.account(name), future.exception()
        if problem is not None:
            log.error(wording.LOG_PASSWORD_UNVERIFIED, exc_info=problem)
            self._attempts.give_back(keys)
            return Refusal(Code.BUSY, wording.PASSWORD_UNCHECKED, retry_ms=1000)
        if account is None or not future.result():
            self._attempts.failed(keys)
            return Refusal(Code.FORBIDDEN, wording.WRONG_LOGIN)
        self._attempts.give_back(keys)
        self._attempts.remember(keys[0])
        return Operator(account.name, account.role, address)

    def bearer(self, token: str, address: str) -> Operator:
        """The operator of a token. Raises Refusal: token_invalid, or rate_limited after too many wrong ones."""
        digest = digest_of(token[:TOKEN_CHARACTERS])
        found, keys = self._accounts.token(digest), self._keys(digest, address)
        if found is not None and self._attempts.knows(keys[0]):
            return Operator(found.name, found.role, address)
        if keys[0] in self._wrong_tokens:
            keys = keys[:1]  # the same wrong token again is not a new guess: it must not keep others out
        self._take(keys)
        if found is None:
            while len(self._wrong_tokens) >= WRONG_TOKENS:
                del self._wrong_tokens[next(iter(self._wrong_tokens))]
            self._wrong_tokens[keys[0]] = None
            self._attempts.failed(keys)
            raise Refusal(Code.TOKEN_INVALID, wording.TOKEN_UNKNOWN)
        self._attempts.give_back(keys)
        self._attempts.remember(keys[0])
        return Operator(found.name, found.role, address)

    def guessed(self, what: str, address: str, right: bool) -> None:
        """See `core.roles.PasswordCheck`."""
        counted, is_own = network(address)
        keys = [Key(BucketKind.PAIR, f"/{what}", counted), Key(BucketKind.ALL, f"/{what}")]
        if not is_own:
            keys.append(Key(BucketKind.ADDRESS, network=counted))
        self._take(tuple(keys))
        if right:
            self._attempts.give_back(keys)
        else:
            self._attempts.failed(keys)

    def _keys(self, name: str, address: str) -> tuple[Key, ...]:
        """The buckets of an attempt, first its pair of name and address. Many people may share loopback, so it has no
        bucket as an address."""
        counted, is_own = network(address)
        pair = Key(BucketKind.PAIR, name, counted)
        keys = [pair]
        if not is_own:
            keys.append(Key(BucketKind.ADDRESS, network=counted))
        if not self._attempts.knows(pair):
            keys.append(EVERYBODY)
        return tuple(keys)

    def _take(self, keys: tuple[Key, ...]) -> None:
        wait = self._attempts.take(keys)
        if wait:
            seconds = math.ceil(wait)
            words = wording.TOO_MANY_FAILURES.format(seconds=seconds)
            raise Refusal(Code.RATE_LIMITED, words, retry_ms=seconds * 1000)


def _verify(hashed: str, password: bytes) -> bool:
    right: bool = resolve_name(VERIFY)(hashed, password)
    return right


def _sound_name(name: str) -> str:
    """The name, if it is valid. Raises Refusal (bad_message)."""
    try:
        if name == sanitize.line(name, NAME_BYTES):
            return name
    except Refusal:
        pass
    raise Refusal(Code.BAD_MESSAGE, wording.LOGIN_NAME.format(most=NAME_BYTES))
