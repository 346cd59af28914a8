"""The table of look-alikes against the data it was taken from."""

import json
import unicodedata
from collections import defaultdict
from importlib import resources

from gateway.core.confusables import prototypes

DIRECTION_MARK = "\u200e"
NAME_CATEGORIES = ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Mn", "Mc", "Me")


def published_pairs() -> dict[str, set[str]]:
    shipped = resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text()
    alike: defaultdict[str, set[str]] = defaultdict(set)
    for one, others in json.loads(shipped).items():
        for other in others:
            alike[one.replace(DIRECTION_MARK, "")].add(other["c"].replace(DIRECTION_MARK, ""))
    return alike


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def can_reach_the_table(character: str) -> bool:
    return unicodedata.category(character) in NAME_CATEGORIES and unicodedata.normalize(
        "NFKC", character
    ) == character == decomposed(character)


def test_every_pair_of_the_table_is_a_published_one() -> None:
    published = published_pairs()
    for source, target in prototypes().items():
        assert str(target) in map(decomposed, published[chr(source)]), hex(source)


def test_every_published_pair_a_name_can_meet_looks_alike_in_the_table() -> None:
    table = prototypes()
    missing = [
        (one, other)
        for one, others in published_pairs().items()
        for other in others
        if len(one) == 1 == len(other) and can_reach_the_table(one) and can_reach_the_table(other)
        if one.translate(table) != other.translate(table)
    ]
    assert missing == []


def test_every_published_spelling_of_one_letter_by_several_is_in_the_table() -> None:
    table = prototypes()
    missing = [
        (one, others)
        for one, others in published_pairs().items()
        if len(one) == 1 and can_reach_the_table(one) and all(len(decomposed(other)) > 1 for other in others)
        if len(others) == 1 and one not in {chr(source) for source in table}
    ]
    assert missing == []
