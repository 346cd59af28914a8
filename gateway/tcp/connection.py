"""One terminal's connection: bytes from its socket to lines for the hub, and the hub's bytes to its socket.

Life of a connection: it reads until the peer's end of file; what was read is handled line by line, at most
LINES_PER_TURN at once and only while the session takes input; then it stays until the hub says that everything owed has
gone out. Closing takes three steps, because closing a socket with unread input makes the kernel send a reset, which can
destroy our last words: write them, shut down our side, then read and drop what still comes, for LINGER at most.

A failed write does not end a connection: the peer's last lines may still be readable (`nc -q0` resets us while we
greet it). From then on writes are dropped and reading goes on to the end. A line without its end counts at end of file,
but not after a reset: it may have been cut.

A peer that has closed both ways answers what we write with a reset, which throws away what it had sent and we had no
room for. So while a session takes no input we read ahead (`tcp.lines.ReadAhead`), and a peer that sends before it is
greeted, or several lines at once, is heard out: nothing is written to it until it has paused (`tcp.lines.pause_of`) or
ended; at most for HEAR_OUT_SECONDS, not while its input waits for our output, and not where there is no rate.
"""

import errno
import logging
import socket
from functools import partial
from typing import Protocol

from gateway import wording
from gateway.core.address import host_and_port
from gateway.core.clock import Delay
from gateway.core.doors.terminal import Terminals, reached_at
from gateway.core.hub import Hub
from gateway.core.ports.transport import Arrival, Kernel, Traits
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.line_style import UNSET
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import Lines
from gateway.tcp.lines import PAUSE_SECONDS, SHORT_PAUSE_SECONDS, LineBuffer, ReadAhead, TooLong, pause_of
from gateway.tcp.server import READ, WRITE, OwnKey, Server
from gateway.tcp.tcp_info import kernel_of, local_end
from gateway.tcp.telnet.parser import Telnet
from gateway.tcp.telnet.telnet_session import TelnetSession
from gateway.tcp.wrong_door import answer_to, is_chat, opened, undecided, without_mark

log = logging.getLogger(__name__)

RECEIVE_BYTES = 65536
RECEIVE_TELNET_BYTES = 4096  # commands and keys cost more a byte than text: up to 40 ms for so many
LINES_PER_TURN = 64
CLOCK_GRAIN = 0.002  # seconds by which a timer may come before its time
HEAR_OUT_SECONDS = 30.0  # a relay may be over its rate for ever
ENTER_SECONDS = 0.2  # a CR that nothing follows for so long was Enter (socat, a modem); how long a second line may take
LINGER = 2.0  # seconds that a closing connection may take to read our last words
EXPELLED = {CloseReason.KICKED, CloseReason.BANNED}
EXPELLED_LINGER = 0.9  # for a peer that must be gone within a second, whether it reads or not


class Shared(Protocol):
    """What all connections of one door share (`tcp.door`)."""

    door: Door
    server: Server
    hub: Hub
    terminals: Terminals
    wire: Lines
    nothing_ahead: ReadAhead
    first_pauses: "Delay[Connection]"

    def gone(self, connection: "Connection") -> None: ...


class Connection(OwnKey):
    """A `core.ports.transport.Transport` over one non-blocking socket."""

    __slots__ = ("_ahead", "_broken", "_ended", "_first", "_hearing_since", "_last_words", "_lost", "_queue", "_shut",
                 "_telnet", "_turn_asked", "closed", "door", "lines", "session")  # fmt: skip
    ends_silently = True  # without close_notify (tcp.tls_connection)

    def __init__(self, door: Shared, sock: socket.socket, arrival: Arrival) -> None:
        super().__init__(sock)
        self.door, self.lines = door, LineBuffer()
        self._queue: list[bytes | TooLong] | None = None  # lines that the session does not take yet, the next one last
        self._ahead = door.nothing_ahead  # what came behind those lines
        self._hearing_since: float | None = None  # monotonic: the peer is heard out, and nothing is written to it
        self._telnet: TelnetSession | None = None  # what stands between bytes and lines, if anything
        self._first: bytes | None = b""  # while it may still be another protocol; None once that is decided
        self._ended = self._broken = self._lost = self._shut = self._turn_asked = self.closed = False
        """The peer has stopped sending; sending to it has failed; it was reset or is dead; our side is shut down."""
        self._last_words: bytes | None = None  # set once we are closing: what is still to be written
        local = None if arrival.proxy is not None else (local_end(sock) or (None, 0))[0]
        self.session = door.terminals.connect(self, door.wire, arrival, local)
        if door.door is Door.TELNET:
            self._telnet = TelnetSession(self)
            self._telnet.begin()
        self._watch(READ)

    def send(self, data: bytes) -> int:
        """See `core.ports.transport.Transport`."""
        if self._broken or self.closed:
            return len(data)
        if self._hearing_since is not None and self._last_words is None and not self.session.choked:
            return 0  # `look_for_pause` pumps
        return self.transmit(data) if self._telnet is None else self._telnet.send(data)

    def transmit(self, data: bytes) -> int:
        """Write to the socket, past the telnet session; the bytes it took. Later it is asked for more, then the hub."""
        if self._broken or self.closed:
            return len(data)
        try:
            taken = self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError as problem:
            self._break(problem)
            return len(data)
        if taken < len(data):
            self._watch(self.events | WRITE)
        return taken

    def resume(self) -> None:
        """See `core.ports.transport.Transport`: soon, and once however often it is asked for."""
        if not self._turn_asked:
            self._turn_asked = True
            self.door.server.later(0, self._next_turn)

    def close(self, closing: CloseReason, words: str) -> None:
        """See `core.ports.transport.Transport`. What the session is still owed is written first."""
        linger = EXPELLED_LINGER if closing in EXPELLED else LINGER
        silent = self.ends_silently and not self.session.owed and self._telnet is None
        done = self._ended and self.session.closed and silent
        self.finish() if done else self.say_last(self.session.owed, linger)

    def kernel(self) -> Kernel | None:
        """See `core.ports.transport.Transport`."""
        return None if self.closed else kernel_of(self.sock)

    def traits(self) -> Traits:
        """See `core.ports.transport.Transport`."""
        traits = Traits(local=None if (local := local_end(self.sock)) is None else host_and_port(*local))
        return traits if self._telnet is None else self._telnet.add_to(traits)

    def say_last(self, words: bytes, linger: float = LINGER) -> None:
        """Write `words`, shut down our side, read until the peer's end, then close."""
        if self._last_words is None and not self.closed:
            self._last_words = words if self._telnet is None else self._telnet.last_words(words)
            self._drop_input()
            self._writable()
            self._watch((0 if self._ended else READ) | (0 if self._shut else WRITE))
            if not (self._ended and self._shut):
                self.door.server.later(linger, self.finish)

    def finish(self) -> None:
        """Close the socket now."""
        if not self.closed:
            self._watch(0)
            self._drop_input()
            self.closed = True
            self.sock.close()
            self.door.gone(self)

    def ready(self, mask: int) -> None:
        """The selector's callback. A failure here ends this connection only."""
        try:
            if mask & WRITE and self.events & WRITE:
                self._writable()
            if mask & READ and self.events & READ:
                self._readable()
        except Exception:
            self._failed()

    __call__ = ready

    def _writable(self) -> None:
        if self._last_words is None:
            self._watch(self.events & ~WRITE)
            if self._telnet is None or self._telnet.drain():
                self.pump()
        elif not self._shut:
            self._last_words = self._last_words[self.transmit(self._last_words) :] if self._last_words else b""
            if not self._last_words:
                self._shut_down()

    def _shut_down(self) -> None:
        self._shut = True
        self._watch(self.events & ~WRITE)
        try:
            if not self._ended:
                self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._broken = True
        if self._ended and self.session.closed:
            self.finish()
        elif self._ended or self._broken:
            self.door.server.later(0, self.finish)  # not at once: the hub must not be called while it closes us

    def _readable(self) -> None:
        if self.session.held and not self._ahead.has_room:  # others may have taken the room since it was watched
            self._watch(self.events & ~READ)
            return
        try:
            data = self.sock.recv(RECEIVE_BYTES if self._telnet is None else RECEIVE_TELNET_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as problem:
            data = b""
            self._break(problem)
            self._forget_half_line()
        if not data:
            self._end_of_input()
        elif self._last_words is None:
            self._heard(data)

    def _end_of_input(self) -> None:
        self._ended = True
        self._watch(self.events & ~READ)
        if self._last_words is not None:
            if self._shut:
                self.finish()
            return
        if self._first:
            if self._knocks_at_wrong_door(self._first + b"\n"):
                return
            self._receive(without_mark(self._first))
        self.session.end_input()
        self._heard_out()
        done = self._telnet is None and not self.session.held and not self._waiting()
        self._last_line() if done else self._take_turn()

    def _heard(self, data: bytes) -> None:
        self.session.received(len(data))
        first = None if self._first is None else self._first + data
        chat = first is None or is_chat(first)
        undecided_yet = first is not None and not chat and undecided(first)
        if undecided_yet or data.endswith(b"\r"):
            self.door.server.later(ENTER_SECONDS, partial(self._unfollowed, self.session.bytes_in))
        if self.session.tap is not None:
            self.session.tap.heard(data)
        script = not self.session.greeted or data.find(b"\n", 0, -1) >= 0
        self.door.terminals.heard(self.session)
        if script and self._hearing_since is None and self.door.hub.rate_limit.rate:
            self._hearing_since = self.session.last_input
            self.door.first_pauses.add(self)
        if first is not None:
            self._first = first
            if undecided_yet and (self._telnet is None or b"\xff" not in first[1:]):
                if not first.startswith(b"\xff"):
                    self.door.terminals.spoke(self.session)
                return
            if not chat and self._knocks_at_wrong_door(first):
                return
            data, self._first = first if chat else without_mark(first), None
        if self._waiting():
            self._ahead = self._ahead.add(data)
        else:
            self._receive(data)
        self._take_turn()

    def _unfollowed(self, seen: int) -> None:
        """If nothing has followed these bytes: a CR was Enter (an LF that comes after all ends an empty line), and a
        first line that a second one might have explained is chat."""
        reading = not self._ended and not self.closed and self._last_words is None and self.session.bytes_in == seen
        if reading and (self._first or self.lines.last_byte).endswith(b"\r"):
            self._heard(b"\n")
        elif reading and self._first and opened(self._first):
            first, self._first = without_mark(self._first), None
            self._receive(first)
            self._take_turn()

    def _knocks_at_wrong_door(self, first: bytes) -> bool:
        """Close a peer whose first bytes are another protocol's, with the fitting words; return whether that was so."""
        answer = answer_to(first, lambda: self.door.terminals.greeting.ways_in.page(reached_at(self.session)))
        if answer is not None:
            self.door.hub.disconnect(self.session, CloseReason.WRONG_DOOR)
            self.say_last(answer)
        return answer is not None

    def _break(self, problem: OSError) -> None:
        """Sending has failed. EPIPE: the peer had announced that in order, by its end of file."""
        self._broken, self._lost = True, self._lost or problem.errno != errno.EPIPE

    def _forget_half_line(self) -> None:
        """The connection was reset: drop the unfinished line, which may have been cut."""
        self._ahead.cut_half_line()
        if not self._ahead:
            self._first = None
            self.lines.rest()
            if self._telnet is not None:
                self._telnet.rest()

    def _receive(self, data: bytes) -> None:
        plain = self._telnet is None and data.find(b"\xff") < 0
        self.receive_text(data) if plain else self._with_telnet().receive(data)

    def _with_telnet(self) -> TelnetSession:
        if self._telnet is None:
            self._telnet = TelnetSession(self, Telnet(before=self.lines.last_byte))
        return self._telnet

    def receive_text(self, text: bytes) -> None:
        """Take text from which telnet has been removed; of a peer in the line editor, whole lines."""
        if text and not self.session.greeted:
            self.door.terminals.spoke(self.session)
        self.lines.feed(text)

    def pump(self) -> None:  # see `Line`
        if self.session.blocked:
            self.door.hub.pump(self.session)

    def greet(self) -> None:  # see `Line`
        self.door.terminals.greet(self.session)

    def _waiting(self) -> bool:  # input that the session has not taken
        return self._queue is not None or self._ahead.held is not None or self.lines.pending()

    def _receive_from_ahead(self) -> None:
        """The next chunk of what was read ahead; after all of it, what a command cut short by the end was."""
        if self._ahead:
            self._receive(self._ahead.take(RECEIVE_TELNET_BYTES))
        elif self._ended and self._telnet is not None:
            self.receive_text(self._telnet.rest())

    def _drop_input(self) -> None:
        self._queue = None
        self._ahead.drop()

    def look_for_pause(self) -> None:
        """Write to the peer again if it has paused, or been heard out for long; else look again later."""
        if self._hearing_since is None or self.closed:
            return
        now = self.door.hub.clock.now()
        left = self.session.last_input + pause_of(self.session.bytes_in, self._waiting()) - now
        enough = (self.events & READ and left <= CLOCK_GRAIN) or now - self._hearing_since >= HEAR_OUT_SECONDS
        if enough or self.session.choked or not self.door.hub.rate_limit.rate:
            self._heard_out()
        else:
            self.door.server.later(min(max(left, SHORT_PAUSE_SECONDS), PAUSE_SECONDS), self.look_for_pause)

    def _heard_out(self) -> None:
        if self._hearing_since is not None:
            self._hearing_since = None
            self.pump()

    def _take_turn(self) -> None:
        """Hand the session at most LINES_PER_TURN lines, as long as it takes them."""
        session = self.session
        if self._last_words is not None or session.closed:
            return
        terminals, queue = self.door.terminals, self._queue
        if queue is None:
            if not self.lines.pending():
                self._receive_from_ahead()
            queue = self.lines.take(LINES_PER_TURN)
            said = terminals.lines(session, LineBuffer.whole(queue)) if len(queue) > 1 and not session.held else 0
            queue = queue[said:][::-1]
        while queue and not session.held and not session.closed:
            line = queue.pop()
            if isinstance(line, TooLong):
                terminals.too_long(session, line.text, line.ends)
            else:
                terminals.line(session, line)
        self._queue, self.lines.in_pieces = queue or None, terminals.pastes(session)
        if session.closed:
            return
        if self._telnet is not None or session.preferences is not UNSET:
            self._with_telnet().after_lines()
        waiting = self._waiting()
        if not self._ended:
            reads = self._ahead.has_room if session.held else not waiting
            self._watch(self.events | READ if reads else self.events & ~READ)
        if waiting and not session.held:
            self.resume()
        elif self._ended and not session.held:
            self._last_line()

    def _last_line(self) -> None:
        if (rest := self.lines.rest()) is not None:
            self.door.terminals.line(self.session, rest)
        self.door.terminals.half_closed(self.session)
        if not self.session.closed and not self.session.held:
            self.door.hub.half_closed(self.session, CloseReason.LOST if self._lost else CloseReason.LEFT)

    def _next_turn(self) -> None:
        self._turn_asked = False
        try:
            self._take_turn()
        except Exception:
            self._failed()

    def _failed(self) -> None:
        log.exception(wording.LOG_CONNECTION_FAILED, self.session.id, self.session.address)
        self.door.hub.disconnect(self.session, CloseReason.FAILED)
        self.finish()

    def _watch(self, events: int) -> None:
        """Register for events. Never raises: it is called within the hub's tick, which serves all other peers too."""
        if events != self.events and not self.closed:
            self.events = events
            try:
                self.door.server.watch(self.sock, events, self)
            except (OSError, ValueError, KeyError) as problem:  # descriptor gone, or no kernel memory
                log.warning(wording.LOG_CANNOT_WATCH, self.session.id, self.session.address, problem)
                self._broken = self._lost = True
                self.door.server.later(0, self.finish)
