"""Whether newcomers are accepted: four things close a door, and the gate says which of them does."""

import pytest

from gateway.core.gate import DoorState, Gate
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import Code


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_an_open_gate_lets_everybody_in(gate: Gate) -> None:
    assert gate.denial(Door.WEB) is None and gate.refusal() is None
    assert gate.state(Door.TCP) is DoorState.READY


def test_a_drain_closes_one_door_and_the_streams_that_come_by_it(gate: Gate) -> None:
    gate.drain(Door.WEB)
    denial = gate.denial(Door.HTTP)
    assert denial is not None and denial.closing is CloseReason.DRAINING and denial.refusal.code is Code.DRAINING
    assert gate.denial(Door.TCP) is None
    gate.close(Door.WEB)
    assert gate.state(Door.WEB) is DoorState.CLOSED and gate.drained == [Door.WEB]
    gate.reopen(Door.WEB)
    assert gate.denial(Door.HTTP) is None


def test_a_pause_refuses_nobody_but_the_gateway_is_not_ready(gate: Gate) -> None:
    gate.pause(True)
    refusal = gate.refusal()
    assert gate.denial(Door.TCP) is None and gate.state(Door.TCP) is DoorState.PAUSED
    assert refusal is not None and refusal.code is Code.BUSY
    assert gate.drain_state(Door.TCP) is DoorState.READY


def test_the_end_goes_before_every_other_reason(gate: Gate) -> None:
    gate.maintain("back at nine")
    gate.pause(True)
    gate.stop()
    denial, refusal = gate.denial(Door.TCP), gate.refusal()
    assert denial is not None and denial.words == "the gateway stops"
    assert refusal is not None and refusal.code is Code.DRAINING
