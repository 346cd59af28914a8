"""`GET /admin/api/connections/{id}/watch`: one connection of any node live, as Server-Sent Events
(`core.operators.watching`)."""

import asyncio
import time
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.operators.watch_relay import LiveWatch, Over
from gateway.core.operators.watching import LOOK_SECONDS, WATCH_SECONDS, Watching
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import Login
from gateway.web.dispatch import Call, Misread
from gateway.web.http.request import answered

_encode = msgspec.json.encode


class WatchEndpoints:
    """The handler. `allowed`: the setting is on."""

    def __init__(self, hub: Hub, login: Login, watching: Watching, *, allowed: bool) -> None:
        self._clock = hub.clock
        self._login = login
        self._watching = watching
        self._allowed = allowed

    async def watch(self, call: Call[None]) -> web.StreamResponse:
        """`GET /admin/api/connections/{id}/watch`: events `began`, then `in`, `out` and `dropped`, at last `ended` with
        the reason."""
        request, operator = call.request, call.operator
        if not self._allowed:
            raise Misread(Code.FORBIDDEN, wording.WATCH_SWITCHED_OFF)
        news = asyncio.Event()
        watch = await self._begun(operator, call.id, news)
        reason = wording.WATCHER_WENT
        try:
            response = await self._begin(request, watch)
            reason = await self._tell(request, response, watch, news)
        finally:
            self._watching.end(operator, watch, reason)
        return response

    async def _begun(self, operator: Operator, id: str, news: asyncio.Event) -> LiveWatch:
        begun = self._watching.begin(operator, id, news.set)
        try:
            return await answered(begun)
        except asyncio.CancelledError:  # another node may have begun it, or will
            begun.then(partial(self._unwanted, operator))
            raise
        except Refusal as refusal:
            raise Misread(refusal.code, refusal.text, retry_ms=refusal.retry_ms) from refusal

    def _unwanted(self, operator: Operator, begun: LiveWatch | Refusal) -> None:
        if not isinstance(begun, Refusal):
            self._watching.end(operator, begun, wording.WATCHER_WENT)

    async def _begin(self, request: web.Request, watch: LiveWatch) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        now = self._clock.wall()
        began = {"at": now, "id": watch.id, "nick": watch.nick, "until": now + int(WATCH_SECONDS * 1000)}
        await response.write(event("began", began))
        return response

    async def _tell(
        self, request: web.Request, response: web.StreamResponse, watch: LiveWatch, news: asyncio.Event
    ) -> str:
        """Send what is seen until there is a reason to end; return the reason."""
        until = time.monotonic() + WATCH_SECONDS
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await news.wait()
            except TimeoutError:
                pass
            news.clear()
            over, taken = self._over(request, watch, until), watch.take()
            told = b"".join(event(name, what) for name, what in taken.seen)
            if taken.dropped is not None:
                told += event("dropped", taken.dropped)
            if over is not None:
                told += event("ended", {"at": self._clock.wall(), "reason": over.reason, "words": over.words})
            if told:
                await response.write(told)
            if over is not None:
                await response.write_eof()
                return over.reason

    def _over(self, request: web.Request, watch: LiveWatch, until: float) -> Over | None:
        """The reason to end, if there is one."""
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError
        over = watch.over()
        if over is not None:
            return over
        if time.monotonic() >= until:
            return Over("time", wording.WATCH_TIME_OVER)
        try:
            self._login.reader(request, Role.ADMIN)
        except (Refusal, web.HTTPException):
            return Over("logged_out", wording.WATCHER_LOGGED_OUT)
        return None


def event(name: str, what: Any) -> bytes:
    """One Server-Sent Event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _encode(what))
