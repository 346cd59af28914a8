"""Completion: what the word before the cursor may become, from what is known of commands, rooms and people.

A line that begins with `/` completes the command's name, then what its usage in the table asks for: a NICK, a ROOM, or
one of the words that stand there (`on|off`). Elsewhere a word becomes somebody's name. Names are those of people in the
room, who spoke last first; operators' commands reach people in all rooms. Upper and lower case are the same.
"""

import re
from collections.abc import Iterable

from gateway.core.doors.commands import COMMANDS, WHOLE_NAMES
from gateway.core.hub import Hub
from gateway.core.operators.commands import OPERATOR_COMMANDS
from gateway.core.rooms.fanout import Member, talks_in
from gateway.core.sessions.session import Session

CANDIDATES = 50
"""How many are offered at most."""
SPEAKERS_AMONG = 100
"""Messages that are looked through for who spoke last."""
_WORD = re.compile(r"\S*\Z")
_ORDERS = frozenset(order.name for order in OPERATOR_COMMANDS)
_CHOICES = re.compile(r"\[?([a-z]+(?:\|[a-z]+)*)\]?")


class Completer:
    """Completes for one session."""

    __slots__ = ("_hub", "_session")

    def __init__(self, hub: Hub, session: Session) -> None:
        self._hub = hub
        self._session = session

    def complete(self, before: str) -> tuple[int, list[str]]:
        """For the text before the cursor: from where on it may be replaced, and by which texts, the likeliest first."""
        found = _WORD.search(before)
        start = found.start() if found else len(before)
        word = before[start:]
        if before.startswith("/") and not before.startswith("//"):
            words = self._commands(word[1:]) if start == 0 else self._arguments(before, word)
        elif word.startswith("#"):
            words = self._rooms(word)
        else:
            name = word.removeprefix("@")
            start += len(word) - len(name)
            words = [known + (": " if start == 0 else " ") for known in self._people_here(name)]
        return start, words[:CANDIDATES]

    def _commands(self, name: str) -> list[str]:
        """Command names. What takes something away from somebody comes last, as it is asked for least."""
        known = [row.name for row in COMMANDS.values() if self._session.operator is not None or not row.order]
        return [f"/{each} " for each in sorted(_beginning(name, known), key=lambda each: (each in WHOLE_NAMES, each))]

    def _arguments(self, before: str, word: str) -> list[str]:
        """What the usage of the line's command asks for in the place of `word`."""
        name, *given = before[1:].split()
        command = COMMANDS.get(name.lower())
        place = len(given) - bool(word)
        asked = command.usage.split()[place : place + 1] if command is not None else []
        usage = asked[0].strip("[]") if asked else ""
        if "NICK" in usage.split("|"):
            known = self._everybody(word) if name.lower() in _ORDERS else self._people_here(word)
            return [f"{each} " for each in known]
        if "ROOM" in usage:
            return self._rooms(word)
        choices = _CHOICES.fullmatch(usage)
        if choices is not None:
            return [f"{each} " for each in _beginning(word, choices[1].split("|"))]
        return [f"{each} " for each in self._people_here(word)] if place > 0 or not usage else []

    def _rooms(self, word: str) -> list[str]:
        """Rooms in memory, those with the most people first, written as the word begins."""
        name = word.removeprefix("#")
        known = sorted(self._hub.rooms, key=lambda room: (-self._hub.rooms[room].count, room))
        return [f"{word[: len(word) - len(name)]}{each} " for each in _beginning(name, known)]

    def _people_here(self, word: str) -> list[str]:
        member = talks_in(self._session)
        if member is None:
            return []
        here = (member.room.here() | member.room.people_elsewhere().keys()) - {self._session.nick}
        return _beginning(word, [*self._speakers(member, here), *sorted(here, key=str.casefold)])

    def _everybody(self, word: str) -> list[str]:
        others = {each.nick for each in self._hub.sessions.values()} - {self._session.nick}
        return _beginning(word, [*self._people_here(word), *sorted(others, key=str.casefold)])

    def _speakers(self, member: Member, here: set[str]) -> list[str]:
        """The people here who have spoken, the latest first."""
        log = member.room.log
        said = [message.nick for message in log.after(max(0, log.head - SPEAKERS_AMONG))]
        return [nick for nick in dict.fromkeys(reversed(said)) if nick in here]


def _beginning(word: str, known: Iterable[str]) -> list[str]:
    """Those that begin with the word, each once."""
    folded = word.casefold()
    return [each for each in dict.fromkeys(known) if each.casefold().startswith(folded)]
