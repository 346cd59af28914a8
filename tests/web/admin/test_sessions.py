"""The sessions of the dashboard when several nodes share the ledger that keeps them."""

import pytest

from gateway.core.hub import Hub
from gateway.core.roles import Operator, Role
from gateway.web.admin.sessions import SESSION_IDLE, WRITTEN_EVERY, AdminSessions
from gateway.web.app import links_of
from tests.core.nodes import Nodes
from tests.fakes import StandingClock

ANA = Operator("ana", Role.ADMIN, "web 10.0.0.9")


class Dashboards:
    """Two nodes' sessions over one ledger."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.nodes = Nodes()
        self.hubs: list[Hub] = []
        self.here, self.there = self._start("a"), self._start("b")

    def _start(self, name: str) -> AdminSessions:
        hub = self.nodes.start(name).hub
        self.hubs.append(hub)
        sessions = AdminSessions(self.clock, hub.journal.ledger, lambda account: f"proof of {account}", hub.cluster)
        sessions.start()
        return sessions


@pytest.fixture
def both() -> Dashboards:
    return Dashboards()


def test_a_cookie_is_good_at_the_other_node(both: Dashboards) -> None:
    secret, _ = both.here.open(ANA, "curl")
    both.nodes.settle()

    found = both.there.find(secret)

    assert found is not None and found.operator == ANA


def test_a_logout_at_the_other_node_ends_it_here(both: Dashboards) -> None:
    secret, _ = both.here.open(ANA, "curl")
    both.nodes.settle()

    both.there.close(secret)
    both.nodes.settle()

    assert both.here.find(secret) is None


def test_use_at_one_node_keeps_it_open_at_the_other(both: Dashboards) -> None:
    secret, _ = both.here.open(ANA, "curl")
    both.nodes.settle()

    for _ in range(int(2 * SESSION_IDLE / WRITTEN_EVERY)):
        both.clock.now += WRITTEN_EVERY
        assert both.here.find(secret) is not None
        both.nodes.settle()

    assert both.there.find(secret) is not None


def test_a_node_that_missed_a_logout_reads_again(both: Dashboards) -> None:
    secret, _ = both.here.open(ANA, "curl")
    both.nodes.settle()
    both.there.close(secret)

    both.nodes.miss()

    assert both.here.find(secret) is None


def test_a_one_time_link_is_good_once_at_any_node(both: Dashboards) -> None:
    here, there = map(links_of, both.hubs)
    first, second = here.mint(), here.mint()
    both.nodes.settle()

    assert there.problem(first) is None
    assert (there.use(first), there.use(first)) == (None, "used")
    both.nodes.settle()
    assert here.use(first) == "used"
    assert here.use(second) is None
    both.nodes.settle()
    assert there.use(second) == "used"
    assert there.use("another") == "unknown"


def test_a_store_that_forgets_everything_is_told_the_logins_again(both: Dashboards) -> None:
    secret, _ = both.here.open(ANA, "curl")
    both.nodes.settle()

    both.nodes.flush()

    assert both.here.find(secret) is not None and both.there.find(secret) is not None
