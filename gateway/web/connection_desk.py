"""`/admin/api/connections…`: the table, one connection in full, and the table as a file."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.hub import SESSION_ID, Hub
from gateway.core.operators import Role
from gateway.core.room import Member
from gateway.errors import Code, Refusal
from gateway.web import download
from gateway.web.answers import json_answer
from gateway.web.connections import SORT_DEFAULT, ConnectionTable
from gateway.web.login import Login
from gateway.web.question import QUERY, table_query
from gateway.web.rows import COLUMNS, ConnectionRow
from gateway.web.trail import Sparkline

EVENTS = 20
DOWNLOADED = QUERY - {"limit", "cursor", "freeze"}
DOWNLOAD_ROWS = 100
"""Rows a slice: about 2 ms to look at and write."""


class RoomLine(msgspec.Struct, gc=False):
    """A room the connection is in. `cursor` is the number of the last message it has; `reading` whether it is served
    from the log already."""

    room: str
    cursor: int
    head: int
    lag_messages: int
    lag_bytes: int
    reading: bool


class EventLine(msgspec.Struct, gc=False):
    """What happened to it at `at` (ms since 1970), see `core.happenings`."""

    at: int
    event: str
    detail: str


class Detail(msgspec.Struct, gc=False):
    """Everything there is to know of one connection."""

    connection: ConnectionRow
    rooms: list[RoomLine]
    events: list[EventLine]
    sparkline: Sparkline


class ConnectionEndpoints:
    """The handlers."""

    def __init__(self, hub: Hub, login: Login, table: ConnectionTable) -> None:
        self._hub = hub
        self._login = login
        self._table = table

    async def page(self, request: web.Request) -> web.Response:
        """`GET /admin/api/connections`"""
        self._login.reader(request, Role.VIEWER)
        return json_answer(await self._table.page(table_query(request, SORT_DEFAULT)))

    async def one(self, request: web.Request) -> web.Response:
        """`GET /admin/api/connections/{id}`: an open connection, or one of the last that closed."""
        self._login.reader(request, Role.VIEWER)
        id = request.match_info["id"]
        await self._table.snapshot()  # whoever looks at one keeps its sparkline going
        session = self._hub.find(id)
        number = int(id, 16) if SESSION_ID.fullmatch(id) else 0
        row = self._table.row(session) if session is not None else self._table.closed_row(number)
        if row is None:
            raise Refusal(Code.NO_SUCH_USER, "there is no such connection: it may be gone for long")
        rooms = [_line(member) for member in session.rooms.values()] if session is not None else []
        events = [EventLine(each.at, each.event, each.detail) for each in self._hub.happenings.of(number, EVENTS)]
        return json_answer(Detail(row, rooms, events, self._table.trail.of(number)))

    async def as_csv(self, request: web.Request) -> web.StreamResponse:
        """`GET /admin/api/connections.csv`"""
        return await download.send(
            request, "connections", COLUMNS, await self._slices(request), "text/csv", download.csv_lines
        )

    async def as_json_lines(self, request: web.Request) -> web.StreamResponse:
        """`GET /admin/api/connections.jsonl`"""
        return await download.send(
            request, "connections", COLUMNS, await self._slices(request), "application/x-ndjson", download.json_lines
        )

    async def _slices(self, request: web.Request) -> AsyncIterator[Sequence[ConnectionRow]]:
        """The rows that match, in order. Refusals come before the first."""
        self._login.reader(request, Role.VIEWER)
        question = table_query(request, SORT_DEFAULT, known=DOWNLOADED)
        snapshot, _ = await self._table.moment(question)
        rows = (await snapshot.view(question)).rows(question.sort)

        async def slices() -> AsyncIterator[Sequence[ConnectionRow]]:
            for start in range(0, len(rows), DOWNLOAD_ROWS):
                some = rows[start : start + DOWNLOAD_ROWS]
                await snapshot.fill(some)
                yield some

        return slices()


def _line(member: Member) -> RoomLine:
    log = member.room.log
    behind = max(0, log.head - member.cursor)
    lag_bytes = log.lag_bytes(member.cursor) if behind else 0
    return RoomLine(member.room.name, member.cursor, log.head, behind, lag_bytes, member.attached)


def routes(desk: ConnectionEndpoints) -> list[Any]:
    """The routes of the table."""
    return [
        web.get("/admin/api/connections", desk.page),
        web.get("/admin/api/connections.csv", desk.as_csv, allow_head=False),
        web.get("/admin/api/connections.jsonl", desk.as_json_lines, allow_head=False),
        web.get("/admin/api/connections/{id}", desk.one),
    ]
