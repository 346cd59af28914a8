"""The web door as a whole: its routes, what every request passes, and its start and stop.

It does not listen: the acceptor hands each connection to `arrived`, so that limits, addresses and running out of
descriptors are handled in one place for all doors.
"""

import asyncio
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

from aiohttp import web
from aiohttp.http import RawRequestMessage
from msgspec import UNSET
from yarl import URL

from gateway import wording
from gateway.accounts.authenticator import Authenticator
from gateway.core.address import Networks, Remote
from gateway.core.doors.browser import BrowserDoor
from gateway.core.doors.terminal import Terminals
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.ports.cluster import LinkMinted, LinkUsed
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import Refusal
from gateway.login_link import LoginLinks
from gateway.tls import TlsSession
from gateway.web.admin.authorize import Login
from gateway.web.admin.bulk import BulkEndpoints
from gateway.web.admin.login import LoginPage, SessionEndpoints
from gateway.web.admin.maintenance import MaintenanceEndpoints
from gateway.web.admin.moderation import ModerationEndpoints
from gateway.web.admin.pages import AdminForms, AdminFrame, Dashboard, ListPages
from gateway.web.admin.series import SeriesEndpoints
from gateway.web.admin.sessions import AdminSessions
from gateway.web.admin.summary import SummaryEndpoints
from gateway.web.admin.watch import WatchEndpoints
from gateway.web.dispatch import Routes
from gateway.web.docs import ApiDocument, DocsPage
from gateway.web.endpoints import ENDPOINTS, TABLE
from gateway.web.http.client_address import AddressCounts, Caller, ClientAddresses, Proxies, check_open
from gateway.web.http.origin_policy import OriginPolicy
from gateway.web.http.protocol import HttpConnection, caller_of, remote_of
from gateway.web.http.reject import refusal
from gateway.web.http.request import check_body, check_encoding
from gateway.web.http.response_headers import ResponseHeaders
from gateway.web.http.responses import Responses
from gateway.web.http.strict_requests import Head, check_upgrade
from gateway.web.http.timer_wheel import TimerWheel
from gateway.web.http.tls_transport import TlsLayer
from gateway.web.monitoring import Monitoring
from gateway.web.room_log import RoomDownload
from gateway.web.rooms import PAGE_DATA, ChatPage, MessageDoor, RoomDoor
from gateway.web.settings import WebOptions
from gateway.web.static_files import Assets, Pages
from gateway.web.streams import Streams
from gateway.web.tables.ask_nodes import Survey
from gateway.web.tables.connections import ConnectionDetails, ConnectionEndpoints, MergedTable
from gateway.web.tables.rooms import RoomEndpoints, RoomTable
from gateway.web.tables.snapshots import ConnectionTable
from gateway.web.upgrade import SOCKET_PATH, FirstRequest, FirstRequests, WebSockets
from gateway.web.websocket import SocketParts

GRAIN = 1.0
GRAINS_A_DEADLINE = 8
OPEN_TO_ALL = frozenset(("/healthz", "/readyz"))
CHAT = frozenset(("/", "/rooms"))
"""Refused like the rooms while newcomers are rejected."""

BEGUN = web.RequestKey("begun", bool)
"""Set on a request whose response has begun."""

log = logging.getLogger("gateway.web")


def links_of(hub: Hub) -> LoginLinks:
    """The one-time links, which all nodes of the gateway know."""
    cluster = hub.cluster
    links = LoginLinks(
        hub.clock.trusted.seconds,
        lambda digest: cluster.tell(LinkMinted(digest)),
        lambda digest: cluster.tell(LinkUsed(digest)),
    )
    cluster.hear(LinkMinted, lambda link: links.know(link.digest))
    cluster.hear(LinkUsed, lambda link: links.used_up(link.digest))
    return links


class WebDoor:
    """The web door. `admission` counts connections, `links` mints login links."""

    door = Door.WEB

    def __init__(
        self,
        hub: Hub,
        operators: Operators,
        terminals: Terminals,
        requests: BrowserDoor,
        options: WebOptions,
        authenticator: Authenticator,
        *,
        admission: AddressCounts,
    ) -> None:
        loop = asyncio.get_running_loop()
        deadlines = (options.hello_deadline, options.ping_every, options.pong_within, options.answer_deadline)
        assets = Assets(options.static, PAGE_DATA)
        pages = Pages(options.templates, assets, options.base_path)
        self.links = links_of(hub)
        self._hub = hub
        self._loop = loop
        self._options = options
        self._proxies = Proxies(Networks(options.trusted_proxies))
        self._addresses = ClientAddresses(hub, admission, self._proxies)
        self._route: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
        self._wheel = TimerWheel(loop, min(GRAIN, *(deadline / GRAINS_A_DEADLINE for deadline in deadlines)))
        self._site = OriginPolicy(options.hosts, options.origins, options.tls, options.base_path)
        self._headers = ResponseHeaders(self._site, options.tls, options.hsts)
        self._answers = Responses(pages)
        shared = SocketParts(hub, terminals, requests, self._wheel, options, self._addresses)
        self._sockets = WebSockets(shared, self._check_socket, self._sorry)
        sessions = self.logins = AdminSessions(
            hub.clock.trusted.seconds, hub.journal.ledger, authenticator.proof, hub.cluster
        )
        login = Login(sessions, authenticator, operators.audit, self._site, options)
        self._streams = Streams(hub, terminals.greeting, options, self._wheel)
        app = web.Application()
        app.on_response_prepare.append(self._add_headers)
        app.on_shutdown.append(self._close_the_silent)
        routes, parts = (
            Routes(login, operators.audit, options),
            self._parts(hub, operators, login, sessions, authenticator, pages, assets),
        )
        for owner, rows in (each for table in TABLE for each in table.items()):
            app.add_routes([routes.of(row, parts[owner]) for row in rows])
        self._app = app
        # Longer than a farewell: aiohttp logs a traceback for a handler that ends when it has just stopped waiting.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.5 * options.closing)
        self._first = FirstRequests(self._addresses, options.header_deadline, self._sockets.upgrade, self._http)
        self._adopting: dict[Caller, asyncio.Task[None]] = {}

    def reload(self, hosts: Sequence[str], origins: Sequence[str], trusted_proxies: Sequence[str]) -> None:
        """Use these from now on, in place of those of the options."""
        self._site.know(hosts, origins)
        self._proxies.trusted = Networks(trusted_proxies)

    def _parts(
        self,
        hub: Hub,
        operators: Operators,
        login: Login,
        sessions: AdminSessions,
        authenticator: Authenticator,
        pages: Pages,
        assets: Assets,
    ) -> dict[type, object]:
        """The handlers of all endpoints, by class."""
        options, site, clock = self._options, self._site, hub.clock.now
        survey = Survey(hub.cluster)
        node = (lambda: UNSET) if survey.alone else (lambda: survey.label)
        own = ConnectionTable(hub, clock, lambda session: hub.mutes.on(session) is not None, node)
        table = MergedTable(hub, own, survey)
        rooms = RoomTable(hub, clock, survey)
        summary = SummaryEndpoints(hub, operators, options, survey)
        session_list = SessionEndpoints(login, sessions, operators.audit, hub.clock.wall)
        moderation = ModerationEndpoints(hub, operators, table)
        maintenance = MaintenanceEndpoints(hub, operators, survey)
        frame = AdminFrame(authenticator, session_list, summary, site, pages)
        parts: tuple[object, ...] = (
            assets,
            self._streams,
            self._sockets,
            RoomDoor(hub, options),
            MessageDoor(hub, operators, login, options),
            RoomDownload(hub),
            ChatPage(pages, site, options),
            DocsPage(pages, site, options, ENDPOINTS),
            ApiDocument(options, ENDPOINTS),
            LoginPage(login, self.links, sessions, authenticator, operators.audit, site, pages, options),
            session_list,
            summary,
            SeriesEndpoints(hub, survey),
            moderation,
            maintenance,
            BulkEndpoints(operators, table, survey),
            ConnectionEndpoints(table, ConnectionDetails(hub, own), survey),
            RoomEndpoints(rooms),
            WatchEndpoints(hub, login, operators.watching, allowed=options.watch),
            Monitoring(hub, options, survey),
            Dashboard(table, maintenance, frame, site, options, survey),
            ListPages(frame, rooms, moderation, session_list, survey),
            AdminForms(moderation, session_list, options),
        )
        return {type(part): part for part in parts}

    async def start(self) -> None:
        """Start serving: connections may arrive from now on."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        self._route = server.request_handler
        server.request_handler = self._handler
        if self._options.base_path:
            server.request_factory = below(self._options.base_path, server.request_factory)

    def arrived(self, sock: socket.socket, remote: Remote) -> None:
        """Serve an accepted, non-blocking connection (with its options set) that was admitted; it belongs to the web
        door from now on, which undoes the counting when it ends."""
        self._take(sock, self._addresses.begin(remote), None)

    def arrived_by_tls(self, sock: socket.socket, tls: TlsSession, remote: Remote) -> None:
        """The same for one that has completed its handshake."""
        self._take(sock, self._addresses.begin(remote), tls)

    def withdrawn(self, remote: Remote) -> None:
        """A connection that was admitted has ended before it arrived."""
        self._addresses.withdraw(remote)

    def _take(self, sock: socket.socket, caller: Caller, tls: TlsSession | None) -> None:
        self._adopting[caller] = self._loop.create_task(self._adopt(sock, caller, tls))

    def forwards(self, address: str) -> bool:
        """Whether this is a trusted proxy, which tells its clients' addresses in the requests."""
        return address in self._proxies.trusted

    def admit(self, remote: Remote) -> tuple[CloseReason, str] | None:
        """Count a newcomer by its address, or return why it is rejected."""
        return self._addresses.admit(remote)

    def denial(self, first: bytes, last: bool, closing: CloseReason, words: str) -> bytes | None:
        """What a rejected peer is sent (`web.http.reject`)."""
        return refusal(first, last, closing, words, self._site.shared_with)

    async def _adopt(self, sock: socket.socket, caller: Caller, tls: TlsSession | None) -> None:
        def protocol() -> asyncio.Protocol:
            first = FirstRequest(self._first, caller)
            return first if tls is None else TlsLayer(tls, first)

        try:
            await self._loop.connect_accepted_socket(protocol, sock)
        except OSError as error:
            log.debug(wording.LOG_GONE_BEFORE, caller.remote.address, error)
            sock.close()
            self._addresses.end(caller)
        finally:
            del self._adopting[caller]

    def _http(self, caller: Caller, head_by: float) -> HttpConnection:
        """The protocol of a connection that speaks HTTP (see `FirstRequests`)."""
        server = self._runner.server
        assert server is not None, "the first requests are closed before it is"
        return HttpConnection(
            server,
            loop=self._loop,
            caller=caller,
            wheel=self._wheel,
            head_by=head_by,
            header_deadline=self._options.header_deadline,
            answer_deadline=self._options.answer_deadline,
            keepalive=self._options.keepalive,
            addresses=self._addresses,
        )

    async def stop(self) -> None:
        """Close the WebSockets that are left with a farewell, finish requests, and close every connection."""
        self._sockets.close(CloseReason.GOING_AWAY, wording.STOPPING)
        self._streams.close(CloseReason.GOING_AWAY, wording.STOPPING)
        deadline = self._loop.time() + 1.5 * self._options.closing
        while self._sockets.any and self._loop.time() < deadline:
            await asyncio.sleep(self._options.closing / 20)
        self._sockets.abort()
        await self._runner.cleanup()
        self._wheel.stop()

    async def _close_the_silent(self, app: web.Application) -> None:
        """What aiohttp does then with its idle connections."""
        self._first.close()

    def _handler(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """The handler of every request. What `_guard` does for the others, `_check_socket` does for an upgrade: by its
        handler, and where there is none (`WebSockets.upgrade`)."""
        assert isinstance(request, web.Request)
        if request.path == SOCKET_PATH and request.method == "GET":
            return self._route(request)
        return self._guard(request)

    async def _guard(self, request: web.Request) -> web.StreamResponse:
        """Check every request's Host and Origin, and turn errors into responses."""
        counted = None
        try:
            counted = self._addresses.come(caller_of(request), request)
            if request.path not in OPEN_TO_ALL:
                self._site.admit(request)
            check_encoding(request)
            check_body(request)
            preflight = self._site.preflight(request)
            if preflight is not None:
                return self._outside(request, preflight)
            if request.path in CHAT or request.path.startswith("/r/"):
                check_open(self._hub, remote_of(request))
            response = await self._route(request)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as problem:
            if isinstance(problem, OSError) and (request.transport is None or request.transport.is_closing()):
                raise ConnectionResetError from problem  # there is no route to the peer any more, or the like
            if BEGUN in request:
                _cut(request, problem)
            if isinstance(problem, web.HTTPException) and problem.status < 400:
                raise
            if isinstance(problem, web.HTTPNotFound) and (place := await self._without_slash(request)):
                return self._outside(request, web.Response(status=308, headers={"Location": self._options.at(place)}))
            return self._sorry(request, problem)
        finally:
            self._addresses.go(counted)
        if "Upgrade" in request.headers:
            response.force_close()  # what follows has not been checked
        return response

    def _check_socket(self, head: Head) -> None:
        """Raise Refusal or HTTPException for an upgrade that is refused."""
        self._site.admit(head)
        check_upgrade(head)
        self._site.check_socket(head)

    def _sorry(self, request: web.Request, problem: Exception) -> web.StreamResponse:
        """The response to an error."""
        if isinstance(problem, Refusal):
            response = self._answers.refused(request, problem)
        elif isinstance(problem, web.HTTPException):
            response = self._answers.failed(request, problem)
        else:
            log.error(wording.LOG_REQUEST_FOR_FAILED, request.raw_path[:100], exc_info=problem)
            response = self._answers.error(request, 500, "busy", wording.REQUEST_FAILED)
        return self._outside(request, response)

    async def _without_slash(self, request: web.Request) -> str | None:
        """The path without its trailing slash, if only that is served, else None. It stays on this host, so it begins
        with exactly one slash and no backslash."""
        path, mark, query = request.raw_path.partition("?")
        bare = path.rstrip("/")
        if bare == path or not bare.startswith("/") or bare.startswith(("//", "/\\")):
            return None
        found = await self._app.router.resolve(request.clone(rel_url=URL(bare, encoded=True)))
        return None if isinstance(found.http_exception, web.HTTPNotFound) else bare + mark + query

    def _outside(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """A response that no route has made, with the headers of all others."""
        if "Upgrade" in request.headers or request.path == SOCKET_PATH or not request.content.is_eof():
            response.force_close()  # what follows a refused upgrade or an unread body is not a request
        self._headers.add(request, response)  # before a route is found, aiohttp does not call `_add_headers`
        response.headers["Server"] = "gateway"
        return response

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        request[BEGUN] = True
        self._headers.add(request, response)


RequestFactory = Callable[..., web.BaseRequest]


def below(base_path: str, factory: RequestFactory) -> RequestFactory:
    """Makes requests that have the base path lose it, so that nothing behind here knows of it. Some proxies take it off
    themselves, so requests without it are as good."""
    spelling = re.compile(rf"(https?://[^/?]*)?{re.escape(base_path)}(?=[/?]|\Z)")

    def make(message: RawRequestMessage, *more: Any, **named: Any) -> web.BaseRequest:
        found = spelling.match(message.path)
        if found is not None:
            rest = message.path[found.end() :]
            path, url = f"{found[1] or ''}{rest if rest[:1] == '/' else f'/{rest}'}", message.url
            bare = url.raw_path.removeprefix(base_path) or "/"
            message = message._replace(path=path, url=url.with_path(bare, encoded=True, keep_query=True))
        return factory(message, *more, **named)

    return make


def _cut(request: web.Request, problem: Exception) -> NoReturn:
    """Close the connection of a response that fails halfway: a second head would be read as part of it, and the client
    would wait for an end that does not come."""
    log.error(wording.LOG_ANSWER_FAILED, request.raw_path[:100], exc_info=problem)
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError from problem
