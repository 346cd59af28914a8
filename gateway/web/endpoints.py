"""The table of HTTP endpoints: one row for each method on a path, for people, programs and health checks.

Routes, checks, `/openapi.json` and `/docs` read it (`web.dispatch`). The rows of `/admin/api` and of the
login are in `web.admin.endpoints`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from gateway.core.doors.search import FOUND_MESSAGES
from gateway.core.rooms.history import HISTORY_MESSAGES
from gateway.core.rooms.registry import ListedRoom
from gateway.errors import Code
from gateway.web.admin.endpoints import ADMIN, CURSOR, FILTERED, FREEZE, LIMIT, NUMBERED_PAGE, PAGED, SORT
from gateway.web.admin.pages import AdminForms, Dashboard, ListPages
from gateway.web.dispatch import (
    EVENTS,
    FORM_BODY,
    JSON,
    LINES,
    PAGE,
    Access,
    Content,
    Endpoint,
    Parameter,
    Reply,
    number,
)
from gateway.web.docs import ApiDocument, DocsPage
from gateway.web.http.request import SEQ_LIMIT
from gateway.web.monitoring import HealthReport, Monitoring
from gateway.web.room_log import RoomDownload
from gateway.web.rooms import ChatPage, HistoryPage, MessageDoor, PostBody, RedactRequest, RoomDoor, Stored
from gateway.web.static_files import Assets
from gateway.web.streams import Streams
from gateway.web.upgrade import WebSockets

Room = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]{0,63}$", examples=["lobby"])]
Place = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{8,32}:[0-9]{1,18}$")]

ROOM = Parameter("room", Room, "The room; upper case is lowered, one leading `#` is dropped.", "path")
SEQ = Parameter("seq", Annotated[int, Meta(ge=0, le=SEQ_LIMIT - 1)], "The number of the message.", "path")
NICK = Parameter(
    "nick", Annotated[str, Meta(min_length=1, max_length=32)], "The name to post under; without, a guest's."
)
AFTER = Parameter("after", Place, "`epoch:seq`: begin with what came after that message.")
READING = (Code.ROOM_INVALID, Code.BANNED, Code.STORAGE, Code.BACKPLANE, Code.BUSY, Code.DRAINING)
RESULT = Parameter("result", str, "The outcome of a form, which the page shows.")

# fmt: off
ROOMS: Mapping[type, Sequence[Endpoint]] = {
    RoomDoor: (
        Endpoint("POST", "/r/{room}",
                 "Post a message\nAnswered once the message is committed. A body that is not JSON is the message as it "
                 "stands, in UTF-8, never a command. A text of over 4,000 bytes is a "
                 "paste, of which the message shows the first lines, up to `limits.paste_bytes`. A second try with the "
                 "same `id` within two minutes, from the same identity (without token: room and nick), is answered "
                 "with the place of the first and not posted again.",
                 RoomDoor.post, Reply(201, "It is committed, and stands there.", (Content(Stored),)), Access.IDENTITY,
                 (ROOM, NICK), (Content(PostBody), Content(str, LINES)), decoded=False, tag="rooms",
                 refusals=(*READING, Code.BAD_TEXT, Code.BAD_MESSAGE, Code.TOO_LONG, Code.NICK_INVALID, Code.NICK_TAKEN,
                           Code.TOKEN_INVALID, Code.MUTED, Code.NO_SUCH_ROOM, Code.RATE_LIMITED, Code.ROOM_LIMIT)),
        Endpoint("GET", "/r/{room}/messages", "Read the history\nOldest first. Without a bound the latest. "
                 "`around` is what a permalink (`/r/{room}#512`) shows, `at` what was said on a day.",
                 RoomDoor.messages,
                 Reply(200, "A stretch of the history; `more`: there are others beyond it.", (Content(HistoryPage),)),
                 parameters=(ROOM, number("after", "Messages after that number, the oldest first."),
                             number("before", "Messages before that number, the latest."),
                             number("around", "The messages around that number; `more` is then of older ones."),
                             number("at", "The messages around the first from that moment on, in ms since 1970."),
                             number("limit", f"How many at most, and never more than {HISTORY_MESSAGES}.", 1),
                             Parameter("epoch", str, "Refuse with 409 if the room is in another epoch."),
                             Parameter("q", str, "Search: messages with all these words, newest first, at most "
                                       f"{FOUND_MESSAGES}. `from:ana`, `since:3d`, `before:2026-11-24` are filters."),
                             Parameter("cursor", str, "The `cursor` of a search, asked again with the same `q`.")),
                 refusals=(*READING, Code.BAD_MESSAGE, Code.BAD_TEXT, Code.TOO_LONG, Code.RATE_LIMITED,
                           Code.NO_SUCH_ROOM, Code.EPOCH_CHANGED), tag="rooms"),
        Endpoint("GET", "/rooms", "List the rooms\nThe rooms with people in them first, at most 1,000.",
                 RoomDoor.rooms, Reply(200, "The rooms.", (Content(list[ListedRoom]),)), tag="rooms",
                 refusals=(Code.BAD_MESSAGE, Code.BANNED, Code.STORAGE, Code.BACKPLANE, Code.BUSY, Code.DRAINING)),
    ),
    MessageDoor: (
        Endpoint("GET", "/r/{room}/paste/{seq}",
                 "Read a paste\nThe whole of a long text, of which the message shows the first lines.",
                 MessageDoor.paste, Reply(200, "The text.", (Content(str, LINES),)), parameters=(ROOM, SEQ),
                 tag="rooms", refusals=(*READING, Code.BAD_MESSAGE, Code.NO_SUCH_ROOM, Code.NO_SUCH_MESSAGE)),
        Endpoint("DELETE", "/r/{room}/messages/{seq}",
                 "Take a message back\nIts number stays, its text is gone everywhere. The author may within ten "
                 "minutes, by the token of the session that said it; an operator may always. A message that "
                 "has been removed before stays as it is.",
                 MessageDoor.redact, Reply(204, "It is removed."), Access.AUTHOR,
                 (ROOM, SEQ, Parameter("epoch", str, "Refuse with 409 if the room is in another epoch.")),
                 (Content(RedactRequest),), body_required=False, decoded=False, tag="rooms",
                 refusals=(*READING, Code.BAD_MESSAGE, Code.BAD_TEXT, Code.TOO_LONG, Code.NO_SUCH_ROOM,
                           Code.NO_SUCH_MESSAGE, Code.EPOCH_CHANGED)),
    ),
    RoomDownload: (
        Endpoint("GET", "/r/{room}/log.txt",
                 "Download a room\nThe whole log as text, oldest first: `2026-11-24T14:01:05Z bob: text`, in UTC. It "
                 "ends with the message that was the last when it was asked for. Two at a time for each address.",
                 RoomDownload.text, Reply(200, "One line for each line that was said.", (Content(str, LINES),)),
                 parameters=(ROOM, Parameter("since", str, "Begin after a number (`512`), or at `3d` (ago), `14:00` or "
                                             "`2026-11-24`, in the server's time zone.")),
                 refusals=(*READING, Code.BAD_MESSAGE, Code.NO_SUCH_ROOM, Code.RATE_LIMITED), tag="rooms"),
    ),
    Streams: (
        Endpoint("GET", "/r/{room}/raw",
                 "Follow a room as lines\nEndless: new messages as the plain door shows them, `-- 3 lines skipped: …` "
                 "where some are missing, and `!! reason` before the end. For `curl -N`.",
                 Streams.raw, Reply(200, "Lines, until either side closes.", (Content(str, LINES),)),
                 parameters=(ROOM, AFTER), tag="rooms", head=False, bare=True,
                 refusals=(*READING, Code.BAD_MESSAGE, Code.NO_SUCH_ROOM, Code.EPOCH_CHANGED, Code.ROOM_LIMIT)),
        Endpoint("GET", "/r/{room}/events",
                 "Follow a room as Server-Sent Events\nEndless: `event` is the type, `id` is `epoch:seq`, `data` one "
                 "of the objects `ServerObject`. Begins with `joined`. For EventSource, which reconnects by itself and "
                 "misses nothing.",
                 Streams.events, Reply(200, "Events, until either side closes.", (Content(str, EVENTS),)),
                 parameters=(ROOM, AFTER, Parameter("Last-Event-ID", Place, "The same; wins over `after`.", "header"),
                             Parameter("lastEventId", Place, "The same, for an EventSource that cannot set headers.")),
                 refusals=(*READING, Code.BAD_MESSAGE, Code.NO_SUCH_ROOM, Code.ROOM_LIMIT), tag="rooms", head=False,
                 bare=True),
    ),
    WebSockets: (
        Endpoint("GET", "/ws",
                 "Open a WebSocket\nSubprotocol `chat.v1.json`: text frames with the objects `ClientObject` and "
                 "`ServerObject`; `hello` comes first, within 15 s. Subprotocol `chat.v1.text`: the plain door's "
                 "lines.",
                 WebSockets.serve, Reply(101, "Frames from now on."), statuses=(426,), tag="rooms", head=False,
                 bare=True, refusals=(Code.BAD_MESSAGE, Code.FORBIDDEN)),
    ),
}

HEALTH: Mapping[type, Sequence[Endpoint]] = {
    Monitoring: (
        Endpoint("GET", "/healthz", "Does the process answer", Monitoring.healthz,
                 Reply(200, "It does.", (Content(HealthReport),)), parameters=None, tag="health"),
        Endpoint("GET", "/readyz", "Are newcomers and messages taken\n503 says why not.", Monitoring.readyz,
                 Reply(200, "They are.", (Content(HealthReport),)), parameters=None, tag="health",
                 refusals=(Code.BUSY, Code.STORAGE, Code.BACKPLANE, Code.FULL, Code.DRAINING)),
        Endpoint("GET", "/metrics", "Metrics for Prometheus", Monitoring.metrics,
                 Reply(200, "In the format that `Accept` prefers.",
                       (Content(str, LINES), Content(str, "application/openmetrics-text"))),
                 Access.HERE, parameters=None, tag="health"),
    ),
    ApiDocument: (
        Endpoint("GET", "/openapi.json", "This document", ApiDocument.serve,
                 Reply(200, "OpenAPI 3.1.", (Content(dict, JSON),)), parameters=None, tag="health"),
    ),
}
# fmt: on


def _page(path: str, words: str, handler: Any, *parameters: Parameter) -> Endpoint:
    """A page of the dashboard."""
    return Endpoint("GET", path, words, handler, PAGE, Access.PAGE, (*parameters, RESULT))


def _form(path: str, action: str, handler: Any, access: Access, target: str = "id") -> Endpoint:
    """What a form on a page posts where there is no script."""
    reply = Reply(303, "Back to the page.")
    return Endpoint("POST", path, action, handler, reply, access, None, (FORM_BODY,), action=action, target=target)


PAGES: Mapping[type, Sequence[Endpoint]] = {
    ChatPage: (
        Endpoint("GET", "/", "The lobby", ChatPage.lobby, PAGE, parameters=None),
        Endpoint("GET", "/r/{room}", "A room", ChatPage.room, PAGE, parameters=None),
    ),
    DocsPage: (Endpoint("GET", "/docs", "How to use the gateway", DocsPage.page, PAGE, parameters=None),),
    Assets: (Endpoint("GET", "/static/{hash}/{name:.+}", "A static file", Assets.serve, PAGE, bare=True),),
    Dashboard: (_page("/admin", "The connections", Dashboard.page, *FILTERED, LIMIT, CURSOR, FREEZE),),
    ListPages: (
        _page("/admin/rooms", "The rooms", ListPages.rooms, SORT, *PAGED),
        _page("/admin/bans", "The bans", ListPages.bans, *PAGED),
        _page("/admin/mutes", "The mutes", ListPages.mutes, *PAGED),
        _page("/admin/audit", "The audit log", ListPages.audit, *NUMBERED_PAGE),
        _page("/admin/sessions", "The sessions", ListPages.sessions),
    ),
    AdminForms: (
        _form("/admin/kick", "kick", AdminForms.kick, Access.OPERATOR),
        _form("/admin/bans", "ban", AdminForms.ban, Access.ADMIN, "target"),
        _form("/admin/bans/lift", "unban", AdminForms.lift_ban, Access.ADMIN),
        _form("/admin/mutes", "mute", AdminForms.mute, Access.OPERATOR, "target"),
        _form("/admin/mutes/lift", "unmute", AdminForms.lift_mute, Access.OPERATOR),
        _form("/admin/announce", "announce", AdminForms.announce, Access.ADMIN),
        _form("/admin/redact", "redact", AdminForms.redact, Access.OPERATOR, "seq"),
        _form("/admin/sessions/end", "logout", AdminForms.end_session, Access.VIEWER),
    ),
}

TABLE = (ROOMS, HEALTH, ADMIN, PAGES)
"""The rows by the class whose methods handle them, in the order in which paths are matched."""
ENDPOINTS = tuple(each for part in TABLE for rows in part.values() for each in rows)
"""All rows."""
