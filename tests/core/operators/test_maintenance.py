"""Maintenance: who reads its words, and who may switch it."""

from typing import Any

import pytest

from gateway.core.operators.audit import Outcome
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal
from tests.core.operators.test_moderation import ADMIN, OPERATOR
from tests.core.world import World


@pytest.fixture
def world() -> World:
    return World()


def switch(world: World, on: bool, words: str = "", operator: Any = ADMIN) -> Any:
    answers: list[Outcome | Refusal] = []
    world.operators.maintenance.switch(operator, on, words).then(answers.append)
    return answers[0]


def test_newcomers_read_the_words_of_the_maintenance_and_the_others_stay(world: World) -> None:
    ana = world.browser("ana")
    switch(world, True, "back at \x1b[2Jnine")
    assert not ana.session.closed
    denial = world.hub.gate.denial(Door.TCP)
    assert denial is not None and denial.closing.told(denial.words) == "busy: back at nine"
    assert (denial.closing.code, denial.refusal.code) == (4013, Code.BUSY)
    switch(world, False)
    assert world.hub.gate.denial(Door.TCP) is None and world.hub.gate.refusal() is None


def test_maintenance_is_the_administrators_and_has_words_of_its_own(world: World) -> None:
    assert switch(world, True, operator=OPERATOR).code is Code.FORBIDDEN
    switch(world, True)
    assert world.operators.maintenance.words == "maintenance, try again later"
