"""The operators' commands: one table for terminals (`/kick bob`), browsers and the console (`kick bob`).

A command runs for an operator and returns an answer: a text or a Refusal. A malformed command is refused before
anything is done.

`OperatorPrompt` is the console, where commands have no slash and `who` lists who is here. Whoever types there has
access to the machine, so they are an administrator named `console`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway import wording
from gateway.core import name_rules
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.operators.audit import Outcome
from gateway.core.operators.removal_rights import MessagePlace
from gateway.core.operators.whom import Subject
from gateway.core.protocol.wire import people
from gateway.core.quantity import parse_duration, whole_number
from gateway.core.roles import Operator, Role
from gateway.core.sessions import sanctions
from gateway.core.sessions.sanctions import TargetKind
from gateway.errors import Code, Refusal

Verb = Callable[[Operators, Operator, str], Answer[Outcome | Refusal]]


@dataclass(frozen=True, slots=True)
class OperatorCommand:
    """A row of the table: `usage` after the name, `words` for the help, an `example`."""

    name: str
    usage: str
    words: str
    example: str
    verb: Verb
    in_room: bool = False
    """Its words begin with the room; whoever types it in a room leaves that out."""

    def run(self, operators: Operators, operator: Operator, words: str) -> Answer[str | Refusal]:
        """Run the command. A malformed one is refused and recorded like any other attempt."""

        try:
            if not words:
                usage = wording.SAY_USAGE.format(name=self.name, usage=self.usage, example=self.example)
                raise Refusal(Code.BAD_MESSAGE, usage)
            outcome = self.verb(operators, operator, words)
        except Refusal as refusal:
            target = words.split(None, 1)[0] if words else ""
            operators.audit.note(operator, self.name, target, "", f"refused: {refusal.text}")
            return operators.audit.once_stored(refusal)
        return outcome.map(lambda outcome: outcome if isinstance(outcome, Refusal) else outcome.words)


def _kick(operators: Operators, operator: Operator, words: str) -> Answer[Outcome | Refusal]:
    nick, _, reason = words.partition(" ")
    return operators.moderation.kick(operator, Subject(nick=nick), reason.strip())


def _ban(operators: Operators, operator: Operator, words: str) -> Answer[Outcome | Refusal]:
    whom, seconds, reason = _sentence(words)
    return operators.moderation.ban(operator, whom, reason, seconds)


def _mute(operators: Operators, operator: Operator, words: str) -> Answer[Outcome | Refusal]:
    whom, seconds, reason = _sentence(words)
    return operators.moderation.mute(operator, whom, reason, seconds)


def _unban(operators: Operators, operator: Operator, words: str) -> Answer[Outcome | Refusal]:
    return operators.moderation.unban(operator, words.split(None, 1)[0])


def _unmute(operators: Operators, operator: Operator, words: str) -> Answer[Outcome | Refusal]:
    return operators.moderation.unmute(operator, words.split(None, 1)[0])


def _wall(operators: Operators, operator: Operator, words: str) -> Answer[Outcome | Refusal]:
    return operators.moderation.announce(operator, words)


def _redact(operators: Operators, operator: Operator, words: str) -> Answer[Outcome | Refusal]:
    room, _, rest = words.partition(" ")
    first, _, reason = rest.strip().partition(" ")
    seq = whole_number(first)
    if seq is None:
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_WHAT_TO_REDACT)
    return operators.redaction.redact(operator, MessagePlace(name_rules.room(room), seq), reason.strip())


def _sentence(words: str) -> tuple[Subject, int | None, str]:
    """The subject, the seconds (None: for ever) and the reason in `bob 10m spam`."""
    first, _, rest = words.partition(" ")
    found = sanctions.target(first)
    whom = Subject(address=first) if found.kind is TargetKind.ADDRESS else Subject(nick=first)
    second, _, reason = rest.strip().partition(" ")
    if second.isascii() and second.isdecimal():
        raise Refusal(Code.BAD_MESSAGE, wording.FOR_HOW_LONG.format(n=second))
    try:
        seconds = parse_duration(second)
    except ValueError:
        return whom, None, rest.strip()
    return whom, max(1, round(seconds)), reason.strip()


OPERATOR_COMMANDS = (
    OperatorCommand("kick", "NICK [REASON]", "close somebody's connection", "kick bob spam", _kick),
    OperatorCommand(
        "ban", "NICK|ADDRESS|CIDR [DURATION] [REASON]", "keep somebody out", "ban 10.0.0.0/8 10m spam", _ban
    ),
    OperatorCommand("unban", "NICK|ADDRESS|CIDR", "let somebody in again", "unban bob", _unban),
    OperatorCommand("mute", "NICK|ADDRESS|CIDR [DURATION] [REASON]", "keep somebody silent", "mute bob 1h caps", _mute),
    OperatorCommand("unmute", "NICK|ADDRESS|CIDR", "let somebody speak again", "unmute bob", _unmute),
    OperatorCommand("wall", "TEXT", "tell everybody", "wall back in five minutes", _wall),
    OperatorCommand("redact", "SEQ [REASON]", "remove a message", "redact 512 spam", _redact, in_room=True),
)


CONSOLE = Operator("console", Role.ADMIN, "console")
WHO_SHOWN = 50
ROWS = [
    *((f"{row.name} {'ROOM ' * row.in_room}{row.usage}", row.words) for row in OPERATOR_COMMANDS),
    ("who [NICK]", "who is here"),
    ("help", "this list"),
    ("quit", "stop the server"),
]


class OperatorPrompt:
    """Runs the lines typed at the console, all but `quit`."""

    def __init__(self, hub: Hub, operators: Operators) -> None:
        self._hub = hub
        self._operators = operators
        self._commands = {row.name: row for row in OPERATOR_COMMANDS}

    def hear(self, line: str) -> Answer[str]:
        """Run a line; the answer is the text to print."""
        name, _, words = line.strip().partition(" ")
        name, words = name.lower().removeprefix("/"), words.strip()
        command = self._commands.get(name)
        if command is not None:
            return command.run(self._operators, CONSOLE, words).map(_printed)
        if name == "who":
            return Answer.of(self._who(words))
        if name == "help":
            return Answer.of("\n".join(f"{usage:<44}{words}" for usage, words in ROWS))
        return Answer.of(wording.CONSOLE_UNKNOWN)

    def _who(self, nick: str) -> str:
        sessions = self._hub.nicks.sessions(nick) if nick else list(self._hub.sessions.values())
        rows = [people(len(sessions))]
        for each in sessions[:WHO_SHOWN]:
            rooms = " ".join(f"#{name}" for name in list(each.rooms)[:3])
            rows.append(f"{each.id:<6}{each.nick}  {each.door} {each.address}  {rooms}".rstrip())
        if len(sessions) > WHO_SHOWN:
            rows.append(wording.CONSOLE_MORE.format(count=len(sessions) - WHO_SHOWN))
        return "\n".join(rows)


def _printed(answer: str | Refusal) -> str:
    return f"{answer.code}: {answer.text}" if isinstance(answer, Refusal) else answer
