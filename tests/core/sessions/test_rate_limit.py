"""What a change of limits does to what was used of a rate; and that an address has one rate, whatever its names."""

import pytest

from gateway.core.address import Remote
from gateway.core.doors.post import Post, Posting
from gateway.core.sessions.rate_limit import (
    ADDRESSES,
    SEARCHES_WAITING,
    AddressRate,
    Limits,
    OwnPayments,
    SearchTurns,
    pay,
    repriced,
    wait,
)
from gateway.errors import Code, Refusal
from tests.core.world import World
from tests.fakes import StandingClock

NOW = 1000.0


def used(messages: int, rate: float) -> float:
    """`paid_until` after so many messages at once."""
    paid = 0.0
    for _ in range(messages):
        paid = pay(paid, NOW, rate)
    return paid


@pytest.mark.parametrize(("rate", "burst", "left"), [(10, 10, 6), (1000, 10, 6), (1, 10, 6), (10, 5, 1), (10, 4, 0)])
def test_as_many_messages_are_used_as_before(rate: float, burst: int, left: int) -> None:
    limits = Limits(messages_per_second=rate, burst=burst)
    paid = repriced(used(4, 10), NOW, 10, limits.messages_per_second, limits.burst)

    for _ in range(left):
        assert not wait(paid, NOW, rate, burst)
        paid = pay(paid, NOW, rate)
    assert wait(paid, NOW, rate, burst) == pytest.approx(1 / rate)


def test_a_long_debt_shrinks_to_one_burst() -> None:
    paid = repriced(used(1000, 1), NOW, 1, 10, 20)

    assert wait(paid, NOW, 10, 20) == pytest.approx(0.1)


@pytest.mark.parametrize(("before", "rate"), [(0, 10), (10, 0), (0, 0)])
def test_without_a_rate_nothing_was_used(before: float, rate: float) -> None:
    assert repriced(used(50, before), NOW, before, rate, 100) == 0.0


def post(world: World, nick: str, counted_as: str | None) -> Refusal | None:
    """One POST under a name of its own; the refusal, None if there is none."""
    answers: list[object] = []
    posting.setdefault(world, Posting(world.hub)).post(Post("lobby", "hi", nick, counted_as=counted_as)).then(
        answers.append
    )
    world.run()
    return answers[0] if isinstance(answers[0], Refusal) else None


posting: dict[World, Posting] = {}


def test_a_new_name_does_not_buy_a_new_rate_and_other_addresses_have_theirs() -> None:
    world = World(messages_per_second=10, address_messages_per_second=50, address_burst=30)
    refused = [post(world, f"n{number}", "203.0.113.7") for number in range(40)]
    assert refused[:30] == [None] * 30 and all(refused[30:])
    assert refused[30] is not None
    assert (refused[30].code, refused[30].retry_ms) == (Code.RATE_LIMITED, 20)
    assert post(world, "other", "203.0.113.8") is None
    assert post(world, "local", None) is None
    world.later(0.02)
    assert post(world, "again", "203.0.113.7") is None


def test_a_terminal_of_an_address_that_is_too_fast_is_held_and_loses_nothing() -> None:
    world = World(address_messages_per_second=10, address_burst=5)
    bob, ana = world.terminal("bob"), world.terminal("ana")
    for peer in (bob, ana):
        peer.session.counted_as = Remote("2001:db8::1").counted_as
    bob.says("1", "2", "3", "4", "5")
    ana.says("6")
    assert bob.session.held and ana.session.held
    world.later(1.5)
    assert not bob.session.held and not ana.session.held
    assert world.hub.rooms["lobby"].log.head == 6


def test_a_browser_of_such_an_address_is_told_when_to_try_again() -> None:
    world = World(address_messages_per_second=10, address_burst=5)
    ana = world.browser("ana")
    ana.session.counted_as = Remote("127.0.0.1", "192.0.2.1").counted_as
    for number in range(7):
        ana.asks(type="say", room="lobby", text=str(number))
    errors = ana.told("error")
    assert [each["code"] for each in errors] == ["rate_limited"] * 2
    assert errors[0]["retry_ms"] in (100, 101)


def test_loopback_is_not_limited_by_address_and_nothing_is_kept_of_the_closed() -> None:
    world = World(address_messages_per_second=1, address_burst=1)
    bob = world.terminal("bob")
    bob.says(*map(str, range(50)))
    assert not bob.session.held and world.hub.rooms["lobby"].log.head == 50
    bob.says("/quit")
    assert bob.session.closed and not world.hub.rate_limit.addresses._payments


def test_a_smaller_limit_by_address_counts_what_was_said_before() -> None:
    rate = AddressRate(Limits(address_messages_per_second=10, address_burst=20))
    for _ in range(10):
        rate.pay("203.0.113.7", NOW)
    rate.limit(Limits(address_messages_per_second=1, address_burst=11), NOW)
    assert not rate.wait("203.0.113.7", NOW)
    rate.pay("203.0.113.7", NOW)
    assert rate.wait("203.0.113.7", NOW) == pytest.approx(1)


def test_addresses_that_have_used_nothing_are_forgotten() -> None:
    payments = OwnPayments(ADDRESSES)
    rate = AddressRate(Limits(), payments)
    for number in range(3 * ADDRESSES):
        rate.pay(f"a{number}", NOW + number)
    assert len(payments) <= ADDRESSES


def test_searches_of_one_address_take_turns() -> None:
    clock = StandingClock()
    turns = SearchTurns(clock)
    first, _ = turns.start("a"), turns.start("a")
    with pytest.raises(Refusal, match="wait for the result"):
        turns.start("a")
    turns.start("b")
    clock.now += 1
    turns.finish("a", first)
    turns.start("a")


def test_a_flood_of_searches_is_charged_by_the_time_they_take() -> None:
    clock = StandingClock()
    turns = SearchTurns(clock)
    done = 0
    with pytest.raises(Refusal) as refused:
        for _ in range(100):
            began = turns.start("a")
            clock.now += 1
            turns.finish("a", began)
            done += 1
    assert done == 5
    assert refused.value.code is Code.RATE_LIMITED
    clock.now += (refused.value.retry_ms or 0) / 1000
    turns.finish("a", turns.start("a"))
    turns.finish("b", turns.start("b"))


def test_only_so_many_searches_wait_whoever_asks() -> None:
    turns = SearchTurns(StandingClock())
    for _ in range(SEARCHES_WAITING):
        turns.start(None)
    with pytest.raises(Refusal) as refused:
        turns.start(None)
    assert refused.value.code is Code.BUSY
