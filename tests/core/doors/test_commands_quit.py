"""/quit: nobody is told goodbye before it is known what became of their last words."""

import pytest

from tests.core.world import World


@pytest.mark.parametrize("word", ["/quit", "quit", "/exit"])
def test_goodbye_comes_after_the_last_words_are_stored(word: str) -> None:
    world = World()
    bob = world.terminal("bob")
    bob.forget()
    world.journal.shut = True
    bob.says("the last words", word)
    assert not bob.lines and bob.session.held and not bob.session.closed

    world.journal.let()
    world.run()
    assert bob.lines == ["-- bye"]
    assert bob.session.closed


def test_who_leaves_is_told_that_the_last_words_were_not_stored() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.forget()
    world.journal.fail = True
    bob.says("the last words", "/quit")
    refused, bye = bob.lines
    assert refused.startswith("!! ") and bye == "-- bye"
