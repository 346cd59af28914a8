"""How often passwords and tokens may be guessed."""

import pytest

from gateway.accounts.authenticator import (
    EVERYBODY,
    KNOWN_LIMIT,
    SWEEP_AT,
    BucketKind,
    Key,
    LoginThrottle,
    Others,
    network,
)
from gateway.core.sessions.rate_limit import OwnPayments
from tests.core.nodes import Nodes
from tests.fakes import StandingClock

PAIR = Key(BucketKind.PAIR, "admin", "10.0.0.1")
ADDRESS = Key(BucketKind.ADDRESS, network="10.0.0.1")


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def attempts(clock: StandingClock) -> LoginThrottle:
    return LoginThrottle(clock)


@pytest.mark.parametrize(("key", "burst", "seconds"), [(PAIR, 3, 20), (ADDRESS, 3, 20), (EVERYBODY, 20, 3)])
def test_a_burst_is_answered_and_then_one_at_a_time(
    attempts: LoginThrottle, clock: StandingClock, key: Key, burst: int, seconds: float
) -> None:
    assert [attempts.take([key]) for _ in range(burst)] == [0] * burst
    assert attempts.take([key]) == pytest.approx(seconds)
    clock.now += seconds
    assert attempts.take([key]) == 0
    assert attempts.take([key]) > 0


def test_one_empty_bucket_is_enough_to_wait_and_the_others_pay_nothing(attempts: LoginThrottle) -> None:
    for _ in range(3):
        attempts.take([PAIR])

    assert attempts.take([PAIR, ADDRESS]) > 0
    assert [attempts.take([ADDRESS]) for _ in range(3)] == [0, 0, 0]


def test_hammering_does_not_lengthen_the_wait(attempts: LoginThrottle, clock: StandingClock) -> None:
    for _ in range(1000):
        attempts.take([PAIR])
    clock.now += 20.001

    assert attempts.take([PAIR]) == 0


def test_what_succeeded_was_no_guess(attempts: LoginThrottle) -> None:
    for _ in range(100):
        assert attempts.take([PAIR, ADDRESS]) == 0
        attempts.give_back([PAIR, ADDRESS])


def test_no_more_is_remembered_than_was_paid_lately(clock: StandingClock) -> None:
    payments = OwnPayments(SWEEP_AT)
    attempts = LoginThrottle(clock, payments)
    for number in range(5 * SWEEP_AT):
        clock.now += 1
        attempts.take([Key(BucketKind.PAIR, "admin", str(number))])

    assert len(payments) <= SWEEP_AT


def test_the_last_addresses_that_succeeded_are_known(attempts: LoginThrottle) -> None:
    for number in range(KNOWN_LIMIT + 1):
        attempts.remember(Key(BucketKind.PAIR, str(number)))

    assert not attempts.knows(Key(BucketKind.PAIR, "0"))
    assert attempts.knows(Key(BucketKind.PAIR, "1")) and attempts.knows(Key(BucketKind.PAIR, str(KNOWN_LIMIT)))


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.1", ("10.0.0.1", False)),
        ("127.0.0.9", ("127.0.0.9", True)),
        ("::1", ("::1", True)),
        ("::ffff:10.0.0.1", ("10.0.0.1", False)),
        ("2001:db8:1:2:3:4:5:6", ("2001:db8:1:2::", False)),
        ("fe80::1%eth0", ("fe80::", False)),
        ("nowhere", ("nowhere", False)),
    ],
)
def test_under_which_name_an_address_is_counted(address: str, counted: tuple[str, bool]) -> None:
    assert network(address) == counted


def keepers(*others: Others) -> list[LoginThrottle]:
    """Throttles of several nodes or workers."""
    return [LoginThrottle(StandingClock(), others=each) for each in others]


def wrong(attempts: LoginThrottle, *keys: Key) -> bool:
    """Guess wrongly, if that is allowed; return whether it was."""
    if attempts.take(keys):
        return False
    attempts.failed(keys)
    return True


def test_what_is_guessed_at_one_node_counts_at_the_others() -> None:
    nodes = Nodes()
    here, there = keepers(Others(nodes.add("a")), Others(nodes.add("b")))
    guesses = []
    for attempts in (here, there) * 3:
        guesses.append(wrong(attempts, PAIR, EVERYBODY))
        nodes.settle()
    assert guesses == [True] * 3 + [False] * 3


def test_guesses_at_many_nodes_at_once_do_not_lengthen_the_wait() -> None:
    nodes = Nodes()
    here, there = keepers(Others(nodes.add("a")), Others(nodes.add("b")))
    assert all(wrong(attempts, PAIR) for attempts in (here, there) * 3)
    nodes.settle()
    assert here.take([PAIR]) == there.take([PAIR]) == pytest.approx(20)


def test_workers_that_share_their_buckets_count_a_guess_once() -> None:
    nodes = Nodes()
    shared = OwnPayments(SWEEP_AT)
    family = [
        LoginThrottle(StandingClock(), shared, others=Others(nodes.add(name), "f", name == "w1"))
        for name in ("w1", "w2")
    ]
    (alone,) = keepers(Others(nodes.add("a")))
    for attempts in (*family, alone):
        assert wrong(attempts, PAIR)
        nodes.settle()
    assert [family[1].take([PAIR]) > 0, alone.take([PAIR]) > 0] == [True, True]
    fresh = Key(BucketKind.PAIR, "ana", "10.0.0.1")
    for attempts in family:
        assert wrong(attempts, fresh)
        nodes.settle()
    assert family[0].take([fresh]) == 0
