"""Login to the dashboard and logout: the one-time link and its button, the form for a name and a password, and the list
of sessions.

Opening a link shows a button and changes nothing, so that a mail scanner or a preview does not use it up; pressing the
button (`POST /admin/login`) does. Either way of logging in makes a new session, and ends the one that the browser had
before.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from aiohttp import web

from gateway import wording
from gateway.accounts.authenticator import Authenticator
from gateway.core.operators.audit import Audit
from gateway.core.roles import Operator, Role
from gateway.core.sanitize import is_blank, line
from gateway.errors import Code, Refusal
from gateway.login_link import LINK_LIFE, LoginLinks
from gateway.web.admin.authorize import Login, bearer, source
from gateway.web.admin.sessions import BY_LINK, SESSION_LIFE, AdminSessions, SessionRow
from gateway.web.dispatch import BOM, Call, form_fields
from gateway.web.http.header_lists import wants_json, wants_page
from gateway.web.http.origin_policy import OriginPolicy
from gateway.web.http.protocol import peer_address
from gateway.web.http.request import answered, came, read_body
from gateway.web.http.responses import HTTP_STATUS, json_answer
from gateway.web.settings import WebOptions
from gateway.web.static_files import Pages

TOKEN_LIMIT = 256
LINK_NAME_LIMIT = 32


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a login: the token of a link, with or without a name; or a name and a password."""

    token: str = ""
    name: str = ""
    password: str = ""


class LoggedIn(msgspec.Struct):
    """The answer to a login, beside the cookie; `expires_in` is in seconds."""

    name: str
    role: str
    csrf: str
    expires_in: int


class LoginLink(msgspec.Struct):
    """A fresh one-time link; `expires_in` is in seconds."""

    url: str
    expires_in: int


class Sessions(msgspec.Struct):
    """The sessions of the dashboard that the operator may see."""

    sessions: list[SessionRow]


class SessionEnded(msgspec.Struct):
    """The session is over."""

    id: str
    ended: Literal[True]


class LoginPage:
    """`/admin/login`, `/admin/logout` and `/admin/login-link`."""

    def __init__(
        self,
        login: Login,
        links: LoginLinks,
        sessions: AdminSessions,
        authenticator: Authenticator,
        audit: Audit,
        site: OriginPolicy,
        pages: Pages,
        options: WebOptions,
    ) -> None:
        self._login = login
        self._links = links
        self._sessions = sessions
        self._authenticator = authenticator
        self._audit = audit
        self._site = site
        self._pages = pages
        self._options = options

    async def show(self, call: Call[None]) -> web.Response:
        """`GET /admin/login`: the button, if the link is good; the form, if anybody has a password."""
        token = call.query.get("token")
        if token is None:
            if self._login.session(call.request) is not None:
                raise web.HTTPSeeOther(self._options.at("/admin"))
            return self._page()
        problem = self._links.problem(token[:TOKEN_LIMIT])
        return self._page(403, problem) if problem else self._page(token=token)

    async def press(self, call: Call[None]) -> web.StreamResponse:
        """`POST /admin/login`: a link's token or name and password, as a form or as JSON, for a session.

        A client that sends or accepts JSON gets LoggedIn, any other is redirected to the dashboard."""
        request = call.request
        try:
            self._login.check_own(request)
        except Refusal as refusal:
            self._login.refused(request, "login", "", refusal.text)
            raise
        given = await self._credentials(request)
        if given.token:
            name = _link_name(given.name)
            problem = self._links.use(given.token)
            if problem is not None:
                self._login.refused(request, "login", BY_LINK, wording.LINK_IS.format(problem=problem))
                return self._page(403, problem)
            return await self._opened(request, Operator(name, Role.ADMIN, source(request)))
        answer = await self._checked(request, given)
        if isinstance(answer, Operator):
            return await self._opened(request, answer._replace(source=source(request)))
        self._login.refused(request, "login", given.name, answer.text)
        if not wants_page(request.headers) or answer.code is Code.BAD_MESSAGE:
            raise answer
        wait = -(-(answer.retry_ms or 0) // 1000)
        problem = {Code.FORBIDDEN: "wrong", Code.RATE_LIMITED: "limited"}.get(answer.code, "busy")
        page = self._page(HTTP_STATUS[answer.code], problem, name=given.name, wait=wait)
        if wait:
            page.headers["Retry-After"] = str(wait)
        return page

    async def logout(self, call: Call[dict[str, str]]) -> web.StreamResponse:
        """`POST /admin/logout`"""
        request, operator = call.request, call.operator
        cookie = self._login.cookie(request)
        response = web.Response(status=303, headers={"Location": self._options.at("/admin/login")})
        if bearer(request) is None:
            self._sessions.close(request.cookies.get(cookie))
            self._audit.note(operator, "logout", operator.name, "", "done")
            try:
                await stored_as_ended(self._sessions)
            except Refusal:
                if not wants_page(request.headers):
                    raise
                response = self._page(503, "unstored")
        response.del_cookie(cookie, httponly=True, samesite="Strict", path="/", secure=_needs_tls(cookie))
        return response

    async def mint(self, call: Call[None]) -> LoginLink:
        """`POST /admin/login-link`: a fresh link, for a request from this machine with the key in the data folder."""
        self._audit.note(call.operator._replace(name=BY_LINK), "login-link", "", "", "done")
        url = self._site.base(call.request) / "admin/login" % {"token": self._links.mint()}
        return LoginLink(str(url), int(LINK_LIFE))

    async def _credentials(self, request: web.Request) -> Credentials:
        """The credentials that were sent. Raises Refusal: too_long, or bad_message for anything but a link's token or a
        name and a password."""
        body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        if request.content_type == "application/json":
            try:
                given = msgspec.json.decode(body.removeprefix(BOM), type=Credentials)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise Refusal(Code.BAD_MESSAGE, wording.NAME_AND_PASSWORD) from error
        else:
            sent = form_fields(request, body)
            if any(len(values) > 1 for values in sent.values()):
                raise Refusal(Code.BAD_MESSAGE, wording.FIELD_ONCE)
            given = Credentials(**{name: sent[name][0] for name in Credentials.__struct_fields__ if name in sent})
        if len(given.token) > TOKEN_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, wording.NOT_A_TOKEN)
        if bool(given.token) == bool(given.name and given.password):
            raise Refusal(Code.BAD_MESSAGE, wording.LINK_OR_PASSWORD)
        return given

    async def _checked(self, request: web.Request, given: Credentials) -> Operator | Refusal:
        """Check a name and a password against the accounts."""
        try:
            found = await answered(self._authenticator.login(given.name, given.password, peer_address(request)))
        except Refusal as refusal:
            return refusal
        if found.role is Role.MEMBER:
            return Refusal(Code.FORBIDDEN, wording.MEMBER_NO_DASHBOARD)
        return found

    async def _opened(self, request: web.Request, operator: Operator) -> web.Response:
        """Open a session for an operator, and set the cookie."""
        cookie = self._login.cookie(request)
        self._sessions.close(request.cookies.get(cookie))
        secret, session = self._sessions.open(operator, request.headers.get("User-Agent", ""))
        self._audit.note(operator, "login", operator.name, "", "done")
        await came(self._sessions.stored())
        if wants_json(request.headers) or request.content_type == "application/json":
            name, role = operator.name, operator.role.word
            response = json_answer(LoggedIn(name, role, session.csrf, int(SESSION_LIFE)))
        else:
            response = web.Response(status=303, headers={"Location": self._options.at("/admin")})
        response.set_cookie(cookie, secret, httponly=True, samesite="Strict", path="/", secure=_needs_tls(cookie))
        return response

    def _page(
        self, status: int = 200, problem: str | None = None, *, token: str | None = None, name: str = "", wait: int = 0
    ) -> web.Response:
        passwords = self._authenticator.has_operators
        return self._pages.answer(
            "login.html",
            status,
            token=token,
            problem=problem,
            passwords=passwords,
            name=name,
            name_limit=LINK_NAME_LIMIT,
            wait=wait,
        )


async def stored_as_ended(sessions: AdminSessions) -> None:
    """Wait until it is stored that a session has ended. Raises Refusal when that fails: a restart would begin it
    anew."""
    failure = await came(sessions.stored())
    if failure is not None:
        raise Refusal(failure.code, wording.LOGOUT_UNSTORED.format(why=failure.text), failure.retry_ms)


def _link_name(given: str) -> str:
    """The operator's name in the audit log. It cannot be an account's, so nobody can impersonate one. Raises
    Refusal."""
    name = "" if is_blank(given) else " ".join(line(given).split())[:LINK_NAME_LIMIT]
    return f"{BY_LINK}:{name}" if name else BY_LINK


def _needs_tls(cookie: str) -> bool | None:
    """Whether a cookie needs Secure: browsers accept a `__Host-` cookie, and its deletion, only with it."""
    return True if cookie.startswith("__Host-") else None


class SessionEndpoints:
    """`/admin/api/sessions`. `wall` returns ms since 1970."""

    def __init__(self, login: Login, sessions: AdminSessions, audit: Audit, wall: Callable[[], int]) -> None:
        self._login = login
        self._sessions = sessions
        self._audit = audit
        self._wall = wall

    async def seen(self, call: Call[None]) -> Sessions:
        """`GET /admin/api/sessions`"""
        return Sessions(self.rows(call))

    def rows(self, call: Call[Any]) -> list[SessionRow]:
        """The sessions that the operator may see."""
        request, wall = call.request, self._wall()
        current = None if bearer(request) is not None else self._login.session(request)
        return [self._sessions.row(each, current, wall) for each in self._sessions.seen_by(call.operator)]

    def others(self, call: Call[Any]) -> list[str]:
        """The names of other logged-in operators that this one may see."""
        return sorted({f"{row.name} ({row.role})" for row in self.rows(call) if not row.current})

    async def end(self, call: Call[None]) -> SessionEnded:
        """`DELETE /admin/api/sessions/{id}`"""
        await self.finish(call.operator, call.id)
        return SessionEnded(call.id, True)

    async def finish(self, operator: Operator, target: str) -> None:
        """End a session, and record it. Raises Refusal."""
        try:
            ended = self._sessions.end_by(operator, target)
        except Refusal:
            self._audit.note(operator, "logout", target, "", "refused: no such session of theirs")
            raise
        self._audit.note(operator, "logout", ended.operator.name, "", "done")
        await stored_as_ended(self._sessions)
