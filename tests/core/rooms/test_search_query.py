"""What a query means, and how often it may be asked."""

import pytest

from gateway.core.ports.index import SearchQuery
from gateway.core.rooms.search_query import WAITING, Turns, parse_query
from gateway.errors import Code, Refusal
from tests.fakes import StandingClock

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("two words", SearchQuery(("ops",), ("two", "words"))),
        ("deploy from:ana from:Bob", SearchQuery(("ops",), ("deploy",), ("ana", "Bob"))),
        ("x ROOM:#Dev room:dev", SearchQuery(("dev",), ("x",))),
        ("x since:3d before:10m", SearchQuery(("ops",), ("x",), since=NOW - 259_200_000, before=NOW - 600_000)),
        ("x since:2026-09-21T14:13:20Z", SearchQuery(("ops",), ("x",), since=NOW)),
        ("https://a.b/c to:x *** - \"", SearchQuery(("ops",), ("https://a.b/c", "to:x"))),
        ("from:ana", SearchQuery(("ops",), (), ("ana",))),
        ("from:@ana", SearchQuery(("ops",), (), ("ana",))),
    ],
)  # fmt: skip
def test_a_query_is_words_and_filters(text: str, query: SearchQuery) -> None:
    assert parse_query(text, "ops", NOW, 20) == query


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "bad_message", "which words"), ("  ", "bad_message", "which words"),
        ("* - ?", "bad_message", "which words"), ("since:3d", "bad_message", "which words"),
        ("x from:", "bad_message", "from: what"), ("x room:!", "room_invalid", ""),
        ("x since:tomorrow", "bad_message", "since:tomorrow is not a time"),
        ("x before:2026-13-40", "bad_message", "before:2026-13-40 is not a time"),
        ("x " * 21, "too_long", "20 words"), ("x" * 301, "too_long", ""),
        (" ".join(f"room:r{number}" for number in range(11)) + " x", "too_long", "10 rooms"),
    ],
)  # fmt: skip
def test_what_is_no_query(text: str, code: str, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_query(text, "ops", NOW, 20)
    assert refused.value.code == code
    assert words in refused.value.text


def test_searches_of_one_address_take_turns() -> None:
    clock = StandingClock()
    turns = Turns(clock)
    first, _ = turns.start("a"), turns.start("a")
    with pytest.raises(Refusal, match="wait for the result"):
        turns.start("a")
    turns.start("b")
    clock.now += 1
    turns.finish("a", first)
    turns.start("a")


def test_a_flood_of_searches_is_charged_by_the_time_they_take() -> None:
    clock = StandingClock()
    turns = Turns(clock)
    done = 0
    with pytest.raises(Refusal) as refused:
        for _ in range(100):
            began = turns.start("a")
            clock.now += 1
            turns.finish("a", began)
            done += 1
    assert done == 5
    assert refused.value.code is Code.RATE_LIMITED
    clock.now += (refused.value.retry_ms or 0) / 1000
    turns.finish("a", turns.start("a"))
    turns.finish("b", turns.start("b"))


def test_only_so_many_searches_wait_whoever_asks() -> None:
    turns = Turns(StandingClock())
    for _ in range(WAITING):
        turns.start(None)
    with pytest.raises(Refusal) as refused:
        turns.start(None)
    assert refused.value.code is Code.BUSY
