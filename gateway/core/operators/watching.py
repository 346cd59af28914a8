"""Watching one connection live, for an admin and WATCH_SECONDS: on the dashboard (`web.admin.watch`), or by /watch as
lines of a terminal.

- Off unless `admin.watch` is on. The beginning and the end of each watch are audited. Passwords, tokens and codes are
  covered (`core.sessions.trace`).
- What the watcher's own connection cannot take is dropped, never queued, and the watcher is told how much.
- Whoever watches as lines is not watched: every line shown to them would be another one to show.
- A connection of another node is watched by that node, which hands over what it sees (`core.operators.watch_relay`).
"""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.operators.audit import Audit
from gateway.core.operators.watch_relay import Dropped, LiveWatch, Over, Seen, SeenSince, WatchRelay
from gateway.core.protocol.events import Notice
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.core.sessions.session import OWED_BYTES, Session
from gateway.core.sessions.trace import Trace, Typed, request_without_secrets, visible, without_secrets
from gateway.errors import Code, Refusal

WATCH_SECONDS = 600.0
LOOK_SECONDS = 0.5
"""Seconds between two checks that the connection is still open and its watcher still an admin."""
SHOW_SECONDS = 0.1
"""Seconds for which what is seen is gathered before it is shown as lines."""
WATCHERS = 16
KEPT = 500
KEPT_CHARS = 256 * 1024
EVENT_BYTES = 4096
TELNET_DOORS = (Door.TCP, Door.TELNET)
MARKS = {"in": ">", "out": "<"}
"""As in diffs of traffic: what the peer sends, and what it gets."""


class Watch:
    """What was seen of one connection and has not been taken yet; `news` is called when there is something. `why` says
    why a session has closed."""

    def __init__(
        self, session: Session, wall: Callable[[], int], news: Callable[[], object], why: Callable[[Session], Over]
    ) -> None:
        self.session = session
        self.id, self.nick = session.id, session.nick
        self._news = news
        self._wall = wall
        self._why = why
        self._typed = Typed()
        self._events: deque[tuple[str, Seen]] = deque()
        self._chars = 0
        self._dropped = 0
        self._tap = Trace(session, self._seen)

    def end(self, reason: str) -> bool:
        """As `LiveWatch.end`."""
        self._tap.remove()
        return False

    def over(self) -> Over | None:
        """Why there will be nothing more to see, if that is so."""
        return self._why(self.session) if self.session.closed else None

    def take(self) -> SeenSince:
        """Everything since the last call."""
        taken = SeenSince(list(self._events), Dropped(self._wall(), self._dropped) if self._dropped else None)
        self._events.clear()
        self._chars = self._dropped = 0
        return taken

    def _seen(self, way: str, data: bytes) -> None:
        self._news()
        for piece in self._pieces(way, data):
            if len(self._events) >= KEPT or self._chars >= KEPT_CHARS:
                self._dropped += 1
                continue
            known = without_secrets(piece[:EVENT_BYTES].decode("utf-8", "surrogateescape"))
            text = visible(known.encode("utf-8", "surrogateescape"), self.session.door in TELNET_DOORS)
            self._chars += len(text)
            self._events.append((way, Seen(self._wall(), text, max(0, len(piece) - EVENT_BYTES))))

    def _pieces(self, way: str, data: bytes) -> Iterator[bytes]:
        if self.session.door is Door.WEB and way == "in":
            yield request_without_secrets(data)
        elif self.session.door is Door.WEB:
            yield from payloads(data)
        else:
            yield self._typed.covered(data) if way == "in" else data


def payloads(frames: bytes) -> Iterator[bytes]:
    """The payloads of some complete server frames (RFC 6455, not masked)."""
    at = 0
    while at + 2 <= len(frames):
        size, at = frames[at + 1] & 0x7F, at + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, at = int.from_bytes(frames[at : at + wide], "big"), at + wide
        yield frames[at : at + size]
        at += size


class Watching:
    """All watches. `allowed`: terminals may, by the setting `admin.watch`."""

    def __init__(self, hub: Hub, audit: Audit, *, allowed: bool) -> None:
        self._hub = hub
        self._audit = audit
        self._allowed = allowed
        self._watched: set[str] = set()
        """The ids of connections of this node."""
        self._by_lines: dict[Session, WatchedLines] = {}
        self._relay = WatchRelay(hub.cluster, hub.clock, self._lend, self.end)

    def begin(self, operator: Operator, whom: str, news: Callable[[], object]) -> Answer[LiveWatch | Refusal]:
        """Watch the connection with that id, here or at another node."""
        if self._relay.elsewhere(whom):
            return self._relay.begin(operator, whom, news)
        try:
            return self._audit.once_stored(self._begin_here(operator, self._hub.find(whom), news))
        except Refusal as refusal:
            return Answer.of(refusal)

    def _begin_here(self, operator: Operator, session: Session | None, news: Callable[[], object]) -> Watch:
        if session is None:
            raise Refusal(Code.NO_SUCH_USER, wording.NO_SUCH_CONNECTION)
        if session.id in self._watched or len(self._watched) >= WATCHERS:
            raise Refusal(Code.BUSY, wording.WATCHED_ALREADY, retry_ms=60_000)
        if session in self._by_lines:
            raise Refusal(Code.BUSY, wording.WATCHES_ITSELF.format(nick=session.nick), retry_ms=60_000)
        self._watched.add(session.id)
        self._audit.note(operator, "watch", f"{session.id} {session.nick}", "", "done")
        return Watch(session, self._hub.clock.wall, news, self._why_closed)

    def _lend(self, operator: Operator, whom: str, news: Callable[[], object]) -> Watch:
        """Watch a session of this node for an operator at another one. Raises Refusal."""
        operator.check(Role.ADMIN)
        if not self._allowed:
            raise Refusal(Code.FORBIDDEN, wording.WATCH_SWITCHED_OFF)
        return self._begin_here(operator, self._hub.find(whom) or self._hub.nicks.find(whom), news)

    def end(self, operator: Operator, watch: LiveWatch, reason: str) -> None:
        """The watch is over."""
        self._watched.discard(watch.id)
        if not watch.end(reason):
            self._audit.note(operator, "unwatch", f"{watch.id} {watch.nick}", "", f"done: {reason}")

    def _why_closed(self, session: Session) -> Over:
        for each in reversed(self._hub.stats.closed.last):
            if each.number == session.number:
                return Over(each.closing.word, each.words)
        return Over("closed", "")

    def command(self, watcher: Session, source: str, words: str) -> Answer[str | Refusal]:
        """/watch NICK (or an id) and /watch off, of a terminal or a page that acts from `source`; what it is told."""
        try:
            return self._command(watcher, source, words)
        except Refusal as refusal:
            return self._audit.once_stored(refusal)

    def _command(self, watcher: Session, source: str, words: str) -> Answer[str | Refusal]:
        operator = watcher.operator
        if operator is None:
            raise self._audit.stranger(watcher.nick, source, "watch", words)
        running = self._by_lines.get(watcher)
        if words.lower() == "off" or (running is not None and not words):
            if running is None:
                raise Refusal(Code.NO_SUCH_USER, wording.WATCHING_NOBODY)
            told = wording.WATCH_OVER.format(nick=running.nick, reason=wording.WATCH_OFF)
            running.finish("off")
            return Answer.of(told)
        operator.check(Role.ADMIN)
        if not self._allowed:
            raise Refusal(Code.FORBIDDEN, wording.WATCH_SWITCHED_OFF)
        if running is not None:
            raise Refusal(Code.BAD_MESSAGE, wording.WATCH_ONE)
        lines = WatchedLines(self._hub, self, watcher, operator)
        return self._of_lines(operator, watcher, words, lines.news).map(partial(self._begun, watcher, lines))

    def _of_lines(
        self, operator: Operator, watcher: Session, words: str, news: Callable[[], object]
    ) -> Answer[LiveWatch | Refusal]:
        """The watch of the connection with that id, or of the person with that nick."""
        if self._relay.elsewhere(words):
            return self._relay.begin(operator, words, news)
        session = self._hub.find(words)
        if session is None and self._hub.cluster.node and not self._hub.nicks.sessions(words):
            return self._hub.directory.nodes_of(words).chain(
                lambda found: (
                    Answer[LiveWatch | Refusal].of(found)
                    if isinstance(found, Refusal)
                    else self._relay.begin_at(found[0], operator, words, news)
                )
            )
        session = session or self._hub.nicks.find(words)
        if session in watcher.connections:
            raise Refusal(Code.BAD_MESSAGE, wording.WATCH_YOURSELF)
        return Answer.of(self._begin_here(operator, session, news))

    def _begun(self, watcher: Session, lines: "WatchedLines", found: LiveWatch | Refusal) -> str | Refusal:
        if isinstance(found, Refusal):
            return found
        self._by_lines[watcher] = lines
        lines.begin(found)
        return wording.WATCH_BEGUN.format(nick=found.nick, id=found.id, minutes=int(WATCH_SECONDS // 60))

    def forget(self, watcher: Session) -> None:
        """The session does not watch as lines any more."""
        self._by_lines.pop(watcher, None)


class WatchedLines:
    """One watch whose watcher reads lines: `bob> hello\\n` was sent by bob, `bob< …` is what bob got."""

    def __init__(self, hub: Hub, watching: Watching, watcher: Session, operator: Operator) -> None:
        self._hub = hub
        self._watching = watching
        self._watcher = watcher
        self._operator = operator
        self._watch: LiveWatch | None = None
        self._due = False
        self._until = hub.clock.now() + WATCH_SECONDS

    @property
    def nick(self) -> str:
        """The nick of the peer that is watched."""
        return "" if self._watch is None else self._watch.nick

    def begin(self, watch: LiveWatch) -> None:
        """Show what that watch sees."""
        self._watch = watch
        self._hub.clock.later(LOOK_SECONDS, self._look)

    def finish(self, reason: str) -> None:
        """Show the rest, and end."""
        self._show()
        watch, self._watch = self._watch, None
        self._watching.forget(self._watcher)
        if watch is not None:
            self._watching.end(self._operator, watch, reason)

    def news(self) -> None:
        """Whether there is something to show."""
        if not self._due:
            self._due = True
            self._hub.clock.later(SHOW_SECONDS, self._show)

    def _show(self) -> None:
        self._due = False
        if self._watch is None or len(self._watcher.owed) >= OWED_BYTES:
            return  # of what is too much to show, the watch drops the rest, and counts it
        lines: list[str] = []
        taken = self._watch.take()
        for way, seen in taken.seen:
            text = seen.text.rstrip("\n").split("\n")
            lines += [f"{self.nick}{MARKS[way]} {line}" for line in text]
            lines += [wording.WATCH_CUT.format(count=seen.cut)] if seen.cut else []
        lines += [wording.WATCH_DROPPED.format(count=taken.dropped.count)] if taken.dropped is not None else []
        if lines:
            self._watcher.tell(Notice("\n".join(lines)))

    def _look(self) -> None:
        if self._watch is None:
            return
        over, account = self._watch.over(), self._watcher.operator
        if self._watcher.closed:
            self.finish(wording.WATCHER_WENT)
        elif over is not None:
            self._end(over.reason)
        elif account is None or account.role < Role.ADMIN:
            self._end("logged_out")
        elif self._hub.clock.now() >= self._until:
            self._end("time")
        else:
            self._show()
            self._hub.clock.later(LOOK_SECONDS, self._look)

    def _end(self, reason: str) -> None:
        nick = self.nick
        self.finish(reason)
        self._watcher.tell(Notice(wording.WATCH_OVER.format(nick=nick, reason=reason)))
