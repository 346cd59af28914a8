"""The operations of the admin API, and the shapes of those answers that are put together where they are given."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from gateway.core.protocol.message import Door
from gateway.core.stats.timeseries import STEPS
from gateway.errors import Code
from gateway.web.admin.bulk import BulkRequest, BulkRow
from gateway.web.admin.login_page import Credentials
from gateway.web.admin.maintenance import DrainRequest, EventRow, LogLevelRequest, MaintenanceRequest
from gateway.web.admin.moderation import AnnounceRequest, KickRequest, MessageRequest, SanctionRequest, SanctionRow
from gateway.web.admin.sessions import SessionRow
from gateway.web.admin.summary import MarkLine, Summary
from gateway.web.reference.operation import (
    EVENTS,
    Access,
    Content,
    Limit,
    Number,
    Operation,
    Parameter,
    Reply,
    SessionId,
    one_of,
)
from gateway.web.tables.connection_row import ConnectionRow
from gateway.web.tables.connections import Detail, TablePage
from gateway.web.tables.paging import STATES
from gateway.web.tables.rooms import RoomPage


class Series(msgspec.Struct):
    """Rows `step` ms apart, the oldest first, at the times `t` (ms since 1970). Besides these, each figure has its own
    column, as long as `t`: numbers, or null where there is none."""

    span: str
    step: int
    t: list[int]
    marks: list[MarkLine]


class Kicked(msgspec.Struct):
    """The connection is closed; `ban` is null when none was asked for."""

    id: str
    kicked: Literal[True]
    ban: SanctionRow | None


class Told(msgspec.Struct):
    """The words are on their way."""

    id: str
    told: Literal[True]


class Announced(msgspec.Struct):
    """So many connections are told."""

    connections: int


class Banned(msgspec.Struct):
    """The ban, and how many connections it closed."""

    ban: SanctionRow
    connections: int


class Muted(msgspec.Struct):
    """The mute."""

    mute: SanctionRow


class Lifted(msgspec.Struct):
    """It holds no more."""

    id: str
    lifted: Literal[True]


class BanPage(msgspec.Struct):
    """Some of the bans that hold, newest first."""

    bans: list[SanctionRow]
    total: int
    cursor: str | None


class MutePage(msgspec.Struct):
    """Some of the mutes that hold, newest first."""

    mutes: list[SanctionRow]
    total: int
    cursor: str | None


class AuditLine(msgspec.Struct):
    """One attempt, done or refused; `at` in ms since 1970."""

    number: int
    at: int
    who: str
    source: str
    action: str
    target: str
    reason: str
    result: str


class AuditLines(msgspec.Struct):
    """Some of the audit log, newest first."""

    entries: list[AuditLine]
    cursor: str | None


class EventLines(msgspec.Struct):
    """What happened lately, oldest first. `cursor` is the number of the last one here, `last` of the last there is;
    `missed` are gone between `after` and the first."""

    events: list[EventRow]
    cursor: int
    last: int
    missed: int


class BulkActionList(msgspec.Struct):
    """The campaigns, the latest first."""

    campaigns: list[BulkRow]


class DrainingDoor(msgspec.Struct):
    """How many were there when it began, how many were sent away, how many are there now."""

    door: Door
    state: str
    total: int
    sent: int
    left: int


class DrainReport(msgspec.Struct):
    """`state` of the worst door: ready, draining or closed; `per_second` is null when all are ready."""

    state: str
    per_second: int | None
    doors: list[DrainingDoor]


class MaintenanceReport(msgspec.Struct):
    """Whether newcomers are turned away, with which words, and since when (ms since 1970)."""

    on: bool
    text: str | None
    since: int | None


class LogLevel(msgspec.Struct):
    """The level now, the `usual` one, and `until` when (ms since 1970) it is another."""

    level: str
    usual: str
    until: int | None


class Sessions(msgspec.Struct):
    """Who is logged in to the dashboard."""

    sessions: list[SessionRow]


class SessionEnded(msgspec.Struct):
    """That session is over."""

    id: str
    ended: Literal[True]


class LoggedIn(msgspec.Struct):
    """Beside the cookie; `expires_in` is in seconds."""

    name: str
    role: str
    csrf: str
    expires_in: int


class LoginLink(msgspec.Struct):
    """A fresh one-time link; `expires_in` is in seconds."""

    url: str
    expires_in: int


CONNECTION = Parameter("id", SessionId, "The connection.", "path")
NUMBERED = Parameter("id", str, "Its id.", "path")
Q = Parameter("q", str, "Words that must all hold; see the README.")
LIMIT = Parameter("limit", Limit, "How many at most.")
CURSOR = Parameter("cursor", str, "The `cursor` of the page before.")
SORT = Parameter("sort", str, "A column; with `-` before it the largest first.")
STATE = Parameter("state", one_of(STATES), "Which connections.")
SNAPSHOT = Parameter("snapshot", str, "Look at the frozen moment of that name.")
FREEZE = Parameter("freeze", one_of(("1",)), "Keep this moment for a minute after its last use.")
WRITING = (Code.BAD_MESSAGE, Code.TOO_LONG, Code.STORAGE)


def _read(
    path: str, words: str, shape: Any, *parameters: Parameter, more: Iterable[Code] = (), **fields: Any
) -> Operation:
    content = (Content(shape),)
    refusals = (Code.BAD_MESSAGE, *more)
    reply = Reply(200, "As asked for.", content)
    return Operation("GET", path, words, reply, parameters, refusals=refusals, **{"access": Access.VIEWER} | fields)


def _write(
    method: str, path: str, words: str, reply: Reply, *parameters: Parameter, more: Iterable[Code] = (), **fields: Any
) -> Operation:
    refusals = (*WRITING, *more)
    return Operation(method, path, words, reply, parameters, refusals=refusals, **{"access": Access.OPERATOR} | fields)


ADMIN = (
    _read("/admin/api/summary", "Every figure now\nIts highest since the start, and its limit.", Summary),
    _read(
        "/admin/api/series",
        "Figures over time\nColumn by column: `t` are the rows' times, `marks` what was done meanwhile.",
        Series,
        Parameter("span", one_of(STEPS), "How far back; 5m unless told otherwise."),
        Parameter("since", Number, "Only rows after that `t`."),
    ),
    _read(
        "/admin/api/connections",
        "The connections\nA page of the table.",
        TablePage,
        STATE,
        Q,
        SORT,
        LIMIT,
        CURSOR,
        SNAPSHOT,
        FREEZE,
        statuses=(410,),
    ),
    _read(
        "/admin/api/connections.csv", "The connections as a CSV file", str, STATE, Q, SORT, SNAPSHOT, statuses=(410,)
    )._replace(reply=Reply(200, "One line each, and one with the columns.", (Content(str, "text/csv"),))),
    _read(
        "/admin/api/connections.jsonl",
        "The connections as JSON lines",
        ConnectionRow,
        STATE,
        Q,
        SORT,
        SNAPSHOT,
        statuses=(410,),
    )._replace(reply=Reply(200, "One object `ConnectionRow` a line.", (Content(str, "application/x-ndjson"),))),
    _read(
        "/admin/api/connections/{id}",
        "One connection in full\nAn open one, or one of the last that closed.",
        Detail,
        CONNECTION,
        more=(Code.NO_SUCH_USER,),
    ),
    _write(
        "DELETE",
        "/admin/api/connections/{id}",
        "Kick\nClose a connection and, with `ban_seconds`, keep its user out.",
        Reply(200, "Closed.", (Content(Kicked),)),
        CONNECTION,
        more=(Code.NO_SUCH_USER,),
        body=(Content(KickRequest),),
        body_required=False,
    ),
    _write(
        "POST",
        "/admin/api/connections/{id}/message",
        "Tell one connection something",
        Reply(200, "Told.", (Content(Told),)),
        CONNECTION,
        more=(Code.NO_SUCH_USER, Code.BAD_TEXT),
        body=(Content(MessageRequest),),
    ),
    _read(
        "/admin/api/connections/{id}/watch",
        "Watch one connection live\nWith the setting `admin.watch`, for ten minutes, audited. Events: `began`, `in`, "
        "`out`, `dropped`, `ended`.",
        str,
        CONNECTION,
        more=(Code.NO_SUCH_USER, Code.FORBIDDEN, Code.BUSY),
        access=Access.ADMIN,
    )._replace(reply=Reply(200, "Events, until ten minutes are over.", (Content(str, EVENTS),))),
    _read("/admin/api/rooms", "The rooms in memory\nA page of the table.", RoomPage, Q, SORT, LIMIT, CURSOR),
    _read(
        "/admin/api/events",
        "What happened lately\nWithout a word of what was said. Without `after` the latest.",
        EventLines,
        Parameter("after", Number, "What came after the event of that number."),
        LIMIT,
    ),
    _read("/admin/api/bans", "The bans that hold", BanPage, Q, LIMIT, CURSOR),
    _write(
        "POST",
        "/admin/api/bans",
        "Ban\nA nick, an address, a range, or who is behind a connection.",
        Reply(201, "It holds.", (Content(Banned),)),
        more=(Code.NO_SUCH_USER, Code.NICK_INVALID),
        body=(Content(SanctionRequest),),
    ),
    _write(
        "DELETE",
        "/admin/api/bans/{id}",
        "Lift a ban",
        Reply(200, "Lifted.", (Content(Lifted),)),
        NUMBERED,
        more=(Code.NO_SUCH_USER,),
    ),
    _read("/admin/api/mutes", "The mutes that hold", MutePage, Q, LIMIT, CURSOR),
    _write(
        "POST",
        "/admin/api/mutes",
        "Mute\nA nick, an address, a range, or who is behind a connection.",
        Reply(201, "It holds.", (Content(Muted),)),
        more=(Code.NO_SUCH_USER, Code.NICK_INVALID),
        body=(Content(SanctionRequest),),
    ),
    _write(
        "DELETE",
        "/admin/api/mutes/{id}",
        "Lift a mute",
        Reply(200, "Lifted.", (Content(Lifted),)),
        NUMBERED,
        more=(Code.NO_SUCH_USER,),
    ),
    _write(
        "POST",
        "/admin/api/announce",
        "Tell everybody\nOr a door, a room, or both.",
        Reply(200, "Told.", (Content(Announced),)),
        more=(Code.BAD_TEXT, Code.ROOM_INVALID),
        body=(Content(AnnounceRequest),),
    ),
    _read(
        "/admin/api/audit",
        "The audit log\n`q`: words, or `who:ana`, `action:ban`, `target:`, `result:`.",
        AuditLines,
        Q,
        LIMIT,
        CURSOR,
        more=(Code.STORAGE,),
    ),
    _read(
        "/admin/api/campaigns", "The campaigns\nWhat is done to all connections that a filter matches.", BulkActionList
    ),
    _write(
        "POST",
        "/admin/api/campaigns",
        "Begin a campaign\nAt a rate, in the background. 409 with `matches` when more match by now than `expected`.",
        Reply(202, "It has begun.", (Content(BulkRow),)),
        more=(Code.FORBIDDEN, Code.BUSY),
        body=(Content(BulkRequest),),
        statuses=(409,),
    ),
    _read("/admin/api/campaigns/{id}", "One campaign", BulkRow, NUMBERED, more=(Code.NO_SUCH_USER,)),
    _write(
        "DELETE",
        "/admin/api/campaigns/{id}",
        "Stop a campaign",
        Reply(200, "As it stands.", (Content(BulkRow),)),
        NUMBERED,
        more=(Code.NO_SUCH_USER,),
    ),
    _read("/admin/api/drain", "How far the doors are drained", DrainReport),
    _write(
        "POST",
        "/admin/api/drain",
        "Drain a door, or all\nNobody comes in; who is there is sent away at a rate and told when to come back.",
        Reply(202, "It has begun.", (Content(DrainReport),)),
        body=(Content(DrainRequest),),
        body_required=False,
        access=Access.ADMIN,
    ),
    _write(
        "DELETE",
        "/admin/api/drain",
        "Open the doors again",
        Reply(200, "Open.", (Content(DrainReport),)),
        access=Access.ADMIN,
    ),
    _read("/admin/api/maintenance", "Whether newcomers are turned away", MaintenanceReport),
    _write(
        "POST",
        "/admin/api/maintenance",
        "Turn newcomers away, or let them in again",
        Reply(200, "From now on.", (Content(MaintenanceReport),)),
        body=(Content(MaintenanceRequest),),
        access=Access.ADMIN,
    ),
    _read("/admin/api/log-level", "How much is logged", LogLevel),
    _write(
        "POST",
        "/admin/api/log-level",
        "Log more, or less, for a while",
        Reply(200, "From now on.", (Content(LogLevel),)),
        body=(Content(LogLevelRequest),),
        access=Access.ADMIN,
    ),
    _read("/admin/api/sessions", "Who is logged in\nAn admin sees all, others those under their own name.", Sessions),
    _write(
        "DELETE",
        "/admin/api/sessions/{id}",
        "End a session of the dashboard\nOne's own; an admin those of others.",
        Reply(200, "Over.", (Content(SessionEnded),)),
        NUMBERED,
        more=(Code.NO_SUCH_USER,),
        access=Access.VIEWER,
    ),
    Operation(
        "POST",
        "/admin/login",
        "Log in\nBy the token of a one-time link, or by name and password. Who sends a form is led to the dashboard.",
        Reply(200, "Logged in; the cookie is the session.", (Content(LoggedIn),)),
        body=(Content(Credentials),),
        refusals=(Code.BAD_MESSAGE, Code.FORBIDDEN, Code.RATE_LIMITED, Code.BUSY),
        statuses=(303,),
    ),
    _write("POST", "/admin/logout", "Log out", Reply(303, "To the login."), access=Access.VIEWER),
    Operation(
        "POST",
        "/admin/login-link",
        "Print a fresh one-time link\nWhat `gateway login-link` asks for.",
        Reply(201, "Good for 15 minutes, once.", (Content(LoginLink),)),
        statuses=(404,),
        access=Access.KEY,
    ),
    _read("/admin/grafana.json", "A dashboard for Grafana\nA file to import; it shows `/metrics`.", dict[str, Any]),
)
