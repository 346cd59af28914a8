"""One connection to Redis: answers in order, no late answer taken for another, errors in words that help."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as LostConnection

from gateway.errors import BackplaneError
from gateway.redis.connection import STEP, Patience, RedisConnection, refusal_of, shown
from tests.redis.servers import RedisServer

ERRORS = {
    "full": (OutOfMemoryError("command not allowed when used memory > 'maxmemory'"), "Redis is full: raise"),
    "full, in a script": (ResponseError("ERR OOM command not allowed script: 1, on @user_script:3."), "Redis is full"),
    "replica": (ReadOnlyError("You can't write against a read only replica."), "read-only replica"),
    "replica, in a script": (ResponseError("READONLY You can't write against a read only replica."), "the master"),
    "loading": (BusyLoadingError("Redis is loading the dataset in memory"), "still loading"),
    "disk": (ResponseError("MISCONF Redis is configured to save RDB snapshots"), "cannot write to its disk"),
    "no password": (AuthenticationError("Authentication required."), "requires a password"),
    "wrong password": (AuthenticationError("invalid username-password pair"), "does not accept"),
    "rights": (NoPermissionError("this user has no permissions"), "may not do"),
    "type": (ResponseError("WRONGTYPE Operation against a key"), "replaced by something else"),
    "silence": (TimeoutError(), "does not answer"),
    "refused": (LostConnection("Error 111 connecting to 127.0.0.1:1. RedisConnection refused."), "cannot be reached"),
}


@pytest.mark.parametrize(("error", "words"), ERRORS.values(), ids=ERRORS)
def test_every_error_says_what_it_means_or_what_to_do(error: Exception, words: str) -> None:
    refusal = refusal_of(error, "db.example:6379")
    assert words in refusal.words and "db.example" not in refusal.words
    assert str(refusal).endswith("(db.example:6379)")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://:secret@db.example", "db.example:6379"),
        ("rediss://ana:secret@[::1]:7000/3", "[::1]:7000/3"),
        ("unix:///run/redis.sock?db=2", "/run/redis.sock"),
        ("redis+sentinel://ana:secret@s1,s2:7000/chat/3", "s1,s2:7000/chat/3"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, address: str) -> None:
    assert shown(url) == address


async def test_people_are_not_told_where_redis_is(tmp_path: Path) -> None:
    gone = tmp_path / "gone.sock"
    with pytest.raises(BackplaneError) as caught:
        await RedisConnection(f"unix://{gone}", 5).ask([("PING",)])
    assert "No such file or directory" in caught.value.words
    assert "gone" not in caught.value.words and "gone" in str(caught.value)


async def test_answers_come_in_order_and_an_error_stands_in_its_place(url: str) -> None:
    connection = RedisConnection(url, 5)
    first, second, third = await connection.ask([("SET", "a", 1), ("LPUSH", "a", 1), ("GET", "a")])
    assert (first, third) == (b"OK", b"1")
    assert "WRONGTYPE" in str(second)
    await connection.close()


async def test_what_comes_too_late_is_not_taken_for_the_next_answer(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    connection = RedisConnection(server.url, 0.3)
    assert await connection.ask([("ECHO", "before")]) == [b"before"]
    server.freeze()
    with pytest.raises(BackplaneError, match="does not answer"):
        await connection.ask([("ECHO", "late")])
    server.thaw()
    connection.seconds = 5
    assert await connection.ask([("ECHO", "after")]) == [b"after"]
    await connection.close()


async def test_time_in_which_the_loop_itself_stood_is_not_held_against_redis(url: str) -> None:
    connection = RedisConnection(url, 0.4)
    await connection.ask([("PING",)])
    await connection.send([("BLPOP", "nothing", "0.2"), ("ECHO", "meanwhile")])  # answered while the loop stands
    asyncio.get_running_loop().call_soon(time.sleep, 1.0)
    assert [await connection.heard(0.4), await connection.heard(0.4)] == [None, b"meanwhile"]
    await connection.close()


async def test_patience_ends_also_where_the_loop_is_always_late() -> None:
    loop = asyncio.get_running_loop()

    def stand() -> None:
        time.sleep(STEP + 0.05)
        loop.call_soon(stand)

    loop.call_soon(stand)
    with pytest.raises(TimeoutError):
        async with Patience(0.3):
            await asyncio.Event().wait()
