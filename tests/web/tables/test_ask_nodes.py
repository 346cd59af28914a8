"""Surveys: whoever answers is heard, and whoever does not is named with the reason."""

from typing import Any

import pytest

from gateway.core.answer import Answer
from gateway.core.ports.cluster import NodeCard
from gateway.errors import Code, Refusal
from gateway.web.tables.ask_nodes import Survey
from tests.core.nodes import Nodes
from tests.web.tables.test_connections_nodes import settled


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def surveys(nodes: Nodes) -> list[Survey]:
    """Three nodes that double numbers, but for `c`, which refuses."""

    async def double(number: int) -> int:
        return 2 * number

    async def refuse(number: int) -> int:
        raise Refusal(Code.BUSY, "not now", retry_ms=500)

    made = [Survey(nodes.start(name).hub.cluster) for name in "abc"]
    for each in made[:2]:
        each.serve("double", int, double)
    made[2].serve("double", int, refuse)
    return made


async def test_every_node_is_asked_its_own_question(nodes: Nodes, surveys: list[Survey]) -> None:
    found, missing = await settled(nodes, surveys[0].ask("double", lambda card: card.number, int))
    assert [(card.name, answer) for card, answer in found] == [("b", 4)]
    assert [(each.node, each.why) for each in missing] == [("c", "not now")]


async def test_a_refusal_of_one_node_is_raised_with_its_code(nodes: Nodes, surveys: list[Survey]) -> None:
    card = surveys[0].others()[1]
    with pytest.raises(Refusal, match="not now") as refused:
        await settled(nodes, surveys[0].ask_one(card, "double", 1, int))
    assert (refused.value.code, refused.value.retry_ms) == (Code.BUSY, 500)


async def test_a_node_that_fails_is_missing_and_its_failure_is_in_its_log(
    nodes: Nodes, surveys: list[Survey], expected_errors: list[str]
) -> None:
    async def fail(number: int) -> int:
        raise ZeroDivisionError

    expected_errors.append("the question 'double' of another node failed")
    surveys[1].serve("double", int, fail)
    found, missing = await settled(nodes, surveys[0].ask("double", lambda card: 1, int, surveys[0].others()[:1]))
    assert found == [] and missing[0].why == "b does not answer: it runs another version"


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"type":"done","body":"text"}', b'{"type":"newer"}'])
async def test_an_answer_that_cannot_be_read_is_that_of_another_version(
    nodes: Nodes, surveys: list[Survey], answer: bytes
) -> None:
    cluster: Any = nodes.clusters["b"]
    cluster.served["double"] = lambda question: Answer.of(answer)
    _, missing = await settled(nodes, surveys[0].ask("double", lambda card: 1, int, surveys[0].others()[:1]))
    assert missing[0].why == "b does not answer: it runs another version"


async def test_a_question_that_cannot_be_read_is_not_logged_as_a_failure(nodes: Nodes, surveys: list[Survey]) -> None:
    _, missing = await settled(nodes, surveys[0].ask("double", lambda card: "x", int, surveys[0].others()[:1]))
    assert "another version" in missing[0].why


def test_a_node_is_called_by_its_card_and_owns_what_has_its_number(nodes: Nodes, surveys: list[Survey]) -> None:
    first: Any = nodes.clusters["a"]
    first.card = NodeCard("a", 1, "chat-1:8080", worker=2)
    assert surveys[0].label == "chat-1:8080/2" and surveys[0].own_card() is first.card
    other = nodes.worlds[1].terminal().session.id
    owner = surveys[0].owner(other)
    assert owner is not None and owner.name == "b"
    assert surveys[1].owner(other) is None
    assert surveys[0].owner("100") is None
    assert [surveys[0].owner(text) for text in ("", "\x84", "-1", "0x1", "f" * 5000)] == [None] * 5
