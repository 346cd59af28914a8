"""What goes out in one tick: what is owed first, then the rooms' news, and never more than the slice."""

import pytest

from gateway.core.clock import Clock
from gateway.core.delivery import SENDS_PER_TICK, Delivery
from tests.core.world import World


class Debt:
    """Somebody who is owed something; notes in `order` when it is flushed."""

    def __init__(self, order: list[object]) -> None:
        self.order = order

    def flush(self) -> None:
        self.order.append(self)


class Crowd:
    """A room whose news take `left` sends."""

    def __init__(self, order: list[object], left: int) -> None:
        self.order, self.left = order, left

    @property
    def served(self) -> bool:
        return not self.left

    def serve(self, sends: int) -> int:
        self.order.append(self)
        taken = min(sends, self.left)
        self.left -= taken
        return sends - taken


def begun() -> tuple[Delivery, list[object], list[float]]:
    asked: list[float] = []
    return Delivery(Clock(lambda: 0.0, lambda: 0, asked.append)), [], asked


def test_what_is_owed_goes_before_news_and_a_tick_is_asked_for_once() -> None:
    delivery, order, asked = begun()
    room, debt = Crowd(order, 3), Debt(order)
    delivery.has_news(room)
    delivery.owes(debt)
    delivery.serve()
    assert order == [debt, room] and asked == [0] and not delivery.pending


def test_a_room_that_is_not_done_goes_behind_the_others() -> None:
    delivery, order, _ = begun()
    large, small = Crowd(order, SENDS_PER_TICK + 1), Crowd(order, 1)
    delivery.has_news(large)
    delivery.has_news(small)
    delivery.serve()
    delivery.serve()
    assert order == [large, small, large] and not delivery.pending


def test_more_debts_than_a_tick_sends_keep_their_places() -> None:
    delivery, order, _ = begun()
    debts = [Debt(order) for _ in range(SENDS_PER_TICK + 2)]
    for debt in debts:
        delivery.owes(debt)
    delivery.serve()
    delivery.owes(late := Debt(order))
    delivery.serve()
    assert order == [*debts, late]


@pytest.mark.parametrize("owed", [True, False], ids=["an answer", "a message of the room"])
@pytest.mark.parametrize("closing_fails", [True, False])
def test_l4_a_transport_that_raises_ends_its_own_session_only(
    owed: bool, closing_fails: bool, expected_errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_errors += ["cannot be written to", "cannot be closed"]
    world = World()
    broken, ana, bob = world.terminal("broken"), world.terminal("ana"), world.terminal("bob")

    def fail(*_: object) -> int:
        raise ValueError("injected")

    monkeypatch.setattr(broken.session.transport, "send", fail)
    if closing_fails:
        monkeypatch.setattr(broken.session.transport, "close", fail)
    if owed:
        broken.says("/whois")
    ana.says("hello")
    world.run()

    assert broken.session.closed
    assert broken.session not in world.hub.sessions.values()
    assert "ana: hello" in bob.lines
    assert not ana.session.closed
