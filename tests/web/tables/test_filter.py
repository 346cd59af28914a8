"""The filter words: what they mean, and what is said about those that mean nothing."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from gateway.web.tables.columns import written
from gateway.web.tables.connection_row import WORDS
from gateway.web.tables.filter import BadWord, split

ROW = {
    "nick": "alice",
    "address": "10.1.2.3",
    "door": "web",
    "rooms": ("lobby", "ops"),
    "state": "slow",
    "idle": 300_001,
    "lag_bytes": 70_000,
    "rtt": 250.0,
    "up": 7_200_001,
    "unsent_ms": None,
    "agent": "Mozilla/5.0 Firefox/144.0",
    "id": "9f2",
    "skipped": 0,
    "messages_in_rate": 12.5,
    "messages_out_rate": None,
    "tls": False,
    "reason": UNSET,
    "telnet": ("peer NAWS",),
    "terminal": "xterm 80x24",
    "local": "127.0.0.1:9999",
    "proxy": None,
    "user": "3f2a",
    "messages_in": 7,
    "messages_out": 90_000,
    "bytes_in": 120,
    "bytes_out": 4_000_000,
    "retransmits": 0,
    "unacked": None,
    "unsent_bytes": None,
    "resumed": 1,
}


def fits(text: str, **changes: Any) -> bool:
    return WORDS.read(text).fits(SimpleNamespace(**ROW | changes))


@pytest.mark.parametrize(
    "text",
    ["", "  ", "al", "ALI", "nick:al*", "nick:Alice", '"ali"', 'nick:"alice"', "ip:10.0.0.0/8", "ip:10.1.2.3",
     "ip:10.1.*", "ip:10.1.", "ip:10.9.9.9/8", "door:web", "door:tcp,web", "room:ops", "room:#ops",
     "ip:::ffff:10.1.2.3",
     "room:lob*", "state:slow", "idle>5m", "idle>300s", "idle>=300", "lag>64k", "lag<1m", "rtt>200ms", "rtt>200",
     "rtt<0.5s", "up>2h", "in>10", "in<=12.5", "agent:firefox", "agent:moz*", "id:9f2", "id:9F*", "tls:no",
     "-nick:bob", "-door:tcp", "-out>5", "-age>1s", "-reason:kicked", "lag>64kB", "lag>64KiB", "lag>68.3KiB",
     "lag>=70 kB", 'lag>="70.0 kB"', "idle>4m 59s al", "ip:[::ffff:10.1.2.3]", "ip:10.1.2.3:51234",
     'telnet:"peer NAWS"', "al door:web lag>64k -idle<5m"],
)  # fmt: skip
def test_a_word_that_fits(text: str) -> None:
    assert fits(text)


@pytest.mark.parametrize(
    "text",
    ["bob", "-al", "nick:al", 'nick:"al*"', "ip:10.1.2.30", "ip:10.2.0.0/16", "ip:10.1.2.3/32 bob", "ip:fe80::/10",
     "ip:1.*", "door:tcp", "room:op", "state:ok", "idle<5m", "lag>70k", "lag>68.4KiB", "lag>70KB",
      "rtt>1s", "up<2h", "age>1s", "out>0", "out<1",
     "reason:kicked", "id:9f", "tls:yes", "-door:web"],
)  # fmt: skip
def test_a_word_that_does_not_fit(text: str) -> None:
    assert not fits(text)


@pytest.mark.parametrize("example", WORDS.examples.values())
def test_the_example_of_a_word_is_a_filter(example: str) -> None:
    assert fits(example) is not fits(f"-{example}")


def test_an_ipv6_address_is_found_however_it_is_written() -> None:
    row = {"address": "2001:db8::1%eth0"}
    assert fits("ip:2001:0db8:0::0001", **row) and fits("ip:2001:db8::/32", **row) and fits("ip:2001:db8:", **row)
    assert not fits("ip:10.0.0.0/8", **row)


@pytest.mark.parametrize(
    ("text", "word", "at", "said"),
    [
        ("al dor:web", "dor:web", 3, "unknown field 'dor'"),
        ("door:wob", "door:wob", 0, "one of tcp, telnet, web, http"),
        ("  -door>web", "-door>web", 2, "write door:web"),
        ("lag:64k", "lag:64k", 0, "write lag>64k"),
        ("lag>64q", "lag>64q", 0, "64k"),
        ("lag>", "lag>", 0, "the value is missing"),
        ("idle>5x", "idle>5x", 0, "90s"),
        ("ip:10.0.0.0/99", "ip:10.0.0.0/99", 0, "is not a network"),
        ("ip:10.0.0.300", "ip:10.0.0.300", 0, "not an address"),
        ('nick:"al', 'nick:"al', 0, "the quote does not end"),
        ('al nick:a"l"', 'nick:a"', 3, "a quote in the middle"),
        ("al -", "-", 3, "nothing to look for"),
        ("tls:maybe", "tls:maybe", 0, "yes or no"),
    ],
)
def test_a_bad_word_is_named_with_its_place_and_what_is_right(text: str, word: str, at: int, said: str) -> None:
    with pytest.raises(BadWord) as bad:
        WORDS.read(text)

    assert (bad.value.word, bad.value.at, bad.value.length) == (word, at, len(word))
    assert said in bad.value.text


@given(st.integers(0, 10**13) | st.integers(0, 10**6).map(lambda n: n * 100) | st.floats(0, 1e13))
def test_a_row_is_found_by_what_the_table_writes_of_it(value: float) -> None:
    for name, attribute, shown in (
        *(("lag", "lag_bytes", "size"), ("idle", "idle", "duration"), ("rtt", "rtt", "milliseconds")),
        *(("in", "messages_in_rate", "rate"), ("skipped", "skipped", "count")),
    ):
        cell = written(value, shown)
        for spelling in (cell, cell.replace(" ", ""), f'"{cell}"'):
            assert fits(f"{name}>={spelling}", **{attribute: value}), spelling
        assert not fits(f"{name}>={cell}", **{attribute: value * 0.5 - 1001}), cell


def test_a_filter_is_bounded() -> None:
    with pytest.raises(BadWord, match="too long"):
        WORDS.read("a" * 1001)
    with pytest.raises(BadWord, match="too many"):
        WORDS.read("a " * 33)


@given(st.text(max_size=60) | st.text('abdoripnck:<>="\\- *0129./kms', max_size=40))
def test_any_text_is_a_filter_or_a_bad_word_that_stands_there(text: str) -> None:
    try:
        fits(text)
    except BadWord as bad:
        assert text[bad.at : bad.at + bad.length] == bad.word and bad.why and bad.right


@given(st.text(max_size=20))
def test_any_value_can_be_written_in_quotes(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')

    (word,) = split(f'nick:"{quoted}"')

    assert word.value.text == value


@given(st.sampled_from(["al", "door:web", "lag>64k", "out>5", "ip:10.0.0.0/8", "room:ops"]))
def test_a_word_turned_round_fits_the_others(text: str) -> None:
    assert fits(text) is not fits(f"-{text}")
