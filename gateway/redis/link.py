"""One connection to Redis, and what its errors mean.

A `Link` sends commands in one write and reads their answers in order. It never tries again by itself, because only the
caller knows what may be sent twice; redis-py's own retries are off for that reason. After a failure or a time-out it is
closed, and opened again by the next `ask`: an answer that comes late can never be taken for that of another command.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from gateway.errors import BackplaneError

Command = Sequence[str | int | bytes]


class UnfitRedisError(BackplaneError):
    """A Redis that must not be used, or that lets us do nothing: waiting does not help."""


CAUSES = {
    "OOM": "Redis is full: raise its maxmemory, or shorten journal.retention or journal.stream_messages",
    "READONLY": "Redis is a read-only replica: point --redis at the master",
    "LOADING": "Redis is still loading its data",
    "MISCONF": "Redis cannot write to its disk: look at its log",
    "NOREPLICAS": "Redis has too few replicas (min-replicas-to-write)",
    "MASTERDOWN": "Redis is a replica that has lost its master",
    "BUSY": "a script keeps Redis busy",
    "WRONGTYPE": "a key of the gateway (gw:…) in Redis was replaced by something else: restore or delete it",
    "NOAUTH": "Redis wants a password: --redis redis://:PASSWORD@HOST:PORT",
    "WRONGPASS": "Redis does not accept this user and password",
    "NOPERM": "this user of Redis may not do what the gateway needs: allow it ~gw:* &gw:* +@all",
    "CLUSTERDOWN": "the Redis cluster is down",
    "TIMEOUT": "Redis does not answer",
    "GWWAIT": "Redis was restarted: the nodes compare what they have for a moment",
    "GWSTALE": "it was sent too late",
    "GWEPOCH": "the room has lost its end and was given a new epoch",
}
"""By the first word of an error from Redis: what it means, and what the operator can do."""


UNFIT = {"NOAUTH", "WRONGPASS", "NOPERM"}
KINDS: dict[type[BaseException], str] = {
    BusyLoadingError: "LOADING",
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
    NoPermissionError: "NOPERM",
    TimeoutError: "TIMEOUT",
}
"""Errors whose first word redis-py has taken off."""


def refusal_of(error: BaseException, address: str) -> BackplaneError:
    """What went wrong with the Redis at `address`, in words that say what to do."""
    text = " ".join(str(error).split())
    word = next((word for kind, word in KINDS.items() if isinstance(error, kind)), "")
    if isinstance(error, AuthenticationError):
        word = "NOAUTH" if "required" in text.lower() else "WRONGPASS"
    elif not word:
        # Within a script's error the word comes later.
        word = next((each for each in text.split() if each in CAUSES), "")
    words = CAUSES.get(word) or f"Redis cannot be reached: {text or type(error).__name__}"
    refusal = (UnfitRedisError if word in UNFIT else BackplaneError)(words, address)
    refusal.__cause__ = error
    return refusal


def shown(url: str) -> str:
    """The address in a URL, without user and password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or "localhost"
    return f"{host}:{parts.port or 6379}{parts.path.rstrip('/')}"


class Link:
    """One connection to the Redis of `url`. `seconds` is how long one `ask` may take, connecting included."""

    def __init__(self, url: str, seconds: float) -> None:
        self.address = shown(url)
        self.seconds = seconds
        pool = ConnectionPool.from_url(
            url, protocol=2, socket_timeout=None, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 0)
        )
        self._connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]

    @property
    def connected(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return bool(self._connection.is_connected)

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to the commands; an error of Redis stands in the place of its answer. Raises BackplaneError when
        not all answers came: then any of the commands may or may not have been done."""
        try:
            async with asyncio.timeout(self.seconds):
                await self._send(commands)
                return [await self._answer() for _ in commands]
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise refusal_of(error, self.address) from error
        except BaseException:
            await self.close()
            raise

    async def send(self, commands: Sequence[Command]) -> None:
        """Send commands whose answers come by `heard`. Raises BackplaneError."""
        try:
            async with asyncio.timeout(self.seconds):
                await self._send(commands)
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise refusal_of(error, self.address) from error

    async def heard(self, seconds: float) -> Any:
        """What Redis sends next, within so many seconds. Raises BackplaneError."""
        try:
            async with asyncio.timeout(seconds):
                return await self._connection.read_response(disconnect_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise refusal_of(error, self.address) from error

    async def close(self) -> None:
        """Close the connection; the next `ask` opens another."""
        await self._connection.disconnect(nowait=True)

    async def _send(self, commands: Sequence[Command]) -> None:
        await self._connection.connect()  # type: ignore[no-untyped-call]
        packed = self._connection.pack_commands(commands)
        await self._connection.send_packed_command(packed, check_health=False)

    async def _answer(self) -> Any:
        """The next answer. An error about the command is an answer, one about the connection is raised."""
        try:
            return await self._connection.read_response(disconnect_on_error=False)
        except ResponseError as error:
            return error


LEAST_VERSION = 7


def run_of(info: bytes, address: str) -> str:
    """The run id in the answer to INFO. Raises UnfitRedisError for a server that must not be used, with the cure."""
    lines = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    found = {name: value for name, _, value in lines}
    version = found.get("redis_version", "0")
    if int(version.split(".")[0]) < LEAST_VERSION and "valkey_version" not in found:
        raise UnfitRedisError(f"Redis is version {version}: {LEAST_VERSION} or later is needed", address)
    if found.get("cluster_enabled") == "1":
        raise UnfitRedisError("Redis is a cluster, which is not supported: use one master (with replicas)", address)
    policy = found.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise UnfitRedisError(
            f"Redis may throw messages away (maxmemory-policy {policy}): set its maxmemory-policy to noeviction",
            address,
        )
    return found.get("run_id", "unknown")
