"""A real hub in the running loop, and messages that make its browser side misbehave."""

import asyncio
import time
from collections.abc import Callable

from gateway.core.clock import Clock
from gateway.core.doors.browser import BrowserDoor
from gateway.core.doors.join import Greeting
from gateway.core.doors.post import Post, Posting
from gateway.core.doors.terminal import Terminals
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.events import told
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import FRAME, frame
from gateway.core.sessions.session import Session
from gateway.journal.memory import MemoryJournal
from gateway.web.http.request import answered
from tests.core.world import Gated
from tests.fakes import RecordingTransport, new_hub, new_operators


class OddRequests(BrowserDoor):
    """Hears JSON like any other, and single words that are none."""

    def __init__(self, hub: Hub, operators: Operators, greeting: Greeting) -> None:
        super().__init__(hub, operators, greeting)
        self.heard: list[str] = []

    def receive(self, session: Session, frame: str) -> None:
        self.heard.append(frame)
        if frame == "hold":
            session.hold()
        elif frame == "raise":
            raise RuntimeError("the hub never does this")
        elif frame.startswith("echo "):
            session.transport.send(framed(frame[5:]))
        elif frame.startswith(("{", "bad")):
            super().receive(session, frame)


class LittleChat:
    """The hub with what a test asks of it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.loop = asyncio.get_running_loop()
        time_port = Clock(clock, lambda: int(time.time() * 1000), self._schedule)
        self.journal = Gated(MemoryJournal())
        self.hub = new_hub(time_port, {}, self.journal)
        self.hub.start()
        self.operators = new_operators(self.hub)
        self.terminals = Terminals(self.hub, self.operators, Greeting())
        self.requests = OddRequests(self.hub, self.operators, Greeting())
        self.posting = Posting(self.hub)

    def _schedule(self, seconds: float) -> None:
        self.loop.call_later(seconds, self.hub.tick)

    @property
    def heard(self) -> list[str]:
        return self.requests.heard

    @property
    def sessions(self) -> dict[int, Session]:
        return self.hub.sessions

    @property
    def session(self) -> Session:
        """The only session."""
        (session,) = self.hub.sessions.values()
        return session

    def say_to_all(self, text: str) -> None:
        for session in list(self.sessions.values()):
            session.transport.send(framed(text))

    def join_nobody(self, door: Door = Door.TCP, behind: int = 0) -> Session:
        """A session without a peer, to which so many bytes are owed."""
        session = self.hub.connect(RecordingTransport(), FRAME, Arrival(door, "10.0.0.1"))
        session.owed = b"x" * behind
        return session

    async def post(self, room: str, nick: str, *texts: str) -> None:
        """Put messages into a room, and wait until they are there."""
        for answer in [self.posting.post(Post(room, text, nick)) for text in texts]:
            await answered(answer)

    async def texts(self, room: str) -> list[tuple[str, str]]:
        """The messages of a room: (nick, text)."""
        page = await answered(self.hub.journal.read(room, after=0, before=None, limit=100).map(told))
        return [(message.nick, message.text) for message in page.messages]


def framed(text: str) -> bytes:
    return frame(text.encode())
