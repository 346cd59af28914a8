"""The dashboard's pages besides the connections: rooms, bans, mutes, audit, sessions. Complete without script."""

from typing import Any

import msgspec
from aiohttp import web

from gateway.core.ports import Measure
from gateway.web.columns import ROOMS
from gateway.web.operations import ModerationEndpoints
from gateway.web.question import table_query
from gateway.web.room_table import QUERY, ROOM_SORT, ROOM_WORDS, RoomPage, RoomTable
from gateway.web.sessions import SessionEndpoints
from gateway.web.shell import AdminFrame
from gateway.web.words import BadWord, without_each

RESULT = frozenset(("result",))


class ListPages:
    """The handlers."""

    def __init__(
        self, shell: AdminFrame, rooms: RoomTable, operations: ModerationEndpoints, sessions: SessionEndpoints
    ) -> None:
        self._shell = shell
        self._rooms = rooms
        self._operations = operations
        self._sessions = sessions

    async def rooms(self, request: web.Request) -> web.Response:
        """`GET /admin/rooms`"""
        session = self._shell.enter(request)
        question = table_query(request, ROOM_SORT, known=QUERY, also=RESULT)
        try:
            page, problem = await self._rooms.page(question), None
        except BadWord as bad:
            page, problem = RoomPage([], 0, 0, None, 0), bad.place()
        return await self._shell.answer(
            request,
            session,
            "rooms.html",
            "rooms",
            columns=ROOMS,
            page=msgspec.to_builtins(page),
            problem=problem,
            query=msgspec.to_builtins(question),
            examples=ROOM_WORDS.examples,
            chosen=without_each(question.q) if problem is None else [],
        )

    async def bans(self, request: web.Request) -> web.Response:
        """`GET /admin/bans`"""
        return await self._sanctions(request, Measure.BAN)

    async def mutes(self, request: web.Request) -> web.Response:
        """`GET /admin/mutes`"""
        return await self._sanctions(request, Measure.MUTE)

    async def _sanctions(self, request: web.Request, measure: Measure) -> web.Response:
        session = self._shell.enter(request)
        page = self._operations.sanctions(request, measure)
        return await self._shell.answer(
            request,
            session,
            "bans.html",
            "bans",
            measure=measure.value,
            page=msgspec.to_builtins(page),
            q=request.query.get("q", ""),
        )

    async def audit(self, request: web.Request) -> web.Response:
        """`GET /admin/audit`"""
        session = self._shell.enter(request)
        page = await self._operations.entries(request)
        return await self._shell.answer(
            request,
            session,
            "audit.html",
            "audit",
            entries=[entry._asdict() for entry in page.entries],
            cursor=page.cursor,
            first=not request.query.get("cursor"),
            q=request.query.get("q", ""),
        )

    async def sessions(self, request: web.Request) -> web.Response:
        """`GET /admin/sessions`"""
        session = self._shell.enter(request)
        rows = msgspec.to_builtins(self._sessions.rows(request))
        return await self._shell.answer(request, session, "sessions.html", "sessions", sessions=rows)


def list_routes(pages: ListPages) -> list[Any]:
    """The routes of the pages."""
    return [
        web.get("/admin/rooms", pages.rooms),
        web.get("/admin/bans", pages.bans),
        web.get("/admin/mutes", pages.mutes),
        web.get("/admin/audit", pages.audit),
        web.get("/admin/sessions", pages.sessions),
    ]
