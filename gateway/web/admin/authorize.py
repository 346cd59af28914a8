"""Authorization: the session behind a cookie or the bearer token of a script, and what its operator may do.

For a request with a bearer token only the token counts: its cookie, if it has one, is ignored, and a wrong token is
refused even if the cookie is good. A browser never sends a token by itself, so no CSRF token is needed then.
"""

from aiohttp import web

from gateway import wording
from gateway.accounts.authenticator import Authenticator
from gateway.core.operators.audit import Audit
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from gateway.web.admin.sessions import AdminSession, AdminSessions, cookie_name, same_secret
from gateway.web.http.origin_policy import OriginPolicy, is_local
from gateway.web.http.protocol import is_secure, peer_address, remote_of
from gateway.web.settings import WebOptions

KEY_HOLDER = "local"
"""The operator's name for a request with the key in the data folder."""
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
CSRF_HEADER = "X-CSRF-Token"
POLL_HEADER = "X-Poll"
STRANGER = "-"
"""The name of strangers in the audit log."""


class Login:
    """The checks before everything below `/admin`."""

    def __init__(
        self,
        sessions: AdminSessions,
        authenticator: Authenticator,
        audit: Audit,
        site: OriginPolicy,
        options: WebOptions,
    ) -> None:
        self._sessions = sessions
        self._authenticator = authenticator
        self._audit = audit
        self._site = site
        self._options = options

    def cookie(self, request: web.Request) -> str:
        """The session cookie's name."""
        return cookie_name(is_secure(request, self._options.tls), self._options.base_path)

    def session(self, request: web.Request) -> AdminSession | None:
        """The session of the cookie; None for a stranger. A request that a page makes by itself does not count as
        use."""
        secret = request.cookies.get(self.cookie(request))
        if POLL_HEADER in request.headers:
            return self._sessions.look(secret)
        return self._sessions.find(secret)

    def operator(self, request: web.Request) -> Operator | None:
        """The operator who asks; None for a stranger. Raises Refusal (token_invalid, rate_limited) for a wrong
        token."""
        token = bearer(request)
        if token is not None:
            if self.has_key(request):
                return Operator(KEY_HOLDER, Role.VIEWER, source(request))
            return self._authenticator.bearer(token, peer_address(request))._replace(source=source(request))
        session = self.session(request)
        return None if session is None else session.operator._replace(source=source(request))

    def has_key(self, request: web.Request) -> bool:
        """Whether the bearer token is the key in the data folder, and the request comes from this machine."""
        key = self._options.link_key
        return key is not None and is_here(request) and same_secret(bearer(request) or "", key)

    def key_holder(self, request: web.Request, action: str) -> Operator:
        """The operator with the key in the data folder: may do everything, because the key opens the dashboard. Raises
        404 for others than this machine's, 401 for a wrong key, and records that."""
        if self._options.link_key is None or not is_here(request):
            raise web.HTTPNotFound
        if not self.has_key(request):
            self.refused(request, action, "", wording.WRONG_KEY)
            raise web.HTTPUnauthorized
        return Operator(KEY_HOLDER, Role.ADMIN, source(request))

    def reader(self, request: web.Request, least: Role) -> Operator:
        """The operator who asks, of role `least` or higher: 401 for a stranger, forbidden for a lower role. A
        long response calls this again every half second, so that it ends with the session."""
        try:
            operator = self._known(request)
            self.check_own(request)
        except Refusal as refusal:
            self.refused(request, "read", request.path, refusal.text)
            raise
        operator.check(least)
        return operator

    def writer(self, request: web.Request, csrf: str | None, action: str, target: str = "") -> Operator:
        """The operator who wants to change something: by a token; or logged in, from our own page, and with the
        session's CSRF token (`csrf`: from the form or the header). Others are recorded and refused. The caller still
        has to `check` the role."""
        who = STRANGER
        try:
            operator = self._known(request)
            who = operator.name
            self.check_own(request)
            session = None if bearer(request) is not None else self.session(request)
            if session is not None and (csrf is None or not same_secret(csrf, session.csrf)):
                raise Refusal(Code.FORBIDDEN, wording.CSRF_WRONG)
        except web.HTTPUnauthorized:
            self.refused(request, action, target, wording.NOT_LOGGED_IN)
            raise
        except Refusal as refusal:
            self.refused(request, action, target, refusal.text, who)
            raise
        return operator

    def check_own(self, request: web.Request) -> None:
        """Raise Refusal for a foreign origin: a configured one may chat, but not administer."""
        origin = request.headers.get("Origin")
        if origin is not None and not self._site.is_ours(request, origin):
            raise Refusal(Code.FORBIDDEN, wording.FOREIGN_PAGE)

    def refused(self, request: web.Request, action: str, target: str, words: str, who: str = STRANGER) -> None:
        """Record a request that was refused before the operator's role was known."""
        self._audit.stranger(who, source(request), action, target, words)

    def _known(self, request: web.Request) -> Operator:
        operator = self.operator(request)
        if operator is None:
            raise web.HTTPUnauthorized
        return operator


def source(request: web.Request) -> str:
    """The door and the address of a request: `web 10.0.0.4`."""
    return f"web {peer_address(request)}"


def is_here(request: web.Request) -> bool:
    """Whether the peer is on this machine: it has a loopback address, or the one that we listen at, and no proxy,
    trusted or not, is in between."""
    if any(name in request.headers for name in FORWARDED):
        return False
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    remote = remote_of(request)
    return is_local(remote) or (isinstance(name, tuple) and remote[:2] == (name[0], None))


def bearer(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer TOKEN`; None without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
