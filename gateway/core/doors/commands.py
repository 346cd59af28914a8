"""The commands, one table for terminals and browsers; /help writes itself from it.

A command runs with a `CommandCall`: who asked, in which room, with which words. It replies with `call.answer`, or
raises Refusal. A name is found exactly, as an alias known from other chats, or by a unique prefix; a command that takes
something away from somebody needs its whole name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import msgspec

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.answer import Answer
from gateway.core.doors.join import TERMINAL_RECENT, join, show_page
from gateway.core.doors.preferences import PREFERENCES, Preference
from gateway.core.doors.private_messages import whisper
from gateway.core.doors.search import search
from gateway.core.doors.sign_in import login, resume, source_of, take_nick
from gateway.core.doors.who import rooms_of, who, whois
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.operators.commands import OPERATOR_COMMANDS, OperatorCommand
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Ack, Notice
from gateway.core.protocol.message import Kind
from gateway.core.quantity import moment, whole_number
from gateway.core.rooms.fanout import Member
from gateway.core.rooms.history import HISTORY_MESSAGES, Range
from gateway.core.rooms.pastes import FOLLOWS
from gateway.core.rooms.registry import RECENT_MESSAGES
from gateway.core.sessions.identity import spelled
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

ALIASES = {"?": "help", "list": "rooms", "names": "who"} | dict.fromkeys(("part", "leave"), "join lobby")
ALIASES |= dict.fromkeys(("exit", "bye"), "quit")
"""Commands of other chats, and what they are called here."""
WHOLE_NAMES = frozenset({"kick", "ban", "redact", "delete"})  # /ki must not close anybody's connection
_NICK_FIRST = ("NICK", "[NICK")
_ADDRESSED = re.compile(r"@?([^\s:,@]+)[:,]?(?=\s|$)")
"""Somebody as people address them in other chats, `@bob`, `bob:` or `bob,`; an IPv6 address has more colons."""
LINE_DIGITS = 4000
"""Digits of a number that somebody types, at most: as long as a line."""
FAR = 10**18
"""A larger number of messages, or of a message, is taken for this one."""
_LOGIN = re.compile(r"/login(?!\S)", re.IGNORECASE)


class CommandCall(msgspec.Struct, frozen=True):
    """One use of a command. `words` is what followed its name, `member` the room it was typed in, if any."""

    hub: Hub
    operators: Operators
    session: Session
    member: Member | None
    words: str
    id: str | None

    def answer(self, words: str, **change: str) -> None:
        """Reply to the session that ran the command, and only to it; `change` is a field of Notice."""
        room = {"room": self.member.room.name} if self.member else {}
        id = {"id": self.id} if self.id is not None else {}
        self.session.tell(Notice(words, **room, **id, **change))

    def done(self) -> None:
        """Acknowledge a command whose reply is not a text: a page waits for its id."""
        if self.id is not None:
            self.session.tell(Ack(self.id))

    def room(self) -> Member:
        """The room the command was typed in. Raises Refusal when it was typed outside."""
        if self.member is None:
            raise Refusal(Code.NOT_JOINED, wording.JOIN_FIRST)
        return self.member


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table: `usage` after the name, `words` for the list, an `example` for /help NAME."""

    name: str
    usage: str
    words: str
    example: str
    run: Callable[[CommandCall], None]
    order: bool = False
    """For operators, and listed for them only."""
    brief: bool = False
    """Listed by its name only."""
    terminal: bool = False
    """Only for terminals: /help lists it everywhere, a page does not offer it."""


def named_command(line: str) -> bool:
    """Whether a line is a command: `/x …`, but neither `//x` (a message `/x`) nor a path like /usr/bin. Invisible
    characters before /login (a blank, a byte order mark, a key's escape sequence) never make a password a message."""
    if not line.startswith("/"):
        login = _LOGIN.search(line) if "/" in line else None
        return login is not None and sanitize.is_blank(line[: login.start()])
    word = line.split(None, 1)[0]
    return len(word) > 1 and word.count("/") == 1


def run(
    hub: Hub, operators: Operators, session: Session, member: Member | None, line: str, id: str | None = None
) -> None:
    """Run the command of `line`, a `named_command`, not gated: names are refused for what the gate would take away.

    Raises Refusal.
    """
    login = None if line.startswith("/") else _LOGIN.search(line)
    name, *more = line[login.start() + 1 if login else 1 :].split(None, 1)
    words = more[0].strip() if more else ""
    name = name.lower()
    if name == "w":
        name = "msg" if words else "who"
    name, _, given = ALIASES.get(name, name).partition(" ")
    found = COMMANDS.get(name) or command(name)
    if found.usage.startswith(_NICK_FIRST) and (addressed := _ADDRESSED.match(words)):
        words = addressed[1] + words[addressed.end() :]
    found.run(CommandCall(hub, operators, session, member, given or words, id))


def command(name: str) -> Command:
    """The command of that name or unique prefix. Raises Refusal with proposals."""
    name = ALIASES.get(name.lower(), name.lower()).partition(" ")[0]
    if name in COMMANDS:
        return COMMANDS[name]
    found = [known for known in COMMANDS if name and known.startswith(name)]
    if len(found) == 1 and found[0] not in WHOLE_NAMES:
        return COMMANDS[found[0]]
    likely = found or get_close_matches(name, [*COMMANDS, *ALIASES], n=3, cutoff=0.6)
    proposals = wording.DID_YOU_MEAN_OR.join(f"/{known}" for known in likely)
    hint = wording.DID_YOU_MEAN.format(commands=proposals) if likely else wording.HELP_LISTS_ALL
    raise Refusal(Code.UNKNOWN_COMMAND, wording.UNKNOWN_COMMAND.format(name=sanitize.shown(name), hint=hint))


def _help(call: CommandCall) -> None:
    if call.words == "nc":
        call.answer(wording.HELP_NC)
        return
    if call.words:
        found = command(call.words.removeprefix("/"))
        head = wording.HELP_ONE.format(name=found.name, usage=found.usage).rstrip()
        call.answer(head + wording.HELP_EXAMPLE.format(words=found.words, example=found.example))
        return
    listed = [row for row in COMMANDS.values() if not row.order]
    rows = [f"/{row.name} {row.usage}".ljust(24) + row.words for row in listed if not row.brief]
    settings = [f"/{row.name}" for row in listed if row.brief]
    rows += [wording.HELP_SETTINGS.format(commands=" ".join(some)) for some in (settings[:5], settings[5:])]
    if call.session.operator is not None:
        orders = " ".join(f"/{row.name}" for row in COMMANDS.values() if row.order)
        rows.append(wording.HELP_OPERATE.format(commands=orders))
    call.answer("\n".join([*rows, wording.HELP_END]))


def _nick(call: CommandCall) -> None:
    session, you = call.session, wording.YOU_ARE
    taken = take_nick(call.hub, session, call.words or session.nick)
    session.wait_for(taken, lambda _: call.answer(you.format(nick=session.nick), nick=session.nick), call.id)


def _me(call: CommandCall) -> None:
    if not call.words:
        raise Refusal(Code.BAD_TEXT, wording.SAY_WHAT_YOU_DO)
    call.hub.say(call.room(), [sanitize.lines(call.words)], Kind.ACTION, call.id)


def _msg(call: CommandCall) -> None:
    to, _, words = call.words.partition(" ")
    if not words.strip():
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_TO_WHOM)
    whisper(call.hub, call.session, to, sanitize.lines(words.strip()), call.id)


def _reply(call: CommandCall) -> None:
    to = call.hub.identities.writer(call.session)
    if not call.words:
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_REPLY)
    if to is None:
        raise Refusal(Code.NO_SUCH_USER, wording.NOBODY_WROTE)
    nick = to if isinstance(to, str) else to.nick
    if not isinstance(to, str) and not any(not each.closed for each in to.connections) and not call.hub.cluster.node:
        raise Refusal(Code.NO_SUCH_USER, wording.HAS_LEFT.format(nick=nick))
    whisper(call.hub, call.session, nick, sanitize.lines(call.words), call.id)


def _who(call: CommandCall) -> None:
    call.answer(who(call.hub, call.session, call.room().room, _number(call.words, 1)))


def _whois(call: CommandCall) -> None:
    found = whois(call.hub, call.session, call.words or call.session.nick)
    call.session.wait_for(found, call.answer, call.id)


def _join(call: CommandCall) -> None:
    if not call.words:
        raise Refusal(Code.ROOM_INVALID, wording.SAY_WHICH_ROOM)
    recent = TERMINAL_RECENT if call.session.terminal else RECENT_MESSAGES
    name = name_rules.room(call.words)
    joined = join(call.hub, call.session, name, recent, id=call.id)
    joined.then(lambda is_in: call.done() if is_in else None)


def _rooms(call: CommandCall) -> None:
    page = _number(call.words, 1)
    listed = call.hub.remote_presence.listed()
    call.session.wait_for(listed, lambda rooms: call.answer(rooms_of(call.hub, rooms, page)), call.id)


def _topic(call: CommandCall) -> None:
    room = call.room().room
    if not call.words:
        call.answer(wording.TOPIC.format(topic=room.topic) if room.topic else wording.NO_TOPIC)
        return
    topic = sanitize.line(call.words, sanitize.TOPIC_BYTES)
    session = call.session
    call.hub.mutes.check(session)
    # Once it is stored the whole room has been told, the session that asked included.
    session.wait_for(call.hub.rooms.set_topic(session, room, topic), lambda _: call.done(), call.id)


def _show(call: CommandCall, wanted: Range, since: int = 0) -> None:
    show_page(call.hub, call.session, call.room().room.name, wanted, since, call.id)


def _history(call: CommandCall) -> None:
    _show(call, Range(limit=_number(call.words, TERMINAL_RECENT)))


def _since(call: CommandCall) -> None:
    """Show messages after a number, or from a time on: so many minutes ago, or the last time it was 14:00."""
    number = call.words.removeprefix("#")
    seq = whole_number(number, LINE_DIGITS)
    if seq is not None:
        _show(call, Range(after=min(seq, FAR), limit=HISTORY_MESSAGES))
        return
    since = moment(call.words, call.hub.clock.wall())
    if since is None:
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_SINCE_WHEN)
    _show(call, Range(limit=HISTORY_MESSAGES), since)


def _paste(call: CommandCall) -> None:
    call.room()
    call.hub.pastes.begin(call.session)
    if call.words != FOLLOWS:
        call.answer(wording.PASTE_NOW)


def _delete(call: CommandCall) -> None:
    removed = call.operators.redaction.delete(call.session, call.room().room.name, call.words)
    call.session.wait_for(removed, lambda _: call.done(), call.id)


def _search(call: CommandCall) -> None:
    search(call.hub, call.session, call.room().room.name, call.words, call.id)


def _echo(call: CommandCall) -> None:
    if call.words in ("on", "off"):
        call.session.show_own(call.words == "on")
    elif call.words:
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_ECHO)
    call.answer(wording.ECHO_ON if call.session.echo else wording.ECHO_OFF)


def _resume(call: CommandCall) -> None:
    if call.words:
        resume(call.hub, call.operators, call.session, call.words, call.id)
        return
    code = call.hub.identities.stored_code(call.session)
    call.session.wait_for(code, lambda code: call.answer(wording.RESUME_CODE.format(code=spelled(code))), call.id)


def _bot(call: CommandCall) -> None:
    session = call.session
    if not session.terminal:
        raise Refusal(Code.BAD_MESSAGE, wording.BOT_IS_FOR_TERMINALS)
    member = call.room()
    if call.words not in ("", "on", "off"):
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_BOT)
    if call.words == "off":
        if session.wire.objects:
            cursor = member.cursor
            member.change_wire(session.wire.for_people())
            member.cursor = cursor
            session.show_own(False)
        call.answer(wording.BOT_OFF)
        return
    cursor = member.cursor
    member.change_wire(session.wire.for_programs())
    unread = False
    if session.bytes_out or session.owed:  # somebody has read lines here; a script that begins with /bot has not
        call.answer(wording.BOT_ON)
        unread, member.cursor = cursor < member.room.log.head, cursor
    session.show_own(True)
    session.tell(member.room.joined(session, recovered=unread))


def _watch(call: CommandCall) -> None:
    told = call.operators.watching.command(call.session, source_of(call.session), call.words)
    call.session.wait_for(told, call.answer, call.id)


def _login(call: CommandCall) -> None:
    login(call.hub, call.operators, call.session, call.words, call.id)


def _ordered(order: OperatorCommand) -> Callable[[CommandCall], None]:
    """The function that runs an operator's command for a session."""

    def run(call: CommandCall) -> None:
        session = call.session
        if session.operator is None:
            target = call.words.split(None, 1)[0] if call.words else ""
            audit = call.operators.audit
            refusal = audit.stranger(session.nick, source_of(session), order.name, target)
            session.wait_for(audit.once_stored(refusal), lambda _: None, call.id)
            return
        words = f"{call.room().room.name} {call.words}" if order.in_room and call.words else call.words
        session.wait_for(order.run(call.operators, session.operator, words), call.answer, call.id)

    return run


def _set(row: Preference) -> Callable[[CommandCall], None]:
    """The function that runs a preference's command for a session."""
    return lambda call: call.answer(row.set(call.session, call.words))


def _quit(call: CommandCall) -> None:
    """Close once what the session has said is stored or refused: after its goodbye nobody would hear of a refusal. So
    is the code that it is told."""
    hub, session = call.hub, call.session

    def leave(code: str | Refusal) -> None:
        if not session.closed:
            call.done()
            aside = wording.RESUME_ASIDE.format(code=spelled(code)) if code and isinstance(code, str) else ""
            hub.close(session, CloseReason.LEFT, wording.BYE, aside=aside)

    def said(_: None) -> Answer[str | Refusal]:
        known = session.identity and session.terminal and not session.closed
        return hub.identities.stored_code(session) if known else Answer.of("")

    session.hold()
    hub.commits.after_own(session).chain(said).then(leave)


def _number(words: str, default: int) -> int:
    if not words:
        return default
    number = whole_number(words, LINE_DIGITS)
    if not number:
        raise Refusal(Code.BAD_MESSAGE, wording.NOT_A_NUMBER.format(words=sanitize.shown(words)))
    return min(number, FAR)


COMMANDS = {
    row.name: row
    for row in (
        Command("help", "[NAME]", "this list, or one command", "/help join", _help),
        Command("nick", "NAME", "call yourself something", "/nick ana", _nick),
        Command("me", "TEXT", "say what you do", "/me waves", _me),
        Command("msg", "NICK TEXT", "say it to one person", "/msg bob lunch?", _msg),
        Command("reply", "TEXT", "to who wrote to you last", "/reply at one", _reply),
        Command("who", "[PAGE]", "who is in this room", "/who 2", _who),
        Command("whois", "[NICK]", "about one person", "/whois bob", _whois),
        Command("join", "ROOM", "go to a room", "/join ops", _join),
        Command("rooms", "[PAGE]", "the rooms", "/rooms", _rooms),
        Command("topic", "[TEXT]", "what the room is about", "/topic release day", _topic),
        Command("history", "[N]", "the last messages", "/history 50", _history),
        Command("since", "SEQ|10m|14:00", "the messages since then", "/since 10m", _since),
        Command("search", "WORDS", "find messages", "/search deploy from:ana since:3d", _search),
        Command("paste", "", "send many lines as one message", "/paste", _paste, terminal=True),
        Command("delete", "[SEQ]", "take back what you said", "/delete 512", _delete),
        Command("echo", "on|off", "see your own lines too", "/echo on", _echo, brief=True, terminal=True),
        *(
            Command(row.name, row.usage, row.words, row.example, _set(row), brief=True, terminal=row.terminal)
            for row in PREFERENCES
        ),
        Command("resume", "[CODE]", "be the same person here", "/resume K7Q2-MX", _resume),
        Command("bot", "[off]", "JSON lines from now on", "/bot off", _bot, terminal=True),
        Command("quit", "", "leave (also: quit)", "/quit", _quit),
        Command("login", "[NAME] PASSWORD", "use your account", "/login ana correct-horse", _login),
        Command("watch", "NICK|off", "see what somebody sends and gets", "/watch bob", _watch, order=True),
        *(
            Command(row.name, row.usage, row.words, f"/{row.example}", _ordered(row), order=True)
            for row in OPERATOR_COMMANDS
        ),
    )
}
