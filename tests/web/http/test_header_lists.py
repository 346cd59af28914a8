"""Headers that are lists, in all the ways in which a list may be written."""

import pytest
from multidict import CIMultiDict

from gateway.web.http.header_lists import MEMBERS, members, speaks, takes_gzip, tokens, wants_json, wants_page, weights


def headers(name: str, *values: str) -> CIMultiDict[str]:
    """One header, or several of one name."""
    return CIMultiDict([(name, value) for value in values])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((), []),
        (("",), []),
        ((" , ,",), []),
        (("keep-alive, Upgrade",), ["keep-alive", "upgrade"]),
        (("keep-alive", "Upgrade"), ["keep-alive", "upgrade"]),
        (("close;x=1 , ,TE\t",), ["close", "te"]),
        (('a;b="c, d", e',), ["a", "e"]),
        (('a;b="c\\", d", e',), ["a", "e"]),
        (('"never closed, a',), ['"never closed, a']),
    ],
)
def test_a_list_is_read_whatever_way_it_is_written(values: tuple[str, ...], found: list[str]) -> None:
    assert tokens(headers("Connection", *values), "connection") == found


def test_a_list_without_end_is_read_for_a_while() -> None:
    assert len(members(headers("Accept", "a," * 10_000), "Accept")) == MEMBERS


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("gzip", {"gzip": 1.0}),
        ("gzip;q=0", {"gzip": 0.0}),
        ("GZIP ; Q=0.5, br;q=1.000", {"gzip": 0.5, "br": 1.0}),
        ("gzip;q=2, br;q=-1, x;q=0.0001, y;q=nan", {"gzip": 0.0, "br": 0.0, "x": 0.0, "y": 0.0}),
        ("a/b;v=1;q=0.4, a/b;v=2;q=0.3", {"a/b": 0.4}),
    ],
)
def test_weights(value: str, wanted: dict[str, float]) -> None:
    assert weights(headers("Accept", value), "Accept") == wanted


@pytest.mark.parametrize(
    ("value", "json", "page"),
    [
        ("application/json", True, False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False, True),
        ("application/problem+json;q=0.1, text/html;q=0", True, False),
        ("application/json;q=0", False, False),
        ("application/jsonp, text/htmlx, image/json", False, False),
        ("*/*", False, False),
    ],
)
def test_what_kind_of_answer_is_wanted(value: str, json: bool, page: bool) -> None:
    given = headers("Accept", value)
    assert (wants_json(given), wants_page(given)) == (json, page)


@pytest.mark.parametrize(
    ("value", "zipped"), [("br, gzip", True), ("*", True), ("*;q=0, gzip;q=0.1", True), ("gzip;q=0, *", False)]
)
def test_gzip(value: str, zipped: bool) -> None:
    assert takes_gzip(headers("Accept-Encoding", value)) is zipped


def test_the_first_subprotocol_that_is_known_is_spoken_and_case_counts() -> None:
    offer = headers("Sec-WebSocket-Protocol", "CHAT, b", "a")
    assert speaks(offer, "a", "b") == "b"
    assert speaks(offer, "chat") is None
