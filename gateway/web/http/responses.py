"""Responses of the web door: JSON, and errors in a form that the client can read."""

import logging
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from gateway import wording
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Bye, encode_json
from gateway.errors import Code, Refusal
from gateway.web.http.header_lists import wants_json, wants_page
from gateway.web.static_files import Pages
from gateway.web.tables.filter import BadWord

log = logging.getLogger("gateway.web")

HTTP_STATUS = {
    Code.RATE_LIMITED: 429,
    Code.TOO_LONG: 413,
    Code.BAD_TEXT: 400,
    Code.BAD_MESSAGE: 400,
    Code.UNKNOWN_TYPE: 400,
    Code.UNKNOWN_COMMAND: 400,
    Code.NICK_TAKEN: 409,
    Code.NICK_INVALID: 400,
    Code.ROOM_INVALID: 400,
    Code.ROOM_LIMIT: 429,
    Code.NOT_JOINED: 403,
    Code.NO_SUCH_USER: 404,
    Code.NO_SUCH_ROOM: 404,
    Code.NO_SUCH_MESSAGE: 404,
    Code.MUTED: 403,
    Code.BANNED: 403,
    Code.FORBIDDEN: 403,
    Code.TOKEN_INVALID: 401,
    Code.EPOCH_CHANGED: 409,
    Code.BUSY: 503,
    Code.STORAGE: 503,
    Code.BACKPLANE: 503,
    Code.FULL: 503,
    Code.DRAINING: 503,
}
"""The status of a response that refuses; other codes, which only speak of connections, have none."""

_encode = msgspec.json.Encoder().encode
_WORDS = {
    401: ("token_invalid", wording.LOG_IN_FIRST),
    403: ("forbidden", wording.NOT_ALLOWED),
    404: ("not_found", wording.NOTHING_HERE),
    405: ("method_not_allowed", wording.METHOD_NOT_TAKEN),
    410: ("gone", wording.MOMENT_GONE),
    413: ("too_long", wording.BODY_OVER_LIMIT),
}

_EVENTS = re.compile(r"/r/[^/]+/events")
RETRY_MS = 5000

NOTHING: Mapping[str, str | int] = {}
_KEPT = frozenset(("Allow", "Sec-WebSocket-Version", "Upgrade"))


def json_answer(value: Any, status: int = 200) -> web.Response:
    """A response with `value`, which msgspec can encode, as JSON."""
    return web.Response(body=_encode(value) + b"\n", status=status, content_type="application/json")


class Responses:
    """Turns errors into responses: JSON for programs, one line for curl, a page for people."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        """The response for a Refusal."""
        status = HTTP_STATUS.get(refusal.code, 400)
        if status == 503 and request.method == "GET" and _EVENTS.fullmatch(request.path):
            return _not_now(refusal)
        more = refusal.place() if isinstance(refusal, BadWord) else {}
        response = self.error(request, status, refusal.code.value, refusal.text, more)
        if status in (429, 503):
            response.headers["Retry-After"] = str(max(1, -(-(refusal.retry_ms or 1000) // 1000)))
        return response

    def failed(self, request: web.Request, failure: web.HTTPException) -> web.Response:
        """The response for an error of aiohttp: an unknown path, a wrong method."""
        code, text = _WORDS.get(failure.status, ("bad_message", failure.reason or wording.NOT_UNDERSTOOD))
        response = self.error(request, failure.status, code, text)
        for name in _KEPT & failure.headers.keys():
            response.headers[name] = failure.headers[name]
        return response

    def error(
        self, request: web.Request, status: int, code: str, text: str, more: Mapping[str, str | int] = NOTHING
    ) -> web.Response:
        """An error in the form that the client reads; programs are also given `more`."""
        text = text.encode("utf-8", "replace").decode()
        if wants_json(request.headers) or "json" in request.content_type or request.path.startswith("/admin/api/"):
            return json_answer({"error": {"code": code, "text": text, **more}}, status)
        if request.headers.get("User-Agent", "").startswith("curl/"):
            return web.Response(text=f"!! {code}: {text}\n", status=status)
        if wants_page(request.headers):
            title = wording.ERROR_TITLES.get(status, wording.ERROR_TITLES[400 if status < 500 else 500])
            link = ("/admin/login" if status == 401 else "/admin") if request.path.startswith("/admin") else "/"
            return self._pages.answer("error.html", status, title=title, text=text, link=link)
        return json_answer({"error": {"code": code, "text": text}}, status)


def _not_now(refusal: Refusal) -> web.Response:
    """The response to an EventSource that cannot be served now. Browsers give up an EventSource for good at any status
    but 200, so it is told like an open one when to come back, and why it ends."""
    retry_ms = refusal.retry_ms or RETRY_MS
    closing = CloseReason.DRAINING if refusal.code is Code.DRAINING else CloseReason.FULL
    bye = encode_json(Bye(closing.code, f"{refusal.code.value}: {refusal.text}", retry_ms))
    body = b"retry: %d\n\nevent: bye\ndata: %s\n\n" % (retry_ms, bye)
    response = web.Response(body=body, headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    response.force_close()
    return response
