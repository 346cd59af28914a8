"""The command /search: the newest messages that match, one line each, with the number under which each is found.

    #512 [Tue 24 Nov 14:01] bob: the deploy failed again
    ops#7 [Mon 23 Nov 9:12] ana: from another room, asked for with room:ops

The line begins with a number, so no text of a user can look like it is the server's or somebody else's. A message of
several lines is shown as one: `/since 511` shows it as it was. Pages get the same lines as a notice.
"""

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.protocol.events import Listing, Notice
from gateway.core.protocol.message import Kind, Message
from gateway.core.protocol.wire import clock, day
from gateway.core.rooms.indexing import SearchResult
from gateway.core.rooms.search_query import parse_query
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

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
