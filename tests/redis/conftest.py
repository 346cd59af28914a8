"""A Redis for each file of tests that shares one, and one for a test that breaks it."""

from collections.abc import Callable, Iterator

import pytest

from gateway.redis import backplane, questions
from tests.fakes import PATIENCE, until
from tests.redis.servers import RedisServer


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nodes in this process wait for a busy Redis as long as the tests do. A test of a silent one sets less."""
    for name in ("TRY_SECONDS", "WATCH_PATIENCE", "START_SECONDS"):
        monkeypatch.setattr(backplane, name, PATIENCE)
    for name in ("ANSWER_SECONDS", "SEND_SECONDS"):
        monkeypatch.setattr(questions, name, PATIENCE)


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    """The URL of the shared Redis, emptied."""
    until(
        lambda: redis_server.cli("INFO", "clients")["connected_clients"] == 1,
        "no node of an earlier test is left to fill it again",
    )
    redis_server.cli("FLUSHALL")
    return redis_server.url


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Starts a Redis of the test's own; at the end it is killed."""
    started: list[RedisServer] = []

    def start(*options: str, sentinel: bool = False) -> RedisServer:
        started.append(RedisServer(*options, sentinel=sentinel))
        return started[-1]

    yield start
    for each in started:
        each.remove()
