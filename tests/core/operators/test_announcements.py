"""What operators do to everybody, and to people at other nodes: announcements, kicks, maintenance, the log's level."""

from typing import Any

from gateway.core.operators.audit import Outcome
from gateway.core.operators.whom import Subject
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from tests.core.nodes import Nodes, named
from tests.core.world import World

ADMIN = Operator("ana", Role.ADMIN, "web 10.0.0.9")


def do(nodes: Nodes, world: World, verb: str, *words: Any) -> Any:
    """Do it, let it arrive, and return the outcome."""
    answers: list[Outcome | Refusal] = []
    getattr(world.operators.moderation, verb)(*words).then(answers.append)
    nodes.settle()
    (answer,) = answers
    return answer


def test_an_announcement_reaches_every_node(nodes: Nodes, here: World, there: World) -> None:
    ana, bob, kim = named(nodes, here, "ana"), named(nodes, there, "bob"), there.browser("kim")
    nodes.settle()
    kim.forget()
    do(nodes, here, "announce", ADMIN, "tea at five")
    do(nodes, here, "announce", ADMIN, "pages only", Door.WEB)
    do(nodes, here, "announce", ADMIN, "not for you", None, "ops")
    assert [len([line for line in each.lines if "tea at five" in line]) for each in (ana, bob)] == [1, 1]
    first, second = [each["text"] for each in kim.told("notice")]
    assert "tea at five" in first and "pages only" in second
    assert bob.lines == []


def test_a_person_is_kicked_by_name_wherever_they_are(nodes: Nodes, here: World, there: World) -> None:
    bob = named(nodes, there, "bob")
    outcome = do(nodes, here, "kick", ADMIN, Subject(nick="bob"), "spam")
    assert isinstance(outcome, Outcome)
    assert bob.transport.closed == (CloseReason.KICKED, "spam")
    nobody = do(nodes, here, "kick", ADMIN, Subject(nick="bob"), "spam")
    assert isinstance(nobody, Refusal) and nobody.code is Code.NO_SUCH_USER


def test_a_kick_means_the_persons_connections_at_all_nodes(nodes: Nodes, here: World, there: World) -> None:
    page = here.browser("ana")
    nodes.settle()
    again = there.browser(token=page.told("welcome")[0]["token"])
    nodes.settle()
    do(nodes, here, "kick", ADMIN, Subject(nick="ana"), "spam")
    assert [each.transport.closed for each in (page, again)] == [(CloseReason.KICKED, "spam")] * 2


def test_operators_at_another_node_are_spared(nodes: Nodes, here: World, there: World) -> None:
    boss = named(nodes, there, "boss")
    boss.session.log_in(Operator("boss", Role.ADMIN, "tcp 127.0.0.1"))
    do(nodes, here, "kick", ADMIN, Subject(nick="boss"), "spam")
    assert boss.transport.closed is None


def test_only_operators_kick_at_another_node(nodes: Nodes, here: World, there: World) -> None:
    bob = named(nodes, there, "bob")
    refused = do(nodes, here, "kick", Operator("vera", Role.VIEWER, "web 10.0.0.7"), Subject(nick="bob"), "spam")
    assert isinstance(refused, Refusal) and refused.code is Code.FORBIDDEN
    assert bob.transport.closed is None


def test_maintenance_and_the_log_level_are_of_all_nodes(nodes: Nodes, here: World, there: World) -> None:
    here.operators.maintenance.switch(ADMIN, True, "back at noon")
    here.operators.log_level.change(ADMIN, "debug", 60)
    nodes.settle()
    assert there.operators.maintenance.words == "back at noon"
    assert (there.levels[-1], there.operators.log_level.now) == ("debug", "debug")
    there.operators.maintenance.switch(ADMIN, False, "")
    nodes.settle()
    assert here.operators.maintenance.words is None
    there.later(61)
    assert there.levels[-1] == "info"


def test_a_private_message_reaches_another_node_and_is_answered(nodes: Nodes, here: World, there: World) -> None:
    ana, bob = named(nodes, here, "ana"), named(nodes, there, "bob")
    ana.says("/msg bob psst")
    nodes.settle()
    assert ana.lines == ["[you -> bob] psst"]
    assert bob.lines == ["[ana -> you] psst"]
    bob.says("/reply what?")
    nodes.settle()
    assert ana.lines == ["[bob -> you] what?"]
    ana.says("/msg carl psst")
    nodes.settle()
    assert ana.lines[-1].startswith("!! no_such_user")


def test_a_private_message_reaches_all_connections_of_both(nodes: Nodes, here: World, there: World) -> None:
    first = here.browser("ana")
    nodes.settle()
    second = there.browser(token=first.told("welcome")[0]["token"])
    bob = named(nodes, here, "bob")
    nodes.settle()
    second.forget()
    first.asks(type="say", room="lobby", text="/msg bob hi", id="1")
    bob.says("/msg ana ho")
    nodes.settle()
    assert [(each["from"], each["text"]) for each in second.told("private")] == [("ana", "hi"), ("bob", "ho")]
    told = first.objects
    private = [(each["from"], each["text"]) for each in told if each["type"] == "private"]
    assert private == [("ana", "hi"), ("bob", "ho")]
    assert [each["id"] for each in told if each["type"] == "ack"] == ["1"]
    assert len([line for line in bob.lines if line.startswith("[")]) == 2


def test_who_has_left_cannot_be_written_to(nodes: Nodes, here: World, there: World) -> None:
    page = there.browser("eve")
    nodes.settle()
    ana = named(nodes, here, "ana")
    there.hub.disconnect(page.session, CloseReason.LEFT)
    nodes.settle()
    ana.says("/msg eve psst")
    nodes.settle()
    assert [line.split(":")[0] for line in ana.lines] == ["!! no_such_user"]
