"""The door of the dashboard: the one-time link, its button, and who holds a session.

Opening a link shows a button and changes nothing, so that a mail scanner or a preview uses nothing up; pressing it
(`POST /admin/login`) uses the token up, opens a session with a new id and ends the one the browser had.
"""

import logging
import secrets
from urllib.parse import parse_qs

from aiohttp import web

from gateway.errors import Code, Refusal
from gateway.web.answers import json_answer
from gateway.web.auth import LINK_LIFE, AdminSession, AdminSessions, LoginLinks, same_secret
from gateway.web.body import read_body
from gateway.web.options import WebOptions
from gateway.web.pages import Pages
from gateway.web.site import Site, is_local

TOKEN_LIMIT = 256

log = logging.getLogger("gateway.admin")


class Login:
    """`/admin/login`, `/admin/logout`, `/admin/login-link`, and the check that stands before everything else there."""

    def __init__(
        self, links: LoginLinks, sessions: AdminSessions, site: Site, pages: Pages, options: WebOptions
    ) -> None:
        self._links = links
        self._sessions = sessions
        self._site = site
        self._pages = pages
        self._options = options
        self._cookie = "__Host-gateway" if options.tls else "gateway_session"

    def session(self, request: web.Request) -> AdminSession | None:
        """Whose request this is; None for a stranger's."""
        return self._sessions.find(request.cookies.get(self._cookie))

    def reader(self, request: web.Request) -> AdminSession:
        """Who asks: by his cookie, or by the key in the data folder; 401 for a stranger."""
        session = self.session(request)
        if session is None and self._has_key(request):
            return AdminSession(
                "local", "viewer", secrets.token_urlsafe(), 0.0, 0.0
            )  # whose token nobody knows: no writer
        if session is None:
            if request.method != "GET":
                log.warning("refused %s %s from %s: not logged in", request.method, request.path, request.remote)
            raise web.HTTPUnauthorized
        return session

    def _has_key(self, request: web.Request) -> bool:
        """Whether the asker can read the data folder, on this machine."""
        key = self._options.link_key
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        right = key is not None and scheme.lower() == "bearer" and same_secret(given.strip(), key)
        return right and is_local(request)

    def writer(self, request: web.Request, csrf: str | None) -> AdminSession:
        """Who wants to change something: logged in, from our own page, and with the session's own token."""
        session = self.reader(request)
        self._own(request)
        if csrf is None or not same_secret(csrf, session.csrf):
            log.warning("refused %s %s from %s: no CSRF token", request.method, request.path, request.remote)
            raise Refusal(Code.FORBIDDEN, "the CSRF token is missing or not this session's: load the page anew")
        return session

    def _own(self, request: web.Request) -> None:
        """Configured foreign origins may chat, but they may not administer."""
        origin = request.headers.get("Origin")
        if origin is not None and not self._site.is_ours(request, origin):
            raise Refusal(Code.FORBIDDEN, "a page of another site may not do this")

    async def form(self, request: web.Request) -> dict[str, str]:
        """The fields of a posted form; the last of a name counts."""
        body = await read_body(request, self._options.body_limit, self._options.body_deadline)
        if request.content_type != "application/x-www-form-urlencoded":
            raise Refusal(Code.BAD_MESSAGE, "a form is expected")
        try:
            fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=16)
        except ValueError as error:
            raise Refusal(Code.BAD_MESSAGE, "the form is broken") from error
        return {name: values[-1] for name, values in fields.items()}

    async def show(self, request: web.Request) -> web.Response:
        """`GET /admin/login`: the button, if the link is good."""
        if self.session(request) is not None and "token" not in request.query:
            raise web.HTTPSeeOther("/admin")
        token = request.query.get("token")
        if token is None:
            return self._pages.answer("login.html", token=None, problem=None)
        problem = self._links.problem(token[:TOKEN_LIMIT])
        if problem is not None:
            return self._pages.answer("login.html", 403, token=None, problem=problem)
        return self._pages.answer("login.html", token=token, problem=None)

    async def press(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/login`: use the token up and open a session."""
        self._own(request)
        token = (await self.form(request)).get("token", "")
        if len(token) > TOKEN_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, "this is no token")
        problem = self._links.use(token)
        if problem is not None:
            log.warning("refused a login from %s: the link is %s", request.remote, problem)
            return self._pages.answer("login.html", 403, token=None, problem=problem)
        self._sessions.close(request.cookies.get(self._cookie))
        log.info("login by link from %s", request.remote)
        response = web.Response(status=303, headers={"Location": "/admin"})
        secret = self._sessions.open("link", "admin")
        response.set_cookie(
            self._cookie, secret, httponly=True, samesite="Strict", path="/", secure=True if self._options.tls else None
        )
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """`POST /admin/logout`"""
        self.writer(request, (await self.form(request)).get("csrf") or request.headers.get("X-CSRF-Token"))
        self._sessions.close(request.cookies.get(self._cookie))
        response = web.Response(status=303, headers={"Location": "/admin/login"})
        response.del_cookie(self._cookie, path="/")
        return response

    async def mint(self, request: web.Request) -> web.Response:
        """`POST /admin/login-link`: a fresh link for who can read the key in the data folder, on this machine."""
        if self._options.link_key is None or not is_local(request):
            raise web.HTTPNotFound
        if not self._has_key(request):
            raise web.HTTPUnauthorized
        url = self._site.base(request) / "admin/login" % {"token": self._links.mint()}
        return json_answer({"url": str(url), "expires_in": int(LINK_LIFE)}, 201)
