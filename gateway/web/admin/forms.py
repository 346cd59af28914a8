"""What the dashboard's forms post where there is no script: the verbs of operators, then back to the page."""

from collections.abc import Callable

from aiohttp import web
from yarl import URL

from gateway.core.operators.moderation import Done, Moderation, Subject
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator
from gateway.errors import Code, Refusal
from gateway.web.admin.login import SessionEndpoints
from gateway.web.admin.moderation import ModerationEndpoints
from gateway.web.endpoint import Call, Fields, Misread

PAGES = ("/admin", "/admin/rooms", "/admin/bans", "/admin/mutes", "/admin/audit", "/admin/sessions")
"""Where a form may have stood, and so where it leads back to."""
TARGETS = ("nick", "address", "connection")
LONGEST = 12
"""Digits of a duration."""

Verb = Callable[[Moderation, Done], None]
Sanctioning = Callable[[Moderation, Operator, Subject, str, int | None, Done, bool], None]
Lifting = Callable[[Moderation, Operator, str, Done], None]


class AdminForms:
    """The handlers."""

    def __init__(self, moderation: ModerationEndpoints, sessions: SessionEndpoints) -> None:
        self._moderation = moderation
        self._sessions = sessions

    async def kick(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/kick`: id, reason, ban_seconds"""
        fields, whom = call.body, Subject(call.body.get("id", ""))
        reason, seconds = fields.get("reason", ""), seconds_of(fields.get("ban_seconds", ""))
        return await self._do(call, "kicked", lambda it, done: it.kick(call.operator, whom, reason, done, seconds))

    async def ban(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/bans`: by, target, reason, seconds, sure"""
        return await self._sanction(call, Moderation.ban, "banned")

    async def mute(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/mutes`: by, target, reason, seconds, sure"""
        return await self._sanction(call, Moderation.mute, "muted")

    async def lift_ban(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/bans/lift`: id"""
        return await self._lift(call, Moderation.unban)

    async def lift_mute(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/mutes/lift`: id"""
        return await self._lift(call, Moderation.unmute)

    async def announce(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/announce`: text, door, room; the last two may be empty"""
        text, room = call.body.get("text", ""), call.body.get("room") or None
        door = door_of(call.body.get("door", ""))
        return await self._do(call, "announced", lambda it, done: it.announce(call.operator, text, done, door, room))

    async def end_session(self, call: Call[Fields]) -> web.StreamResponse:
        """`POST /admin/sessions/end`: id"""
        try:
            self._sessions.finish(call.operator, call.body.get("id", ""))
        except Refusal as refusal:
            return _gone(call, refusal)
        return _back(call, "ended")

    async def _sanction(self, call: Call[Fields], verb: Sanctioning, result: str) -> web.StreamResponse:
        fields, whom, sure = call.body, whom_of(call.body), "sure" in call.body
        reason, seconds = fields.get("reason", ""), seconds_of(fields.get("seconds", ""))
        return await self._do(call, result, lambda it, done: verb(it, call.operator, whom, reason, seconds, done, sure))

    async def _lift(self, call: Call[Fields], verb: Lifting) -> web.StreamResponse:
        id = call.body.get("id", "")
        return await self._do(call, "lifted", lambda it, done: verb(it, call.operator, id, done))

    async def _do(self, call: Call[Fields], result: str, verb: Verb) -> web.StreamResponse:
        """Do it, and lead back to the page with the form, which then shows the result."""
        try:
            await self._moderation.do(verb)
        except Refusal as refusal:
            return _gone(call, refusal)
        return _back(call, result)


def _back(call: Call[Fields], result: str) -> web.Response:
    page = page_of(call.request).update_query(result=result)
    return web.Response(status=303, headers={"Location": str(page)})


def _gone(call: Call[Fields], refusal: Refusal) -> web.Response:
    """Whoever was meant is gone already: that is a result, not an error. Any other Refusal is raised."""
    if refusal.code is not Code.NO_SUCH_USER:
        raise refusal
    return _back(call, "gone")


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
        raise Misread(Code.BAD_MESSAGE, f"say who is meant, by one of {', '.join(TARGETS)}")
    return Subject(**{by: target})


def seconds_of(text: str) -> int | None:
    """How long; None: for ever. Raises Misread."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < LONGEST):
        raise Misread(Code.BAD_MESSAGE, "a duration is a number of seconds")
    return int(text)


def door_of(text: str) -> Door | None:
    """Which door; None: all. Raises Misread."""
    if not text:
        return None
    try:
        return Door(text)
    except ValueError as error:
        raise Misread(Code.BAD_MESSAGE, f"a door is one of {', '.join(Door)}") from error
