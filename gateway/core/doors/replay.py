"""What was said before, shown to one session: on joining, by /history and /since."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from gateway.core.hub import Hub
from gateway.core.protocol.events import Ack, History, Notice
from gateway.core.protocol.wire import as_msg, day
from gateway.core.quantity import parse_duration
from gateway.core.rooms.history import Past, Range
from gateway.core.sessions.session import Session

_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)", re.ASCII)


def show_history(hub: Hub, session: Session, past: Past) -> None:
    """Tell the session a stretch of history. Lines carry the clock only, so a line with the day stands wherever it
    changes, and before the first when that is not of today."""
    shown = [as_msg(message) for message in past.messages]
    if session.wire.objects:
        session.tell(History(past.room, shown, past.more))
        return
    today = day(hub.clock.wall())
    for of, messages in groupby(shown, key=lambda message: day(message.ts)):
        if of != today:
            session.tell(Notice(of))
        today = of
        session.tell(History(past.room, list(messages), past.more))


def show_page(hub: Hub, session: Session, room: str, wanted: Range, since: int, id: str | None) -> None:
    """Show the session a page of the room's history, what is older than `since` (ms since 1970) left out, in answer to
    the command with that id; its own messages are committed first. Its input is held meanwhile."""

    def answer(words: str) -> None:
        session.tell(Notice(words, room=room) if id is None else Notice(words, room=room, id=id))

    def read(past: Past) -> None:
        found = [message for message in past.messages if message.ts >= since]
        left_out = past.more and len(found) == len(past.messages)
        show_history(hub, session, replace(past, messages=found, more=left_out))
        if id is not None:
            session.tell(Ack(id))
        if not found:
            answer("nothing there")
        elif left_out and wanted.after is not None:
            answer(f"more: /since {found[-1].seq}")
        elif left_out and since:
            answer(f"these are the last {len(found)}, message {found[0].seq} on; there are older ones")

    page = hub.commits.after_own(session).chain(lambda _: hub.history.read(room, wanted))
    session.wait_for(page, read, id)


def moment(words: str, now: int) -> int | None:
    """The moment (ms since 1970) that `10m` or `14:00` names; None for other words."""
    clock = _CLOCK.fullmatch(words)
    if not clock:
        try:
            return now - int(parse_duration(words) * 1000)
        except ValueError:
            return None
    if int(clock[1]) > 23:
        return None
    today = datetime.fromtimestamp(now / 1000)
    moment = today.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
    return int((moment if moment <= today else moment - timedelta(days=1)).timestamp() * 1000)
