"""What a person may set at a terminal, as commands: /time, /color, /bell, /hold, /title, /ignore …; also /away.

Each row of PREFERENCES says what it sets, is asked without words for how it stands, and is listed by /help in one row.
What was set is a frozen value of the session (`core.protocol.line_style`); the connection looks at it after each line.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway import wording
from gateway.core import sanitize
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import Lines
from gateway.core.rooms.fanout import talks_in
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

SETTABLE = frozenset((Door.TCP, Door.TELNET))
"""The doors whose connections change lines on their way to one peer (`tcp.telnet.telnet_session`)."""
IGNORED_NAMES = 100
AWAY_BYTES = 200


@dataclass(frozen=True, slots=True)
class Preference:
    """A row: `usage` and `words` for /help, and what the command does with its words; it returns the reply."""

    name: str
    usage: str
    words: str
    example: str
    set: Callable[[Session, str], str]
    terminal: bool = True
    """Not offered on a page."""


def use_lines(session: Session) -> None:
    """Write with or without the time of each message, as the session's preferences ask, from its next message on."""
    member, wire, set = talks_in(session), session.wire, session.preferences
    if member is None or not isinstance(wire, Lines):
        return
    wanted = wire.timed() if set.timed or set.time else wire.untimed()
    if wanted is not wire:
        cursor = member.cursor
        member.change_wire(wanted)
        member.cursor = cursor


def _switch(session: Session, words: str, name: str, now: bool, say: tuple[str, str]) -> str:
    """Set a field to on or off. Raises Refusal for other words, and on doors that are not terminals."""
    if session.door not in SETTABLE:
        raise Refusal(Code.BAD_MESSAGE, wording.TERMINALS_ONLY.format(name=name))
    if words not in ("", "on", "off"):
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_ON_OR_OFF.format(name=name))
    if words:
        now = words == "on"
        session.prefer(session.preferences.changed(**{name: now}))
    return say[now]


def _time(session: Session, words: str) -> str:
    said = _switch(session, words, "time", bool(session.preferences.time), wording.TIME)
    use_lines(session)
    return said


def _color(session: Session, words: str) -> str:
    return _switch(session, words, "color", session.preferences.color is not False, wording.COLOR)


def _bell(session: Session, words: str) -> str:
    standing = session.preferences.bell
    return _switch(session, words, "bell", session.preferences.timed if standing is None else standing, wording.BELL)


def _plain(session: Session, words: str) -> str:
    return _switch(session, words, "plain", session.preferences.plain, wording.PLAIN)


def _title(session: Session, words: str) -> str:
    return _switch(session, words, "title", session.preferences.title, wording.TITLE)


def _hold(session: Session, words: str) -> str:
    return _switch(session, words, "hold", session.preferences.hold, wording.HOLD)


def _mode(session: Session, words: str) -> str:
    if session.door not in SETTABLE:
        raise Refusal(Code.BAD_MESSAGE, wording.TERMINALS_ONLY.format(name="mode"))
    if words not in ("char", "line"):
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_MODE)
    session.prefer(session.preferences.changed(keys=words == "char", plain=False))
    return wording.MODE[words == "char"]


def _ignore(session: Session, words: str) -> str:
    ignored = session.preferences.ignored
    if session.door not in SETTABLE:
        raise Refusal(Code.BAD_MESSAGE, wording.TERMINALS_ONLY.format(name="ignore"))
    if words and len(ignored) >= IGNORED_NAMES:
        raise Refusal(Code.BAD_MESSAGE, wording.TOO_MANY_IGNORED.format(count=IGNORED_NAMES))
    if words:
        ignored |= {words.casefold()}
        session.prefer(session.preferences.changed(ignored=ignored))
    names = ", ".join(sanitize.shown(name) for name in sorted(ignored))
    return wording.IGNORING[bool(names)].format(names=names)


def _unignore(session: Session, words: str) -> str:
    ignored = session.preferences.ignored
    if words.casefold() not in ignored:
        raise Refusal(Code.NO_SUCH_USER, wording.NOT_IGNORED.format(nick=sanitize.shown(words) if words else "nobody"))
    session.prefer(session.preferences.changed(ignored=ignored - {words.casefold()}))
    return wording.UNIGNORED.format(nick=sanitize.shown(words))


def _away(session: Session, words: str) -> str:
    away = sanitize.line(words, AWAY_BYTES) if words else "away"
    session.prefer(session.preferences.changed(away=away))
    return wording.YOU_ARE_AWAY.format(away=away)


def _back(session: Session, words: str) -> str:
    session.prefer(session.preferences.changed(away=""))
    return wording.YOU_ARE_BACK


PREFERENCES = (
    Preference("away", "[TEXT]", "tell those who ask that you are away", "/away lunch", _away, terminal=False),
    Preference("back", "", "you are here again", "/back", _back, terminal=False),
    Preference("ignore", "[NICK]", "leave somebody's lines out", "/ignore bob", _ignore, terminal=False),
    Preference("unignore", "NICK", "show them again", "/unignore bob", _unignore, terminal=False),
    Preference("time", "on|off", "the time before each message", "/time on", _time),
    Preference("color", "on|off", "names in colours", "/color off", _color),
    Preference("bell", "on|off", "ring when you are called", "/bell on", _bell),
    Preference("hold", "on|off", "others' lines wait until you press Enter", "/hold on", _hold),
    Preference("plain", "on|off", "words only, for screen readers", "/plain on", _plain),
    Preference("title", "on|off", "room and name as the window's title", "/title on", _title),
    Preference("mode", "char|line", "the line editor without telnet, after `stty -icanon -echo`", "/mode char", _mode),
)
