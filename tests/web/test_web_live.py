"""What goes on as long as a session does: it ends with it, and keeps it in use meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.accounts.keeper import Keeper
from gateway.core.operators import Operator, Role
from gateway.web.auth import SESSION_IDLE, SESSION_LIFE, AdminSessions
from gateway.web.login import Login
from gateway.web.options import WebOptions
from gateway.web.site import Site
from tests.accounts.people import PEOPLE, TOKEN
from tests.web.little_chat import LittleChat
from tests.web.running_door import until


class Watching:
    """A logged in browser to which something live is shown."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sessions = AdminSessions(lambda: self.now)
        keeper, operations = Keeper(PEOPLE, lambda: self.now), LittleChat(lambda: self.now).hub.operations
        self.login = Login(self.sessions, keeper, operations, Site((), (), False), WebOptions(templates=Path()))
        self.secret, self.session = self.sessions.open(Operator("ana", Role.OPERATOR, "web 10.0.0.1"), "x")
        self.ended: list[str] = []

    def request(self, **headers: str) -> web.Request:
        return make_mocked_request("GET", "/admin", {"Cookie": f"gateway_session={self.secret}", **headers})

    def watch(self, what: str, **headers: str) -> Callable[[], None]:
        return self.login.hold(self.request(**headers), lambda: self.ended.append(what))


@pytest.fixture
async def watching() -> Watching:
    return Watching()


async def test_it_ends_when_the_session_is_logged_out_or_ended(watching: Watching) -> None:
    watching.watch("a stream")
    watching.watch("another")
    watching.watch("closed before")()

    watching.sessions.end(watching.session)

    assert sorted(watching.ended) == ["a stream", "another"]
    watching.sessions.close(watching.secret)
    assert len(watching.ended) == 2


async def test_it_keeps_the_session_in_use_but_not_for_ever(watching: Watching) -> None:
    stop = watching.watch("a stream")
    for _ in range(4):
        watching.now += SESSION_IDLE - 1
        watching.sessions.sweep()
    assert watching.ended == []
    stop()
    watching.watch("a stream")
    watching.now += SESSION_LIFE
    await until(lambda: watching.ended, limit=15)
    assert watching.login.session(watching.request()) is None


async def test_a_session_that_shows_nothing_any_more_becomes_idle(watching: Watching) -> None:
    watching.watch("a stream")()
    watching.now += SESSION_IDLE + 1

    assert not watching.sessions.all()


async def test_what_a_token_watches_does_not_hang_on_the_cookie(watching: Watching) -> None:
    watching.watch("a stream", Authorization=f"Bearer {TOKEN}")
    watching.sessions.end(watching.session)

    assert watching.ended == []
