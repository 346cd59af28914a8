"""The machine's clock is set while the gateway runs: order goes by number, and what lasts minutes lasts minutes."""

import pytest

from gateway.core.clock import Clock, Delay
from gateway.core.ports.journal import Person, Receipt
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.rooms.idempotency import Idempotency
from gateway.core.sessions.identity import Identities
from tests.core.world import Peer, World
from tests.fakes import StandingClock

DAY = 86400.0
SET_BY = pytest.mark.parametrize("seconds", [-DAY, -60.0, 3650 * DAY], ids=["day-back", "minute-back", "years-ahead"])


@pytest.fixture
def world() -> World:
    return World()


def token(peer: Peer) -> object:
    return peer.told("welcome")[0]["token"]


@SET_BY
def test_messages_stay_in_the_order_in_which_they_were_said(world: World, seconds: float) -> None:
    bob, ana = world.terminal("bob"), world.browser("ana")
    bob.says("1")
    world.set_by = seconds
    bob.says("2")
    assert [(each["seq"], each["text"]) for each in ana.told("msg")] == [(1, "1"), (2, "2")]
    again = world.browser()
    assert [each["text"] for each in again.told("history")[0]["messages"]] == ["1", "2"]


@SET_BY
def test_a_second_try_is_known_for_two_minutes_and_no_longer(world: World, seconds: float) -> None:
    ana = world.browser("ana")
    say = {"type": "say", "room": "lobby", "text": "hi", "id": "c1"}
    ana.asks(**say)
    world.set_by = seconds
    ana.asks(**say)
    world.later(121)
    ana.asks(**say)
    assert [each["seq"] for each in ana.told("ack")] == [1, 1, 2]


@SET_BY
def test_an_identity_can_come_back_for_ten_minutes(world: World, seconds: float) -> None:
    ana = world.browser("ana")
    proof = token(ana)
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.set_by = seconds
    again = world.browser(token=proof)
    assert again.told("welcome")[0]["nick"] == "ana"
    world.hub.disconnect(again.session, CloseReason.LEFT)
    world.later(130)
    world.terminal().says("/nick ana")
    world.later(480)
    assert [each["code"] for each in world.browser(token=proof).told("error")] == ["token_invalid"]


@SET_BY
def test_nobody_has_been_here_for_less_than_no_time(world: World, seconds: float) -> None:
    bob = world.terminal("bob")
    world.set_by = seconds
    bob.says("/whois")
    assert "here for -" not in bob.lines[0]


def test_a_receipt_from_the_future_does_not_live_longer() -> None:
    now = 1_000_000
    receipts = Idempotency(Clock(lambda: now / 1000, lambda: now, lambda seconds: None))
    receipts.recall([Receipt("ana", "c1", "lobby", "e", 1, now + 3_600_000)])
    assert receipts.begin(("ana", "c1"))[1] is False
    now += 121_000
    assert receipts.begin(("ana", "c1"))[1] is True


def test_an_identity_that_left_in_the_future_does_not_live_longer() -> None:
    world = World()
    identities = Identities(b"key", world.hub.clock, lambda size: 1)
    identities.recall([Person("K7Q2MX", "ana", (), int((world.clock.now + DAY) * 1000), ["K7Q2MX"])])
    assert identities.by_code("K7Q2MX") is not None
    world.clock.now += 601
    assert identities.by_code("K7Q2MX") is None


class Ticks:
    """A clock whose tick only runs the jobs that are due; `asked` are the seconds after which a tick was asked for."""

    def __init__(self) -> None:
        self.now = StandingClock()
        self.asked: list[float] = []
        self.clock = Clock(self.now, lambda: 0, self.asked.append)

    def later(self, seconds: float) -> None:
        """So many seconds later comes a tick."""
        self.now.now += seconds
        self.clock.wake()
        self.clock.rest(done=True)


def test_what_waits_equally_long_is_done_in_order_each_in_its_time() -> None:
    ticks, done = Ticks(), list[str]()
    delay = Delay(ticks.clock, 2.0, done.append)
    delay.add("first")
    ticks.later(1.0)
    delay.add("second")
    ticks.later(0.5)
    assert done == []
    ticks.later(0.5)
    assert done == ["first"]
    ticks.later(1.0)
    assert done == ["first", "second"]
    delay.add("third")
    ticks.later(2.0)
    assert done == ["first", "second", "third"]


def test_a_job_that_fails_takes_nothing_from_those_that_wait_behind_it() -> None:
    ticks, done = Ticks(), list[str]()

    def job(item: str) -> None:
        if item == "bad":
            raise RuntimeError(item)
        done.append(item)

    delay = Delay(ticks.clock, 2.0, job)
    delay.add("bad")
    delay.add("good")
    with pytest.raises(RuntimeError):
        ticks.later(2.0)
    ticks.later(0.01)
    assert done == ["good"]


def test_no_tick_is_asked_for_that_an_earlier_one_makes_needless() -> None:
    ticks = Ticks()
    ticks.clock.later(1.0, lambda: None)
    ticks.clock.later(5.0, lambda: None)
    assert ticks.asked == [1.0]
    ticks.clock.later(0.5, lambda: None)
    assert ticks.asked == [1.0, 0.5]
    ticks.later(1.0)
    assert ticks.asked == [1.0, 0.5, 4.0]


@pytest.mark.parametrize(("done", "asked"), [(True, [5.0]), (False, [0])])
def test_what_asks_within_a_tick_gets_another_only_if_that_one_is_not_done(done: bool, asked: list[float]) -> None:
    ticks = Ticks()
    ticks.clock.wake()
    ticks.clock.soon()
    ticks.clock.later(5.0, lambda: None)
    assert ticks.asked == []
    ticks.clock.rest(done)
    assert ticks.asked == asked


def test_a_job_that_is_added_within_a_tick_and_due_at_once_gets_another_tick() -> None:
    ticks = Ticks()
    ticks.clock.wake()
    ticks.clock.later(0.0, lambda: None)
    ticks.clock.rest(done=True)
    assert ticks.asked == [0]
