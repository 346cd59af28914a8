"""One accepted connection of the web door: aiohttp's HTTP protocol, with what it lacks added.

Rules of this file: only documented or overridable names of aiohttp's `RequestHandler` are used, except for `_waiter`
(what it waits on between requests), `_parser`, its `_messages` and `_message_tail`, `_manager`, `_task_handler`, and
the two methods that stop and start the transport's reading; and nothing here blocks.

- aiohttp has no deadline for a request's head: a peer that has begun one, or has sent nothing yet, is cut off after
  `header_deadline` seconds. Between two requests a connection is kept for `keepalive` seconds, longer than proxies keep
  theirs, or they would send a request into a closing connection; meanwhile it gives way to newcomers.
- The loop hands over up to 256 KiB at once, which may be 40,000 chunks. So they are handled in slices, one per turn of
  the loop, and a peer whose slice consisted of tiny pieces has to pause before its next one.
- Every byte passes a checker before aiohttp's parser, `StrictRequests`.
- aiohttp does not tell the reader of a body that it is malformed, so that is done here (`body`, `is_broken`).
- Errors in the request itself are answered here: aiohttp would log a traceback for each and name its version.
- An upgrade leaves aiohttp: the transport is handed over to the WebSocket's own protocol (`hand_over`). In aiohttp's
  handler each WebSocket had two tasks and five coroutines for as long as it was open. Where the upgrade is the first
  request of its connection and comes whole, as browsers' do, nothing of this file is made (`web.upgrade`).
- A stream's `socket` is told when there is room to write; what comes after the request is dropped unread.
- A client that stops reading an ordinary response is cut off after a while; streams may lag as long as they like.
- asyncio closes a connection at the peer's end of file, before the response is written. A client may shut down its side
  after its request (`nc -N`): it gets the response like any other, within HALF_CLOSED seconds.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

from aiohttp import StreamReader, web
from aiohttp.web_protocol import RequestHandler

from gateway import wording
from gateway.core.address import Networks, Remote
from gateway.web.http.client_address import Caller, ClientAddresses, Proxies
from gateway.web.http.strict_requests import BROKEN, HEADERS_LIMIT, StrictRequests
from gateway.web.http.timer_wheel import TimerWheel

SLICE = 4 * 1024
CRUMBS = 128
"""Lines in a slice from which its peer has to pause: 1 ms of work, and no browser sends so many."""
PAUSE = 0.1
NOTHING = memoryview(b"")
LINGERING = 2.0
HALF_CLOSED = 2.0
NEVER = 1e9
FAILED = b'{"error":{"code":"busy","text":"the gateway failed on this request"}}\n'
MALFORMED = b'{"error":{"code":"bad_message","text":"this is no valid HTTP request"}}\n'
TOO_LARGE = {
    414: b'{"error":{"code":"too_long","text":"the address is longer than 8,000 bytes"}}\n',
    431: b'{"error":{"code":"too_long","text":"the header is longer than 8 KiB in a line or 64 KiB in all; '
    b'if it is the cookies, delete those of this site"}}\n',
}

log = logging.getLogger("gateway.web")


class Streamed(Protocol):
    """The endless response on a connection (`web.streams.RoomStream`)."""

    def writable(self) -> None: ...
    def lost(self, problem: BaseException | None) -> None: ...


class Switching(web.StreamResponse):
    """The response of a handler to an upgrade: `switch` takes the connection over (`HttpConnection.hand_over`)."""

    def __init__(self, switch: Callable[[], None]) -> None:
        super().__init__(status=101)
        self.switch = switch


class HttpConnection(RequestHandler):
    """The protocol of one connection. `caller` is its peer, as the accepting side knows it; `socket` its stream. Its
    first head is to be complete at `head_by`, in the loop's time, and later ones within `header_deadline` seconds."""

    __slots__ = ("_addresses", "_backlog", "_cut_short", "_ended", "_head_deadline", "_in_head", "_next_slice",
                 "_stall", "_stopped", "_watch", "_wheel", "body", "caller", "slot", "socket")  # fmt: skip

    def __init__(
        self,
        server: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        caller: Caller,
        wheel: TimerWheel,
        head_by: float,
        header_deadline: float,
        answer_deadline: float,
        keepalive: float,
        addresses: ClientAddresses,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None is documented, the annotation is narrower
            keepalive_timeout=keepalive or NEVER,
            lingering_time=LINGERING,
            max_headers=HEADERS_LIMIT,
            auto_decompress=False,
        )
        self.caller = caller
        self.socket: Streamed | None = None
        self.body: StreamReader | None = None
        """The body that is being read."""
        self._cut_short: StreamReader | None = None
        """The body that was cut short because it broke a rule."""
        self.slot = -1
        self._ended = False
        self._watch = StrictRequests()
        self._backlog = NOTHING
        """Received bytes that wait for their slice; meanwhile the transport does not read."""
        self._next_slice: asyncio.Handle | None = None
        self._stopped = False
        """aiohttp has stopped reading for now."""
        self._wheel = wheel
        self._stall = answer_deadline
        self._head_deadline = header_deadline
        self._in_head = True
        """Whether a head has begun, or the first one has not."""
        self._addresses = addresses
        wheel.put(self, head_by)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection speaks HTTP. aiohttp would begin the task here, set a timer for each connection, and options
        of the socket that the acceptor has set."""
        self.transport = cast(asyncio.Transport, transport)
        if self._manager is not None:
            self._manager.connection_made(self, self.transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection has ended: tell its stream and the accepting side, once."""
        self._wheel.drop(self)
        if self._next_slice is not None:
            self._next_slice.cancel()
        super().connection_lost(exc)
        if self.socket is not None:
            self.socket.lost(exc)
            self.socket = None
        self._addresses.end(self.caller)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: handle them in slices."""
        if self.socket is not None:
            return
        if len(data) <= SLICE and not self._backlog:
            self._take(data)
            return
        self._backlog = memoryview(bytes(self._backlog) + data)
        if self._next_slice is None:
            super()._pause_transport_reading()
            self._slice()

    def _slice(self) -> None:
        """Handle one slice; the next one in another turn of the loop."""
        self._next_slice = None
        if self._stopped or self.transport is None or self.socket is not None:
            return
        before = self._watch.lines
        piece, self._backlog = bytes(self._backlog[:SLICE]), self._backlog[SLICE:] or NOTHING
        self._take(piece)
        if not self._backlog:
            if not self._stopped:
                super()._resume_transport_reading()
        elif self._watch.lines - before > CRUMBS:
            self._next_slice = self._loop.call_later(PAUSE, self._slice)
        else:
            self._next_slice = self._loop.call_soon(self._slice)

    def _take(self, data: bytes) -> None:
        """Give aiohttp what the rules for requests allow; for what they do not, bytes that its parser rejects."""
        watch = self._watch
        if watch.done:
            return  # a request that closes the connection was the last
        if watch.over and not watch.broken:
            super().data_received(data)
        elif not watch.broken:
            good = watch.feed(data)
            self._addresses.wake(self.caller)
            self._mind_the_head(watch.in_head)
            super().data_received(data[:good])
            if watch.broken:
                self._refuse_the_rest(watch)
            if self._task_handler is None and self._messages:
                self._task_handler = self._loop.create_task(self.start())

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        """Leave the connection to another protocol: return its transport, and what came behind the request. Raises
        ConnectionResetError if it has ended."""
        transport, early = self.transport, self._message_tail + bytes(self._backlog)
        if transport is None:
            raise ConnectionResetError
        self.drain_input()
        self._wheel.drop(self)
        self.keep_alive(False)
        if self._manager is not None:
            self._manager.connection_lost(self)
        self._message_tail = b""
        self._messages.clear()
        self._force_close = True  # the task, if there is one, ends with this request
        self.transport = self._parser = self._manager = None
        return transport, early

    def _mind_the_head(self, begun: bool) -> None:
        """Set the deadline of a head that has `begun` and is not complete; a stalled response's deadline goes first."""
        if begun is self._in_head:
            return
        self._in_head = begun
        if self.writing_paused or self._ended:
            return
        if begun:
            self._wheel.put(self, self._loop.time() + self._head_deadline)
        else:
            self._wheel.drop(self)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the response; if nothing of a next request has come by then, the connection rests."""
        if isinstance(resp, Switching):
            resp.switch()
            return resp, True
        finished = await super().finish_response(request, resp, start_time)
        transport, watch = self.transport, self._watch
        if transport is None or watch.in_head or self.socket is not None:
            return finished
        if not transport.is_closing() and not transport.get_write_buffer_size() and not self.caller.resting:
            self._addresses.rest(self.caller, transport.abort)
        return finished

    def _refuse_the_rest(self, watch: StrictRequests) -> None:
        """A rule was broken: in a body, perhaps one that is not read yet, or in the head of the next request."""
        if not watch.in_body:
            super().data_received(BROKEN)
        elif self.body is not None:
            self._cut_short = self.body
            self.body.feed_eof()

    def is_broken(self, request: web.Request) -> bool:
        """Whether the body of this request will never be complete."""
        whole = request.content.is_eof() and request.content is not self._cut_short
        return not whole and self._watch.broken

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered."""
        return self._task_handler is None or (self._waiter is not None and not self._waiter.done())

    @property
    def ended(self) -> bool:
        """Whether the peer had stopped sending before its request was answered."""
        return self._ended

    def drain_input(self) -> None:
        """Read and drop from now on. Requests that wait behind the one being answered would otherwise keep the
        transport from reading, and the peer's end would never be seen."""
        self._backlog = NOTHING
        self._stopped = False
        super()._resume_transport_reading()

    def _pause_transport_reading(self) -> None:
        if self.socket is not None:
            return
        self._stopped = True
        super()._pause_transport_reading()

    def _resume_transport_reading(self) -> None:
        self._stopped = False
        if not self._backlog:
            super()._resume_transport_reading()
        elif self._next_slice is None:
            self._next_slice = self._loop.call_soon(self._slice)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio reads the answer, aiohttp gives none
        """The peer has stopped sending. Return True to keep the connection for the response."""
        if self.socket is not None or self._idle:
            return None
        self._ended = True
        self.close()
        self._wheel.put(self, self._loop.time() + HALF_CLOSED)
        return True

    def put(self, data: bytes) -> None:
        """Write `data` to a peer that may be gone; a connection that cannot be written to is closed."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        try:
            transport.write(data)
        except Exception as problem:
            log.debug(wording.LOG_WEB_UNWRITABLE, problem)
            transport.abort()

    def pause_writing(self) -> None:
        """The write buffer is full. A client that does not take an HTTP response in time is cut off."""
        super().pause_writing()
        if self.socket is None and not self._ended:
            self._wheel.put(self, self._loop.time() + self._stall)

    def resume_writing(self) -> None:
        """The write buffer has room again."""
        super().resume_writing()
        if self.socket is not None:
            self.socket.writable()
        elif self._in_head and not self._ended:
            self._wheel.put(self, self._loop.time() + self._head_deadline)
        elif not self._ended:
            self._wheel.drop(self)

    def due(self, now: float, late: float) -> float | None:
        """A deadline has passed: of a response that was not taken, or not given to a half-closed peer, or of a head. A
        head that follows a request has time until that one is answered."""
        if self.socket is not None or self.transport is None:
            return None
        if self.writing_paused or self._ended:
            self.transport.abort()
        elif self._in_head and self._idle:
            self.force_close()
        elif self._in_head:
            return now + self._head_deadline
        return None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Respond to what aiohttp could not parse (400), or what no handler caught (500); then close."""
        if isinstance(exc, OSError) and (self.transport is None or self.transport.is_closing()):
            raise ConnectionError("the peer has gone") from exc
        if status >= 500:
            log.error(wording.LOG_REQUEST_FAILED, type(exc).__name__, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("half an answer is out already")
        too_large = self._watch.too_large if status == 400 else 0
        status = too_large or status
        body = FAILED if status >= 500 else TOO_LARGE.get(too_large, MALFORMED)
        response = web.Response(status=status, body=body, content_type="application/json")
        response.headers["Server"] = "gateway"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.force_close()
        return response


def caller_of(request: web.BaseRequest) -> Caller:
    """The caller of the connection of a request; a direct one if it is not a connection of this class."""
    peer = request.protocol
    if isinstance(peer, HttpConnection):
        return peer.caller
    return Caller(Remote(request.remote or ""), Proxies(Networks()), False)


def remote_of(request: web.Request) -> Remote:
    """The sender of a request, and the trusted proxy that reported it."""
    return caller_of(request).sender(request)


def peer_address(request: web.Request) -> str:
    """The address of a request's sender, for limits, bans and logs. Never `request.remote`, which may be a proxy's."""
    return remote_of(request).address


def is_secure(request: web.Request, tls: bool) -> bool:
    """Whether the sender uses TLS, with us (`tls`) or with the proxy before us."""
    return tls or caller_of(request).scheme(request) == "https"
