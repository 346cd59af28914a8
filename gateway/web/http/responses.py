"""How the web door answers: JSON, and errors in the shape the asker can read."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from gateway.errors import HTTP_STATUS, Refusal
from gateway.web.tables.filter import BadWord
from gateway.web.templates import Pages

log = logging.getLogger("gateway.web")

_encode = msgspec.json.Encoder().encode
_TITLES = {
    400: "Not understood",
    401: "Please log in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Out of date",
    413: "Too much",
    415: "Not understood",
    429: "Too fast",
    503: "Not now",
}
_WORDS = {
    401: ("token_invalid", "log in first"),
    403: ("forbidden", "this is not allowed"),
    404: ("not_found", "there is nothing here"),
    405: ("method_not_allowed", "this address does not take this method"),
    410: ("gone", "this moment is not kept any more: look at now, or freeze again"),
    413: ("too_long", "the body is too long"),
}

NOTHING: Mapping[str, str | int] = {}
_KEPT = frozenset(("Allow", "Sec-WebSocket-Version", "Upgrade"))


def json_answer(value: Any, status: int = 200) -> web.Response:
    """`value` as JSON: what msgspec can encode."""
    return web.Response(body=_encode(value) + b"\n", status=status, content_type="application/json")


class Responses:
    """Turns what went wrong into an answer: JSON for programs, one line for curl, a page for people."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        """The answer to what the chat refused."""
        status = HTTP_STATUS.get(refusal.code, 400)
        more = refusal.place() if isinstance(refusal, BadWord) else {}
        response = self.error(request, status, refusal.code.value, refusal.text, more)
        if status in (429, 503):
            response.headers["Retry-After"] = str(max(1, -(-(refusal.retry_ms or 1000) // 1000)))
        return response

    def failed(self, request: web.Request, failure: web.HTTPException) -> web.Response:
        """The answer to what aiohttp refused: an unknown path, a wrong method."""
        code, text = _WORDS.get(failure.status, ("bad_message", failure.reason or "not understood"))
        response = self.error(request, failure.status, code, text)
        for name in _KEPT & failure.headers.keys():
            response.headers[name] = failure.headers[name]
        return response

    def error(
        self, request: web.Request, status: int, code: str, text: str, more: Mapping[str, str | int] = NOTHING
    ) -> web.Response:
        """An error in the asker's own language; programs are told `more`."""
        text = text.encode("utf-8", "replace").decode()
        accept = request.headers.get("Accept", "")
        if "json" in accept or "json" in request.content_type or request.path.startswith("/admin/api/"):
            return json_answer({"error": {"code": code, "text": text, **more}}, status)
        if request.headers.get("User-Agent", "").startswith("curl/"):
            return web.Response(text=f"!! {code}: {text}\n", status=status)
        if "text/html" in accept:
            title = _TITLES.get(status, "Not understood" if status < 500 else "Something broke")
            link = ("/admin/login" if status == 401 else "/admin") if request.path.startswith("/admin") else "/"
            return self._pages.answer("error.html", status, title=title, text=text, link=link)
        return json_answer({"error": {"code": code, "text": text}}, status)
