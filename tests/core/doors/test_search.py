"""What a query means."""

import pytest

from gateway.core.doors.search import parse_query
from gateway.core.ports.index import SearchQuery
from gateway.errors import Refusal

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
