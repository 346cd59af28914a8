"""Counts over several processes: each adds to its own part and sees the sum."""

import os

import pytest

from gateway.core.address import Remote
from gateway.process.shared import MARGIN, SharedCounts
from gateway.tcp.connection_limits import ConnectionLimits, LimitReached


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
