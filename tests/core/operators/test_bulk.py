"""What operators do to many at once, in a world without sockets."""

from typing import Any

import pytest

from gateway.core.answer import Answer
from gateway.core.operators.bulk import FASTEST, KEPT, RUNNING, Action, BulkPlan, BulkState, Campaign, TooMany
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.roles import Operator, Role
from gateway.errors import Code, JournalError, Refusal
from tests.core.operators.test_moderation import ADMIN, OPERATOR, VIEWER, at, audit
from tests.core.world import Peer, World


@pytest.fixture
def world() -> World:
    return World()


def begin(world: World, operator: Operator, action: Action, peers: list[Peer], **more: Any) -> Any:
    """Begin it; the campaign, or why not."""
    answers: list[Campaign | Refusal] = []
    targets = [peer.session.id for peer in peers]
    usual: dict[str, Any] = {"words": "x", "targets": targets, "named": frozenset(), "expected": len(targets)}
    plan = BulkPlan(action, **(usual | more))
    world.operators.bulk.begin(operator, plan).then(answers.append)
    world.run()
    (answer,) = answers
    return answer


def counts(campaign: Campaign) -> tuple[BulkState, int, int, int, int]:
    return campaign.state, campaign.done, campaign.gone, campaign.refused, campaign.left


def crowd(world: World, count: int) -> list[Peer]:
    peers = [world.terminal(quiet=False) for _ in range(count)]
    world.later(0.2)
    for peer in peers:
        peer.forget()
    return peers


def test_a_campaign_kicks_at_its_rate_and_each_kick_is_recorded(world: World) -> None:
    peers = crowd(world, 30)
    campaign = begin(world, OPERATOR, Action.KICK, peers, reason="spam", per_second=10)
    assert counts(campaign) == (BulkState.RUNNING, 1, 0, 0, 29)
    world.later(1)
    assert 8 <= campaign.done <= 12
    world.later(4)
    assert counts(campaign) == (BulkState.FINISHED, 30, 0, 0, 0)
    assert all(peer.transport.closed == (CloseReason.KICKED, "spam") for peer in peers)
    actions = [entry.action for entry in audit(world)]
    assert actions == ["campaign kick", *["kick"] * 30, "campaign kick finished"]
    assert audit(world)[-1].result == "done: 30 done, 0 already gone, 0 refused, 0 left"


def test_the_charts_show_one_mark_for_all(world: World) -> None:
    before = len(world.hub.stats.sampler.marks)
    begin(world, OPERATOR, Action.KICK, crowd(world, 5))
    world.later(1)
    assert [mark.text for mark in world.hub.stats.sampler.marks][before:] == ["otto: campaign kick x, 5 connections"]


def test_closed_connections_are_counted_and_later_ones_are_not_hit(world: World) -> None:
    peers = crowd(world, 3)
    campaign = begin(world, OPERATOR, Action.KICK, peers, per_second=1)
    world.hub.disconnect(peers[1].session, CloseReason.LEFT)
    newcomer = world.terminal()
    world.later(5)
    assert counts(campaign) == (BulkState.FINISHED, 2, 1, 0, 0)
    assert not newcomer.session.closed


def test_a_stopped_campaign_acts_on_nobody_else(world: World) -> None:
    peers = crowd(world, 10)
    campaign = begin(world, OPERATOR, Action.KICK, peers, per_second=2)
    answers: list[Any] = []
    world.operators.bulk.stop(OPERATOR, campaign.id).then(answers.append)
    world.later(10)
    assert answers == [campaign]
    assert counts(campaign) == (BulkState.STOPPED, 1, 0, 0, 9)
    assert campaign.ended_at is not None
    assert [entry.action for entry in audit(world)][-2:] == ["campaign kick stopped", "campaign stop"]


def test_more_than_the_operator_typed_are_refused(world: World) -> None:
    peers = crowd(world, 3)
    refusal = begin(world, OPERATOR, Action.KICK, peers, expected=2)
    assert isinstance(refusal, TooMany) and refusal.matches == 3
    assert begin(world, OPERATOR, Action.KICK, peers, expected=4).total == 3
    assert audit(world)[0].result.startswith("refused: 3 connections match now, not 2")


def test_m4_what_the_operator_wrote_passes_the_gate(world: World) -> None:
    evil = "\u009b31m\u202eevil\U000e0041"
    told = begin(world, OPERATOR, Action.MESSAGE, [], said=f"x{evil}", reason=evil, words=f"nick:x {evil}")
    kicked = begin(world, OPERATOR, Action.KICK, [], said=evil, reason=evil)
    assert (told.plan.said, told.plan.reason, told.plan.words) == ("xevil", "evil", "nick:x evil")
    assert (kicked.plan.said, kicked.plan.reason) == ("evil", "evil")


def test_operators_are_left_out_unless_the_filter_names_them(world: World) -> None:
    boss, bob = world.terminal("boss"), world.terminal("bob")
    boss.session.operator = Operator("boss", Role.OPERATOR, "tcp 127.0.0.1")
    campaign = begin(world, ADMIN, Action.KICK, [boss, bob])
    assert (campaign.total, campaign.spared) == (1, 1)
    world.later(1)
    assert bob.session.closed and not boss.session.closed
    begin(world, ADMIN, Action.KICK, [boss], named=frozenset([boss.session.id]))
    assert boss.session.closed


def test_a_ban_of_many_is_the_administrators_and_takes_guests_by_their_address(world: World) -> None:
    peers = [at(world, "10.1.0.1"), at(world, "10.1.0.2"), world.terminal("carl")]
    assert begin(world, OPERATOR, Action.BAN, peers).code is Code.FORBIDDEN
    campaign = begin(world, ADMIN, Action.BAN, peers, reason="spam", seconds=60)
    assert counts(campaign)[:2] == (BulkState.FINISHED, 3)
    assert {each.target for each in world.hub.bans.holding()} == {"10.1.0.1", "10.1.0.2", "carl"}


def test_a_guest_is_not_banned_by_an_address_where_an_operator_is(world: World) -> None:
    boss, guest = at(world, "10.1.0.1"), at(world, "10.1.0.1")
    boss.session.operator = Operator("boss", Role.OPERATOR, "tcp 10.1.0.1")
    begin(world, ADMIN, Action.BAN, [guest], seconds=60)
    assert guest.session.closed and not boss.session.closed
    assert [each.target for each in world.hub.bans.holding()] == [guest.session.nick]


def test_mutes_and_messages_reach_everybody_meant(world: World) -> None:
    peers, other = crowd(world, 4), world.terminal()
    assert begin(world, OPERATOR, Action.MUTE, peers, seconds=60).done == 4
    assert all(world.hub.mutes.on(peer.session) for peer in peers)
    assert begin(world, OPERATOR, Action.MESSAGE, peers, said="go to bed").done == 4
    assert all("-- [operator] go to bed" in peer.lines for peer in peers)
    assert other.lines == []


@pytest.mark.parametrize("wrong", [{"per_second": 0}, {"per_second": FASTEST + 1}])
def test_a_wrong_rate_is_refused(world: World, wrong: dict[str, Any]) -> None:
    assert begin(world, OPERATOR, Action.KICK, crowd(world, 1), **wrong).code is Code.BAD_MESSAGE


def test_an_empty_message_is_refused_before_anybody_gets_it(world: World) -> None:
    assert begin(world, OPERATOR, Action.MESSAGE, crowd(world, 2)).code is Code.BAD_TEXT


def test_a_viewer_may_not(world: World) -> None:
    peers = crowd(world, 1)
    assert begin(world, VIEWER, Action.MESSAGE, peers, said="hi").code is Code.FORBIDDEN
    assert peers[0].lines == []


def test_only_so_many_run_and_are_kept(world: World) -> None:
    peers = crowd(world, 2)
    running = [begin(world, OPERATOR, Action.MUTE, peers, per_second=1) for _ in range(RUNNING)]
    assert begin(world, OPERATOR, Action.MUTE, peers).code is Code.BUSY
    world.later(2)
    assert {each.state for each in running} == {BulkState.FINISHED}
    last = [begin(world, OPERATOR, Action.MUTE, peers) for _ in range(KEPT + 3)][-1]
    found = world.operators.bulk.all()
    assert len(found) == KEPT and found[0] is last


class FullDisk:
    """A ledger that stores nothing more."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def record(self, entries: Any, **more: Any) -> Any:
        return Answer.of(JournalError("disk full")) if self.full else self._ledger.record(entries, **more)


def test_what_cannot_be_recorded_is_not_begun_and_does_not_go_on(world: World, expected_errors: list[str]) -> None:
    expected_errors.append("not stored: ")
    disk = FullDisk(world.operators.audit.ledger)
    world.operators.audit.ledger = disk
    peers = crowd(world, 10)
    campaign = begin(world, OPERATOR, Action.KICK, peers, per_second=2)
    disk.full = True
    world.later(3)
    assert counts(campaign) == (BulkState.STOPPED, 2, 0, 0, 8)
    assert campaign.problem and "disk full" in campaign.problem
    refusal = begin(world, OPERATOR, Action.KICK, peers)
    assert refusal.code is Code.STORAGE and refusal.text.startswith("not begun")
    assert sum(peer.session.closed for peer in peers) == 2
    assert world.operators.bulk.all() == [campaign]
