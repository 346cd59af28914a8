"""Draining a door, in a world without sockets."""

from typing import Any

import pytest

from gateway.core.gate import DoorState
from gateway.core.operators.audit import Outcome
from gateway.core.operators.drain import PATIENCE_SECONDS, RETRY_FIRST_MS, DrainingDoor
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal
from tests.core.operators.test_moderation import ADMIN, OPERATOR, at, audit
from tests.core.world import Peer, World
from tests.fakes import Listeners


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ports(world: World) -> Listeners:
    return world.ports


def drain(world: World, door: Door | None, per_second: int = 10, spread: float = 2.0, operator: Any = ADMIN) -> Any:
    answers: list[Outcome | Refusal] = []
    world.operators.drain.begin(operator, door, per_second, spread).then(answers.append)
    world.run()
    (answer,) = answers
    return answer


def cancel(world: World) -> Any:
    answers: list[Outcome | Refusal] = []
    world.operators.drain.cancel(ADMIN).then(answers.append)
    world.run()
    return answers[0]


def crowd(world: World, count: int) -> list[Peer]:
    return [world.browser() for _ in range(count)]


def web(world: World) -> DrainingDoor:
    return world.operators.drain.progress()[-1]


def test_a_door_is_emptied_at_its_rate_and_then_closed(world: World, ports: Listeners) -> None:
    peers, bob = crowd(world, 20), world.terminal("bob")
    drain(world, Door.WEB)
    assert ports.closed == [Door.WEB]
    assert web(world) == DrainingDoor(Door.WEB, DoorState.DRAINING, 20, 1, 19)
    world.later(1)
    assert 8 <= web(world).sent <= 12
    world.later(2)
    assert web(world) == DrainingDoor(Door.WEB, DoorState.CLOSED, 20, 20, 0)
    byes = [peer.told("bye")[0] for peer in peers]
    assert {bye["code"] for bye in byes} == {4001}
    assert all(RETRY_FIRST_MS <= bye["retry_ms"] <= RETRY_FIRST_MS + 2000 for bye in byes)
    assert not bob.session.closed and world.hub.gate.state(Door.TCP) is DoorState.READY
    assert [(entry.action, entry.target) for entry in audit(world)] == [
        ("drain", "door web"), ("drain closed", "door web"),
    ]  # fmt: skip


def test_streams_leave_with_the_web_door(world: World, ports: Listeners) -> None:
    stream = at(world, "127.0.0.1", Door.HTTP)
    drain(world, Door.WEB)
    assert stream.transport.closed is not None and stream.transport.closed[0] is CloseReason.DRAINING


def test_the_moments_to_come_back_are_spread(world: World, ports: Listeners) -> None:
    peers = crowd(world, 30)
    drain(world, Door.WEB, per_second=300, spread=600)
    world.later(1)
    moments = {peer.told("bye")[0]["retry_ms"] for peer in peers}
    assert len(moments) == 30


def test_a_terminal_is_told_how_to_come_back(world: World, ports: Listeners) -> None:
    bob = world.terminal("bob")
    drain(world, Door.TCP)
    (line,) = bob.lines
    assert line.startswith("!! draining: this door closes for a while; reconnect in ") and "/resume " in line


def test_newcomers_are_refused_while_a_door_drains_and_ever_after(world: World, ports: Listeners) -> None:
    drain(world, Door.WEB)
    peer = crowd(world, 1)[0]
    denial = world.hub.gate.denial(peer.session.door)
    assert denial is not None and (denial.closing, denial.retry_ms) == (CloseReason.DRAINING, 5000)
    assert web(world).state is DoorState.CLOSED
    trouble = world.hub.gate.refusal()
    assert trouble is not None and (trouble.code, trouble.text) == (Code.DRAINING, "closed for now: web")


def test_cancelling_stops_it_and_opens_the_door(world: World, ports: Listeners) -> None:
    peers = crowd(world, 10)
    drain(world, None, per_second=2)
    assert ports.closed == [Door.TCP, Door.WEB]
    assert isinstance(cancel(world), Outcome)
    world.later(10)
    assert ports.closed == []
    assert sum(peer.session.closed for peer in peers) == 1
    assert world.hub.gate.refusal() is None
    assert cancel(world).code is Code.BAD_MESSAGE


def test_a_port_that_somebody_took_stays_closed_and_is_named(world: World, ports: Listeners) -> None:
    drain(world, None)
    ports.taken.append(Door.TCP)
    assert "tcp: port 9999" in cancel(world).text
    states = {each.door: each.state for each in world.operators.drain.progress()}
    assert states == {Door.TCP: DoorState.CLOSED, Door.WEB: DoorState.READY}
    ports.taken.clear()
    assert isinstance(cancel(world), Outcome)


def test_draining_again_sets_the_rate_anew_and_counts_nobody_twice(world: World, ports: Listeners) -> None:
    crowd(world, 30)
    drain(world, Door.WEB, per_second=1)
    drain(world, Door.WEB, per_second=1000)
    world.later(3)
    assert web(world) == DrainingDoor(Door.WEB, DoorState.CLOSED, 30, 30, 0)


def test_whose_message_is_being_stored_sees_it_first(world: World, ports: Listeners) -> None:
    (peer,) = crowd(world, 1)
    world.journal.shut = True
    peer.asks(type="say", id="c1", room="lobby", text="one more")
    drain(world, Door.WEB)
    assert not peer.session.closed
    world.journal.let()
    world.later(0.5)
    assert [each["type"] for each in peer.objects if each["type"] in ("ack", "bye")] == ["ack", "bye"]


def test_a_busy_session_is_closed_all_the_same(world: World, ports: Listeners) -> None:
    (peer,) = crowd(world, 1)
    peer.session.hold()
    drain(world, Door.WEB)
    assert not peer.session.closed
    world.later(PATIENCE_SECONDS + 1)
    assert peer.session.closed and web(world).state is DoorState.CLOSED


@pytest.mark.parametrize(("door", "rate", "spread"), [(Door.TELNET, 1, 1), (None, 0, 1), (None, 1, -1), (None, 1, 601)])
def test_a_wrong_drain_is_refused(world: World, ports: Listeners, door: Door | None, rate: int, spread: float) -> None:
    assert drain(world, door, rate, spread).code is Code.BAD_MESSAGE
    assert ports.closed == []


def test_draining_is_the_administrators(world: World, ports: Listeners) -> None:
    assert drain(world, None, operator=OPERATOR).code is Code.FORBIDDEN
    assert ports.closed == []
