"""`GET /admin/api/connections/{id}/watch`: one connection live, as Server-Sent Events (`core.operators.watching`)."""

import asyncio
import time
from typing import Any

import msgspec
from aiohttp import web

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.operators.watching import LOOK_SECONDS, WATCH_SECONDS, Watch, Watching
from gateway.core.roles import Role
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import Login
from gateway.web.endpoint import Call, Misread
from gateway.web.tables.survey import Survey

_encode = msgspec.json.encode


class WatchEndpoints:
    """The handler. `allowed`: the setting is on. A connection is watched at its own node."""

    def __init__(self, hub: Hub, login: Login, watching: Watching, survey: Survey, *, allowed: bool) -> None:
        self._survey = survey
        self._hub = hub
        self._login = login
        self._watching = watching
        self._allowed = allowed

    async def watch(self, call: Call[None]) -> web.StreamResponse:
        """`GET /admin/api/connections/{id}/watch`: events `began`, then `in`, `out` and `dropped`, at last `ended` with
        the reason."""
        request, operator = call.request, call.operator
        session = self._find(call.id)
        news = asyncio.Event()
        try:
            watch = self._watching.begin(operator, session, news.set)
        except Refusal as refusal:
            raise Misread(refusal.code, refusal.text, retry_ms=refusal.retry_ms) from refusal
        reason = wording.WATCHER_WENT
        try:
            response = await self._begin(request, session)
            reason = await self._tell(request, response, watch, news)
        finally:
            self._watching.end(operator, watch, reason)
        return response

    def _find(self, id: str) -> Session:
        if not self._allowed:
            raise Misread(Code.FORBIDDEN, wording.WATCH_SWITCHED_OFF)
        owner = self._survey.owner(id)
        if owner is not None:
            node = self._survey.labels().get(owner.id, owner.label)
            raise Misread(Code.NO_SUCH_USER, wording.WATCH_ELSEWHERE.format(node=node))
        session = self._hub.find(id)
        if session is None:
            raise Misread(Code.NO_SUCH_USER, wording.NO_SUCH_CONNECTION)
        return session

    async def _begin(self, request: web.Request, session: Session) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        now = self._hub.clock.wall()
        began = {"at": now, "id": session.id, "nick": session.nick, "until": now + int(WATCH_SECONDS * 1000)}
        await response.write(event("began", began))
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse, watch: Watch, news: asyncio.Event) -> str:
        """Send what is seen until there is a reason to end; return the reason."""
        until = time.monotonic() + WATCH_SECONDS
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await news.wait()
            except TimeoutError:
                pass
            news.clear()
            over = self._over(request, watch.session, until)
            told = b"".join(event(name, what) for name, what in watch.take())
            if over is not None:
                told += event("ended", {"at": self._hub.clock.wall(), **over})
            if told:
                await response.write(told)
            if over is not None:
                await response.write_eof()
                return over["reason"]

    def _over(self, request: web.Request, session: Session, until: float) -> dict[str, str] | None:
        """The reason to end, if there is one."""
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError
        if session.closed:
            return self._watching.why_over(session)
        if time.monotonic() >= until:
            return {"reason": "time", "words": wording.WATCH_TIME_OVER}
        try:
            self._login.reader(request, Role.ADMIN)
        except (Refusal, web.HTTPException):
            return {"reason": "logged_out", "words": wording.WATCHER_LOGGED_OUT}
        return None


def event(name: str, what: Any) -> bytes:
    """One Server-Sent Event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _encode(what))
