"""How lines look at one terminal."""

import re

import pytest

from gateway.core.protocol.line_style import BOLD, COLORS, NO_COLOR, NOT_BOLD, UNSET, LineStyle, Preferences, color_of


def styled(*lines: str, set: Preferences = UNSET, style: LineStyle | None = None) -> list[str]:
    """The lines as ana sees them, without colours or times unless the style has some."""
    return (style or LineStyle()).apply(list(lines), "ana", set)


ANY = ["bob: hello", "* bob waves", "bob| more", "[bob -> you] psst", "[you -> bob] yes", "-- notice", "!! busy: wait",
       "[14:01] bob: old", "[14:01] #41 bob: old", "", "strange"]  # fmt: skip


def test_without_wishes_nothing_changes() -> None:
    assert styled(*ANY) == ANY


def test_a_name_has_one_of_eight_colors_and_stays_readable() -> None:
    (line,) = styled("bob: hello", style=LineStyle(colors=True))

    assert line == f"\x1b[{color_of('bob')}mbob{NO_COLOR}: hello"
    assert color_of("bob") == color_of("BOB") and color_of("bob") in COLORS and len(set(COLORS)) == 8


@pytest.mark.parametrize("line", [line for line in ANY if "bob" in line and not line.startswith("[you")])
def test_colors_change_no_words(line: str) -> None:
    (shown,) = styled(line, style=LineStyle(colors=True))

    assert shown != line and re.sub(r"\x1b\[\d+m", "", shown) == line


def test_own_name_is_bold_where_it_is_a_word() -> None:
    style = LineStyle(colors=True)
    (line,) = styled("bob: Ana, banana and ana.b are not ana!", style=style)

    assert line.split(": ", 1)[1] == (
        f"{BOLD}Ana{NOT_BOLD}, banana and {BOLD}ana{NOT_BOLD}.b are not {BOLD}ana{NOT_BOLD}!"
    )


@pytest.mark.parametrize(
    ("line", "rings"),
    [
        ("bob: ana?", True),
        ("[bob -> you] psst", True),
        ("bob: banana", False),
        ("ana: I am ana", False),
        ("[14:01] bob: ana?", False),
        ("-- ana joined", False),
        ("[you -> bob] ana", False),
    ],
)
def test_the_bell_rings_for_what_is_meant_for_one(line: str, rings: bool) -> None:
    style = LineStyle()
    style.apply([line], "ana", UNSET)

    assert style.rings == rings


def test_the_time_is_shown_where_a_minute_has_passed() -> None:
    style = LineStyle(by_minute=True)
    style.minute = "14:01"

    assert styled("14:01 bob: a", "14:01 bob: b", "14:02 bob: c", "14:02 bob: d", style=style) == [
        "bob: a",
        "bob: b",
        "[14:02] bob: c",
        "bob: d",
    ]


def test_times_can_be_wanted_always_or_never() -> None:
    style = LineStyle(by_minute=True)

    assert styled("14:01 bob: a", "14:01 bob: b", set=Preferences(time=True), style=style) == [
        "[14:01] bob: a",
        "[14:01] bob: b",
    ]
    assert styled("14:03 bob: c", set=Preferences(time=False), style=style) == ["bob: c"]


def test_a_screen_reader_gets_words_and_the_time_last() -> None:
    style = LineStyle(colors=True, by_minute=True)

    assert styled("14:01 bob: hi ana", set=Preferences(plain=True), style=style) == ["bob: hi ana"]
    assert styled("14:01 bob: hi", set=Preferences(plain=True, time=True), style=style) == ["bob: hi, 14:01"]


def test_colors_can_be_refused_and_asked_for() -> None:
    assert styled("bob: hi", set=Preferences(color=False), style=LineStyle(colors=True)) == ["bob: hi"]
    assert styled("bob: hi", set=Preferences(color=True)) != ["bob: hi"]


def test_who_is_ignored_is_left_out_in_every_shape() -> None:
    set = Preferences(ignored=frozenset({"bob"}))

    assert styled(*ANY, "Bob: x", "14:01 bob: y", "bobby: z", set=set) == [
        "[you -> bob] yes",
        "-- notice",
        "!! busy: wait",
        "",
        "strange",
        "bobby: z",
    ]


def test_a_refusal_says_its_words_first_where_people_read_it() -> None:
    assert styled("!! nick_taken: bob is taken", style=LineStyle(words_first=True)) == ["!! bob is taken (nick_taken)"]
    assert styled("!! kicked: spam", style=LineStyle(words_first=True)) == ["!! kicked: spam"]
