"""The history checker finds every kind of broken promise, and nothing where all were kept."""

import pytest

from tests.bridge.records import Held, Row, violations

A, B = "ana:1:x", "ana:2:y"
SENT = [Row("ana", "web", "sent", A), Row("ana", "web", "sent", B)]
FINAL = [Held("e", 1, A), Held("e", 2, B)]


def test_kept_promises_break_no_rule() -> None:
    rows = [*SENT, Row("ana", "web", "acked", A, "e", 1), Row("bob", "tcp", "shown", A), Row("eve", "web", "shown", B)]

    assert violations(rows, FINAL) == []


def test_a_gap_may_stand_for_what_was_not_shown() -> None:
    gap = Row("bob", "web", "gap", "", "e", 2, to=7)
    rows = [*SENT, Row("bob", "web", "shown", A, "e", 1), gap, Row("bob", "web", "shown", B, "e", 8)]

    assert violations(rows, [Held("e", 8, B)])[0] == f"{A} was shown to bob and is lost"
    assert violations(rows[:4], FINAL) == []


@pytest.mark.parametrize(
    ("rows", "final", "broken"),
    [
        ([Row("bob", "tcp", "shown", "?")], FINAL, "bob was shown ?, which nobody sent"),
        ([], [*FINAL, Held("e", 3, "?")], "the history holds ?, which nobody sent"),
        ([Row("bob", "web", "shown", B, "e", 1)], FINAL, f"e:1 names {A} and {B}"),
        ([Row("bob", "web", "shown", B, "e", 2), Row("bob", "web", "shown", A, "e", 1)], FINAL, "shown e:1 after 2"),
        ([Row("bob", "web", "shown", A, "e", 1), Row("bob", "web", "shown", B, "e", 3)], FINAL, "missed e:2 to 2"),
        ([Row("ana", "web", "acked", B, "e", 2)], FINAL[:1], f"{B} was acked to ana and is lost"),
        ([Row("ana", "web", "acked", B, "e", 3)], FINAL, f"{B} was acked to ana as e:3 and is elsewhere"),
        ([], [*FINAL, Held("e", 3, B)], f"{B} is there 2 times"),
        ([], [Held("e", 1, B), Held("e", 2, A)], f"{A} of ana stands behind {B}, which was sent later"),
        ([], [Held("e", 1, A), Held("e", 3, B)], "the history goes from e:1 to 3"),
    ],
)
def test_a_broken_promise_is_named(rows: list[Row], final: list[Held], broken: str) -> None:
    assert any(broken in words for words in violations([*SENT, *rows], final))
