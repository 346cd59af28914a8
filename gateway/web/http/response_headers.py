"""The headers of every response: the content security policy and its like, what caches may keep, and CORS."""

from aiohttp import web

from gateway.errors import Refusal
from gateway.web.http.origin_policy import SHARED, OriginPolicy
from gateway.web.http.protocol import is_secure

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

PASTE_HEADERS = {
    "Content-Disposition": "inline",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Of a paste: what a user has sent is shown as the text that it is, and may be removed at any time."""


class ResponseHeaders:
    """Adds them. `hsts`: seconds for which a browser that came by https is to come by nothing else."""

    def __init__(self, site: OriginPolicy, tls: bool, hsts: float) -> None:
        self._site = site
        self._tls = tls
        self._hsts = f"max-age={hsts:.0f}" if hsts else ""

    def add(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers that every response has, and remove the server's version."""
        headers = response.headers
        headers.pop("Server", None)
        if response.status == 101:
            return
        headers.update(_FIXED)
        if self._hsts and is_secure(request, self._tls):
            headers["Strict-Transport-Security"] = self._hsts
        if response.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="gateway"'
        headers.setdefault("Content-Security-Policy", self._policy(request))
        if SHARED.match(request.path):
            if "Origin" not in headers.get("Vary", ""):
                headers["Vary"] = f"{headers['Vary']}, Origin" if "Vary" in headers else "Origin"
            origin = self._site.shared_with(request.headers)
            if origin is not None:
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = "Retry-After"
        if request.path.startswith("/admin"):
            headers["Cache-Control"] = "no-store"

    def _policy(self, request: web.Request) -> str:
        try:
            host = self._site.host(request)
        except Refusal:
            host = ""
        # Older Safari does not count a WebSocket as 'self'. A policy cannot name a bracketed address: browsers
        # ignore it and complain in the console, so an IPv6 address relies on 'self'.
        sockets = ""
        if host and not host.startswith("["):
            sockets = f" wss://{host}" if self._tls else f" wss://{host} ws://{host}"
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; manifest-src 'self'; "
            f"connect-src 'self'{sockets}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'"
        )
