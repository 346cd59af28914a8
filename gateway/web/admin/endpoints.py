"""The table of HTTP endpoints below `/admin`: the API and the login (`web.dispatch`)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from gateway.core.operators.maintenance import BackupReport
from gateway.core.ports.ledger import AuditPage
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
    BackupRequest,
    DrainReport,
    DrainRequest,
    EpochRenewed,
    EpochRequest,
    EventLines,
    LogLevel,
    LogLevelRequest,
    MaintenanceEndpoints,
    MaintenanceReport,
    MaintenanceRequest,
)
from gateway.web.admin.moderation import (
    Announced,
    AnnounceRequest,
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
from gateway.web.admin.series import Series, SeriesEndpoints
from gateway.web.admin.summary import Summary, SummaryEndpoints
from gateway.web.admin.watch import WatchEndpoints
from gateway.web.dispatch import (
    EVENTS,
    FORM_BODY,
    JSON,
    PAGE,
    Access,
    Content,
    Endpoint,
    Parameter,
    Reply,
    choice,
    number,
    told,
)
from gateway.web.monitoring import Monitoring
from gateway.web.tables.connections import ConnectionEndpoints, Detail
from gateway.web.tables.paging import PAGE_LIMIT, STATES
from gateway.web.tables.rooms import RoomEndpoints, RoomPage
from gateway.web.tables.snapshots import TablePage

API = "/admin/api"
VIEWER, OPERATOR, ADMINISTRATOR = Access.VIEWER, Access.OPERATOR, Access.ADMIN

CONNECTION = Parameter("id", Annotated[str, Meta(pattern="^[0-9a-f]{1,15}$")], "The connection.", "path")
ID = Parameter("id", str, "Its id.", "path")
Q = Parameter("q", str, "Words that must all hold; /docs lists them.")
LIMIT = number("limit", "At most that many rows.", 1, PAGE_LIMIT)
CURSOR = Parameter("cursor", str, "The `cursor` of the page before.")
SORT = Parameter("sort", str, "A column; with `-` before it the largest first.")
STATE = choice("state", "Open or closed connections, or all.", STATES)
SNAPSHOT = Parameter("snapshot", str, "The name of a frozen snapshot.")
FREEZE = Parameter("freeze", Annotated[str, Meta(pattern="^(1)$")], "Keep this moment for a minute after its last use.")
PAGED = (Q, LIMIT, CURSOR)
FILTERED = (STATE, Q, SORT, SNAPSHOT)
NUMBERED_PAGE = (Q, LIMIT, number("cursor", "The `cursor` of the page before.", 1))
CHOSEN = (Code.NO_SUCH_USER,)


def _read(path: str, handler: Any, shape: Any, words: str, *parameters: Parameter, **fields: Any) -> Endpoint:
    """An endpoint that viewers may read. `also`: refusals besides bad_message; `media`: the media type if it is not
    JSON."""
    refusals, media = (Code.BAD_MESSAGE, *fields.pop("also", ())), fields.pop("media", JSON)
    reply = Reply(200, fields.pop("said", None) or told(shape), (Content(shape, media),))
    row = Endpoint("GET", API + path, words, handler, reply, VIEWER, parameters, refusals=refusals, tag="admin")
    return row._replace(**fields)


def _write(
    route: str,
    action: str,
    handler: Any,
    access: Access,
    reply: tuple[int, Any],
    words: str,
    *on: Parameter,
    **fields: Any,
) -> Endpoint:
    """An endpoint that changes something. `action`: its name in the audit log; `on`: the parameters of the path;
    `order`: the shape of the body; `also`: further refusals."""
    method, path = route.split()
    order = fields.pop("order", None)
    refusals = (Code.BAD_MESSAGE, Code.TOO_LONG, Code.STORAGE, Code.BACKPLANE, *fields.pop("also", ()))
    status, shape = reply
    row = Endpoint(method, API + path, words, handler, Reply(status, told(shape), (Content(shape),)), access, on)
    body = () if order is None else (Content(order),)
    return row._replace(body=body, refusals=refusals, action=action, tag="admin", **fields)


def _key(route: str, handler: Any, reply: tuple[int, Any], words: str, **fields: Any) -> Endpoint:
    """An endpoint for the commands of this machine, with the key in the data folder. Fields as for `_write`."""
    method, path = route.split()
    order, also = fields.pop("order", None), fields.pop("also", ())
    status, shape = reply
    row = Endpoint(method, path, words, handler, Reply(status, told(shape), (Content(shape),)), Access.KEY)
    body = () if order is None else (Content(order),)
    return row._replace(body=body, refusals=also, statuses=(404,), tag="admin", **fields)


# fmt: off
ADMIN: Mapping[type, Sequence[Endpoint]] = {
    SummaryEndpoints: (
        _read("/summary", SummaryEndpoints.summary, Summary,
              "Every figure now\nIts highest since the start, and its limit."),
    ),
    SeriesEndpoints: (
        _read("/series", SeriesEndpoints.series, Series,
              "Figures over time\nColumn by column.",
              choice("span", "How far back; 5m unless told otherwise.", STEPS),
              number("since", "Only rows after that `t`.")),
    ),
    ConnectionEndpoints: (
        _read("/connections", ConnectionEndpoints.page, TablePage, "The connections\nA page of the table.",
              *FILTERED, LIMIT, CURSOR, FREEZE, statuses=(410,)),
        _read("/connections.csv", ConnectionEndpoints.as_csv, str, "The connections as a CSV file",
              *FILTERED, media="text/csv", said="One line each, and one with the columns.", statuses=(410,),
              head=False),
        _read("/connections.jsonl", ConnectionEndpoints.as_json_lines, str, "The connections as JSON lines",
              *FILTERED, media="application/x-ndjson", said="One object `ConnectionRow` a line.", statuses=(410,),
              head=False),
        _read("/connections/{id}", ConnectionEndpoints.one, Detail,
              "One connection in full\nAn open one, or one of the last that closed.", CONNECTION, also=CHOSEN),
    ),
    ModerationEndpoints: (
        _write("DELETE /connections/{id}", "kick", ModerationEndpoints.kick, OPERATOR, (200, Kicked),
               "Kick\nClose a connection and, with `ban_seconds`, keep its user out by name, address or both, which "
               "takes an admin.",
               CONNECTION, order=KickRequest, body_required=False, also=CHOSEN),
        _write("POST /connections/{id}/message", "message", ModerationEndpoints.message, OPERATOR, (200, Told),
               "Send words to one connection", CONNECTION, order=MessageRequest, also=(*CHOSEN, Code.BAD_TEXT)),
        _read("/bans", ModerationEndpoints.bans, BanPage, "The bans in force", *PAGED),
        _write("POST /bans", "ban", ModerationEndpoints.ban, ADMINISTRATOR, (201, Banned),
               "Ban\nA nick, an address, a range, or the user behind a connection.",
               order=SanctionRequest, also=(*CHOSEN, Code.NICK_INVALID)),
        _write("DELETE /bans/{id}", "unban", ModerationEndpoints.unban, ADMINISTRATOR, (200, Lifted), "Lift a ban",
               ID, also=CHOSEN),
        _read("/mutes", ModerationEndpoints.mutes, MutePage, "The mutes in force", *PAGED),
        _write("POST /mutes", "mute", ModerationEndpoints.mute, OPERATOR, (201, Muted),
               "Mute\nA nick, an address, a range, or the user behind a connection.",
               order=SanctionRequest, also=(*CHOSEN, Code.NICK_INVALID)),
        _write("DELETE /mutes/{id}", "unmute", ModerationEndpoints.unmute, OPERATOR, (200, Lifted), "Lift a mute",
               ID, also=CHOSEN),
        _write("POST /announce", "announce", ModerationEndpoints.announce, ADMINISTRATOR, (200, Announced),
               "Announce something\nTo everybody, or to a door, a room, or both.",
               order=AnnounceRequest, also=(Code.BAD_TEXT, Code.ROOM_INVALID)),
        _read("/audit", ModerationEndpoints.audit, AuditPage,
              "The audit log\n`q`: words, or `who:ana`, `action:ban`, `target:`, `result:`.",
              *NUMBERED_PAGE, also=(Code.STORAGE, Code.BACKPLANE)),
    ),
    WatchEndpoints: (
        _read("/connections/{id}/watch", WatchEndpoints.watch, str,
              "Watch one connection live\nWith the setting `admin.watch`, for ten minutes, audited. Events: `began`, "
              "`in`, `out`, `dropped`, `ended`.",
              CONNECTION, media=EVENTS, said="Events, until ten minutes are over.", access=ADMINISTRATOR,
              action="watch", also=(*CHOSEN, Code.FORBIDDEN, Code.BUSY, Code.BACKPLANE), head=False),
    ),
    RoomEndpoints: (
        _read("/rooms", RoomEndpoints.page, RoomPage, "The rooms in memory\nA page of the table.", SORT, *PAGED),
    ),
    BulkEndpoints: (
        _read("/campaigns", BulkEndpoints.all, BulkActionList,
              "The campaigns\nWhat is done to all connections that a filter matches."),
        _write("POST /campaigns", "campaign", BulkEndpoints.begin, OPERATOR, (202, BulkRow),
               "Begin a campaign\nAt a rate, in the background; bans take an admin. 409 with `matches` when more match "
               "by now than `expected`.",
               order=BulkRequest, also=(Code.FORBIDDEN, Code.BUSY), statuses=(409,)),
        _read("/campaigns/{id}", BulkEndpoints.one, BulkRow, "One campaign", ID, also=CHOSEN),
        _write("DELETE /campaigns/{id}", "campaign stop", BulkEndpoints.stop, OPERATOR, (200, BulkRow),
               "Stop a campaign", ID, also=CHOSEN),
    ),
    MaintenanceEndpoints: (
        _read("/events", MaintenanceEndpoints.events, EventLines,
              "Recent events\nWithout message texts. Without `after` the latest.",
              number("after", "Only events after that number."), LIMIT),
        _read("/drain", MaintenanceEndpoints.progress, DrainReport, "How far the doors are drained"),
        _write("POST /drain", "drain", MaintenanceEndpoints.drain, ADMINISTRATOR, (202, DrainReport),
               "Drain a door, or all\nNew connections are refused; open ones are closed at a rate and told when to "
               "come back.", order=DrainRequest, body_required=False),
        _write("DELETE /drain", "drain cancel", MaintenanceEndpoints.cancel, ADMINISTRATOR, (200, DrainReport),
               "Open the doors again"),
        _read("/maintenance", MaintenanceEndpoints.maintenance, MaintenanceReport, "Whether maintenance is on"),
        _write("POST /maintenance", "maintenance", MaintenanceEndpoints.maintain, ADMINISTRATOR,
               (200, MaintenanceReport), "Switch maintenance on or off", order=MaintenanceRequest),
        _key("POST /admin/backup", MaintenanceEndpoints.back_up, (202, BackupReport),
             "Begin a backup of the store\nWhat `gateway backup` asks for; the gateway itself writes the file.",
             action="backup", order=BackupRequest, also=(Code.BAD_MESSAGE, Code.TOO_LONG, Code.BUSY)),
        _key("GET /admin/backup", MaintenanceEndpoints.backup, (200, BackupReport), "How far the last backup is"),
        _key("DELETE /admin/backup", MaintenanceEndpoints.stop_backup, (200, BackupReport), "Stop the backup",
             action="backup stop", also=(Code.BAD_MESSAGE,)),
        _key("POST /admin/new-epoch", MaintenanceEndpoints.renew_epoch, (200, EpochRenewed),
             "Give a room a new epoch\nWhat `gateway new-epoch` asks for.", action="new epoch", order=EpochRequest,
             also=(Code.BAD_MESSAGE, Code.TOO_LONG, Code.ROOM_INVALID, Code.NO_SUCH_ROOM, Code.STORAGE)),
        _read("/log-level", MaintenanceEndpoints.log_level, LogLevel, "The log level"),
        _write("POST /log-level", "log level", MaintenanceEndpoints.turn_log, ADMINISTRATOR, (200, LogLevel),
               "Change the log level for a while", order=LogLevelRequest),
    ),
    SessionEndpoints: (
        _read("/sessions", SessionEndpoints.seen, Sessions,
              "Who is logged in\nAn admin sees all, others those under their own name."),
        _write("DELETE /sessions/{id}", "logout", SessionEndpoints.end, VIEWER, (200, SessionEnded),
               "End a session of the dashboard\nOne's own; an admin those of others.", ID, also=CHOSEN),
    ),
    LoginPage: (
        Endpoint("GET", "/admin/login", "Log in", LoginPage.show, PAGE, parameters=None),
        Endpoint("POST", "/admin/login",
                 "Log in\nWith the token of a one-time link, or with name and password. A form is redirected to the "
                 "dashboard.",
                 LoginPage.press, Reply(200, "Logged in; the cookie is the session.", (Content(LoggedIn),)),
                 parameters=None, body=(Content(Credentials),), decoded=False, statuses=(303,), tag="admin",
                 refusals=(Code.BAD_MESSAGE, Code.TOO_LONG, Code.FORBIDDEN, Code.RATE_LIMITED, Code.BUSY)),
        Endpoint("POST", "/admin/logout", "Log out", LoginPage.logout, Reply(303, "To the login."), VIEWER, None,
                 (FORM_BODY,), body_required=False, action="logout", tag="admin",
                 refusals=(Code.BAD_MESSAGE, Code.TOO_LONG)),
        _key("POST /admin/login-link", LoginPage.mint, (201, LoginLink),
             "Print a fresh one-time link\nWhat `gateway login-link` asks for.", action="login-link"),
    ),
    Monitoring: (
        Endpoint("GET", "/admin/grafana.json", "A dashboard for Grafana\nA file to import; it shows `/metrics`.",
                 Monitoring.grafana, Reply(200, "A dashboard.", (Content(dict[str, Any]),)), VIEWER, None,
                 tag="admin"),
    ),
}
# fmt: on
