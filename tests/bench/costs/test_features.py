"""What features cost: each can be taken out, and nothing else changes."""

import pytest

from gateway.core.protocol.message import Door
from gateway.core.rooms.fanout import Member
from tests.bench.costs.features import FEATURES, WITH, WITHOUT, Cut, lines_from_a_socket, main, ratios, taken_out
from tests.bench.costs.works import LINES_A_TICK, TICKS, room_of

READERS = 3


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_can_be_taken_out_and_all_is_still_delivered(feature: str) -> None:
    offer = Member.offer
    with taken_out(FEATURES[feature][1]):
        world = room_of(Door.TCP, READERS)
        lines_from_a_socket(world)()
        members = world.hub.rooms["lobby"].members.values()
        assert [member.cursor for member in members] == [LINES_A_TICK * TICKS] * (READERS + 1)
    assert Member.offer is offer


def test_what_is_taken_out_is_not_done() -> None:
    world = room_of(Door.TCP, READERS)
    with taken_out(FEATURES["accounting"][1]):
        lines_from_a_socket(world)()
    counters = world.hub.stats.counters
    assert (counters.messages_in, counters.deliveries, counters.bytes_in) == (0, 0, 0)


def test_a_piece_that_is_not_there_any_more_is_named() -> None:
    gone = Cut(Member, "offer", "something")
    with pytest.raises(ValueError, match="offer has 0 times: something"), taken_out([gone]):
        pass


def test_the_ratio_is_that_of_the_work_with_the_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = {WITH + name: 1030 for name in FEATURES} | {WITHOUT + name: 1000 for name in FEATURES}
    monkeypatch.setattr("tests.bench.costs.features.counted_by", lambda module: counted)
    assert ratios() == dict.fromkeys(FEATURES, 1.03)
    assert main() == 0
