"""The filter words of the dashboard's tables, as text in and a test of rows out. Pure.

A filter is words separated by white space, all of which must match; `-` before a word negates it. A word is
`name:value`, `name>value`, `name<value` (`>=`, `<=` too), or plain text, the beginning of the table's main name.
Values with blanks or quotes are written in "double quotes", where a backslash takes the next character as it is.

A table has a `Vocabulary`: the names, the attribute of a row that each looks at, and the kind of its values. A row
without a value never matches (and so always matches the negated word).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import UNSET

from gateway import wording
from gateway.core.address import parse_address, parse_network
from gateway.core.quantity import parse_count, parse_milliseconds, parse_size
from gateway.errors import Code, Refusal

Test = Callable[[Any], bool]

FILTER_CHARS = 1000
"""The longest filter, in characters: more than anybody types."""
WORDS = 32

_NAME = re.compile(r"([a-z][a-z_]*)(:|>=|<=|>|<)")
_BARE = re.compile(r'[^\s"]+')
_QUANTITY = re.compile(
    r"\d[\d.,]*(?: ?(?:ms|min|[smhdw]|[kmgt]?i?b|[kmgt])(?: ?\d+ ?(?:ms|min|[smhdw]))*)?(?!\S)",
    re.ASCII | re.IGNORECASE,
)
"""A quantity as the table writes it, with blanks before its units: `65.5 kB`, `1h 02m`."""
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    ">": lambda have, want: have > want,
    "<": lambda have, want: have < want,
    ">=": lambda have, want: have >= want,
    "<=": lambda have, want: have <= want,
}


class BadWord(Refusal):
    """A malformed word: it begins `at` that character and is `length` characters long; `why` it is wrong, and what is
    `right`."""

    def __init__(self, word: str, at: int, length: int, why: str, right: str) -> None:
        super().__init__(Code.BAD_MESSAGE, f"{word}: {why}; {right}")
        self.word = word
        self.at = at
        self.length = length
        self.why = why
        self.right = right

    def place(self) -> dict[str, str | int]:
        """What a page needs to underline the word."""
        return {"word": self.word, "at": self.at, "length": self.length, "why": self.why, "right": self.right}


class Wrong(Exception):
    """A value that its kind cannot read: why, and what would be right."""

    def __init__(self, why: str, right: str) -> None:
        super().__init__(why)
        self.why = why
        self.right = right


class Value(NamedTuple):
    """The value of a word. In a `quoted` one `*` is an ordinary character."""

    text: str
    quoted: bool


class ValueKind(NamedTuple):
    """How values are read: `make` gives the test of an attribute's value, or raises Wrong. `compares`: the word has
    `>` or `<`, otherwise `:`."""

    make: Callable[[str, Value], Callable[[Any], bool]]
    compares: bool


class Word(NamedTuple):
    """A name that a table knows: the `attribute` of its rows and the `kind` of its values."""

    attribute: str
    kind: ValueKind
    example: str


class Filter(NamedTuple):
    """All words of a filter as one test of a row, and the attributes it looks at."""

    fits: Test
    attributes: frozenset[str]


class Vocabulary:
    """The words of one table; `plain` is the name that plain text stands for."""

    def __init__(self, words: Mapping[str, Word], plain: str) -> None:
        self._words = words
        self._plain = plain

    @property
    def examples(self) -> dict[str, str]:
        """How each word is written."""
        return {name: word.example for name, word in self._words.items()}

    def read(self, text: str) -> Filter:
        """Parse a filter. Raises BadWord for the first word that is wrong."""
        if len(text) > FILTER_CHARS:
            right = wording.FILTER_MOST_CHARACTERS.format(most=FILTER_CHARS)
            raise BadWord(text[:20] + "…", 0, len(text), wording.FILTER_LONG, right)
        tests: list[Test] = []
        attributes: set[str] = set()
        for word in split(text):
            if len(tests) == WORDS:
                right = wording.FILTER_MOST_WORDS.format(most=WORDS)
                raise BadWord(word.text, word.at, len(word.text), wording.FILTER_WORDS, right)
            attribute, test = self._test(word)
            attributes.add(attribute)
            tests.append(test)
        return Filter(_all(tests), frozenset(attributes))

    def _test(self, word: "ParsedQuery") -> tuple[str, Test]:
        known = self._words.get(word.name or self._plain)
        try:
            if known is None:
                raise Wrong(
                    wording.FILTER_UNKNOWN_FIELD.format(name=word.name),
                    wording.FILTER_FIELDS.format(names=", ".join(self._words)),
                )
            if word.name is None:
                fits = begins_with(word.value.text)
            else:
                if known.kind.compares != (word.sign != ":"):
                    raise Wrong(
                        wording.FILTER_SIGN.format(name=word.name, sign=word.sign),
                        wording.FILTER_WRITE.format(example=known.example),
                    )
                if not word.value.text:
                    raise Wrong(wording.FILTER_VALUE_MISSING, wording.FILTER_WRITE.format(example=known.example))
                fits = known.kind.make(word.sign, word.value)
        except Wrong as wrong:
            raise BadWord(word.text, word.at, len(word.text), wrong.why, wrong.right) from None
        return known.attribute, _of(known.attribute, fits, word.negated)


class ParsedQuery(NamedTuple):
    """One word of a filter, from character `at`. `name` is None for plain text."""

    text: str
    at: int
    negated: bool
    name: str | None
    sign: str
    value: Value


def split(text: str) -> Iterable[ParsedQuery]:
    """The words of a filter. Raises BadWord for quotes that do not end."""
    at, end = 0, len(text)
    while at < end:
        if text[at].isspace():
            at += 1
            continue
        start = at
        negated = text[at] == "-"
        at += negated
        match = _NAME.match(text, at)
        name, sign = (match[1], match[2]) if match else (None, ":")
        at = match.end() if match else at
        amount = _QUANTITY.match(text, at) if sign != ":" else None
        if amount is not None:
            value, at = Value(amount[0], False), amount.end()
        else:
            value, at = _value(text, at, start)
        if name is None and not value.text:
            word = text[start:at]
            raise BadWord(word, start, len(word), wording.FILTER_NOTHING, wording.FILTER_WRITE_A_WORD)
        yield ParsedQuery(text[start:at], start, negated, name, sign, value)


def without_each(text: str) -> list[tuple[str, str]]:
    """Each word of a filter, and the filter without it. Raises BadWord as `split`."""
    return [(word.text, " ".join((text[: word.at] + text[word.at + len(word.text) :]).split())) for word in split(text)]


def _value(text: str, at: int, start: int) -> tuple[Value, int]:
    """The value that begins at `at`, and where it ends."""
    if text[at : at + 1] != '"':
        match = _BARE.match(text, at)
        if match is None:
            return Value("", False), at
        if text[match.end() : match.end() + 1] == '"':
            word = text[start : match.end() + 1]
            raise BadWord(word, start, len(word), wording.FILTER_QUOTE_INSIDE, wording.FILTER_QUOTE_WHOLE)
        return Value(match[0], False), match.end()
    letters, place = [], at + 1
    while place < len(text) and text[place] != '"':
        place += text[place] == "\\"
        letters.append(text[place : place + 1])
        place += 1
    if place >= len(text):
        raise BadWord(text[start:], start, len(text) - start, wording.FILTER_QUOTE_ENDLESS, wording.FILTER_CLOSE_QUOTE)
    return Value("".join(letters), True), place + 1


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _of(attribute: str, fits: Callable[[Any], bool], negated: bool) -> Test:
    def test(row: Any) -> bool:
        have = getattr(row, attribute)
        return (have is not None and have is not UNSET and fits(have)) is not negated

    return test


# Kinds of values


def begins_with(text: str) -> Callable[[str], bool]:
    """The beginning of a text, in any case; a `*` at its end changes nothing."""
    folded = text.casefold().rstrip("*")
    return lambda have: have.casefold().startswith(folded)


def _text(sign: str, value: Value) -> Callable[[str], bool]:
    if value.text.endswith("*") and not value.quoted:
        return begins_with(value.text)
    folded = value.text.casefold()
    return lambda have: have.casefold() == folded


def _part(sign: str, value: Value) -> Callable[[str], bool]:
    if value.text.endswith("*") and not value.quoted:
        return begins_with(value.text)
    folded = value.text.casefold()
    return lambda have: folded in have.casefold()


def _member(sign: str, value: Value) -> Callable[[Iterable[str]], bool]:
    fits = _text(sign, Value(value.text.removeprefix("#"), value.quoted))
    return lambda have: any(map(fits, have))


TEXT = ValueKind(_text, compares=False)
"""Equal, or with `*` at the end: begins with."""
PART = ValueKind(_part, compares=False)
"""Contains, or with `*` at the end: begins with."""
MEMBER = ValueKind(_member, compares=False)
"""One of the row's texts is equal, or begins with it."""


def choice(*words: str) -> ValueKind:
    """One of some words, or several with commas between them."""

    def make(sign: str, value: Value) -> Callable[[str], bool]:
        wanted = frozenset(value.text.lower().split(","))
        if not wanted <= set(words):
            unknown = ", ".join(sorted(repr(word) for word in wanted - set(words)))
            raise Wrong(
                wording.FILTER_NO_SUCH.format(word=unknown), wording.FILTER_ONE_OF.format(words=", ".join(words))
            )
        return wanted.__contains__

    return ValueKind(make, compares=False)


def _yes(sign: str, value: Value) -> Callable[[bool], bool]:
    if value.text not in ("yes", "no"):
        raise Wrong(wording.FILTER_NEITHER.format(words=value.text), wording.FILTER_YES_OR_NO)
    wanted = value.text == "yes"
    return lambda have: have is wanted


YES = ValueKind(_yes, compares=False)


def _quantity(read: Callable[[str], float], right: str) -> ValueKind:
    def make(sign: str, value: Value) -> Callable[[float], bool]:
        try:
            wanted, order = read(value.text), _ORDERS[sign]
        except ValueError:
            raise Wrong(wording.FILTER_NOT_A_QUANTITY.format(words=value.text), right) from None
        return lambda have: order(have, wanted)

    return ValueKind(make, compares=True)


DURATION = _quantity(lambda text: parse_milliseconds(text, 1000), wording.FILTER_DURATION)
"""Rows have ms; a number without a unit is seconds."""
MOMENT = _quantity(lambda text: parse_milliseconds(text, 1), wording.FILTER_SHORT_DURATION)
"""The same for short durations: a number without a unit is ms."""
SIZE = _quantity(parse_size, wording.FILTER_BYTES)
COUNT = _quantity(parse_count, wording.FILTER_NUMBER)


def address_order(address: str) -> str:
    """A text that sorts like the address: IPv4 before IPv6, anything else at the end."""
    parts = address.split(".")
    if len(parts) == 4 and ":" not in address:
        return "4" + "".join([part.zfill(3) for part in parts])
    parsed = parse_address(address)
    return f"{parsed.version}{int(parsed):032x}" if parsed is not None else f"9{address}"


def _address(sign: str, value: Value) -> Callable[[str], bool]:
    text = value.text.lower()
    if text.endswith("*") or (text.endswith((".", ":")) and text != "::"):
        beginning = text.rstrip("*")
        return lambda have: have.startswith(beginning)
    if "/" in text:
        try:
            network = parse_network(text, strict=False)
        except ValueError:
            raise Wrong(wording.FILTER_NOT_A_NETWORK.format(words=value.text), wording.FILTER_WRITE_NETWORK) from None
        return lambda have: (address := parse_address(have)) is not None and address in network
    wanted = parse_address(text)
    if wanted is None:
        raise Wrong(wording.FILTER_NOT_AN_ADDRESS.format(words=value.text), wording.FILTER_WRITE_ADDRESS)
    return lambda have: parse_address(have) == wanted


ADDRESS = ValueKind(_address, compares=False)
"""An address, a network, or the beginning of an address: with `*`, or up to a dot or colon."""
