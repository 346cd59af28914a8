"""The origin policy: the rules for the Host and Origin headers.

A page of a foreign site can make a browser send us requests. Its Origin gives it away, unless its own host name points
to our address (DNS rebinding): then Origin and Host agree, and only a list of our own names helps.
"""

import logging
import re
import time
from collections.abc import Iterable
from functools import lru_cache

from aiohttp import web
from multidict import MultiMapping
from yarl import URL

from gateway import wording
from gateway.core.address import Remote, canonical, is_loopback
from gateway.core.sanitize import shown
from gateway.errors import Code, Refusal
from gateway.web.http.protocol import is_secure
from gateway.web.http.strict_requests import Head

READING = frozenset(("GET", "HEAD", "OPTIONS"))

_NETLOC = re.compile(r"(\[[0-9a-f:.]+(?:%[a-z0-9._~-]{1,32}){0,2}\]|[a-z0-9._-]+?)\.?(?::(\d{1,5}))?")
"""An IPv6 address may name the interface, `%eth0` or, as RFC 6874 has it, `%25eth0`."""
_ORIGIN = re.compile(r"(https?)://(\S+)")
_WHOLE = re.compile(r"(https?)://[^/?]*", re.IGNORECASE)
"""The beginning of a request target that is a whole address."""
_DEFAULT_PORTS = {"http": "80", "https": "443"}
SHARED = re.compile(r"/r/|/rooms/?\Z")
"""Paths that pages of configured origins may use: the rooms, never the dashboard."""
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "content-type, authorization, last-event-id",
    "Access-Control-Max-Age": "600",
}
QUOTED = 200
COMPLAIN_EVERY = 60.0

log = logging.getLogger("gateway.web")


def quoted(value: str) -> str:
    """A header's value, fit for an error and for the log."""
    return repr(shown(value, QUOTED))


@lru_cache(64)  # nearly all requests name the same one
def host_name(netloc: str) -> str:
    """The name or address of `name:port`, lower case, an IPv6 address without its brackets; "" when it is none."""
    match = _NETLOC.fullmatch(netloc.lower())
    return match[1].strip("[]") if match else ""


def is_address(name: str) -> bool:
    """Whether `name` is an IP address and not a name."""
    return canonical(name) is not None


def is_local(remote: Remote) -> bool:
    """Whether the peer is on this machine, and not merely reported so by a proxy."""
    return remote.proxy is None and is_loopback(remote.address)


@lru_cache(64)
def _same(origin: str) -> str:
    """An origin in its canonical spelling: lower case, no slash at the end, no default port."""
    origin = origin.strip().lower().rstrip("/")
    match = _ORIGIN.fullmatch(origin)
    if match and origin.endswith(":" + _DEFAULT_PORTS[match[1]]):
        return origin.rpartition(":")[0]
    return origin


class OriginPolicy:
    """The names this site goes by. `hosts` besides localhost and address literals, `origins` that are not its own."""

    def __init__(self, hosts: Iterable[str], origins: Iterable[str], tls: bool, base_path: str = "") -> None:
        self._tls = tls
        self._base_path = base_path
        self._quiet_until = 0.0
        self.know(hosts, origins)

    def know(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        """Use these names and foreign origins from now on."""
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts) | {"localhost"}
        self._origins = frozenset(_same(origin) for origin in origins)

    def admit(self, request: Head) -> None:
        """Raise Refusal for a request that a foreign site may have made a browser send."""
        self.host(request)
        if request.method not in READING:
            self._check_writer(request)

    def host(self, request: Head) -> str:
        """The `name:port` by which we were reached, lower case. Raises Refusal when it is not one of our names."""
        given = request.headers.getall("Host", [])
        if not given and request.version.minor == 0:
            return "localhost"
        if len(given) != 1:
            raise Refusal(Code.BAD_MESSAGE, wording.ONE_HOST)
        name = host_name(given[0])
        whole = _WHOLE.match(request.raw_path)
        if whole is not None and _same(whole[0]) != _same(f"{whole[1]}://{given[0]}"):
            raise Refusal(Code.BAD_MESSAGE, wording.HOST_DIFFERS)
        if not name:
            raise Refusal(Code.BAD_MESSAGE, wording.HOST_NOT_A_NAME)
        if name not in self._hosts and not is_address(name):
            words = wording.HOST_NOT_OURS.format(host=quoted(given[0]))
            self._complain(words)
            raise Refusal(Code.FORBIDDEN, words)
        return given[0].lower()

    def _check_writer(self, request: Head) -> None:
        """Raise Refusal for a write from a page, unless the page is ours or of a configured origin."""
        origin = request.headers.get("Origin")
        if origin is not None:
            if not self.is_ours(request, origin) and _same(origin) not in self._origins:
                words = wording.FOREIGN_ORIGIN.format(
                    origin=quoted(origin), host=quoted(request.headers.get("Host", ""))
                )
                self._complain(words)
                raise Refusal(Code.FORBIDDEN, words)
        elif request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise Refusal(Code.FORBIDDEN, wording.FOREIGN_PAGE)

    def _complain(self, words: str) -> None:
        """Log a refusal that a proxy's or our own configuration may have caused, at most one every COMPLAIN_EVERY."""
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + COMPLAIN_EVERY
            log.warning("%s", words)

    def preflight(self, request: web.Request) -> web.Response | None:
        """The response to a CORS preflight of a configured origin for a room's address; None for everything else."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        if not SHARED.match(request.path) or self.shared_with(request.headers) is None:
            return None
        headers = dict(_PREFLIGHT)
        if "Access-Control-Request-Private-Network" in request.headers:  # a public page that asks for a machine at home
            headers["Access-Control-Allow-Private-Network"] = "true"
        return web.Response(status=204, headers=headers)

    def shared_with(self, headers: MultiMapping[str]) -> str | None:
        """The configured origin that a request with these headers comes from."""
        origins = headers.getall("Origin", [])
        return origins[0] if len(origins) == 1 and _same(origins[0]) in self._origins else None

    def check_socket(self, request: Head) -> None:
        """Raise Refusal for a WebSocket as for a write, and for one with a cookie but without an Origin."""
        self._check_writer(request)
        if "Origin" not in request.headers and "Cookie" in request.headers:
            raise Refusal(Code.FORBIDDEN, wording.COOKIE_WANTS_ORIGIN)

    def is_ours(self, request: Head, origin: str) -> bool:
        """Whether `origin` is this site. The scheme is not compared, because a proxy may speak TLS for us.

        Under our own Referrer-Policy a browser sends `null` as the Origin of a form; then Sec-Fetch-Site, which no page
        can set, says whose form it was.
        """
        if origin == "null":
            return request.headers.get("Sec-Fetch-Site") == "same-origin"
        match = _ORIGIN.fullmatch(origin.lower())
        return match is not None and _same(origin) == _same(f"{match[1]}://{self.host(request)}")

    def base(self, request: web.Request) -> URL:
        """The address of this site as the client sees it, without a slash at its end."""
        return URL(f"{'https' if is_secure(request, self._tls) else 'http'}://{self.host(request)}{self._base_path}")
