"""Names: which nicks and room names are valid, and when two nicks count as one.

Theory of this file. A nick is shown in its NFKC form and stands for one user, so nobody else may hold a nick that a
reader takes for it. Readers take two nicks for one when they differ only in case, or look alike (UTS 39). These two do
not add up to one key: capital I looks like l but is another way to write i, capital Greek Nu looks like N but its small
letter looks like v. One key that respects both would make ian and lan, or van and nan, the same user; a key that folds
case first, as UTS 39 has it for identifiers, lets Cyrillic "Tom" and "Mary" pass, whose small letters look different.

So a nick has two keys, mostly equal: how it looks with its case folded, and how it looks as written. Two nicks
are one when they share a key:

    admin, Admin          adrnin                        m looks like rn
    adm<dotless i>n       adrnin
    ADMIN                 adrnin, adrnln
    alice                 alice
    aIice                 aiice, alice
    tom                   torn
    <Cyrillic T>om        <small capital t>orn, torn

`Roster` holds nicks by both keys, so that nobody has to remember that there are two.

A nick never goes through the text gate: what the gate would remove makes the nick invalid, since nobody honestly wishes
to be called `<RLO>nimda`.

Combining marks: most of what NFKC cannot compose into a letter is ornament, and stacked high it covers other people's
lines. But some scripts write their vowels as marks (Devanagari, Thai), so a mark is part of a nick where it follows a
letter of its own script, at most as many in a row as that script's syllables need, and none twice. Their order is not
seen, so it does not count in a key.

Simple on purpose: of the scripts that use marks only those are listed that today's keyboards have, and a character's
script is the first word of its name, since Python's unicodedata has no scripts.
"""

import re
import unicodedata
from functools import cache, lru_cache
from itertools import groupby
from typing import Generic, TypeVar

from gateway import wording
from gateway.core.confusables import (
    ascii_folded,
    ascii_skeletons_folded,
    ascii_small_skeletons,
    folded_skeleton,
    skeleton,
)
from gateway.errors import Code, Refusal

NICK_CHARACTERS = 32
NICK_BYTES = 128
ROOM_CHARACTERS = 64
RESERVED = ("server", "system", "admin", "operator", "console", "you")
"""`console` acts in the audit log, `you` stands in `[you -> bob]`."""
GUEST = "guest-"

_ASCII_NICK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ROOM = re.compile(r"[a-z0-9][a-z0-9._-]*")
_NICK_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})
_LINE_STARTS = "-!*["  # what lines of the server and the room begin with; some letters look like these
_BLANK_LETTERS = "\u115f\u1160"  # Hangul fillers: letters by category, invisible on the screen
_COMPOSED_OF_AT_MOST = 4

_HEX = [f"{byte:02x}" for byte in range(256)]

_THREE_MARKS = ("BALINESE", "BENGALI", "CHAKMA", "DEVANAGARI", "GUJARATI", "GURMUKHI", "JAVANESE", "KANNADA",
                "MALAYALAM", "ORIYA", "SINHALA", "SUNDANESE", "TAMIL", "TELUGU")  # fmt: skip
MARKS_IN_A_ROW = dict.fromkeys(_THREE_MARKS, 3) | {
    "KHMER": 4,
    "LAO": 2,
    "MYANMAR": 4,
    "THAANA": 1,
    "THAI": 2,
    "TIBETAN": 4,
}
_MARKS = frozenset({"Mn", "Mc"})
_BLANK_MARKS = "\u17b4\u17b5"  # Khmer inherent vowels: without any glyph

Owner = TypeVar("Owner")


def nick(text: str) -> str:
    """A nick a user asks for, in the form others will see (NFKC).

    Raises Refusal: NICK_INVALID for an invalid nick, NICK_TAKEN for reserved ones, guests' among them, and what looks
    like them. Whether another user holds it is up to the roster. Pass the characters as the user sent them: text that
    went through the gate first no longer shows what makes a nick invalid.
    """
    shown = any_nick(text)
    if is_guest(shown):
        raise Refusal(Code.NICK_TAKEN, wording.NICK_GUEST.format(guest=GUEST, nick=shown))
    if not _reserved_keys().isdisjoint(keys(shown)):
        raise Refusal(Code.NICK_TAKEN, wording.NICK_RESERVED.format(nick=shown))
    return shown


def any_nick(text: str) -> str:
    """A valid nick, the server's own names included, in the form others see. Raises Refusal."""
    shown = unicodedata.normalize("NFKC", text) if len(text) <= NICK_CHARACTERS * _COMPOSED_OF_AT_MOST else text
    if not _is_nick(shown):
        raise Refusal(Code.NICK_INVALID, _complaint(shown))
    return shown


def keys(nick: str) -> tuple[str, ...]:
    """The keys of a nick, one or two, the case-folded first. Two nicks count as one when they share a key."""
    return _keys(nick) if len(nick) <= NICK_CHARACTERS else _keys.__wrapped__(nick)


@lru_cache(1024)  # somebody who comes is looked up five times, which was a seventh of a terminal's arrival
def _keys(nick: str) -> tuple[str, ...]:
    if nick.isascii():  # a guest's
        if nick.islower():  # all guests: three replacements instead of looking up every character
            folded = nick
            for small, look in ascii_small_skeletons():
                folded = folded.replace(small, look)
        else:
            folded = nick.translate(ascii_folded())
        as_written = nick.translate(ascii_skeletons_folded()) if "I" in nick else folded  # only I has two looks
    else:
        shown = _marks_in_order(unicodedata.normalize("NFKC", nick))
        folded, as_written = folded_skeleton(shown), folded_skeleton(skeleton(shown))
    if folded == nick:
        folded = nick  # one text in memory instead of two for each of ten thousand guests
    return (folded,) if folded == as_written else (folded, as_written)


def guest(number: int) -> str:
    """The guest name for 16 bits of randomness: `guest-4f2a`."""
    return GUEST + _HEX[number >> 8 & 0xFF] + _HEX[number & 0xFF]


def is_guest(nick: str) -> bool:
    """Whether it is, or looks like, a guest name, which only the server gives."""
    return any(key.startswith(GUEST) for key in keys(nick))


def room(text: str) -> str:
    """The name of a room in its canonical form. Raises Refusal ROOM_INVALID."""
    name = text.removeprefix("#").lower() if len(text) <= ROOM_CHARACTERS + 1 else ""
    if len(name) > ROOM_CHARACTERS or not _ROOM.fullmatch(name):
        raise Refusal(Code.ROOM_INVALID, wording.ROOM_INVALID.format(most=ROOM_CHARACTERS))
    return name


class Roster(Generic[Owner]):
    """Nicks and their holders, found by both keys."""

    def __init__(self) -> None:
        self._owners: dict[str, Owner] = {}

    def claim(self, nick: str, owner: Owner) -> bool:
        """Hold `nick` for `owner`; return False, and change nothing, when another owner holds it or one that looks like
        it.

        To change a nick, claim the new one, then release the old one with `keep` naming the new one.
        """
        wanted = keys(nick)
        for key in wanted:
            if self._owners.get(key, owner) != owner:
                return False
        for key in wanted:
            self._owners[key] = owner
        return True

    def release(self, nick: str, keep: str | None = None) -> None:
        """Release `nick`, except for keys that it shares with `keep`. Releasing a free nick does nothing."""
        kept = keys(keep) if keep is not None else ()
        for key in keys(nick):
            if key not in kept:
                self._owners.pop(key, None)

    def all(self) -> list[Owner]:
        """Every owner once."""
        return list(dict.fromkeys(self._owners.values()))

    def holder(self, nick: str) -> Owner | None:
        """The owner that is meant by `nick`, by its letters rather than by its look; None = nobody."""
        for key in keys(nick):
            if key in self._owners:
                return self._owners[key]
        return None

    def holders(self, nick: str) -> list[Owner]:
        """All owners of nicks that share a key with `nick`; one that shares both keys is listed twice."""
        return [self._owners[key] for key in keys(nick) if key in self._owners]


def _is_nick(shown: str) -> bool:
    if not 1 <= len(shown) <= NICK_CHARACTERS:
        return False
    if shown.isascii():
        return _ASCII_NICK.fullmatch(shown) is not None
    if not _is_spelled(shown):
        return False
    return _can_begin(shown[0]) and len(shown.encode()) <= NICK_BYTES


def _complaint(shown: str) -> str:
    """The rule that an invalid nick breaks, in words that can be shown to anybody."""
    if not shown:
        return wording.NICK_EMPTY
    if any(character.isspace() for character in shown):
        return wording.NICK_BLANK
    if len(shown) > NICK_CHARACTERS:
        return wording.NICK_LONG.format(count=len(shown), most=NICK_CHARACTERS)
    if not _is_letter(shown[0]) or not _can_begin(shown[0]):
        return wording.NICK_START
    if _is_spelled(shown):
        return wording.NICK_BYTES.format(count=len(shown.encode()), most=NICK_BYTES)
    odd = next((each for each in shown if not (_is_letter(each) or _is_mark(each) or each in "._-")), "")
    what = (odd if odd.isprintable() else f"U+{ord(odd):04X}") if odd else wording.NICK_MARKS
    return wording.NICK_CHARACTER.format(what=what)


def _is_spelled(shown: str) -> bool:
    """Whether it consists of letters, digits, dots and the like, each with no more marks than its script allows."""
    script, marks = "", ""
    for character in shown:
        if _is_mark(character):
            marks += character
            if len(marks) > MARKS_IN_A_ROW.get(script, 0) or _script(character) != script or _repeats(marks):
                return False
        elif character in "._-" or _is_letter(character):
            script, marks = _script(character) if unicodedata.category(character) != "Nd" else "", ""
        else:
            return False
    return True


def _repeats(marks: str) -> bool:
    """Whether the last mark is there twice, or shares its place (Unicode's combining class) with another."""
    place = unicodedata.combining(marks[-1])
    return any(mark == marks[-1] or 0 < place == unicodedata.combining(mark) for mark in marks[:-1])


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in _MARKS and character not in _BLANK_MARKS


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _marks_in_order(text: str) -> str:
    if text.isascii():
        return text
    runs = groupby(text, key=_is_mark)
    return "".join("".join(sorted(run) if marks else run) for marks, run in runs)


def _is_letter(character: str) -> bool:
    return unicodedata.category(character) in _NICK_LETTERS and character not in _BLANK_LETTERS


def _can_begin(character: str) -> bool:
    return _is_letter(character) and skeleton(character) not in _LINE_STARTS


@cache
def _reserved_keys() -> frozenset[str]:
    return frozenset(key for name in RESERVED for form in (name, name.upper()) for key in keys(form))
