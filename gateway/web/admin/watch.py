"""`GET /admin/api/connections/{id}/watch`: one connection live, as Server-Sent Events, for an admin and ten minutes.

Off unless `admin.watch` is on; the beginning and the end of each watch are audited. Passwords, tokens and codes are
redacted (`core.sessions.trace`). What the admin's own connection cannot take is dropped, never queued, and the admin is
told how much.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.core.sessions.session import Session
from gateway.core.sessions.trace import Trace, Typed, request_without_secrets, visible, without_secrets
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import Login
from gateway.web.endpoint import Call, Misread

WATCH_SECONDS = 600.0
LOOK_SECONDS = 0.5
"""Seconds between two checks that the connection and the admin's session are still open."""
WATCHERS = 16
KEPT = 500
KEPT_CHARS = 256 * 1024
EVENT_BYTES = 4096
TELNET_DOORS = (Door.TCP, Door.TELNET)

Audit = Callable[[Operator, str, str, str, str], None]
"""Called with the operator, the action, the target, the reason and the result."""

_encode = msgspec.json.encode


class Seen(msgspec.Struct, gc=False):
    """Some bytes at `at` (ms since 1970), as visible text. `cut` bytes of them are not shown."""

    at: int
    text: str
    cut: int = 0


class Watch:
    """What was seen of one connection and has not been sent yet."""

    def __init__(self, session: Session, wall: Callable[[], int]) -> None:
        self.news = asyncio.Event()
        self._session = session
        self._wall = wall
        self._typed = Typed()
        self._events: deque[tuple[str, Seen]] = deque()
        self._chars = 0
        self._dropped = 0
        self._tap = Trace(session, self._seen)

    def stop(self) -> None:
        """Stop watching."""
        self._tap.remove()

    def take(self) -> list[tuple[str, Any]]:
        """Everything since the last call: (`in`, `out` or `dropped`, the event's data)."""
        self.news.clear()
        events: list[tuple[str, Any]] = list(self._events)
        if self._dropped:
            events.append(("dropped", {"at": self._wall(), "count": self._dropped}))
        self._events.clear()
        self._chars = self._dropped = 0
        return events

    def _seen(self, way: str, data: bytes) -> None:
        self.news.set()
        for piece in self._pieces(way, data):
            if len(self._events) >= KEPT or self._chars >= KEPT_CHARS:
                self._dropped += 1
                continue
            known = without_secrets(piece[:EVENT_BYTES].decode("utf-8", "surrogateescape"))
            text = visible(known.encode("utf-8", "surrogateescape"), self._session.door in TELNET_DOORS)
            self._chars += len(text)
            self._events.append((way, Seen(self._wall(), text, max(0, len(piece) - EVENT_BYTES))))

    def _pieces(self, way: str, data: bytes) -> Iterator[bytes]:
        if self._session.door is Door.WEB and way == "in":
            yield request_without_secrets(data)
        elif self._session.door is Door.WEB:
            yield from payloads(data)
        else:
            yield self._typed.covered(data) if way == "in" else data


def payloads(frames: bytes) -> Iterator[bytes]:
    """The payloads of some complete server frames (RFC 6455, not masked)."""
    at = 0
    while at + 2 <= len(frames):
        size, at = frames[at + 1] & 0x7F, at + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, at = int.from_bytes(frames[at : at + wide], "big"), at + wide
        yield frames[at : at + size]
        at += size


class WatchEndpoints:
    """The handler. `allowed`: the setting is on."""

    def __init__(self, hub: Hub, login: Login, audit: Audit, *, allowed: bool) -> None:
        self._hub = hub
        self._login = login
        self._audit = audit
        self._allowed = allowed
        self._watched: set[Session] = set()

    async def watch(self, call: Call[None]) -> web.StreamResponse:
        """`GET /admin/api/connections/{id}/watch`: events `began`, then `in`, `out` and `dropped`, at last `ended` with
        the reason."""
        request, operator = call.request, call.operator
        session = self._find(call.id)
        self._audit(operator, "watch", f"{session.id} {session.nick}", "", "done")
        self._watched.add(session)
        watch = Watch(session, self._hub.clock.wall)
        reason = "the watcher went"
        try:
            response = await self._begin(request, session)
            reason = await self._tell(request, response, session, watch)
        finally:
            watch.stop()
            self._watched.discard(session)
            self._audit(operator, "unwatch", f"{session.id} {session.nick}", "", f"done: {reason}")
        return response

    def _find(self, id: str) -> Session:
        if not self._allowed:
            raise Misread(Code.FORBIDDEN, "watching is switched off: the setting admin.watch")
        session = self._hub.find(id)
        if session is None:
            raise Misread(Code.NO_SUCH_USER, "there is no such connection: it may be gone already")
        if session in self._watched or len(self._watched) >= WATCHERS:
            raise Misread(Code.BUSY, "somebody watches it already, or too many are watched", retry_ms=60_000)
        return session

    async def _begin(self, request: web.Request, session: Session) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        now = self._hub.clock.wall()
        began = {"at": now, "id": session.id, "nick": session.nick, "until": now + int(WATCH_SECONDS * 1000)}
        await response.write(event("began", began))
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse, session: Session, watch: Watch) -> str:
        """Send what is seen until there is a reason to end; return the reason."""
        until = time.monotonic() + WATCH_SECONDS
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await watch.news.wait()
            except TimeoutError:
                pass
            over = self._over(request, session, until)
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
            for each in reversed(self._hub.stats.closed.last):
                if each.number == session.number:
                    return {"reason": each.closing.word, "words": each.words}
            return {"reason": "closed", "words": ""}
        if time.monotonic() >= until:
            return {"reason": "time", "words": "ten minutes are over"}
        try:
            self._login.reader(request, Role.ADMIN)
        except (Refusal, web.HTTPException):
            return {"reason": "logged_out", "words": "your session is over"}
        return None


def event(name: str, what: Any) -> bytes:
    """One Server-Sent Event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _encode(what))
