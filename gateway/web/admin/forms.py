"""What the dashboard's forms post where there is no script: the verbs of operators, then back to the page."""

from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web
from yarl import URL

from gateway.core.operators.moderation import Done, Moderation, Subject
from gateway.core.operators.roles import Operator
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import CSRF_HEADER, Login
from gateway.web.admin.moderation import ModerationEndpoints
from gateway.web.admin.sessions import SessionEndpoints

PAGES = ("/admin", "/admin/rooms", "/admin/bans", "/admin/mutes", "/admin/audit", "/admin/sessions")
"""Where a form may have stood, and so where it leads back to."""
TARGETS = ("nick", "address", "connection")
LONGEST = 12
"""Digits of a duration."""

Fields = dict[str, str]
Act = Callable[[Operator, Fields], Coroutine[Any, Any, str]]
Sanctioning = Callable[[Moderation, Operator, Subject, str, int | None, Done, bool], None]
Lifting = Callable[[Moderation, Operator, str, Done], None]


class BadField(Refusal):
    """A form that means nothing: no verb has recorded it."""


class AdminForms:
    """The handlers."""

    def __init__(self, login: Login, desk: ModerationEndpoints, sessions: SessionEndpoints) -> None:
        self._login = login
        self._desk = desk
        self._sessions = sessions

    async def kick(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/kick`: id, reason, ban_seconds"""

        async def act(operator: Operator, fields: Fields) -> str:
            whom, seconds = Subject(fields.get("id", "")), seconds_of(fields.get("ban_seconds", ""))
            await self._do(lambda it, done: it.kick(operator, whom, fields.get("reason", ""), done, seconds))
            return "kicked"

        return await self._posted(request, "kick", "id", act)

    async def ban(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/bans`: by, target, reason, seconds, sure"""
        return await self._sanction(request, "ban", Moderation.ban, "banned")

    async def mute(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/mutes`: by, target, reason, seconds, sure"""
        return await self._sanction(request, "mute", Moderation.mute, "muted")

    async def lift_ban(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/bans/lift`: id"""
        return await self._lift(request, "unban", Moderation.unban)

    async def lift_mute(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/mutes/lift`: id"""
        return await self._lift(request, "unmute", Moderation.unmute)

    async def announce(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/announce`: text, door, room; the last two may be empty"""

        async def act(operator: Operator, fields: Fields) -> str:
            door = door_of(fields.get("door", ""))
            room = fields.get("room") or None
            await self._do(lambda it, done: it.announce(operator, fields.get("text", ""), done, door, room))
            return "announced"

        return await self._posted(request, "announce", "", act)

    async def end_session(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/sessions/end`: id"""

        async def act(operator: Operator, fields: Fields) -> str:
            self._sessions.finish(operator, fields.get("id", ""))
            return "ended"

        return await self._posted(request, "logout", "id", act)

    async def _sanction(self, request: web.Request, action: str, verb: Sanctioning, result: str) -> web.StreamResponse:
        async def act(operator: Operator, fields: Fields) -> str:
            whom, seconds, sure = whom_of(fields), seconds_of(fields.get("seconds", "")), "sure" in fields
            await self._do(lambda it, done: verb(it, operator, whom, fields.get("reason", ""), seconds, done, sure))
            return result

        return await self._posted(request, action, "target", act)

    async def _lift(self, request: web.Request, action: str, verb: Lifting) -> web.StreamResponse:
        async def act(operator: Operator, fields: Fields) -> str:
            await self._do(lambda it, done: verb(it, operator, fields.get("id", ""), done))
            return "lifted"

        return await self._posted(request, action, "id", act)

    async def _do(self, verb: Callable[[Moderation, Done], None]) -> None:
        await self._desk.do(verb)

    async def _posted(self, request: web.Request, action: str, target: str, act: Act) -> web.StreamResponse:
        """Do what a form asks for, and lead back to the page it stood on, which then tells what came of it."""
        fields: Fields = {}
        unread: Refusal | None = None
        try:
            fields = await self._login.form(request)
        except Refusal as refusal:
            unread = refusal
        csrf, whom = fields.get("csrf") or request.headers.get(CSRF_HEADER), fields.get(target, "")
        operator = self._login.writer(request, csrf, action, whom)
        try:
            if unread is not None:
                raise BadField(unread.code, unread.text)
            result = await act(operator, fields)
        except BadField as refusal:
            self._login.refused(request, action, whom, refusal.text, operator.name)
            raise
        except Refusal as refusal:
            if refusal.code is not Code.NO_SUCH_USER:
                raise
            result = "gone"
        return web.Response(status=303, headers={"Location": str(page_of(request).update_query(result=result))})


def page_of(request: web.Request) -> URL:
    """The page that a form stood on."""
    try:
        page = URL(request.headers.get("Referer", ""))
    except ValueError:
        return URL(PAGES[0])
    return URL.build(path=page.path, query=page.query) if page.path in PAGES else URL(PAGES[0])


def whom_of(fields: Fields) -> Subject:
    """Who is meant by `by` and `target`. Raises Misread."""
    by, target = fields.get("by", "nick"), fields.get("target", "").strip()
    if by not in TARGETS or not target:
        raise BadField(Code.BAD_MESSAGE, f"say who is meant, by one of {', '.join(TARGETS)}")
    return Subject(**{by: target})


def seconds_of(text: str) -> int | None:
    """How long; None: for ever. Raises Misread."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < LONGEST):
        raise BadField(Code.BAD_MESSAGE, "a duration is a number of seconds")
    return int(text)


def door_of(text: str) -> Door | None:
    """Which door; None: all. Raises Misread."""
    if not text:
        return None
    try:
        return Door(text)
    except ValueError as error:
        raise BadField(Code.BAD_MESSAGE, f"a door is one of {', '.join(Door)}") from error


def routes(forms: AdminForms) -> list[Any]:
    """The routes of the forms."""
    return [
        web.post("/admin/kick", forms.kick),
        web.post("/admin/bans", forms.ban),
        web.post("/admin/bans/lift", forms.lift_ban),
        web.post("/admin/mutes", forms.mute),
        web.post("/admin/mutes/lift", forms.lift_mute),
        web.post("/admin/announce", forms.announce),
        web.post("/admin/sessions/end", forms.end_session),
    ]
