"""The rate limit: a token bucket kept as one number (the generic cell rate algorithm, GCRA).

`paid_until` is the moment up to which a person has used their rate, over all of their connections. Each message
moves it on by 1/rate; as long as it is not more than burst/rate ahead of now, the message is within the rate. One
number per person instead of a count and a time, and no timer refills anything.

Malformed messages are counted apart (`bad_message`): they cost nothing of the rate, but too many close a connection.

Searches have a rate of their own (`SearchTurns`), by the time they take. They run one after the other, on a thread of
their own. So that a flood from one address leaves room for others, only a few of an address wait at a time.

`Limits` holds these and the hub's other limits, as the settings give them. 0 = no limit, but memory has a hard top.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway import wording
from gateway.core.clock import Clock
from gateway.core.sanitize import TEXT_BYTES
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

HARD_LOG_MESSAGES = 1_000_000
HARD_LOG_BYTES = 1 << 30
HARD_LOGS_BYTES = 4 << 30
HARD_PASTE_BYTES = 1 << 20
HARD_ROOMS = 1_000_000
BAD_MESSAGES = 10
BAD_SECONDS = 60.0
"""A peer that sends so many malformed messages within so many seconds is a program that ignores the replies."""
ADDRESSES = 10_000
"""Addresses that are kept before those that have used nothing of their rate are searched for and dropped."""


SEARCHES_WAITING = 20
SEARCHES_WAITING_PER_ADDRESS = 2
SEARCH_SHARE = 0.5
"""The part of the time that the searches of one address may take in the long run; the least search counts as 50 ms."""
SEARCH_AHEAD_SECONDS = 5.0
"""How far ahead of that share an address may be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per person, per room and in all; the settings say where each default comes from."""

    messages_per_second: float = 10
    burst: int = 100
    rooms: int = 10_000
    log_messages: int = 10_000
    address_messages_per_second: float = 50
    address_burst: int = 1000
    log_bytes: int = 8 << 20
    logs_bytes: int = 256 << 20
    paste_bytes: int = 64 << 10
    stall_seconds: float = 0.0
    create_rooms: bool = True
    connections: int = 10_000

    @property
    def top_log_messages(self) -> int:
        """Messages a room's log holds at most."""
        return self.log_messages or HARD_LOG_MESSAGES

    @property
    def top_log_bytes(self) -> int:
        """Bytes a room's log takes at most."""
        return self.log_bytes or HARD_LOG_BYTES

    @property
    def top_logs_bytes(self) -> int:
        """Bytes all logs take together at most."""
        return self.logs_bytes or HARD_LOGS_BYTES

    @property
    def top_paste_bytes(self) -> int:
        """Bytes of a text at most; as many as a message has if pastes are to be shorter than that."""
        return max(self.paste_bytes or HARD_PASTE_BYTES, TEXT_BYTES)

    @property
    def top_rooms(self) -> int:
        """Rooms in memory at most."""
        return self.rooms or HARD_ROOMS


ROUNDING = 1e-6
"""Seconds; a shorter wait is a rounding error of floating point."""


def wait(paid_until: float, now: float, rate: float, burst: float) -> float:
    """Seconds until one more message is within the limits of `rate` per second and `burst` at once; 0 = now. Rate 0 =
    no limit."""
    if rate <= 0:
        return 0.0
    seconds = paid_until - now - (max(burst, 1) - 1) / rate
    return seconds if seconds > ROUNDING else 0.0


def pay(paid_until: float, now: float, rate: float) -> float:
    """The new `paid_until` after one message."""
    return 0.0 if rate <= 0 else max(paid_until, now) + 1 / rate


def repriced(paid_until: float, now: float, rate_before: float, rate: float, burst: float) -> float:
    """The new `paid_until` after a change of limits: the same number of messages stays used, at most a whole burst."""
    if rate_before <= 0 or rate <= 0:
        return 0.0
    used = min((paid_until - now) * rate_before, max(burst, 1))
    return now + used / rate if used > 0 else 0.0


class Payments(Protocol):
    """Until when each payer has paid, in monotonic seconds; of this process, or of all that share the limits."""

    def until(self, payer: Hashable) -> float:
        """0 for one who has not paid lately."""
        ...

    def pay(self, payer: Hashable, now: float, rate: float) -> None:
        """Pay for one message or attempt."""
        ...

    def give_back(self, payer: Hashable, rate: float) -> None:
        """Return what was paid for one."""
        ...

    def reprice(self, now: float, rate_before: float, rate: float, burst: float) -> None:
        """The limits have changed: what has been used stays used."""
        ...


class OwnPayments:
    """The payments to one process. Those whose time is over are forgotten when there are more than `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def until(self, payer: Hashable) -> float:
        """As `Payments.until`."""
        return self._until.get(payer, 0.0)

    def pay(self, payer: Hashable, now: float, rate: float) -> None:
        """As `Payments.pay`."""
        if len(self._until) >= self._most:
            self._until = {who: until for who, until in self._until.items() if until > now}
        self._until[payer] = pay(self._until.get(payer, 0.0), now, rate)

    def give_back(self, payer: Hashable, rate: float) -> None:
        """As `Payments.give_back`."""
        self._until[payer] = self._until.get(payer, 0.0) - 1 / rate

    def reprice(self, now: float, rate_before: float, rate: float, burst: float) -> None:
        """As `Payments.reprice`."""
        paid = self._until.items()
        self._until = {who: repriced(until, now, rate_before, rate, burst) for who, until in paid}


class AddressRate:
    """The rate of each address over all its sessions and POSTs, so that a new name or connection does not buy a new
    rate. Addresses are those of `Remote.counted_as`; None is not counted."""

    def __init__(self, limits: Limits, payments: Payments | None = None) -> None:
        self._rate = limits.address_messages_per_second
        self._burst = limits.address_burst
        self._payments = OwnPayments(ADDRESSES) if payments is None else payments

    def wait(self, address: str | None, now: float) -> float:
        """Seconds until the address may speak again, 0 = now."""
        if address is None or not self._rate:
            return 0.0
        return wait(self._payments.until(address), now, self._rate, self._burst)

    def pay(self, address: str | None, now: float) -> None:
        """Count one message of the address."""
        if address is not None and self._rate:
            self._payments.pay(address, now, self._rate)

    def limit(self, limits: Limits, now: float) -> None:
        """Apply these limits from now on: what has been used stays used."""
        before, self._rate, self._burst = self._rate, limits.address_messages_per_second, limits.address_burst
        self._payments.reprice(now, before, self._rate, self._burst)

    def stop(self) -> None:
        """From now on nothing is counted."""
        self._rate = 0.0


class RateLimit:
    """Counts what each session sends against the limits. `rate` and `burst` are copies of the limits', kept here
    because each message reads them twice."""

    def __init__(self, limits: Limits, clock: Clock, addresses: Payments | None = None) -> None:
        self.rate = limits.messages_per_second
        """Messages per second of one person in the long run, 0 = no limit."""
        self._burst = limits.burst
        self._clock = clock
        self.addresses = AddressRate(limits, addresses)
        self._slowed: dict[Session, None] = {}
        self._bad: dict[Session, list[float]] = {}
        """When those that send malformed messages sent their last ones."""
        self._hurried = False
        self.heard = 0
        """Lines and requests that counted against a rate since the start."""

    def too_fast(self, session: Session) -> float:
        """Seconds until the session may speak again, 0 = now; counts nothing."""
        address = session.counted_as
        if address is None and not self.rate:
            return 0.0
        now = self._clock.now()
        own = wait((session.identity or session).paid_until, now, self.rate, self._burst) if self.rate else 0.0
        return own if address is None else max(own, self.addresses.wait(address, now))

    def pay(self, session: Session, most: int = 1) -> int:
        """Count messages or requests against the person's rate and the address's, one after the other: at most so many,
        and none after the one that makes the session too fast. Return how many, 1 or more."""
        address = session.counted_as
        if address is None and not self.rate:
            self.heard += most
            return most
        now = self._clock.now()
        payer = session.identity or session
        count = 0
        while not count or (count < most and not self.too_fast(session)):
            payer.paid_until = pay(payer.paid_until, now, self.rate) if self.rate else 0.0
            if address is not None:
                self.addresses.pay(address, now)
            count += 1
        self.heard += count
        return count

    def slow_down(self, session: Session) -> None:
        """Hold the input of a session that is too fast until its rate allows the next message."""
        seconds = self.too_fast(session)
        if seconds:
            session.hold()
            self._slowed[session] = None
            self._clock.later(seconds, lambda: self._speed_up(session))

    def changed(self, before: Limits, limits: Limits, sessions: Iterable[Session]) -> None:
        """The limits have changed from `before` to `limits`: what everybody has used of their rate stays used."""
        now = self._clock.now()
        self.rate = 0.0 if self._hurried else limits.messages_per_second
        self._burst = limits.burst
        if not self._hurried:
            self.addresses.limit(limits, now)
        rates = before.messages_per_second, limits.messages_per_second
        for payer in dict.fromkeys(session.identity or session for session in sessions):
            payer.paid_until = repriced(payer.paid_until, now, *rates, limits.burst)
        for session in list(self._slowed):
            self._speed_up(session)

    def bad_message(self, session: Session) -> bool:
        """Count one malformed message of the session; return whether it has sent too many."""
        now = self._clock.now()
        recent = [when for when in self._bad.get(session, ()) if when > now - BAD_SECONDS]
        if not session.closed:
            self._bad[session] = [*recent, now]
        return len(recent) + 1 >= BAD_MESSAGES

    def forget(self, session: Session) -> None:
        """The session is over."""
        self._slowed.pop(session, None)
        self._bad.pop(session, None)

    def hurry(self) -> None:
        """The process stops: from now on no session is too fast, so that everything received can be posted in time."""
        self._hurried = True
        self.rate = 0.0
        self.addresses.stop()
        for session in list(self._slowed):
            self._speed_up(session)

    def _speed_up(self, session: Session) -> None:
        if session in self._slowed:
            del self._slowed[session]
            session.release()


class SearchTurns:
    """Decides who may search now. `start` and `finish` enclose each search; an address of None is not counted."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: Counter[str | None] = Counter()
        self._paid_until: dict[str, float] = {}

    def start(self, address: str | None) -> float:
        """When the search began; it must be finished. Raises Refusal for one that comes too soon."""
        now = self._now()
        if self._waiting.total() >= SEARCHES_WAITING:
            raise Refusal(Code.BUSY, wording.TOO_MANY_WAIT, retry_ms=1000)
        if address is not None:
            if self._waiting[address] >= SEARCHES_WAITING_PER_ADDRESS:
                raise Refusal(Code.RATE_LIMITED, wording.SEARCH_RUNS, retry_ms=1000)
            ahead = self._paid_until.get(address, 0.0) - now - SEARCH_AHEAD_SECONDS
            if ahead > 0:
                raise Refusal(
                    Code.RATE_LIMITED,
                    wording.SEARCHES_TOO_FAST.format(seconds=ahead + 0.1),
                    retry_ms=int(ahead * 1000) + 1,
                )
        self._waiting[address] += 1
        return now

    def finish(self, address: str | None, began: float) -> None:
        """The search is over: charge it."""
        self._waiting[address] -= 1
        if address is not None:
            now = self._now()
            if len(self._paid_until) >= ADDRESSES:
                self._paid_until = {key: until for key, until in self._paid_until.items() if until > now}
            self._paid_until[address] = (
                max(now, self._paid_until.get(address, now)) + max(0.05, now - began) / SEARCH_SHARE
            )
        self._waiting += Counter()  # drops those that have come to nothing
