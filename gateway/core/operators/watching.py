"""Watching one connection live, for an admin and WATCH_SECONDS: on the dashboard (`web.admin.watch`), or by /watch as
lines of a terminal.

- Off unless `admin.watch` is on. The beginning and the end of each watch are audited. Passwords, tokens and codes are
  covered (`core.sessions.trace`).
- What the watcher's own connection cannot take is dropped, never queued, and the watcher is told how much.
- Whoever watches as lines is not watched: every line shown to them would be another one to show.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.operators.audit import Audit
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


class Seen(msgspec.Struct, gc=False):
    """Some bytes at `at` (ms since 1970), as visible text. `cut` bytes of them are not shown."""

    at: int
    text: str
    cut: int = 0


class Watch:
    """What was seen of one connection and has not been taken yet; `news` is called when there is something."""

    def __init__(self, session: Session, wall: Callable[[], int], news: Callable[[], object]) -> None:
        self.session = session
        self._news = news
        self._wall = wall
        self._typed = Typed()
        self._events: deque[tuple[str, Seen]] = deque()
        self._chars = 0
        self._dropped = 0
        self._tap = Trace(session, self._seen)

    def stop(self) -> None:
        """Stop watching."""
        self._tap.remove()

    def take(self) -> list[tuple[str, Any]]:
        """Everything since the last call: (`in`, `out` or `dropped`, the event's data)."""
        events: list[tuple[str, Any]] = list(self._events)
        if self._dropped:
            events.append(("dropped", {"at": self._wall(), "count": self._dropped}))
        self._events.clear()
        self._chars = self._dropped = 0
        return events

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
        self._watched: set[Session] = set()
        self._by_lines: dict[Session, WatchedLines] = {}

    def begin(self, operator: Operator, session: Session, news: Callable[[], object]) -> Watch:
        """Watch a session. Raises Refusal."""
        if session in self._watched or len(self._watched) >= WATCHERS:
            raise Refusal(Code.BUSY, wording.WATCHED_ALREADY, retry_ms=60_000)
        if session in self._by_lines:
            raise Refusal(Code.BUSY, wording.WATCHES_ITSELF.format(nick=session.nick), retry_ms=60_000)
        self._watched.add(session)
        self._audit.note(operator, "watch", f"{session.id} {session.nick}", "", "done")
        return Watch(session, self._hub.clock.wall, news)

    def end(self, operator: Operator, watch: Watch, reason: str) -> None:
        """The watch is over."""
        watch.stop()
        self._watched.discard(watch.session)
        self._audit.note(operator, "unwatch", f"{watch.session.id} {watch.session.nick}", "", f"done: {reason}")

    def why_over(self, session: Session) -> dict[str, str]:
        """The reason and the last words of a session that has closed."""
        for each in reversed(self._hub.stats.closed.last):
            if each.number == session.number:
                return {"reason": each.closing.word, "words": each.words}
        return {"reason": "closed", "words": ""}

    def command(self, watcher: Session, source: str, words: str) -> str:
        """/watch NICK (or an id) and /watch off, of a terminal or a page that acts from `source`; return what it is
        told. Raises Refusal."""
        operator = watcher.operator
        if operator is None:
            raise self._audit.stranger(watcher.nick, source, "watch", words)
        running = self._by_lines.get(watcher)
        if words.lower() == "off" or (running is not None and not words):
            if running is None:
                raise Refusal(Code.NO_SUCH_USER, wording.WATCHING_NOBODY)
            running.finish("off")
            return wording.WATCH_OVER.format(nick=running.nick, reason=wording.WATCH_OFF)
        operator.check(Role.ADMIN)
        if not self._allowed:
            raise Refusal(Code.FORBIDDEN, wording.WATCH_SWITCHED_OFF)
        session = self._hub.find(words) or self._hub.nicks.find(words)
        if running is not None or session in watcher.connections:
            raise Refusal(Code.BAD_MESSAGE, wording.WATCH_ONE if running is not None else wording.WATCH_YOURSELF)
        self._by_lines[watcher] = WatchedLines(self._hub, self, watcher, operator, session)
        return wording.WATCH_BEGUN.format(nick=session.nick, id=session.id, minutes=int(WATCH_SECONDS // 60))

    def forget(self, watcher: Session) -> None:
        """The session does not watch as lines any more."""
        self._by_lines.pop(watcher, None)


class WatchedLines:
    """One watch whose watcher reads lines: `bob> hello\\n` was sent by bob, `bob< …` is what bob got."""

    def __init__(self, hub: Hub, watching: Watching, watcher: Session, operator: Operator, session: Session) -> None:
        self.nick = session.nick
        self._hub = hub
        self._watching = watching
        self._watcher = watcher
        self._operator = operator
        self._over = self._due = False
        self._until = hub.clock.now() + WATCH_SECONDS
        self._watch = watching.begin(operator, session, self._news)
        hub.clock.later(LOOK_SECONDS, self._look)

    def finish(self, reason: str) -> None:
        """Show the rest, and end."""
        self._show()
        self._over = True
        self._watching.forget(self._watcher)
        self._watching.end(self._operator, self._watch, reason)

    def _news(self) -> None:
        if not self._due:
            self._due = True
            self._hub.clock.later(SHOW_SECONDS, self._show)

    def _show(self) -> None:
        self._due = False
        if self._over or len(self._watcher.owed) >= OWED_BYTES:  # then the watch drops, and counts, what is too much
            return
        lines: list[str] = []
        for way, seen in self._watch.take():
            if way == "dropped":
                lines.append(wording.WATCH_DROPPED.format(count=seen["count"]))
                continue
            text = seen.text.rstrip("\n").split("\n")
            lines += [f"{self.nick}{MARKS[way]} {line}" for line in text]
            lines += [wording.WATCH_CUT.format(count=seen.cut)] if seen.cut else []
        if lines:
            self._watcher.tell(Notice("\n".join(lines)))

    def _look(self) -> None:
        if self._over:
            return
        watched, account = self._watch.session, self._watcher.operator
        if self._watcher.closed:
            self.finish(wording.WATCHER_WENT)
        elif watched.closed:
            self._end(self._watching.why_over(watched)["reason"])
        elif account is None or account.role < Role.ADMIN:
            self._end("logged_out")
        elif self._hub.clock.now() >= self._until:
            self._end("time")
        else:
            self._show()
            self._hub.clock.later(LOOK_SECONDS, self._look)

    def _end(self, reason: str) -> None:
        self.finish(reason)
        self._watcher.tell(Notice(wording.WATCH_OVER.format(nick=self.nick, reason=reason)))
