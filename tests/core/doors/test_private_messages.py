"""Private messages: where they arrive, and what is said of somebody who is not there."""

import pytest

from gateway.core.doors.post import Post, Posting
from tests.core.sessions.test_identity import fields, two_tabs
from tests.core.world import World


def posted(world: World, nick: str) -> None:
    """A curl posts under that name."""
    Posting(world.hub).post(Post("lobby", "build 17 is green", nick))
    world.run()


def test_a_poster_cannot_be_written_to_and_that_is_said() -> None:
    world = World()
    ana = world.terminal("ana")
    posted(world, "ci")
    ana.forget()
    ana.says("/msg CI which branch?", "/whois ci")
    assert ana.lines == ["!! no_such_user: ci posted by HTTP and cannot be written to"] * 2


def test_somebody_who_never_was_here_is_called_nobody() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    bob.says("/join ops")
    posted(world, "ci")
    for peer, nick in ((ana, "cy"), (bob, "ci")):
        peer.forget()
        peer.says(f"/msg {nick} hi")
        assert peer.lines == [f"!! no_such_user: nobody here is called {nick}"]


@pytest.mark.parametrize("addressed", ["@bob", "bob:", "bob,", "@bob:", "@BOB"])
def test_somebody_is_found_as_other_chats_address_people(addressed: str) -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    bob.forget()
    ana.forget()
    ana.says(f"/msg {addressed}  at one: lunch?", f"/whois {addressed}", f"/ignore {addressed}")

    assert bob.lines == ["[ana -> you] at one: lunch?"]
    told, whois, ignored = ana.lines
    assert told == "[you -> bob] at one: lunch?"
    assert whois.startswith("-- bob  ") and ignored.endswith(": bob")


def test_a_private_message_reaches_all_connections_of_both() -> None:
    world = World()
    (ana, ana_too), (bob, bob_too) = two_tabs(world), two_tabs(world, "bob")
    ana.asks(type="say", room="lobby", text="/msg bob psst", id="p1")
    for peer in (ana, ana_too, bob, bob_too):
        told = peer.told("private")
        assert fields(told, "from", "to", "text") == [("ana", "bob", "psst")]


def test_a_private_message_to_oneself_comes_once() -> None:
    world = World()
    ana, again = two_tabs(world)
    ana.asks(type="say", room="lobby", text="/msg ana note")
    assert [len(peer.told("private")) for peer in (ana, again)] == [1, 1]


def test_a_private_message_passes_a_connection_that_does_not_read() -> None:
    world = World()
    bob = world.terminal("bob")
    ana, again = two_tabs(world)
    again.session.owe(b"x" * 70_000)
    ana.reads(0)
    bob.says("/msg ana hi")
    assert bob.lines == ["[bob -> ana] hi"] or bob.lines == []
    again.reads()
    ana.reads()
    assert fields(ana.told("private"), "text") == [("hi",)]
