"""People and their nicks at several nodes: who comes back is known everywhere, and a nick has one owner."""

from typing import Any

import pytest

from gateway.core.answer import Answer
from gateway.core.doors.post import Post, Posting
from gateway.core.operators.whom import Subject
from gateway.core.ports.cluster import Missed
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.roles import Operator, Role
from gateway.core.sessions.identity import SWEEP_SECONDS
from gateway.core.sessions.nick_holders import NICK_SECONDS, TAKEN_SECONDS
from gateway.errors import Code, JournalError, Refusal
from tests.core.nodes import Nodes
from tests.core.world import Peer, World


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def here(nodes: Nodes) -> World:
    return nodes.start("a")


@pytest.fixture
def there(nodes: Nodes, here: World) -> World:
    return nodes.start("b")


def page(nodes: Nodes, world: World, **hello: Any) -> tuple[Peer, dict[str, Any]]:
    """A page that was welcomed, and the welcome."""
    peer = world.browser(**hello)
    nodes.settle()
    (welcome,) = [each for each in peer.objects if each["type"] == "welcome"]
    return peer, welcome


def netcat(nodes: Nodes, world: World, nick: str = "") -> Peer:
    """A terminal in the lobby."""
    peer = world.terminal(quiet=False)
    nodes.settle()
    world.later(0.2)
    if nick:
        peer.says(f"/nick {nick}")
        nodes.settle()
    peer.forget()
    return peer


def gone(nodes: Nodes, peer: Peer) -> None:
    """The connection is over."""
    peer.world.hub.disconnect(peer.session, CloseReason.LOST)
    nodes.settle()


def test_a_token_is_good_at_the_other_node(nodes: Nodes, here: World, there: World) -> None:
    first, welcome = page(nodes, here, nick="ana")
    gone(nodes, first)

    _, welcomed = page(nodes, there, token=welcome["token"])

    assert (welcomed["token"], welcomed["nick"]) == (welcome["token"], "ana")


def test_rooms_and_what_was_read_come_with_the_person(nodes: Nodes, here: World, there: World) -> None:
    first, welcome = page(nodes, here, nick="ana", rooms=[{"room": "ops"}])
    first.asks(type="say", room="ops", text="one")
    first.asks(type="read", room="ops", epoch=here.hub.rooms["ops"].epoch, seq=1)
    gone(nodes, first)

    again = there.browser(token=welcome["token"])
    nodes.settle()

    assert [each["room"] for each in again.told("joined")] == ["ops"]
    assert again.session.identity is not None
    assert again.session.identity.reads["ops"][1] == 1


def test_a_person_at_two_nodes_has_one_nick(nodes: Nodes, here: World, there: World) -> None:
    first, welcome = page(nodes, here, nick="ana")
    second, _ = page(nodes, there, token=welcome["token"])
    first.forget()

    second.asks(type="nick", nick="bo")
    nodes.settle()

    assert first.session.nick == second.session.nick == "bo"
    assert [each["nick"] for each in first.told("notice")] == ["bo"]
    netcat(nodes, here, "ana")
    assert [each.nick for each in here.hub.sessions.values()] == ["bo", "ana"]


def test_what_was_read_at_one_node_is_told_at_the_other(nodes: Nodes, here: World, there: World) -> None:
    first, welcome = page(nodes, here, nick="ana")
    second, _ = page(nodes, there, token=welcome["token"])
    first.forget()
    there.hub.identities.read(second.session, "lobby", "e", 7)
    nodes.settle()

    assert [(each["room"], each["seq"]) for each in first.told("read")] == [("lobby", 7)]


def test_a_nick_belongs_to_one_person_over_all_nodes(nodes: Nodes, here: World, there: World) -> None:
    netcat(nodes, here, "bob")
    other = netcat(nodes, there)

    other.says("/nick BOB")
    nodes.settle()

    assert [line.split(":")[0] for line in other.lines] == ["!! nick_taken"]
    assert other.session.nick.startswith("guest-")


def test_a_nick_that_was_given_up_is_free_at_the_other_node(nodes: Nodes, here: World, there: World) -> None:
    bob = netcat(nodes, here, "bob")
    gone(nodes, bob)

    assert netcat(nodes, there, "bob").session.nick == "bob"


def test_a_banned_nick_is_banned_for_everybody_at_all_nodes(nodes: Nodes, here: World, there: World) -> None:
    olga = Operator("olga", Role.ADMIN, "web 10.0.0.9")
    here.operators.moderation.ban(olga, Subject(nick="eve"), "spam", 60).then(lambda outcome: None)
    nodes.settle()
    for world in (here, there, here):
        asking = netcat(nodes, world)
        asking.says("/nick eve")
        nodes.settle()
        assert asking.lines[-1].startswith("!! banned")
        gone(nodes, asking)


def test_a_post_under_a_banned_nick_is_banned_though_the_nick_is_held_elsewhere(
    nodes: Nodes, here: World, there: World
) -> None:
    page(nodes, here, nick="eve")
    olga = Operator("olga", Role.ADMIN, "web 10.0.0.9")
    here.operators.moderation.ban(olga, Subject(nick="eve"), "spam", 60).then(lambda outcome: None)
    nodes.settle()

    for world in (here, there):
        with pytest.raises(Refusal) as refused:
            Posting(world.hub).post(Post("lobby", "hi", nick="eve"))
        assert refused.value.code is Code.BANNED


def test_a_nick_that_was_asked_for_and_not_taken_is_free_at_all_nodes(nodes: Nodes, here: World, there: World) -> None:
    leaving = netcat(nodes, there)
    leaving.says("/nick eve")
    gone(nodes, leaving)
    assert "eve" in "".join(nodes.names)
    for world in nodes.worlds:
        world.later(TAKEN_SECONDS + 1)
    nodes.settle()
    assert "eve" not in "".join(nodes.names)


def test_a_nick_is_kept_for_who_left_and_then_free(nodes: Nodes, here: World, there: World) -> None:
    first, _ = page(nodes, here, nick="ana")
    gone(nodes, first)
    assert netcat(nodes, there, "ana").session.nick != "ana"

    here.later(NICK_SECONDS + 2 * SWEEP_SECONDS)
    nodes.settle()

    assert netcat(nodes, there, "ana").session.nick == "ana"


def test_the_nick_goes_with_the_person_who_is_still_at_another_node(nodes: Nodes, here: World, there: World) -> None:
    first, welcome = page(nodes, here, nick="ana")
    page(nodes, there, token=welcome["token"])
    gone(nodes, first)
    here.later(NICK_SECONDS + 2 * SWEEP_SECONDS)
    nodes.settle()

    assert netcat(nodes, here, "ana").session.nick != "ana"


def test_a_guest_name_drawn_twice_is_drawn_again(nodes: Nodes) -> None:
    one, other = nodes.start("a", bits=lambda size: 0xABCD), nodes.start("b", bits=lambda size: 0xABCD)
    netcat(nodes, one)
    second = netcat(nodes, other)

    assert second.session.nick.startswith("guest-") and second.session.nick != "guest-abcd"
    assert second.session.held == 0


def test_a_newcomer_says_nothing_before_the_name_is_certain(nodes: Nodes, here: World) -> None:
    newcomer = here.terminal(quiet=False)
    held = newcomer.session.held
    nodes.settle()

    assert (held, newcomer.session.held) == (1, 0)


def test_a_code_works_at_the_other_node_once(nodes: Nodes, here: World, there: World) -> None:
    bob = netcat(nodes, here, "bob")
    bob.says("/resume")
    nodes.settle()
    code = bob.lines[-1].split()[2]

    phone = netcat(nodes, there)
    phone.says(f"/resume {code}")
    nodes.settle()
    thief = netcat(nodes, here)
    thief.says(f"/resume {code}")
    nodes.settle()
    bob.says("/resume")
    nodes.settle()

    assert phone.session.nick == "bob"
    assert thief.lines[-1].startswith("!! token_invalid")
    assert bob.lines[-1].split()[2] != code


def test_an_account_is_one_person_at_all_nodes(nodes: Nodes, here: World, there: World) -> None:
    peers = []
    for world in (here, there):
        world.hub.identities.reserve(["heidi"])
        world.passwords.roles["heidi"] = Role.MEMBER
        peer = netcat(nodes, world)
        peer.says("/login heidi right horse")
        nodes.settle()
        peers.append(peer.session.identity)

    assert peers[0] is not None and peers[1] is not None
    assert peers[0].id == peers[1].id
    assert peers[1].nick == "heidi"


def test_a_post_cannot_use_the_nick_of_somebody_at_another_node(nodes: Nodes, here: World, there: World) -> None:
    netcat(nodes, here, "bob")
    answers: list[Any] = []
    Posting(there.hub).post(Post("lobby", "hi", nick="bob")).then(answers.append)
    Posting(there.hub).post(Post("lobby", "hi", nick="ci")).then(answers.append)
    nodes.settle()

    assert isinstance(answers[0], Refusal) and answers[0].code is Code.NICK_TAKEN
    assert answers[1].seq == 1


def test_a_post_with_a_token_of_another_node_is_the_persons(nodes: Nodes, here: World, there: World) -> None:
    _, welcome = page(nodes, here, nick="ana")
    reader = netcat(nodes, there)
    answers: list[Any] = []

    Posting(there.hub).post(Post("lobby", "hi", token=welcome["token"])).then(answers.append)
    nodes.settle()

    assert answers[0].seq == 1
    assert reader.lines == ["ana: hi"]


def test_a_token_that_cannot_be_looked_up_is_not_replaced(nodes: Nodes, here: World, there: World) -> None:
    _, welcome = page(nodes, here, nick="ana")
    nodes.clusters["b"].away = True

    again = there.browser(token=welcome["token"])
    nodes.settle()

    assert again.told("welcome") == []
    assert again.transport.closed is not None and again.transport.closed[0] is CloseReason.FULL


def test_after_the_store_has_forgotten_everything_nicks_still_have_one_owner(
    nodes: Nodes, here: World, there: World
) -> None:
    netcat(nodes, here, "bob")
    _, welcome = page(nodes, here, nick="ana")

    nodes.flush()

    assert netcat(nodes, there, "bob").session.nick != "bob"
    assert page(nodes, there, token=welcome["token"])[1]["nick"] == "ana"


def test_a_nick_given_away_twice_belongs_to_whom_the_store_says(nodes: Nodes, here: World, there: World) -> None:
    bob = netcat(nodes, here, "bob")
    nodes.names.clear()
    other = netcat(nodes, there, "bob")

    nodes.clusters["a"].hearers.tell(Missed())
    nodes.settle()

    assert other.session.nick == "bob"
    assert bob.session.nick.startswith("guest-")
    assert [line.split(":")[0] for line in bob.lines if line.startswith("!!")] == ["!! nick_taken"]


def test_a_nick_cannot_be_had_while_nobody_can_be_asked(nodes: Nodes, here: World) -> None:
    bob = netcat(nodes, here)
    nodes.clusters["a"].away = True

    bob.says("/nick bob")
    nodes.settle()

    assert bob.session.nick != "bob"
    assert bob.lines[0].startswith("!! ")


def test_a_code_is_shown_once_the_other_nodes_know_it(nodes: Nodes, here: World) -> None:
    bob = netcat(nodes, here, "bob")
    journal: Any = here.journal
    answer: Answer[JournalError | None] = Answer()
    journal._journal.remember = lambda people: answer
    bob.says("/resume")
    before = bob.lines
    answer.set(None)
    here.run()

    assert before == []
    assert bob.lines[0].startswith("-- /resume ")
