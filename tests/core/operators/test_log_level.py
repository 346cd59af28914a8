"""The log level that an operator sets for a while."""

from typing import Any

import pytest

from gateway.core.operators.audit import Outcome
from gateway.errors import Code, Refusal
from tests.core.operators.test_moderation import ADMIN, OPERATOR
from tests.core.world import World


@pytest.fixture
def world() -> World:
    return World()


def turn(world: World, level: str, seconds: int, operator: Any = ADMIN) -> Any:
    answers: list[Outcome | Refusal] = []
    world.operators.log_level.change(operator, level, seconds).then(answers.append)
    world.run()
    return answers[0]


def test_the_log_level_goes_back_by_itself(world: World) -> None:
    levels, loudness = world.levels, world.operators.log_level
    loudness.settle("warning")
    turn(world, "debug", 10)
    world.later(5)
    turn(world, "info", 10)
    world.later(7)
    assert (loudness.now, levels) == ("info", ["warning", "debug", "info"])
    world.later(4)
    assert (loudness.now, loudness.until, levels[-1]) == ("warning", None, "warning")


def test_settings_that_are_read_again_end_it(world: World) -> None:
    turn(world, "debug", 10)
    world.operators.log_level.settle("error")
    world.later(20)
    assert world.operators.log_level.now == "error"


@pytest.mark.parametrize(("level", "seconds"), [("loud", 10), ("debug", 0), ("debug", 10**6)])
def test_a_wrong_level_is_refused(world: World, level: str, seconds: int) -> None:
    assert turn(world, level, seconds).code is Code.BAD_MESSAGE
    assert turn(world, "debug", 10, OPERATOR).code is Code.FORBIDDEN
    assert world.operators.log_level.now == "info"
