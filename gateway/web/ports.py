"""What the web door asks of the chat behind it. The hub fits these shapes without knowing them."""

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any, Protocol

import msgspec

from gateway.core.message import Door, Message
from gateway.core.ports import Page, Transport
from gateway.errors import Refusal


class ChatSession(Protocol):
    """One connection as the chat knows it. Times: `connected_at` ms since 1970, `last_input` monotonic seconds."""

    bytes_in: int

    @property
    def number(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def nick(self) -> str: ...
    @property
    def door(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def connected_at(self) -> int: ...
    @property
    def last_input(self) -> float: ...
    @property
    def messages_in(self) -> int: ...
    @property
    def messages_out(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def rooms(self) -> Sequence[str]: ...
    @property
    def greeted(self) -> bool:
        """Hello has been said."""

    @property
    def held(self) -> bool:
        """No more input for now: the door stops reading until `Transport.resume`."""

    @property
    def blocked(self) -> bool:
        """The transport took less than it was offered; the reader lags in the log."""

    def lag(self) -> tuple[int, int]:
        """Messages and bytes the log holds that this session has not been sent."""


class ChatTotals(Protocol):
    """Counters since the start."""

    bytes_in: int

    @property
    def peak(self) -> int: ...
    @property
    def messages_in(self) -> int: ...
    @property
    def deliveries(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...


class OpenRoom(Protocol):
    """The part of a room's record that a history answer shows."""

    @property
    def epoch(self) -> str: ...
    @property
    def head(self) -> int: ...
    @property
    def first(self) -> int: ...


class RoomLine(Protocol):
    """One line of the list of rooms."""

    @property
    def room(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def head(self) -> int: ...


class Chat(Protocol):
    """The hub. No verb blocks or raises; `done` is called once, perhaps before the verb returns."""

    @property
    def sessions(self) -> Mapping[int, Any]:
        """The open sessions (`ChatSession`) by number."""

    @property
    def rooms(self) -> Sized:
        """The rooms in memory."""

    @property
    def totals(self) -> ChatTotals: ...

    def connect(self, transport: Transport, door: Door, address: str, wire: Any) -> Any: ...
    def disconnect(self, session: Any, reason: str) -> None: ...
    def pump(self, session: Any) -> None: ...
    def receive(self, session: Any, text: str) -> None:
        """One text frame of the protocol's JSON. May call the transport's `send` and `close` before it returns."""

    def epoch(self, room: str) -> str:
        """The epoch of a room that is in memory."""

    def post(
        self, room: str, nick: str | None, text: str, address: str, done: Callable[[Message | Refusal], None]
    ) -> None: ...
    def history(
        self,
        room: str,
        after: int | None,
        before: int | None,
        limit: int,
        done: Callable[[tuple[Any, Page] | Refusal], None],
    ) -> None:
        """Answers with the room (`OpenRoom`) and the page; `NO_SUCH_ROOM` for a room nobody knows."""

    def room_list(self, done: Callable[[Any], None]) -> None:
        """Answers with a list of `RoomLine`, or a Refusal."""

    def kick(self, session_id: str, reason: str, by: str) -> bool:
        """Whether there was such a session; it is closed with 4500."""


class Listener(msgspec.Struct, frozen=True):
    """One open port. `state` is ready, draining or closed."""

    door: str
    address: str
    port: int
    state: str
