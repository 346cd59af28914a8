"""Who may take a message back: its author for ten minutes, an operator always; and what is recorded of it."""

from typing import Any

import pytest

from gateway.core.operators.removal_rights import Author, MessagePlace
from gateway.core.ports.ledger import AuditQuery
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from tests.core.world import World

OTTO = Operator("otto", Role.OPERATOR, "console")


def texts(world: World) -> list[str]:
    return [message.text for message in world.hub.rooms["lobby"].log.after(0)]


def recorded(world: World) -> list[tuple[str, str, str, str, str]]:
    pages: list[Any] = []
    world.operators.audit.ledger.audit(AuditQuery(limit=500)).then(pages.append)
    return [(e.who, e.action, e.target, e.reason, e.result) for e in reversed(pages[0].entries)]


def answer(asked: Any) -> Any:
    answers: list[Any] = []
    asked.then(answers.append)
    return answers[0]


def test_a_terminal_takes_back_its_last_message() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says("one", "secret")
    bob.says("mine")
    ana.says("/delete")
    assert texts(world) == ["one", "", "mine"]
    assert ana.lines == ["bob: mine", "-- message 2 was removed: removed"]
    ana.says("/delete")
    assert texts(world) == ["", "", "mine"]
    ana.forget()
    ana.says("/delete")
    assert ana.lines == ["!! no_such_message: you have said nothing here lately that could be taken back"]
    entry = "ana", "delete", "#lobby 2", "removed", "done"
    assert recorded(world)[0] == entry
    assert "secret" not in str(recorded(world))


def test_the_message_that_is_still_on_its_way_is_the_last_one() -> None:
    world = World()
    ana = world.terminal("ana")
    for line in (b"one", b"secret", b"/delete"):
        world.terminals.line(ana.session, line)
    world.run()
    assert texts(world) == ["one", ""]


def test_a_page_takes_back_a_message_by_its_number_and_is_acknowledged() -> None:
    world = World()
    eve = world.browser("eve")
    eve.asks(type="say", room="lobby", text="one")
    eve.asks(type="say", room="lobby", text="two")
    eve.forget()
    eve.asks(type="say", room="lobby", id="c9", text="/delete 1")
    assert [each["type"] for each in eve.objects] == ["redacted", "ack"]
    assert texts(world) == ["", "two"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("2", "!! forbidden: message 2 is not yours: only its author can take it back"),
        ("9", "!! no_such_message: there is no message 9 in lobby"),
        ("0", "!! no_such_message: there is no message 0 in lobby"),
        ("x", "!! bad_message: say which message: /delete 512, or /delete for your last one"),
        ("9" * 30, "!! bad_message: say which message: /delete 512, or /delete for your last one"),
    ],
)
def test_what_cannot_be_taken_back(words: str, said: str) -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says("one")
    bob.says("two")
    ana.forget()
    ana.says(f"/delete {words}")
    assert ana.lines == [said]
    assert texts(world) == ["one", "two"]


def test_the_name_is_not_enough_nor_is_half_of_the_command() -> None:
    world = World()
    ana = world.terminal("ana")
    ana.says("one", "/nick anna")
    other = world.terminal("ana")
    other.says("/delete 1", "/del 1")
    assert [line.partition(":")[0] for line in other.lines] == ["!! forbidden", "!! unknown_command"]
    assert texts(world) == ["one"]


def test_after_ten_minutes_it_is_too_late_for_the_author() -> None:
    world = World()
    eve = world.browser("eve")
    eve.asks(type="say", room="lobby", text="one")
    world.clock.now += 601
    eve.forget()
    eve.asks(type="say", room="lobby", id="c9", text="/delete 1")
    (error,) = eve.told("error")
    assert (error["code"], error["id"]) == (Code.FORBIDDEN, "c9")
    assert texts(world) == ["one"]


def test_a_post_without_a_token_has_no_author() -> None:
    world = World()
    world.terminal("ana").says("one")
    refusal = answer(
        world.operators.redaction.take_back(Author(("",), "ana", "web 127.0.0.1"), MessagePlace("lobby", 1))
    )
    assert refusal.code is Code.FORBIDDEN


def test_an_operator_removes_any_message_and_says_why() -> None:
    world = World()
    ana, otto = world.terminal("ana"), world.terminal("otto")
    ana.says("one", "secret")
    world.clock.now += 5000
    otto.says("/login otto right horse")
    otto.forget()
    otto.says("/redact 2 hate speech")
    assert otto.lines == ["-- message 2 was removed: hate speech", "-- message 2 in lobby is removed"]
    assert texts(world) == ["one", ""]
    assert recorded(world)[-1] == ("otto", "redact", "#lobby 2", "hate speech", "done")
    otto.says("/redact 2 again", "/redact 77", "/redact x", "/redact")
    assert texts(world) == ["one", ""]
    assert [line.partition(":")[0] for line in otto.lines[2:]] == [
        "!! no_such_message",
        "!! bad_message",
        "!! bad_message",
    ]
    assert next(iter(world.hub.rooms["lobby"].log.after(1))).redacted == "hate speech"


def test_an_attempt_by_somebody_who_is_no_operator_is_refused_and_recorded() -> None:
    world = World()
    ana = world.terminal("ana")
    ana.says("one", "/redact 1 spam")
    assert ana.lines == ["!! forbidden: only operators can do that"]
    assert recorded(world) == [("ana", "redact", "1", "", "refused: only operators can do that")]
    viewer = Operator("vera", Role.VIEWER, "web 10.0.0.1")
    assert answer(world.operators.redaction.redact(viewer, MessagePlace("lobby", 1), "")).code is Code.FORBIDDEN
    assert texts(world) == ["one"]


def test_a_place_in_another_epoch_is_refused() -> None:
    world = World()
    world.terminal("ana").says("one")
    refusal = answer(world.operators.redaction.redact(OTTO, MessagePlace("lobby", 1, "elsewhere"), ""))
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.EPOCH_CHANGED
    assert texts(world) == ["one"]


def test_the_console_names_the_room() -> None:
    world = World()
    world.terminal("ana").says("one")
    outcome = answer(world.operators.redaction.redact(OTTO, MessagePlace("lobby", 1), ""))
    assert outcome.words == "message 1 in lobby is removed"


def test_authors_add_a_bounded_number_of_entries() -> None:
    world = World(messages_per_second=0)
    ana = world.terminal("ana")
    for _ in range(100):
        ana.says("x", "/delete")
    assert len(recorded(world)) == 60
    assert set(texts(world)) == {""}
