"""Counts over several processes: each adds to its own part and sees the sum."""

import os

import pytest

from gateway.accounts.authenticator import BucketKind, Key, LoginThrottle
from gateway.core.address import Remote
from gateway.core.connection_limits import ConnectionLimits, LimitReached
from gateway.core.sessions.rate_limit import AddressRate, Limits
from gateway.process.shared_counts import MARGIN, SharedCounts, SharedKeys
from tests.fakes import StandingClock

NOW = 1000.0


@pytest.fixture
def shared() -> SharedCounts:
    return SharedCounts(3)


def test_limits_mean_all_workers_together(shared: SharedCounts) -> None:
    one, other = (ConnectionLimits(5, 2, shared.part(number)) for number in (0, 1))
    assert one.enter() is one.enter() is other.enter() is other.enter() is other.enter() is None
    assert isinstance(one.enter(), LimitReached) and isinstance(other.enter(), LimitReached)
    one.leave()
    assert other.enter() is None

    peer = Remote("192.0.2.1")
    assert one.come(peer) is other.come(peer) is None
    assert isinstance(one.come(peer), LimitReached)
    assert one.come(Remote("192.0.2.2")) is None
    other.go(peer)
    assert one.come(peer) is None


def test_what_a_forked_worker_counts_is_seen_and_wiped_when_it_has_ended(shared: SharedCounts) -> None:
    pid = os.fork()
    if not pid:
        shared.part(1).connections(3)
        shared.part(1).address("192.0.2.1", 2)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    here = shared.part(0)
    here.address("192.0.2.1", 1)

    assert (here.all_connections, here.all_from("192.0.2.1")) == (3, 3)
    shared.wipe(1)
    assert (here.all_connections, here.all_from("192.0.2.1")) == (0, 1)


def test_the_rate_of_an_address_is_that_of_all_workers(shared: SharedCounts) -> None:
    limits = Limits(address_messages_per_second=10, address_burst=4)
    one, other = (AddressRate(limits, shared.part(number).messages) for number in (0, 1))
    for rate in (one, other, one, other):
        assert not rate.wait("192.0.2.1", NOW)
        rate.pay("192.0.2.1", NOW)
    assert one.wait("192.0.2.1", NOW) == other.wait("192.0.2.1", NOW) == pytest.approx(0.1)
    assert not other.wait("192.0.2.2", NOW)
    assert not one.wait("192.0.2.1", NOW + 0.1)
    for rate in (one, other):  # each worker applies new limits
        rate.limit(Limits(address_messages_per_second=100, address_burst=1), NOW)
    assert other.wait("192.0.2.1", NOW) == pytest.approx(0.01), "at most a whole burst stays used"


def test_guesses_count_at_all_workers_and_who_is_known_at_one_is_known_at_all(shared: SharedCounts) -> None:
    clock = StandingClock()
    parts = [shared.part(number) for number in (0, 1)]
    one, other = (LoginThrottle(clock, part.attempts, part.known) for part in parts)
    ana, bob = (Key(BucketKind.PAIR, name, "192.0.2.1") for name in ("ana", "bob"))
    assert [throttle.take([ana]) for throttle in (one, other, one)] == [0, 0, 0]
    assert other.take([ana]) == pytest.approx(20)
    other.give_back([ana])
    assert not one.take([ana]) and one.take([ana])
    assert not other.take([bob])
    one.remember(bob)
    assert other.knows(bob) and not other.knows(ana)


def test_keys_without_end_are_forgotten_before_strangers_are_taken_for_known(shared: SharedCounts) -> None:
    for number in range(3 * SharedKeys.KEYS):
        shared.known.add(("known", number))
        assert ("known", number) in shared.known
    assert sum(("stranger", number) in shared.known for number in range(20_000)) < 200


def test_a_worker_leaves_newcomers_to_one_with_clearly_fewer_that_accepts(shared: SharedCounts) -> None:
    busy, idle = shared.part(0), shared.part(1)
    busy.accepts(True)
    busy.connections(MARGIN + 1)
    assert not busy.busier(), "nobody else accepts"
    idle.accepts(True)
    assert busy.busier() and not idle.busier()
    idle.connections(1)
    assert not busy.busier()
    idle.connections(-1)
    idle.accepts(False)
    assert not busy.busier()
