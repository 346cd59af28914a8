"""A chat without rules: it says to everybody what it is told, and remembers what was done to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.core.message import Door, Message
from gateway.core.ports import Page, RoomRecord, Transport
from gateway.errors import Code, Refusal


def frame(text: str) -> bytes:
    """One unmasked text frame."""
    data = text.encode()
    if len(data) < 126:
        return bytes((0x81, len(data))) + data
    if len(data) < 65536:
        return b"\x81\x7e" + len(data).to_bytes(2, "big") + data
    return b"\x81\x7f" + len(data).to_bytes(8, "big") + data


@dataclass
class FakeSession:
    number: int
    transport: Transport
    door: str
    address: str
    last_input: float
    id: str = ""
    nick: str = "guest"
    connected_at: int = 1_790_000_000_000
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    rooms: list[str] = field(default_factory=lambda: ["lobby"])
    greeted: bool = True
    held: bool = False
    blocked: bool = False
    behind: int = 0

    def lag(self) -> tuple[int, int]:
        return self.behind // 100, self.behind


@dataclass
class FakeTotals:
    peak: int = 0
    messages_in: int = 0
    deliveries: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass
class FakeLine:
    room: str
    topic: str
    count: int
    head: int


class FakeChat:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.sessions: dict[int, Any] = {}
        self.rooms: dict[str, list[Message]] = {}
        self.totals = FakeTotals()
        self.heard: list[str] = []
        self.left: list[str] = []
        self.kicked: list[tuple[str, str, str]] = []
        self.refuse: Refusal | None = None
        self.unsent: dict[int, bytes] = {}
        self.greets = True
        self.pumps = 0

    def connect(self, transport: Transport, door: Door, address: str, wire: Any) -> FakeSession:
        self.totals.peak += 1
        number = self.totals.peak
        session = FakeSession(number, transport, door.value, address, self.clock(), id=f"{number:x}")
        session.greeted = self.greets
        self.sessions[number] = session
        return session

    def disconnect(self, session: FakeSession, reason: str) -> None:
        if self.sessions.pop(session.number, None) is not None:
            self.left.append(reason)

    def pump(self, session: FakeSession) -> None:
        self.pumps += 1
        data = self.unsent.get(session.number, b"")
        if data and session.transport.send(data):
            del self.unsent[session.number]

    def receive(self, session: FakeSession, text: str) -> None:
        self.heard.append(text)
        session.messages_in += 1
        if text == "hold":
            session.held = True
        elif text == "close":
            session.transport.close(1008, "ten bad messages")
        elif text == "raise":
            raise RuntimeError("the hub never does this")
        elif text.startswith("echo "):
            self.say_to_all(text[5:])

    def say_to_all(self, text: str) -> None:
        data = frame(text)
        for session in list(self.sessions.values()):
            session.transport.send(data)

    def epoch(self, room: str) -> str:
        return "epoch-of-" + room

    def post(self, room: str, nick: str | None, text: str, address: str, done: Callable[..., None]) -> None:
        if self.refuse:
            done(self.refuse)
            return
        log = self.rooms.setdefault(room, [])
        message = Message(room, 1_790_000_000_000, nick or "guest-0000", "http", "say", text, seq=len(log) + 1)
        log.append(message)
        done(message)

    def history(self, room: str, after: int | None, before: int | None, limit: int, done: Callable[..., None]) -> None:
        if room not in self.rooms:
            done(Refusal(Code.NO_SUCH_ROOM, "no such room"))
            return
        log = self.rooms[room]
        held = [m for m in log if m.seq > (after or 0) and (before is None or m.seq < before)]
        page = held[:limit] if after is not None else held[-limit:]
        record = RoomRecord(room, self.epoch(room), 1, len(log), "", ())
        done((record, Page(page, len(held) > limit)))

    def room_list(self, done: Callable[..., None]) -> None:
        done([FakeLine(room, "", 0, len(log)) for room, log in self.rooms.items()])

    def kick(self, session_id: str, reason: str, by: str) -> bool:
        for session in list(self.sessions.values()):
            if session.id == session_id:
                self.kicked.append((session_id, reason, by))
                session.transport.close(4500, reason)
                return True
        return False
