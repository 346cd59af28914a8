"""Whom an operator means: a person by nick, one connection by id; and what a ban of a connected person goes by."""

import pytest

from gateway.core.operators.whom import BanBy, Subject
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import FRAME
from gateway.core.roles import Operator, Role
from tests.core.world import Peer, World
from tests.fakes import RecordingTransport

ADMIN = Operator("root", Role.ADMIN, "console")


def page_from(world: World, address: str, **hello: object) -> Peer:
    transport = RecordingTransport()
    peer = Peer(world, world.hub.connect(transport, FRAME, Arrival(Door.WEB, address)), transport)
    peer.asks(type="hello", **hello)
    return peer


@pytest.mark.parametrize(
    ("by", "targets"),
    [
        (BanBy.USUAL, ["zack"]),
        (BanBy.NAME, ["zack"]),
        (BanBy.ADDRESS, ["10.0.0.7"]),
        (BanBy.BOTH, ["zack", "10.0.0.7"]),
    ],
)
def test_a_ban_goes_by_name_by_address_or_by_both(by: BanBy, targets: list[str]) -> None:
    world = World()
    zack = page_from(world, "10.0.0.7", nick="zack")
    world.operators.moderation.ban(ADMIN, Subject(connection=zack.session.id, by=by), "spam", 600)
    assert sorted(each.target for each in world.hub.bans.holding()) == sorted(targets)
    assert zack.transport.closed is not None
    assert zack.transport.closed[0] is CloseReason.BANNED


def test_whoever_is_banned_by_both_comes_back_neither_way() -> None:
    world = World()
    zack = page_from(world, "10.0.0.7", nick="zack")
    world.operators.moderation.kick(ADMIN, Subject(nick="zack", by=BanBy.BOTH), "spam", 600)
    elsewhere = page_from(world, "10.0.0.9", nick="zack")
    assert [each["code"] for each in elsewhere.told("error")] == ["banned"]
    other_name = page_from(world, "10.0.0.7", nick="zack2")
    world.hub.turn_away(other_name.session)
    assert other_name.transport.closed is not None
    assert zack.transport.closed is not None


def test_a_ban_of_one_connection_is_the_persons() -> None:
    world = World()
    zack = page_from(world, "10.0.0.7", nick="zack")
    phone = page_from(world, "10.0.0.8", token=zack.told("welcome")[0]["token"])
    world.operators.moderation.ban(ADMIN, Subject(connection=zack.session.id), "spam", 600)
    assert phone.transport.closed is not None


def test_this_machine_is_not_banned_by_the_way() -> None:
    world = World()
    zack = page_from(world, "127.0.0.1", nick="zack")
    outcomes: list[object] = []
    world.operators.moderation.kick(ADMIN, Subject(zack.session.id, by=BanBy.BOTH), "spam", 600).then(outcomes.append)
    assert "this machine" in str(outcomes[0])
    assert zack.transport.closed is None
