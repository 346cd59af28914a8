"""The table of HTTP endpoints below `/admin`: the API and the login (`web.endpoint`)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from gateway.core.stats.timeseries import STEPS
from gateway.errors import Code
from gateway.web.admin.bulk import BulkActionList, BulkEndpoints, BulkRequest, BulkRow
from gateway.web.admin.login import (
    Credentials,
    LoggedIn,
    LoginLink,
    LoginPage,
    SessionEnded,
    SessionEndpoints,
    Sessions,
)
from gateway.web.admin.maintenance import (
    DrainReport,
    DrainRequest,
    EventLines,
    LogLevel,
    LogLevelRequest,
    MaintenanceEndpoints,
    MaintenanceReport,
    MaintenanceRequest,
)
from gateway.web.admin.metrics import MetricsPage
from gateway.web.admin.moderation import (
    Announced,
    AnnounceRequest,
    AuditLines,
    Banned,
    BanPage,
    Kicked,
    KickRequest,
    Lifted,
    MessageRequest,
    ModerationEndpoints,
    Muted,
    MutePage,
    SanctionRequest,
    Told,
)
from gateway.web.admin.summary import Series, Summary, SummaryEndpoints
from gateway.web.admin.watch import WatchEndpoints
from gateway.web.endpoint import EVENTS, FORM_BODY, Access, Content, Endpoint, Parameter, Reply, choice, number
from gateway.web.tables.connections import ConnectionEndpoints, Detail, TablePage
from gateway.web.tables.paging import PAGE_LIMIT, STATES
from gateway.web.tables.rooms import RoomEndpoints, RoomPage

API = "/admin/api"
VIEWER, OPERATOR, ADMINISTRATOR = Access.VIEWER, Access.OPERATOR, Access.ADMIN

CONNECTION = Parameter("id", Annotated[str, Meta(pattern="^[0-9a-f]{1,15}$")], "The connection.", "path")
ID = Parameter("id", str, "Its id.", "path")
Q = Parameter("q", str, "Words that must all hold; see the README.")
LIMIT = number("limit", "How many at most.", 1, PAGE_LIMIT)
CURSOR = Parameter("cursor", str, "The `cursor` of the page before.")
SORT = Parameter("sort", str, "A column; with `-` before it the largest first.")
STATE = choice("state", "Which connections.", STATES)
SNAPSHOT = Parameter("snapshot", str, "Look at the frozen moment of that name.")
FREEZE = Parameter("freeze", Annotated[str, Meta(pattern="^(1)$")], "Keep this moment for a minute after its last use.")
PAGED = (Q, LIMIT, CURSOR)
FILTERED = (STATE, Q, SORT, SNAPSHOT)
NUMBERED_PAGE = (Q, LIMIT, number("cursor", "The `cursor` of the page before.", 1))
CHOSEN = (Code.NO_SUCH_USER,)


def _read(path: str, words: str, handler: Any, shape: Any, *parameters: Parameter, **fields: Any) -> Endpoint:
    """What viewers may read. `more` are the refusals besides bad_message, `media` the media type if it is not JSON."""
    refusals, media = (Code.BAD_MESSAGE, *fields.pop("more", ())), fields.pop("media", None)
    content = Content(shape) if media is None else Content(shape, media)
    reply = Reply(200, fields.pop("said", "As asked for."), (content,))
    row = Endpoint("GET", API + path, words, handler, reply, VIEWER, parameters, refusals=refusals, tag="admin")
    return row._replace(**fields)


def _write(
    how: tuple[str, str, str], words: str, handler: Any, reply: tuple[int, str, Any], access: Access, **fields: Any
) -> Endpoint:
    """What changes something. `how`: method, path, and the name of the action in the audit log; `order`: the shape of
    the body; `on`: the parameter of the path; `more`: further refusals."""
    method, path, action = how
    status, said, shape = reply
    order, on, more = fields.pop("order", None), fields.pop("on", None), fields.pop("more", ())
    return Endpoint(
        method,
        API + path,
        words,
        handler,
        Reply(status, said, (Content(shape),)),
        access,
        () if on is None else (on,),
        () if order is None else (Content(order),),
        refusals=(Code.BAD_MESSAGE, Code.TOO_LONG, Code.STORAGE, *more),
        action=action,
        tag="admin",
    )._replace(**fields)


ADMIN: Mapping[type, Sequence[Endpoint]] = {
    SummaryEndpoints: (
        _read(
            "/summary",
            "Every figure now\nIts highest since the start, and its limit.",
            SummaryEndpoints.summary,
            Summary,
        ),
        _read(
            "/series",
            "Figures over time\nColumn by column: `t` are the rows' times, `marks` what was done meanwhile.",
            SummaryEndpoints.series,
            Series,
            choice("span", "How far back; 5m unless told otherwise.", STEPS),
            number("since", "Only rows after that `t`."),
        ),
    ),
    ConnectionEndpoints: (
        _read(
            "/connections",
            "The connections\nA page of the table.",
            ConnectionEndpoints.page,
            TablePage,
            *FILTERED,
            LIMIT,
            CURSOR,
            FREEZE,
            statuses=(410,),
        ),
        _read(
            "/connections.csv",
            "The connections as a CSV file",
            ConnectionEndpoints.as_csv,
            str,
            *FILTERED,
            media="text/csv",
            said="One line each, and one with the columns.",
            statuses=(410,),
            head=False,
        ),
        _read(
            "/connections.jsonl",
            "The connections as JSON lines",
            ConnectionEndpoints.as_json_lines,
            str,
            *FILTERED,
            media="application/x-ndjson",
            said="One object `ConnectionRow` a line.",
            statuses=(410,),
            head=False,
        ),
        _read(
            "/connections/{id}",
            "One connection in full\nAn open one, or one of the last that closed.",
            ConnectionEndpoints.one,
            Detail,
            CONNECTION,
            more=CHOSEN,
        ),
    ),
    ModerationEndpoints: (
        _write(
            ("DELETE", "/connections/{id}", "kick"),
            "Kick\nClose a connection and, with `ban_seconds`, keep its user out, which takes an admin.",
            ModerationEndpoints.kick,
            (200, "Closed.", Kicked),
            OPERATOR,
            on=CONNECTION,
            order=KickRequest,
            body_required=False,
            more=CHOSEN,
        ),
        _write(
            ("POST", "/connections/{id}/message", "message"),
            "Send words to one connection",
            ModerationEndpoints.message,
            (200, "On their way.", Told),
            OPERATOR,
            on=CONNECTION,
            order=MessageRequest,
            more=(Code.NO_SUCH_USER, Code.BAD_TEXT),
        ),
        _read("/bans", "The bans in force", ModerationEndpoints.bans, BanPage, *PAGED),
        _write(
            ("POST", "/bans", "ban"),
            "Ban\nA nick, an address, a range, or the user behind a connection.",
            ModerationEndpoints.ban,
            (201, "In force.", Banned),
            ADMINISTRATOR,
            order=SanctionRequest,
            more=(Code.NO_SUCH_USER, Code.NICK_INVALID),
        ),
        _write(
            ("DELETE", "/bans/{id}", "unban"),
            "Lift a ban",
            ModerationEndpoints.unban,
            (200, "Lifted.", Lifted),
            ADMINISTRATOR,
            on=ID,
            more=CHOSEN,
        ),
        _read("/mutes", "The mutes in force", ModerationEndpoints.mutes, MutePage, *PAGED),
        _write(
            ("POST", "/mutes", "mute"),
            "Mute\nA nick, an address, a range, or the user behind a connection.",
            ModerationEndpoints.mute,
            (201, "In force.", Muted),
            OPERATOR,
            order=SanctionRequest,
            more=(Code.NO_SUCH_USER, Code.NICK_INVALID),
        ),
        _write(
            ("DELETE", "/mutes/{id}", "unmute"),
            "Lift a mute",
            ModerationEndpoints.unmute,
            (200, "Lifted.", Lifted),
            OPERATOR,
            on=ID,
            more=CHOSEN,
        ),
        _write(
            ("POST", "/announce", "announce"),
            "Announce something\nTo everybody, or to a door, a room, or both.",
            ModerationEndpoints.announce,
            (200, "On its way.", Announced),
            ADMINISTRATOR,
            order=AnnounceRequest,
            more=(Code.BAD_TEXT, Code.ROOM_INVALID),
        ),
        _read(
            "/audit",
            "The audit log\n`q`: words, or `who:ana`, `action:ban`, `target:`, `result:`.",
            ModerationEndpoints.audit,
            AuditLines,
            *NUMBERED_PAGE,
            more=(Code.STORAGE,),
        ),
    ),
    WatchEndpoints: (
        _read(
            "/connections/{id}/watch",
            "Watch one connection live\nWith the setting `admin.watch`, for ten minutes, audited. Events: `began`, "
            "`in`, `out`, `dropped`, `ended`.",
            WatchEndpoints.watch,
            str,
            CONNECTION,
            media=EVENTS,
            said="Events, until ten minutes are over.",
            more=(Code.NO_SUCH_USER, Code.FORBIDDEN, Code.BUSY),
            access=ADMINISTRATOR,
            action="watch",
            head=False,
        ),
    ),
    RoomEndpoints: (
        _read("/rooms", "The rooms in memory\nA page of the table.", RoomEndpoints.page, RoomPage, SORT, *PAGED),
    ),
    BulkEndpoints: (
        _read(
            "/campaigns",
            "The campaigns\nWhat is done to all connections that a filter matches.",
            BulkEndpoints.all,
            BulkActionList,
        ),
        _write(
            ("POST", "/campaigns", "campaign"),
            "Begin a campaign\nAt a rate, in the background; bans take an admin. 409 with `matches` when more match by "
            "now than `expected`.",
            BulkEndpoints.begin,
            (202, "It has begun.", BulkRow),
            OPERATOR,
            order=BulkRequest,
            more=(Code.FORBIDDEN, Code.BUSY),
            statuses=(409,),
        ),
        _read("/campaigns/{id}", "One campaign", BulkEndpoints.one, BulkRow, ID, more=CHOSEN),
        _write(
            ("DELETE", "/campaigns/{id}", "campaign stop"),
            "Stop a campaign",
            BulkEndpoints.stop,
            (200, "As it stands.", BulkRow),
            OPERATOR,
            on=ID,
            more=CHOSEN,
        ),
    ),
    MaintenanceEndpoints: (
        _read(
            "/events",
            "What happened lately\nWithout a word of what was said. Without `after` the latest.",
            MaintenanceEndpoints.events,
            EventLines,
            number("after", "What came after the event of that number."),
            LIMIT,
        ),
        _read("/drain", "How far the doors are drained", MaintenanceEndpoints.progress, DrainReport),
        _write(
            ("POST", "/drain", "drain"),
            "Drain a door, or all\nNobody comes in; those who are there are sent away at a rate and told when to come "
            "back.",
            MaintenanceEndpoints.drain,
            (202, "It has begun.", DrainReport),
            ADMINISTRATOR,
            order=DrainRequest,
            body_required=False,
        ),
        _write(
            ("DELETE", "/drain", "drain cancel"),
            "Open the doors again",
            MaintenanceEndpoints.cancel,
            (200, "Open.", DrainReport),
            ADMINISTRATOR,
        ),
        _read("/maintenance", "Whether newcomers are turned away", MaintenanceEndpoints.maintenance, MaintenanceReport),
        _write(
            ("POST", "/maintenance", "maintenance"),
            "Turn newcomers away, or let them in again",
            MaintenanceEndpoints.maintain,
            (200, "From now on.", MaintenanceReport),
            ADMINISTRATOR,
            order=MaintenanceRequest,
        ),
        _read("/log-level", "How much is logged", MaintenanceEndpoints.log_level, LogLevel),
        _write(
            ("POST", "/log-level", "log level"),
            "Log more, or less, for a while",
            MaintenanceEndpoints.turn_log,
            (200, "From now on.", LogLevel),
            ADMINISTRATOR,
            order=LogLevelRequest,
        ),
    ),
    SessionEndpoints: (
        _read(
            "/sessions",
            "Who is logged in\nAn admin sees all, others those under their own name.",
            SessionEndpoints.seen,
            Sessions,
        ),
        _write(
            ("DELETE", "/sessions/{id}", "logout"),
            "End a session of the dashboard\nOne's own; an admin those of others.",
            SessionEndpoints.end,
            (200, "Over.", SessionEnded),
            VIEWER,
            on=ID,
            more=CHOSEN,
        ),
    ),
    LoginPage: (
        Endpoint("GET", "/admin/login", "Log in", LoginPage.show, Reply(200, "A page."), parameters=None),
        Endpoint(
            "POST",
            "/admin/login",
            "Log in\nWith the token of a one-time link, or with name and password. Whoever sends a form is led to the "
            "dashboard.",
            LoginPage.press,
            Reply(200, "Logged in; the cookie is the session.", (Content(LoggedIn),)),
            parameters=None,
            body=(Content(Credentials),),
            decoded=False,
            refusals=(Code.BAD_MESSAGE, Code.TOO_LONG, Code.FORBIDDEN, Code.RATE_LIMITED, Code.BUSY),
            statuses=(303,),
            tag="admin",
        ),
        Endpoint(
            "POST",
            "/admin/logout",
            "Log out",
            LoginPage.logout,
            Reply(303, "To the login."),
            VIEWER,
            None,
            (FORM_BODY,),
            body_required=False,
            refusals=(Code.BAD_MESSAGE, Code.TOO_LONG),
            action="logout",
            tag="admin",
        ),
        Endpoint(
            "POST",
            "/admin/login-link",
            "Print a fresh one-time link\nWhat `gateway login-link` asks for.",
            LoginPage.mint,
            Reply(201, "Good for 15 minutes, once.", (Content(LoginLink),)),
            Access.KEY,
            None,
            statuses=(404,),
            tag="admin",
        ),
    ),
    MetricsPage: (
        Endpoint(
            "GET",
            "/admin/grafana.json",
            "A dashboard for Grafana\nA file to import; it shows `/metrics`.",
            MetricsPage.grafana,
            Reply(200, "As asked for.", (Content(dict[str, Any]),)),
            VIEWER,
            None,
            tag="admin",
        ),
    ),
}
