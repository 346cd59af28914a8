"""An answer that has come already, and one that comes later."""

import pytest

from gateway.core.answer import Answer


def test_an_answer_reaches_all_who_ask_before_and_after_it_is_there() -> None:
    answer: Answer[int] = Answer()
    told: list[tuple[str, int]] = []
    answer.then(lambda value: told.append(("first", value)))
    answer.then(lambda value: told.append(("second", value)))
    assert told == []
    answer.set(7)
    answer.then(lambda value: told.append(("late", value)))
    assert told == [("first", 7), ("second", 7), ("late", 7)]


def test_a_callback_added_during_the_answer_is_called_too() -> None:
    answer: Answer[int] = Answer()
    told: list[int] = []
    answer.then(lambda value: answer.then(told.append))
    answer.set(7)
    assert told == [7]


def test_an_answer_is_set_once() -> None:
    with pytest.raises(AssertionError):
        Answer.of(1).set(2)


@pytest.mark.parametrize("later", [False, True])
def test_an_answer_is_changed_and_asked_on(later: bool) -> None:
    first: Answer[int] = Answer() if later else Answer.of(20)
    second: Answer[int] = Answer() if later else Answer.of(2)
    told: list[int | str] = []
    first.map(str).then(told.append)
    first.chain(lambda value: second.map(lambda other: value + other)).then(told.append)
    if later:
        assert told == []
        first.set(20)
        second.set(2)
    assert told == ["20", 22]
