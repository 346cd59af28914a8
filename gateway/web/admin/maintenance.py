"""`/admin/api/…` for the gateway itself: drain, maintenance, log level, and the feed of what happened lately."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.operators.drain import PER_SECOND, SPREAD_SECONDS, DoorState
from gateway.core.operators.maintenance import SECONDS
from gateway.core.operators.moderation import Outcome
from gateway.core.operators.roles import Role
from gateway.core.protocol.message import Door
from gateway.core.stats.recent import Happening
from gateway.errors import Code, Refusal
from gateway.web.admin.authorize import Login, WriteRequests
from gateway.web.http.query import ask, number, only
from gateway.web.http.responses import json_answer

EVENTS_DEFAULT = 50
EVENTS_LIMIT = 500


class DrainRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Without a door: all of them. `spread_seconds` is over how long those who are sent away come back."""

    door: Door | None = None
    per_second: int = PER_SECOND
    spread_seconds: float = SPREAD_SECONDS


class MaintenanceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`text` is for those who come meanwhile."""

    on: bool
    text: str = ""


class LogLevelRequest(msgspec.Struct, forbid_unknown_fields=True):
    """For how long."""

    level: str
    seconds: int = SECONDS


class EventRow(msgspec.Struct, frozen=True):
    """What happened at `at` (ms since 1970), see `core.stats.recent`. `id` and `nick` are those of a connection, null
    for what happened to none; the nick is also null of one that is long gone."""

    number: int
    at: int
    event: str
    id: str | None
    nick: str | None
    detail: str


class MaintenanceEndpoints:
    """The handlers."""

    def __init__(self, hub: Hub, login: Login, orders: WriteRequests) -> None:
        self._hub = hub
        self._upkeep = hub.upkeep
        self._login = login
        self._orders = orders

    async def drain(self, request: web.Request) -> web.Response:
        """`POST /admin/api/drain`"""
        operator, order = await self._orders.take(request, "drain", "", DrainRequest, optional=True)
        rate, spread = order.per_second, order.spread_seconds
        await _did(lambda done: self._upkeep.draining.begin(operator, order.door, rate, spread, done))
        return json_answer(self._progress(), 202)

    async def cancel(self, request: web.Request) -> web.Response:
        """`DELETE /admin/api/drain`"""
        operator = self._orders.operator(request, "drain cancel")
        await _did(lambda done: self._upkeep.draining.cancel(operator, done))
        return json_answer(self._progress())

    async def progress(self, request: web.Request) -> web.Response:
        """`GET /admin/api/drain`"""
        self._login.reader(request, Role.VIEWER)
        only(request)
        return json_answer(self._progress())

    async def maintain(self, request: web.Request) -> web.Response:
        """`POST /admin/api/maintenance`"""
        operator, order = await self._orders.take(request, "maintenance", "", MaintenanceRequest)
        await _did(lambda done: self._upkeep.maintenance.switch(operator, order.on, order.text, done))
        return json_answer(self._maintenance())

    async def maintenance(self, request: web.Request) -> web.Response:
        """`GET /admin/api/maintenance`"""
        self._login.reader(request, Role.VIEWER)
        only(request)
        return json_answer(self._maintenance())

    async def turn_log(self, request: web.Request) -> web.Response:
        """`POST /admin/api/log-level`"""
        operator, order = await self._orders.take(request, "log level", "", LogLevelRequest)
        outcome: Outcome = await _did(
            lambda done: self._upkeep.loudness.change(operator, order.level, order.seconds, done)
        )
        assert outcome.target == order.level
        return json_answer(self._level())

    async def log_level(self, request: web.Request) -> web.Response:
        """`GET /admin/api/log-level`"""
        self._login.reader(request, Role.VIEWER)
        only(request)
        return json_answer(self._level())

    async def events(self, request: web.Request) -> web.Response:
        """`GET /admin/api/events?after=&limit=`: oldest first; without `after` the latest."""
        self._login.reader(request, Role.VIEWER)
        only(request, "after", "limit")
        limit = number(request, "limit", least=1) or EVENTS_DEFAULT
        if limit > EVENTS_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, f"limit is at most {EVENTS_LIMIT}")
        ring, after = self._hub.happenings, number(request, "after")
        first, rows = self._events(ring.last - limit if after is None else after, limit)
        end = first + len(rows) - 1
        missed = max(0, first - 1 - after) if after is not None else 0
        return json_answer({"events": rows, "cursor": end, "last": ring.last, "missed": missed})

    def latest(self, limit: int) -> list[EventRow]:
        """The last events, the newest first."""
        return self._events(self._hub.happenings.last - limit, limit)[1][::-1]

    def _events(self, after: int, limit: int) -> tuple[int, list[EventRow]]:
        """The number of the first event after one, and the events from there on."""
        first, found = self._hub.happenings.after(after, limit)
        gone = {each.number: each.nick for each in self._hub.closed.last}
        return first, [self._event(first + place, each, gone) for place, each in enumerate(found)]

    def _event(self, place: int, each: Happening, gone: dict[int, str]) -> EventRow:
        if not each.session:
            return EventRow(place, each.at, each.event, None, None, each.detail)
        session = self._hub.sessions.get(each.session)
        nick = session.nick if session is not None else gone.get(each.session)
        return EventRow(place, each.at, each.event, f"{each.session:x}", nick, each.detail)

    def _progress(self) -> dict[str, Any]:
        doors = self._upkeep.draining.progress()
        states = {each.state for each in doors}
        worst = next((each for each in (DoorState.DRAINING, DoorState.CLOSED) if each in states), DoorState.READY)
        rate = self._upkeep.draining.per_second if worst is not DoorState.READY else None
        return {"state": worst, "per_second": rate, "doors": [each._asdict() for each in doors]}

    def _maintenance(self) -> dict[str, Any]:
        maintenance = self._upkeep.maintenance
        return {"on": maintenance.words is not None, "text": maintenance.words, "since": maintenance.since}

    def _level(self) -> dict[str, Any]:
        loudness = self._upkeep.loudness
        return {"level": loudness.now, "usual": loudness.usual, "until": loudness.until}


async def _did(verb: Callable[[Callable[[Outcome | Refusal], None]], None]) -> Outcome:
    """Wait for what came of it. Raises Refusal."""
    return await ask(verb)


def routes(desk: MaintenanceEndpoints) -> list[Any]:
    """The routes of the gateway itself."""
    return [
        web.post("/admin/api/drain", desk.drain),
        web.get("/admin/api/drain", desk.progress),
        web.delete("/admin/api/drain", desk.cancel),
        web.post("/admin/api/maintenance", desk.maintain),
        web.get("/admin/api/maintenance", desk.maintenance),
        web.post("/admin/api/log-level", desk.turn_log),
        web.get("/admin/api/log-level", desk.log_level),
        web.get("/admin/api/events", desk.events),
    ]
