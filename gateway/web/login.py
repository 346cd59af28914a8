"""Who asks: the session behind a cookie, or the bearer token of a script, and whether he may.

A request with a bearer token is the token's alone: its cookie, if it has one, counts for nothing, and a wrong token is
refused whatever the cookie would be good for. A browser never sends a token by itself, so it needs no CSRF token.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qs

from aiohttp import web

from gateway.accounts.keeper import Keeper
from gateway.core.audit import Audit
from gateway.core.operators import Operator, Role
from gateway.errors import Code, Refusal
from gateway.web.auth import AdminSession, AdminSessions, same_secret
from gateway.web.body import read_body
from gateway.web.options import WebOptions
from gateway.web.site import Site

SWEEP_SECONDS = 1.0
CSRF_HEADER = "X-CSRF-Token"
STRANGER = "-"
"""Who it was that nobody knows."""


class Login:
    """The check that stands before everything below `/admin`."""

    def __init__(self, sessions: AdminSessions, keeper: Keeper, audit: Audit, site: Site, options: WebOptions) -> None:
        self._sessions = sessions
        self._keeper = keeper
        self._audit = audit
        self._site = site
        self._options = options
        self._sweeping = False

    def cookie(self, request: web.Request) -> str:
        """The session cookie's name; under TLS one that browsers tie to the host and never send without TLS."""
        return "__Host-gateway" if self._options.tls else "gateway_session"

    def session(self, request: web.Request) -> AdminSession | None:
        """The session of the cookie; None for a stranger's."""
        return self._sessions.find(request.cookies.get(self.cookie(request)))

    def operator(self, request: web.Request) -> Operator | None:
        """Who asks; None for a stranger. Raises Refusal (token_invalid, rate_limited) for a wrong bearer token."""
        token = bearer(request)
        if token is not None:
            return self._keeper.bearer(token, request.remote or "")._replace(source=source(request))
        session = self.session(request)
        return None if session is None else session.operator._replace(source=source(request))

    def reader(self, request: web.Request, least: Role) -> Operator:
        """Who asks, at least a `least`: 401 for a stranger, forbidden for a lower role."""
        try:
            operator = self._known(request)
        except Refusal as refusal:
            self.refused(request, "token", "", refusal.text)
            raise
        operator.check(least)
        return operator

    def writer(self, request: web.Request, csrf: str | None, action: str, target: str = "") -> Operator:
        """Who wants to change something: by a token, or logged in, from our own page, and with the session's own CSRF
        token (`csrf`: of the form or the header). Whoever may not is recorded. Let the answer `check` the role."""
        who = STRANGER
        try:
            operator = self._known(request)
            who = operator.name
            self.check_own(request)
            session = None if bearer(request) is not None else self.session(request)
            if session is not None and (csrf is None or not same_secret(csrf, session.csrf)):
                raise Refusal(Code.FORBIDDEN, "the CSRF token is missing or not this session's: load the page anew")
        except web.HTTPUnauthorized:
            self.refused(request, action, target, "not logged in")
            raise
        except Refusal as refusal:
            self.refused(request, action, target, refusal.text, who)
            raise
        return operator

    def check_own(self, request: web.Request) -> None:
        """Configured foreign origins may chat, but they may not administer."""
        origin = request.headers.get("Origin")
        if origin is not None and not self._site.is_ours(request, origin):
            raise Refusal(Code.FORBIDDEN, "a page of another site may not do this")

    def refused(self, request: web.Request, action: str, target: str, words: str, who: str = STRANGER) -> None:
        """Record what somebody was refused before it was known what he may."""
        self._audit.stranger(who, source(request), action, target, words)

    def _known(self, request: web.Request) -> Operator:
        operator = self.operator(request)
        if operator is None:
            raise web.HTTPUnauthorized
        return operator

    def hold(self, request: web.Request, end: Callable[[], None]) -> Callable[[], None]:
        """Something live is about to be shown to a `reader`: `end` is called when his session is over, at once when
        it is logged out or ended, within SWEEP_SECONDS when its time is up. As long as it is shown, the session is in
        use. Answers what to call when it is shown no longer."""
        session = self.session(request)
        if session is None or bearer(request) is not None:
            return lambda: None
        session.live.add(end)
        if not self._sweeping:
            self._sweep()
        return partial(session.live.discard, end)

    def _sweep(self) -> None:
        self._sweeping = self._sessions.sweep()
        if self._sweeping:
            asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    async def form(self, request: web.Request) -> dict[str, str]:
        """The fields of a posted form; the last of a name counts."""
        body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        return {name: values[-1] for name, values in fields(request, body).items()}


def source(request: web.Request) -> str:
    """By which way and from where a request comes."""
    return f"web {request.remote}"


def bearer(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer TOKEN`; None without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def fields(request: web.Request, body: bytes) -> dict[str, list[str]]:
    """The fields of a form's body. Raises Refusal (bad_message)."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refusal(Code.BAD_MESSAGE, "a form is expected")
    try:
        return parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=16)
    except ValueError as error:
        raise Refusal(Code.BAD_MESSAGE, "the form is broken") from error
