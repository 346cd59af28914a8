"""History, searching and completion."""

from gateway.tcp.editor.recall import HISTORY_LINES, BackwardSearch, Candidates, Completion, SentLines


def history(*lines: str) -> SentLines:
    """A history of these lines."""
    found = SentLines()
    for line in lines:
        found.add(line)
    return found


def test_the_draft_waits_below_the_newest_line() -> None:
    found = history("one", "two")

    assert [found.up("draft"), found.up("two"), found.up("one")] == ["two", "one", None]
    assert [found.down(), found.down(), found.down()] == ["two", "draft", None]


def test_a_line_twice_and_a_password_are_not_kept() -> None:
    found = history("one", "one", "/login secret")

    assert [found.up(""), found.up("")] == ["one", None]


def test_no_more_lines_are_kept_than_fit() -> None:
    found = history(*map(str, range(HISTORY_LINES + 5)))

    assert found.find("4") is not None and found.line(0) == "5"
    assert history("x" * 40_000, "y").up("") == "y"


def test_a_search_goes_back_and_stays_at_the_oldest() -> None:
    search = BackwardSearch(history("git pull", "ls", "git push"))
    search.type("g")
    search.type("it")
    first = search.found
    search.again()
    second = search.found
    search.again()

    assert (first, second, search.found, search.failed) == ("git push", "git pull", "git pull", True)


def test_a_letter_less_searches_from_the_newest_line_again() -> None:
    search = BackwardSearch(history("ab", "ac"))
    search.type("ab")
    search.backspace()

    assert search.found == "ac" and not search.failed
    search.backspace()
    assert search.found == ""


def test_completion_goes_round_both_ways() -> None:
    completion = Completion("hi b", Candidates(3, ["bob ", "bea "]))

    assert [completion.step(1) for _ in range(3)] == ["hi bob ", "hi bea ", "hi bob "]
    assert completion.step(-1) == "hi bea "


def test_completion_backwards_begins_with_the_last() -> None:
    assert Completion("b", Candidates(0, ["bob", "bea", "ben"])).step(-1) == "ben"
