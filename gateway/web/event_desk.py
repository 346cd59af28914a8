"""`/admin/api/events`: what happened to connections lately, without a word of what was said."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.operators import Role
from gateway.errors import Code, Refusal
from gateway.web.answers import json_answer
from gateway.web.login import Login
from gateway.web.rooms import number

EVENTS_DEFAULT = 50
EVENTS_LIMIT = 500


class EventRow(msgspec.Struct, frozen=True):
    """Something that happened `at` (ms since 1970) to the connection `id`; `nick` None: that is not known any more.
    `event` and `detail` as in `core.happenings`."""

    at: int
    id: str
    nick: str | None
    event: str
    detail: str


class EventDesk:
    """The handler."""

    def __init__(self, hub: Hub, login: Login) -> None:
        self._hub = hub
        self._login = login

    async def events(self, request: web.Request) -> web.Response:
        """`GET /admin/api/events?limit=50`: the newest first."""
        self._login.reader(request, Role.VIEWER)
        limit = number(request, "limit", least=1) or EVENTS_DEFAULT
        if limit > EVENTS_LIMIT:
            raise Refusal(Code.BAD_MESSAGE, f"limit is at most {EVENTS_LIMIT}")
        return json_answer({"events": self.last(limit)})

    def last(self, limit: int) -> list[EventRow]:
        """The last events, the newest first."""
        return list(self._rows(limit))

    def _rows(self, limit: int) -> Iterator[EventRow]:
        hub = self._hub
        gone = {each.number: each.nick for each in hub.closed.last}
        for each in islice(reversed(hub.happenings), limit):
            session = hub.sessions.get(each.session)
            nick = session.nick if session is not None else gone.get(each.session)
            yield EventRow(each.at, f"{each.session:x}", nick, each.event, each.detail)


def routes(desk: EventDesk) -> list[Any]:
    """The route of the events."""
    return [web.get("/admin/api/events", desk.events)]
