"""The operations of who chats, and of who watches the gateway's health."""

from typing import Annotated

from msgspec import Meta

from gateway.core.rooms.history import HISTORY_MESSAGES
from gateway.errors import Code
from gateway.web.reference.operation import (
    EVENTS,
    JSON,
    LINES,
    Access,
    Content,
    HistoryLimit,
    Number,
    Operation,
    Parameter,
    Place,
    Reply,
    Room,
)
from gateway.web.rooms import HealthReport, HistoryPage, ListedRoom, PostBody, Stored

ROOM = Parameter("room", Room, "The room; upper case is lowered, one leading `#` is dropped.", "path")
NICK = Parameter("nick", Annotated[str, Meta(min_length=1, max_length=32)], "Under which name; without, a guest's.")
READING = (Code.ROOM_INVALID, Code.BANNED, Code.STORAGE, Code.BUSY, Code.DRAINING)

ROOMS = (
    Operation(
        "POST",
        "/r/{room}",
        "Post a message\nAnswered once the message is committed. A body that is not JSON is the message as it stands, "
        "in UTF-8, never a command. At most 16 KiB of body, 4,000 bytes of text. A second try with the same `id` "
        "within two minutes, from the same identity (without token: room and nick), is answered with the first one's "
        "place and not posted again.",
        Reply(201, "It is committed, and stands there.", (Content(Stored),)),
        (ROOM, NICK),
        (Content(PostBody), Content(str, LINES)),
        refusals=(
            *READING,
            Code.BAD_TEXT,
            Code.BAD_MESSAGE,
            Code.TOO_LONG,
            Code.NICK_INVALID,
            Code.NICK_TAKEN,
            Code.TOKEN_INVALID,
            Code.MUTED,
            Code.NO_SUCH_ROOM,
            Code.RATE_LIMITED,
            Code.ROOM_LIMIT,
        ),
        access=Access.IDENTITY,
    ),
    Operation(
        "GET",
        "/r/{room}/messages",
        "Read the history\nOldest first. Without a bound the latest.",
        Reply(200, "A stretch of the history; `more`: there are others beyond it.", (Content(HistoryPage),)),
        (
            ROOM,
            Parameter("after", Number, "Messages after that number, the oldest first."),
            Parameter("before", Number, "Messages before that number, the latest."),
            Parameter("limit", HistoryLimit, f"How many at most, and never more than {HISTORY_MESSAGES}."),
            Parameter("epoch", str, "Refuse with 409 if the room is in another epoch."),
        ),
        refusals=(*READING, Code.BAD_MESSAGE, Code.NO_SUCH_ROOM, Code.EPOCH_CHANGED),
    ),
    Operation(
        "GET",
        "/r/{room}/raw",
        "Follow a room as lines\nEndless: new messages as the plain door shows them, `-- 3 lines skipped: …` where "
        "some are missing, and `!! reason` before the end. For `curl -N`.",
        Reply(200, "Lines, until either side closes.", (Content(str, LINES),)),
        (ROOM, Parameter("after", Place, "`epoch:seq`: begin with what came after that message.")),
        refusals=(*READING, Code.BAD_MESSAGE, Code.NO_SUCH_ROOM, Code.EPOCH_CHANGED, Code.ROOM_LIMIT),
    ),
    Operation(
        "GET",
        "/r/{room}/events",
        "Follow a room as Server-Sent Events\nEndless: `event` is the type, `id` is `epoch:seq`, `data` one of the "
        "objects `ServerObject`. Begins with `joined`. For EventSource, which comes back by itself and misses nothing.",
        Reply(200, "Events, until either side closes.", (Content(str, EVENTS),)),
        (
            ROOM,
            Parameter("after", Place, "`epoch:seq`: begin with what came after that message."),
            Parameter("Last-Event-ID", Place, "The same; wins over `after`.", "header"),
        ),
        refusals=(*READING, Code.BAD_MESSAGE, Code.NO_SUCH_ROOM, Code.ROOM_LIMIT),
    ),
    Operation(
        "GET",
        "/rooms",
        "List the rooms\nThe rooms with people in them first, at most 1,000.",
        Reply(200, "The rooms.", (Content(list[ListedRoom]),)),
        refusals=(Code.BAD_MESSAGE, Code.BANNED, Code.STORAGE, Code.BUSY, Code.DRAINING),
    ),
    Operation(
        "GET",
        "/ws",
        "Open a WebSocket\nSubprotocol `chat.v1.json`: text frames with the objects `ClientObject` and `ServerObject`; "
        "`hello` comes first, within 15 s. Subprotocol `chat.v1.text`: the plain door's lines.",
        Reply(101, "From now on frames."),
        refusals=(Code.BAD_MESSAGE, Code.FORBIDDEN),
        statuses=(426,),
    ),
)

HEALTH = (
    Operation(
        "GET",
        "/healthz",
        "Does the process answer",
        Reply(200, "It does.", (Content(HealthReport),)),
    ),
    Operation(
        "GET",
        "/readyz",
        "Are newcomers and messages taken\n503 says why not.",
        Reply(200, "They are.", (Content(HealthReport),)),
        refusals=(Code.BUSY, Code.STORAGE, Code.FULL, Code.DRAINING),
    ),
    Operation(
        "GET",
        "/metrics",
        "Metrics for Prometheus",
        Reply(
            200,
            "In the format that `Accept` prefers.",
            (Content(str, LINES), Content(str, "application/openmetrics-text")),
        ),
        access=Access.HERE,
    ),
    Operation(
        "GET",
        "/openapi.json",
        "This document",
        Reply(200, "OpenAPI 3.1.", (Content(dict, JSON),)),
    ),
)
