"""One connection to Redis, and what its errors mean.

A `RedisConnection` sends commands in one write and reads their answers in order. It never tries again by itself,
because only the caller knows what may be sent twice; redis-py's own retries are off for that reason. After a failure or
a time-out it is closed, and opened again by the next `ask`: an answer that comes late can never be taken for that of
another command.

How long Redis takes is measured in time in which this process ran (`Patience`): a node that was stopped, starved or
busy for seconds finds the answer in its socket, and must not tell its people that Redis is away.

With Sentinel (`redis+sentinel://HOST:PORT,HOST:PORT/SERVICE`) the sentinels are asked for the master before each
connection is opened. With `rediss+sentinel:` both they and the master speak TLS, with the same options; user and
password of the sentinels are options of their own. The master's certificate must be for the name that Sentinel says.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from redis.asyncio import ConnectionPool
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

from gateway import wording
from gateway.errors import BackplaneError

Command = Sequence[str | int | bytes]
SENTINEL = "+sentinel"
"""The end of the scheme of a URL that names sentinels."""
OF_SENTINELS = ("sentinel_username", "sentinel_password")


class UnfitRedisError(BackplaneError):
    """A Redis that must not be used, or that lets us do nothing: waiting does not help."""


CAUSES = {
    "OOM": wording.REDIS_FULL,
    "READONLY": wording.REDIS_REPLICA,
    "LOADING": wording.REDIS_LOADING,
    "MISCONF": wording.REDIS_DISK,
    "NOREPLICAS": wording.REDIS_FEW_REPLICAS,
    "MASTERDOWN": wording.REDIS_MASTER_LOST,
    "BUSY": wording.REDIS_BUSY,
    "WRONGTYPE": wording.REDIS_KEY_REPLACED,
    "NOAUTH": wording.REDIS_WANTS_PASSWORD,
    "WRONGPASS": wording.REDIS_WRONG_PASSWORD,
    "NOPERM": wording.REDIS_NOT_ALLOWED,
    "CLUSTERDOWN": wording.REDIS_CLUSTER_DOWN,
    "TIMEOUT": wording.REDIS_SILENT,
    "GWWAIT": wording.REDIS_RESTARTED,
    "GWSTALE": wording.SENT_TOO_LATE,
    "GWEPOCH": wording.ROOM_LOST_ITS_END,
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
    words = CAUSES.get(word) or wording.REDIS_UNREACHABLE.format(problem=_problem(error, text))
    refusal = (UnfitRedisError if word in UNFIT else BackplaneError)(words, address)
    refusal.__cause__ = error
    return refusal


def _problem(error: BaseException, text: str) -> str:
    """What the system said, where redis-py wrote it into a sentence with the address: people in a room, who may read
    this, need not know the address or the path of a socket."""
    system = error.__cause__ or error.__context__
    return (isinstance(system, OSError) and system.strerror) or text or type(error).__name__


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Where to ask for the master of a service: URLs of sentinels; the URL of the master but for where it is."""

    urls: Sequence[str]
    service: str
    master: str


def sentinels_of(url: str) -> Sentinels | None:
    """The sentinels in a URL; None when it is one of a Redis."""
    parts = urlsplit(url)
    if not parts.scheme.endswith(SENTINEL):
        return None
    scheme = parts.scheme.removesuffix(SENTINEL)
    user, at, places = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    options = dict(parse_qsl(parts.query))
    own_user, own_password = (quote(options.pop(name, ""), safe="") for name in OF_SENTINELS)
    own = f"{own_user}:{own_password}@" if own_password else ""
    query = f"?{urlencode(options)}" if options else ""
    hosts = [each if each.rpartition(":")[1] else f"{each}:26379" for each in places.split(",")]
    master = f"{scheme}://{user}{at}master/{db}{query}"
    return Sentinels([f"{scheme}://{own}{host}{query}" for host in hosts], service, master)


def shown(url: str) -> str:
    """The address in a URL, without user and password."""
    parts = urlsplit(url)
    if parts.scheme.endswith(SENTINEL):
        return f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    if parts.scheme == "unix":
        return parts.path
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or "localhost"
    return f"{host}:{parts.port or 6379}{parts.path.rstrip('/')}"


STEP = 0.25


class Patience:
    """Like `asyncio.timeout(seconds)`, but a time in which the loop stood still counts as at most STEP seconds, and
    what came meanwhile is looked at before the time is over.

    Raises TimeoutError at the end of the block. Where the loop is late at every step this takes longer, but it ends.
    """

    __slots__ = ("_due", "_left", "_limit", "_loop", "_spare", "_timer")

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._spare = True
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._wait()

    async def __aexit__(self, *raised: Any) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(*raised)

    def _wait(self) -> None:
        step = min(self._left, STEP)
        self._left -= step
        self._due = self._loop.time() + step
        self._timer = self._loop.call_later(step, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if self._left <= 0 and self._spare and now - self._due > STEP:
            self._spare, self._left = False, STEP
        if self._left > 0:
            self._wait()
        else:
            self._limit.reschedule(now)


class RedisConnection:
    """One connection to the Redis of `url`. `seconds` is how long one `ask` may take, connecting included."""

    def __init__(self, url: str, seconds: float) -> None:
        self.address = shown(url)
        self.seconds = seconds
        options: dict[str, Any] = {"protocol": 2, "socket_timeout": None, "socket_connect_timeout": seconds}
        options["retry"] = Retry(NoBackoff(), 0)
        self._sentinels = sentinels_of(url)
        pool = ConnectionPool.from_url(url if self._sentinels is None else self._sentinels.master, **options)
        self._connection: Any = pool.make_connection()  # type: ignore[no-untyped-call]

    @property
    def connected(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return bool(self._connection.is_connected)

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to the commands; an error of Redis stands in the place of its answer. Raises BackplaneError when
        not all answers came: then any of the commands may or may not have been done."""
        try:
            async with Patience(self.seconds):
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
            async with Patience(self.seconds):
                await self._send(commands)
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise refusal_of(error, self.address) from error

    async def heard(self, seconds: float) -> Any:
        """What Redis sends next, within so many seconds. Raises BackplaneError."""
        try:
            async with Patience(seconds):
                return await self._connection.read_response(disconnect_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise refusal_of(error, self.address) from error

    async def close(self) -> None:
        """Close the connection; the next `ask` opens another."""
        await self._connection.disconnect(nowait=True)

    async def _send(self, commands: Sequence[Command]) -> None:
        if self._sentinels is not None and not self.connected:
            self._connection.host, self._connection.port = await self._master(self._sentinels)
        await self._connection.connect()
        packed = self._connection.pack_commands(commands)
        await self._connection.send_packed_command(packed, check_health=False)

    async def _master(self, sentinels: Sentinels) -> tuple[str, int]:
        """Host and port of the master, according to the first sentinel that knows one. Raises RedisError."""
        problem = wording.SERVICE_UNKNOWN
        for url in sentinels.urls:
            sentinel = RedisConnection(url, self.seconds / (len(sentinels.urls) + 1))
            try:
                (found,) = await sentinel.ask([("SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels.service)])
                await sentinel.close()
                if isinstance(found, list):
                    return found[0].decode(), int(found[1])
                if isinstance(found, RedisError):
                    problem = refusal_of(found, "").words
            except BackplaneError as error:
                problem = error.words
        raise RedisError(wording.NO_MASTER.format(service=sentinels.service, problem=problem))

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
        raise UnfitRedisError(wording.REDIS_TOO_OLD.format(version=version, least=LEAST_VERSION), address)
    if found.get("cluster_enabled") == "1":
        raise UnfitRedisError(wording.REDIS_CLUSTER, address)
    policy = found.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise UnfitRedisError(
            wording.REDIS_EVICTS.format(policy=policy),
            address,
        )
    return found.get("run_id", "unknown")
