"""LineStyle: what one person has set at a terminal, and how the lines of the room look there.

Theory of this file. Lines come here as every terminal gets them (`core.protocol.wire`), encoded once for all, and are
changed for one: its own name stands out, names have colours, the time stands in front, somebody is left out. That works
because a line says at its start who speaks, and no user text can begin a line.

- Colours only help: the name is there as well. They are eight that can be read on black and on white, chosen by the
  name, so that somebody has the same one everywhere.
- Where times are wanted the wire writes `14:01 ` in front of live messages (`wire.TimedLines`); here it becomes
  `[14:01] `, where a minute has passed since the last one, or where `/time on` asks for all. History shows its own.
- `plain` is for screen readers: nothing but the words, and the time last.
"""

import re
from dataclasses import dataclass, replace
from typing import Final
from zlib import crc32

from gateway.errors import Code

COLORS: Final = (31, 32, 33, 35, 36, 91, 94, 95)
"""SGR codes of the colours of names."""
BOLD, NOT_BOLD, NO_COLOR = "\x1b[1m", "\x1b[22m", "\x1b[39m"

_LINE = re.compile(
    r"""(?: (?P<live> \d\d:\d\d )[ ] | (?P<past> \[\d\d:\d\d\][ ](?:\#\d+[ ])? ) )?
        (?: (?P<notice> --|!! )[ ]
          | \*[ ] (?P<actor> [\w.-]+ ) [ ]
          | (?P<nick> [\w.-]+ ) (?::[ ]|\|[ ])
          | \[ (?P<sender> [\w.-]+ ) [ ]->[ ] (?P<to> [\w.-]+ ) \][ ]
        )""",
    re.VERBOSE,
)
_CODES = frozenset(Code) - {Code.KICKED, Code.BANNED, Code.DRAINING}
"""Codes of refusals, not of farewells, which are the same for everybody."""
_ERROR = re.compile(r"!! ([a-z_]+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person has set at one connection. None: as the terminal can and the door does by itself."""

    color: bool | None = None
    time: bool | None = None
    bell: bool | None = None
    plain: bool = False
    title: bool = False
    """The window's title shows the room and the name."""
    hold: bool = False
    """Others' lines wait for Enter."""
    keys: bool = False
    """The terminal sends every key, without telnet."""
    ignored: frozenset[str] = frozenset()
    """Whose lines are left out, casefolded."""
    away: str = ""
    """Why the person is away; empty: they are here."""
    timed: bool = False
    """Whether live messages carry their time."""

    def changed(self, **fields: object) -> "Preferences":
        """The same but for these fields."""
        return replace(self, **fields)  # type: ignore[arg-type]


UNSET = Preferences()


class LineStyle:
    """How lines look at one terminal. `colors`: it can show them and they are wanted; `by_minute`: times are shown
    where a minute has passed; `words_first`: a refusal's code stands behind its words, for people."""

    __slots__ = ("_mention", "_nick", "by_minute", "colors", "minute", "rings", "words_first")

    def __init__(self, colors: bool = False, by_minute: bool = False, words_first: bool = False) -> None:
        self.colors = colors
        self.by_minute = by_minute
        self.words_first = words_first
        self.minute = ""
        """The minute that was shown last, or in which the person came."""
        self._nick = ""
        self._mention = re.compile("")
        self.rings = False
        """Whether the last lines held something for this person: a private message, or their name."""

    def apply(self, lines: list[str], nick: str, set: Preferences) -> list[str]:
        """The lines as the person called `nick` is to see them."""
        self.rings = False
        if nick != self._nick:
            self._nick = nick
            self._mention = re.compile(rf"(?<![\w.-]){re.escape(nick)}(?![\w-])", re.IGNORECASE)
        colors = (self.colors if set.color is None else set.color) and not set.plain
        styled: list[str] = []
        for line in lines:
            found = _LINE.match(line)
            if found is None or found["notice"]:
                styled.append(self._notice(line))
                continue
            name = found["nick"] or found["actor"] or found["sender"]
            if name.casefold() in set.ignored:
                continue
            styled.append(self._message(line, found, name, colors, set))
        return styled

    def _notice(self, line: str) -> str:
        error = _ERROR.fullmatch(line) if self.words_first else None
        return f"!! {error[2]} ({error[1]})" if error and error[1] in _CODES else line

    def _message(self, line: str, found: re.Match[str], name: str, colors: bool, set: Preferences) -> str:
        live, past = found["live"] or "", found["past"] or ""
        head, text = line[len(past) + (len(live) + 1 if live else 0) : found.end()], line[found.end() :]
        own = name in (self._nick, "you")
        called = not own and self._mention.search(text) is not None
        self.rings |= not past and not own and (called or found["to"] == "you")
        if colors:
            text = self._mention.sub(f"{BOLD}\\g<0>{NOT_BOLD}", text) if called else text
            head = head if own else head.replace(name, f"\x1b[{color_of(name)}m{name}{NO_COLOR}", 1)
        if set.plain:
            return f"{head}{text}, {live}" if live and set.time else past + head + text
        return past + self._stamp(live, set) + head + text

    def _stamp(self, minute: str, set: Preferences) -> str:
        """The time in front of a live message, where it is wanted."""
        if not minute or set.time is False:
            return ""
        passed, self.minute = minute != self.minute, minute
        return f"[{minute}] " if set.time or (self.by_minute and passed) else ""


def color_of(name: str) -> int:
    """The colour of a name, the same in every spelling of it."""
    return COLORS[crc32(name.casefold().encode()) % len(COLORS)]
