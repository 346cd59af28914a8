"""How values are written, how scripts travel, and what a filter is without each of its words."""

import pytest

from gateway.web.static_files import without_comments
from gateway.web.tables.columns import CONNECTIONS, cells, shown_in, written
from gateway.web.tables.filter import without_each

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0"
SAFARI = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
VALUES = [
    (1234567, "count", "1,234,567"), (0, "rate", "0"), (9.94, "rate", "9.9"), (9.96, "rate", "9.9"),
    (10.7, "rate", "10"),
    (999, "size", "999 B"), (1000, "size", "1.0 kB"), (999_960, "size", "999.9 kB"), (3.2e9, "size", "3.2 GB"),
    (59_999, "duration", "59s"), (3_599_000, "duration", "59m"), (7_500_000, "duration", "2h 05m"),
    (273_720_000, "duration", "3d 04h"), (0.04, "milliseconds", "0.0 ms"), (240.4, "milliseconds", "240 ms"),
    (None, "count", "n/a"), (None, "text", ""), (["a", "b"], "list", "a, b"), (True, "yes", "yes"),
    ("websocat/1.13", "agent", "websocat/1.13"),
]  # fmt: skip
"""A value, how it is to be written, and what is written. The script writes the same: see the test in a browser."""
AGENTS = [(FIREFOX, "Firefox 141"), (EDGE, "Edge 139"), (SAFARI, "Safari 18"), ("Mozilla/5.0", "browser")]


@pytest.mark.parametrize(("value", "shown", "words"), VALUES)
def test_values_are_written_short(value: object, shown: str, words: str) -> None:
    assert written(value, shown) == words


@pytest.mark.parametrize(("agent", "name"), AGENTS)
def test_a_browser_is_named_and_tells_the_rest_when_pointed_at(agent: str, name: str) -> None:
    assert written(agent, "agent").striptags() == name
    assert agent in written(agent, "agent")


@pytest.mark.parametrize("column", CONNECTIONS, ids=lambda column: column.field)
def test_no_value_becomes_markup(column) -> None:  # type: ignore[no-untyped-def]
    if column.shown in ("text", "code", "name", "agent", "list", "room"):
        value = ["<b>"] if column.shown == "list" else "<b>"
        assert "<b>" not in cells({column.field: value}, [column])


def test_open_and_closed_connections_have_columns_of_their_own() -> None:
    live, ended = ({column.field for column in shown_in(state)} for state in ("open", "closed"))
    assert {"lag_bytes", "rtt"} <= live - ended
    assert {"reason", "closed_at"} <= ended - live


def test_scripts_travel_without_comments_and_styles_with_what_they_begin_with() -> None:
    files = {
        "a.js": b'/**\n * Told.\n */\n\n  // also\n  const a = "b // stays"; // goes\n',
        "b.css": b'/* Told. */\n@import "./c.css";\n  b { }\n',
        "c.css": b"/*! kept */\nc { }\n",
        "vendor/d.js": b"// as it is\n",
    }
    assert without_comments("a.js", files) == b'const a = "b // stays";\n'
    assert without_comments("b.css", files) == b"/*! kept */\nc { }\nb { }\n"
    assert without_comments("vendor/d.js", files) == b"// as it is\n"


def test_a_filter_without_each_of_its_words() -> None:
    assert without_each('door:web nick:"a b"  lag>64k') == [
        ("door:web", 'nick:"a b" lag>64k'),
        ('nick:"a b"', "door:web lag>64k"),
        ("lag>64k", 'door:web nick:"a b"'),
    ]
