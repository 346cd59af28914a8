"""The console's words: the operators' orders without a slash, and who is here.

Whoever types here has the machine, so he is an administrator named `console`.
"""

from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.operators.commands import OPERATOR_COMMANDS
from gateway.core.protocol.wire import people
from gateway.core.roles import Operator, Role
from gateway.errors import Refusal

CONSOLE = Operator("console", Role.ADMIN, "console")
WHO_SHOWN = 50
ROWS = [
    *((f"{row.name} {row.usage}", row.words) for row in OPERATOR_COMMANDS),
    ("who [NICK]", "who is here"),
    ("help", "this list"),
    ("quit", "stop the server"),
]


class OperatorPrompt:
    """Answers lines of the console, all but `quit`."""

    def __init__(self, hub: Hub, operators: Operators) -> None:
        self._hub = hub
        self._operators = operators
        self._orders = {row.name: row for row in OPERATOR_COMMANDS}

    def hear(self, line: str) -> Answer[str]:
        """Do what a line says, and answer with what is to be printed."""
        name, _, words = line.strip().partition(" ")
        name, words = name.lower().removeprefix("/"), words.strip()
        order = self._orders.get(name)
        if order is not None:
            return order.run(self._operators, CONSOLE, words).map(_printed)
        if name == "who":
            return Answer.of(self._who(words))
        if name == "help":
            return Answer.of("\n".join(f"{usage:<44}{words}" for usage, words in ROWS))
        return Answer.of("unknown_command: help lists what can be said here")

    def _who(self, nick: str) -> str:
        sessions = self._hub.nicks.sessions(nick) if nick else list(self._hub.sessions.values())
        rows = [people(len(sessions))]
        for each in sessions[:WHO_SHOWN]:
            rooms = " ".join(f"#{name}" for name in list(each.rooms)[:3])
            rows.append(f"{each.id:<6}{each.nick}  {each.door} {each.address}  {rooms}".rstrip())
        if len(sessions) > WHO_SHOWN:
            rows.append(f"and {len(sessions) - WHO_SHOWN} more: who NICK finds one")
        return "\n".join(rows)


def _printed(answer: str | Refusal) -> str:
    return f"{answer.code}: {answer.text}" if isinstance(answer, Refusal) else answer
