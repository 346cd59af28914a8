"""Searching: what a query means, and the command /search.

The command shows the newest messages that match, one line each, with the number under which each is found.

    #512 [Tue 24 Nov 14:01] bob: the deploy failed again
    ops#7 [Mon 23 Nov 9:12] ana: from another room, asked for with room:ops

The line begins with a number, so no text of a user can look like it is the server's or somebody else's. A message of
several lines is shown as one: `/since 511` shows it as it was. Pages get the same lines as a notice.

A query, here and over HTTP, is words, or their beginnings of three letters or more, all of which a message must have.
`from:ana` (an author), `room:ops`, `since:3d` and `before:14:00` are filters; from: and room: may be given several
times, and any one of them is enough. Everything else is text, also quotes, `*`, `-` and NEAR: there is no syntax to get
wrong.
"""

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.hub import Hub
from gateway.core.ports.index import SearchQuery
from gateway.core.protocol.events import Listing, Notice
from gateway.core.protocol.message import Kind, Message
from gateway.core.protocol.wire import clock, day
from gateway.core.quantity import moment
from gateway.core.rooms.indexing import SearchResult
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

QUERY_BYTES = 300
QUERY_WORDS = 20
QUERY_ROOMS = 10
FOUND_MESSAGES = 100
"""Messages that one search returns, at most."""
LINES = 20
LINE_CHARACTERS = 400


def search(hub: Hub, session: Session, room: str, words: str, id: str | None) -> None:
    """Show the session what it looks for, in reply to the command with that id; its own messages are committed first.
    Its input is held meanwhile. Raises Refusal."""
    if not words:
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_WHAT_TO_FIND)
    query = parse_query(words, room, hub.clock.wall(), LINES)
    answers = {} if id is None else {"id": id}

    def show(result: SearchResult) -> None:
        lines = [_line(message, room) for message in result.messages]
        if result.more:
            words = wording.NEWEST_FOUND.format(count=len(lines))
            lines.append(words if session.wire.objects else f"-- {words}")
        if not result.complete:
            lines.append(wording.INDEX_INCOMPLETE if session.wire.objects else f"-- {wording.INDEX_INCOMPLETE}")
        if lines:
            session.tell(Listing("\n".join(lines), room=room, **answers))
        else:
            session.tell(Notice(wording.NOTHING_FOUND, room=room, **answers))

    charged_to = session.counted_as
    found = hub.commits.after_own(session).chain(lambda _: hub.search.find(query, charged_to))
    session.wait_for(found, show, id)


def _line(message: Message, here: str) -> str:
    text = " ".join(message.text.split("\n"))
    if len(text) > LINE_CHARACTERS:
        text = text[: LINE_CHARACTERS - 1] + "…"
    said = f"* {message.nick} {text}" if message.kind == Kind.ACTION else f"{message.nick}: {text}"
    place = "" if message.room == here else message.room
    return f"{place}#{message.seq} [{day(message.ts)} {clock(message.ts)}] {said}"


def parse_query(text: str, room: str, now: int, limit: int) -> SearchQuery:
    """What the text asks for, in `room` unless it names others: at most `limit` messages, and never more than
    FOUND_MESSAGES. `now` is ms since 1970. Raises Refusal."""
    names: dict[str, list[str]] = {"from": [], "room": []}
    moments: dict[str, int] = {}
    words: list[str] = []
    for word in sanitize.line(text, QUERY_BYTES).split() if text.strip() else ():
        filter, colon, value = word.partition(":")
        filter = filter.lower()
        if colon and filter in names:
            names[filter].append(_named(filter, value))
        elif colon and filter in ("since", "before"):
            moments[filter] = _moment(filter, value, now)
        elif any(character.isalnum() for character in word):
            words.append(word)
    if not words and not names["from"]:
        raise Refusal(Code.BAD_MESSAGE, wording.SAY_WHAT_TO_FIND)
    if len(words) > QUERY_WORDS or len(names["room"]) > QUERY_ROOMS:
        raise Refusal(Code.TOO_LONG, wording.QUERY_TOO_LONG.format(words=QUERY_WORDS, rooms=QUERY_ROOMS))
    rooms = tuple(dict.fromkeys(names["room"])) or (room,)
    since, before = moments.get("since"), moments.get("before")
    return SearchQuery(rooms, tuple(words), tuple(names["from"]), since, before, limit=min(limit, FOUND_MESSAGES))


def _named(filter: str, value: str) -> str:
    value = value.removeprefix("@") if filter == "from" else value  # as other chats address people
    if not value:
        raise Refusal(Code.BAD_MESSAGE, wording.FILTER_EMPTY.format(filter=filter))
    return name_rules.room(value) if filter == "room" else value


def _moment(filter: str, value: str, now: int) -> int:
    found = moment(value, now)
    if found is None:
        raise Refusal(Code.BAD_MESSAGE, wording.NO_MOMENT.format(filter=filter, words=sanitize.shown(value)))
    return found
