"""The text gate: what one person may put on another's screen, the same for every field on every door.

Theory of this file. A terminal obeys what it is shown, so text that came from one user and goes to another must hold
nothing a terminal, a browser or a line reader would obey: no control character but TAB and the LF between the lines
of a message, no escape sequence, no bidirectional override, no invisible tag.

Facts this rests on:

- Every character the gate touches is unprintable by Unicode (categories Cc, Cf, Cs, Cn, Zl, Zp), so one
  `str.isprintable()` clears ordinary text of any script: 0.5 µs for 64 letters. What is unprintable and yet passes
  (TAB, LF, the joiners of emoji) costs one search more.
- Sequences are removed first, single characters afterwards, and the second step takes *every* control character. What
  the removal of one sequence pushes together (`ESC ESC[m [31m`) may therefore read `[31m`, but never has its ESC. This
  also makes the gate idempotent: what left it holds nothing it would touch.
- No pattern backtracks and no string sequence's body can contain another introducer, so the time is linear in the
  length whatever is sent.

What is a sequence:

- CSI is `ESC [` or U+009B with parameters, intermediates and the final letter. Without a final letter it goes as far
  as it got: a terminal would have eaten the same.
- OSC and DCS (and SOS, PM, APC, which work alike) go from introducer to terminator: ST for all, BEL also for OSC.
  Where no terminator follows in the same line, or ESC, CAN or another C1 cuts it off, only the introducing control
  character goes and the words stay: nobody loses the rest of a message to a stray byte.
- nF is ESC with intermediates and a final letter, such as the `ESC ( B` with which `tput sgr0` begins; any other ESC
  takes the one letter after it along. The cursor keys of a terminal in its application mode are `ESC O` and a letter.

Private use and noncharacters (U+FFFE, U+FFFF) pass as they are: no door gives them a meaning.
"""

import re
from collections.abc import Sequence

from gateway import wording
from gateway.errors import Code, Refusal

LINE_BYTES = 4_096
"""A line of a terminal without its end, as long as NATS' control line: TEXT_BYTES after a command word fit."""
TEXT_BYTES = 4_000
"""A message: it fits a terminal's line with a command word before it."""
TOPIC_BYTES = 300
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""U+FEFF in UTF-8: Windows PowerShell puts it before what it pipes to a program."""

_SEQUENCE = re.compile(
    r"""
      (?: \x1b \[ | \x9b ) [0-?]*+ [\ -/]*+ [@-~]?                                              # CSI
    | (?: \x1b \] | \x9d ) [^\n\x07\x18\x1a\x1b\x80-\x9f]*+ (?: \x07 | \x1b \\ | \x9c )         # OSC
    | (?: \x1b [PX^_] | [\x90\x98\x9e\x9f] ) [^\n\x18\x1a\x1b\x80-\x9f]*+ (?: \x1b \\ | \x9c )  # DCS, SOS, APC, PM
    | \x1b [\ -/]++ [0-~]                                                                       # nF
    | \x1b O [A-DFHP-S]                                                                         # cursor keys, F1 to F4
    | \x1b [0-OQ-WYZ\\`-~]                                                                     # two bytes, ST left over
    """,
    re.VERBOSE,
)

_TO_SPACE = [0x0B, 0x0C, 0x0D, *range(0x1C, 0x20), 0x85, 0x2028, 0x2029]
_KEPT = [0x09, 0x0A]
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
_TAGS = range(0xE0000, 0xE0080)
_SINGLE = dict.fromkeys([*_CONTROLS, *_TAGS]) | dict.fromkeys(_TO_SPACE, " ") | {kept: chr(kept) for kept in _KEPT}
# The same once more as ranges, and surrogates: `re` makes a bitmap of these, 128 tags one by one cost 30 times as much.
_TOUCHED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)

_PLAIN = bytes(each if each in (0x0A, *range(0x20, 0x7F)) else 0x3F for each in range(0x100))
"""A table for `bytes.translate` that changes everything but LF and the printable characters of ASCII."""

# White space, and what takes no ink: soft hyphen, joiners and marks of direction, fillers, the blank Braille cell,
# variation selectors, invisible operators.
_VISIBLE = re.compile(
    r"[^\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0100-\U000e01ef]"
)


def decode(raw: bytes) -> str:
    """The bytes of a terminal or a POST as text; what is not UTF-8 becomes U+FFFD."""
    return raw.decode("utf-8", "replace")


def lines(text: str, limit: int = TEXT_BYTES) -> str:
    """`text` through the gate, where LF separates lines: CRLF becomes LF, line feeds at the end go.

    1. The result has no C0 but TAB and LF, no DEL, no C1, no lone surrogate and something visible in it.
    2. It is at most `limit` bytes of UTF-8.
    3. It passes the gate unchanged.

    Raises Refusal: BAD_TEXT for a lone surrogate or when nothing visible is left, TOO_LONG over the limit.
    """
    return _fitting(text if text.isprintable() else _scrubbed(text), limit)


def line(text: str, limit: int = TEXT_BYTES) -> str:
    """`text` through the gate as one line, for fields that have only one: as `lines`, then LF becomes a space."""
    if text.isprintable():  # nothing that parts lines is
        return _fitting(text, limit)
    return lines(text, limit).replace("\n", " ")


def unchanged(raw: Sequence[bytes], limit: int = TEXT_BYTES) -> list[str]:
    """The texts of a terminal's first lines, as many as are UTF-8 and pass through `line` as they are. The lines have
    no line feeds. Plain ASCII is looked at as a whole: that takes a tenth of what it takes line by line."""
    if not raw:
        return []
    joined = b"\n".join(raw)
    try:
        texts = joined.decode().split("\n")
    except UnicodeDecodeError:
        return []
    if max(map(len, raw)) <= limit and joined.translate(_PLAIN) == joined and min(texts) >= "!":
        return texts  # each begins with a character that is seen: a blank comes before all of these, nothing before it
    for count, text in enumerate(texts):
        try:
            same = line(text, limit) == text
        except Refusal:
            same = False
        if not same:
            return texts[:count]
    return texts


def is_clean(text: str) -> bool:
    """Whether the gate would leave every character of it as it is."""
    return text.isprintable() or not _TOUCHED.search(text)


def is_blank(text: str) -> bool:
    """Whether the gate would leave nothing readable of it."""
    return not _VISIBLE.search(_SEQUENCE.sub("", text).translate(_SINGLE))


def shown(text: str, limit: int = 64) -> str:
    """As much of a peer's text as may be quoted in an error about it."""
    try:
        return line(text[:limit], limit=4 * limit)
    except Refusal:
        return "that"


def _scrubbed(text: str) -> str:
    if not _TOUCHED.search(text):
        return text.rstrip("\n")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal(Code.BAD_TEXT, wording.HALF_A_PAIR) from None
    return _SEQUENCE.sub("", text).replace("\r\n", "\n").translate(_SINGLE).rstrip("\n")


def _fitting(text: str, limit: int) -> str:
    if len(text) * 4 > limit and (size := len(text.encode())) > limit:
        raise Refusal(Code.TOO_LONG, wording.TOO_LONG.format(size=size, limit=limit))
    # Most texts begin with a character that is seen, which costs less to look at than to search for.
    if not ("!" <= text[:1] <= "~" or _VISIBLE.search(text)):
        raise Refusal(Code.BAD_TEXT, wording.EMPTY_TEXT)
    return text
