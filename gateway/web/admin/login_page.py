"""The door of the dashboard: the one-time link with its button, the form for a name and a password, and the way out.

Opening a link shows a button and changes nothing, so that a mail scanner or a preview uses nothing up; pressing it
(`POST /admin/login`) uses the token up. Whichever way somebody logs in, he gets a session with a new id, and the one
his browser had is over.
"""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from gateway.accounts.authenticator import Authenticator
from gateway.core.operators.audit import Audit
from gateway.core.operators.roles import Operator, Role
from gateway.errors import HTTP_STATUS, Code, Refusal
from gateway.web.admin.authorize import CSRF_HEADER, FORM, Login, bearer, fields, is_here, source
from gateway.web.admin.logins import LINK_LIFE, SESSION_LIFE, AdminSessions, LoginLinks
from gateway.web.http.body import read_body
from gateway.web.http.origin_policy import OriginPolicy
from gateway.web.http.protocol import peer_address
from gateway.web.http.responses import json_answer
from gateway.web.options import WebOptions
from gateway.web.templates import Pages

TOKEN_LIMIT = 256
LINK = "link"
"""The name of who comes by a link."""


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a login: the token of a link, or a name and a password."""

    token: str = ""
    name: str = ""
    password: str = ""


class LoginPage:
    """`/admin/login`, `/admin/logout` and `/admin/login-link`."""

    def __init__(
        self,
        login: Login,
        links: LoginLinks,
        sessions: AdminSessions,
        keeper: Authenticator,
        audit: Audit,
        site: OriginPolicy,
        pages: Pages,
        options: WebOptions,
    ) -> None:
        self._login = login
        self._links = links
        self._sessions = sessions
        self._keeper = keeper
        self._audit = audit
        self._site = site
        self._pages = pages
        self._options = options
        self._decode = msgspec.json.Decoder(Credentials).decode

    async def show(self, request: web.Request) -> web.Response:
        """`GET /admin/login`: the button, if the link is good; the form, if anybody has a password."""
        token = request.query.get("token")
        if token is None:
            if self._login.session(request) is not None:
                raise web.HTTPSeeOther("/admin")
            return self._page()
        problem = self._links.problem(token[:TOKEN_LIMIT])
        return self._page(403, problem) if problem else self._page(token=token)

    async def press(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/login`: a link's token or name and password, as a form or as JSON, for a session.

        Whoever takes or sends JSON is answered `{"name","role","csrf","expires_in"}`, everybody else is led to the
        dashboard."""
        try:
            self._login.check_own(request)
        except Refusal as refusal:
            self._login.refused(request, "login", "", refusal.text)
            raise
        given = await self._credentials(request)
        if given.token:
            problem = self._links.use(given.token)
            if problem is not None:
                self._login.refused(request, "login", LINK, f"the link is {problem}")
                return self._page(403, problem)
            return self._opened(request, Operator(LINK, Role.ADMIN, source(request)))
        answer = await self._checked(request, given)
        if isinstance(answer, Operator):
            return self._opened(request, answer._replace(source=source(request)))
        self._login.refused(request, "login", given.name, answer.text)
        if "text/html" not in request.headers.get("Accept", "") or answer.code is Code.BAD_MESSAGE:
            raise answer
        wait = -(-(answer.retry_ms or 0) // 1000)
        problem = {Code.FORBIDDEN: "wrong", Code.RATE_LIMITED: "limited"}.get(answer.code, "busy")
        page = self._page(HTTP_STATUS[answer.code], problem, name=given.name, wait=wait)
        if wait:
            page.headers["Retry-After"] = str(wait)
        return page

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/logout`"""
        csrf = request.headers.get(CSRF_HEADER)
        if csrf is None and request.content_type == FORM:
            csrf = (await self._login.form(request)).get("csrf")
        operator = self._login.writer(request, csrf, "logout")
        cookie = self._login.cookie(request)
        if bearer(request) is None:
            self._sessions.close(request.cookies.get(cookie))
            self._audit.note(operator, "logout", operator.name, "", "done")
        response = web.Response(status=303, headers={"Location": "/admin/login"})
        response.del_cookie(cookie, httponly=True, samesite="Strict", path="/", secure=_needs_tls(cookie))
        return response

    async def mint(self, request: web.Request) -> web.Response:
        """`POST /admin/login-link`: a fresh link for who can read the key in the data folder, on this machine."""
        if self._options.link_key is None or not is_here(request):
            raise web.HTTPNotFound
        if not self._login.has_key(request):
            self._login.refused(request, "login-link", "", "wrong key")
            raise web.HTTPUnauthorized
        self._audit.note(Operator(LINK, Role.ADMIN, source(request)), "login-link", "", "", "done")
        url = self._site.base(request) / "admin/login" % {"token": self._links.mint()}
        return json_answer({"url": str(url), "expires_in": int(LINK_LIFE)}, 201)

    async def _credentials(self, request: web.Request) -> Credentials:
        """What was sent. Raises Refusal (bad_message) for all that is neither a link's token nor name and password."""
        try:
            body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        except Refusal as refusal:
            raise Refusal(Code.BAD_MESSAGE, refusal.text) from refusal
        if request.content_type == "application/json":
            try:
                given = self._decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise Refusal(Code.BAD_MESSAGE, "name and password are expected, as two texts") from error
        else:
            sent = fields(request, body)
            if any(len(values) > 1 for values in sent.values()):
                raise Refusal(Code.BAD_MESSAGE, "each field is expected once")
            given = Credentials(**{name: sent[name][0] for name in Credentials.__struct_fields__ if name in sent})
        if len(given.token) > TOKEN_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, "this is no token")
        if bool(given.token) == bool(given.name and given.password):
            raise Refusal(Code.BAD_MESSAGE, "the token of a link is expected, or a name and a password")
        return given

    async def _checked(self, request: web.Request, given: Credentials) -> Operator | Refusal:
        """What the keeper says of a name and a password."""
        answer: asyncio.Future[Operator | Refusal] = asyncio.get_running_loop().create_future()

        def done(said: Operator | Refusal) -> None:
            if not answer.done():
                answer.set_result(said)

        self._keeper.login(given.name, given.password, peer_address(request), done)
        return await answer

    def _opened(self, request: web.Request, operator: Operator) -> web.Response:
        """Log in who has shown that he may."""
        cookie = self._login.cookie(request)
        self._sessions.close(request.cookies.get(cookie))
        secret, session = self._sessions.open(operator, request.headers.get("User-Agent", ""))
        self._audit.note(operator, "login", operator.name, "", "done")
        if "json" in request.headers.get("Accept", "") or request.content_type == "application/json":
            words = {"name": operator.name, "role": operator.role.word, "csrf": session.csrf}
            response = json_answer(words | {"expires_in": int(SESSION_LIFE)})
        else:
            response = web.Response(status=303, headers={"Location": "/admin"})
        response.set_cookie(cookie, secret, httponly=True, samesite="Strict", path="/", secure=_needs_tls(cookie))
        return response

    def _page(
        self, status: int = 200, problem: str | None = None, *, token: str | None = None, name: str = "", wait: int = 0
    ) -> web.Response:
        passwords = self._keeper.has_passwords
        return self._pages.answer(
            "login.html", status, token=token, problem=problem, passwords=passwords, name=name, wait=wait
        )


def _needs_tls(cookie: str) -> bool | None:
    """Browsers take a `__Host-` cookie, and its end, only with Secure."""
    return True if cookie.startswith("__Host-") else None


def routes(page: LoginPage) -> list[Any]:
    """The routes of the door."""
    return [
        web.get("/admin/login", page.show),
        web.post("/admin/login", page.press),
        web.post("/admin/logout", page.logout),
        web.post("/admin/login-link", page.mint),
    ]
