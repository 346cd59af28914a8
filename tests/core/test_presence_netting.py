"""What happened to one person within a second is one piece of news, or none."""

from gateway.core.presence import Presences


def test_who_was_listed_renamed_and_gone_is_struck_under_the_name_people_know() -> None:
    presences = Presences("lobby")
    presences.renamed("guest-4f2a", "zoe")
    presences.unlisted("zoe")
    pages, _ = presences.take(1)
    assert (pages.left, pages.renamed) == (["guest-4f2a"], [])
