"""Which store a command works on, and the way to it.

The store of a running gateway is locked, so the gateway itself does the work: it is asked as by `gateway login-link`,
with the key in the data folder. Where none can be asked the store is opened here, as the gateway opens it, and that
lock decides: a gateway that runs and cannot be asked (it has no web door, it hangs) keeps everybody else out.
"""

import http.client
import os
import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from gateway import wording
from gateway.core.answer import Answer
from gateway.errors import JournalError, StartError, UsageError
from gateway.journal.sqlite import SqliteJournal
from gateway.login_link import ask, own_machine, read_key, told

if TYPE_CHECKING:
    from gateway.redis.export import RedisExport

JOURNAL = "journal.sqlite3"
PATIENCE = 1.0
"""Seconds to wait for the lock of a gateway that has just been stopped."""
Value = TypeVar("Value")


class StreamSettings(Protocol):
    """Those of the journal in Redis."""

    @property
    def stream_messages(self) -> int: ...


class StoreSettings(Protocol):
    """The settings that say which store is meant."""

    @property
    def data(self) -> Path: ...

    @property
    def memory(self) -> bool: ...

    @property
    def redis(self) -> str | None: ...

    @property
    def journal(self) -> StreamSettings: ...


Question = tuple[StoreSettings, Mapping[str, str]]
"""The settings, and what else was given on the command line, empty where it was not."""


class Unasked(Exception):
    """No gateway can be asked, for the reason in words; empty: none has said that it runs."""


@contextmanager
def redis_export(url: str) -> Iterator["RedisExport"]:
    """What the nodes share in the Redis of `url`. Raises StartError."""
    try:
        module = import_module("gateway.redis.export")  # not imported above: the package `redis` is optional
    except ModuleNotFoundError as missing:
        if missing.name != "redis":
            raise
        raise StartError(wording.NO_REDIS_PACKAGE) from None
    if urlsplit(url).scheme.endswith("+sentinel"):
        raise StartError(wording.MASTER_WANTED)
    with closing(module.RedisExport(url)) as archive:
        try:
            yield archive
        except JournalError as problem:
            raise StartError(str(problem)) from problem


def kept(settings: StoreSettings) -> Path:
    """The folder of the store. Raises UsageError where nothing is kept."""
    if settings.memory:
        raise UsageError(wording.NO_STORE)
    return settings.data


def request(folder: Path, method: str, path: str, body: object = None) -> dict[str, Any]:
    """What the gateway that runs on the folder says. Raises Unasked, or StartError when it refuses."""
    if not os.path.lexists(folder / "running.json"):
        raise Unasked
    try:
        page, secret, _ = read_key(folder)
        status, said = ask(page, method, path, secret, own_machine(), body)
    except StartError as problem:
        raise Unasked(str(problem)) from problem
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise Unasked(wording.GATEWAY_SILENT.format(page=page, problem=problem)) from problem
    if status in (401, 404, 405) and "no_such_room" not in str(said):
        raise Unasked(wording.ANOTHER_GATEWAY.format(page=page))
    if status >= 400:
        raise StartError(told(status, said))
    return said


class HandedIn:
    """Runs here what the journal's threads hand in."""

    def __init__(self) -> None:
        self._handed_in: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def put(self, callback: Callable[[], None]) -> None:
        """Run `callback` soon, on the thread that waits."""
        self._handed_in.put(callback)

    def wait(self, answer: Answer[Value]) -> Value:
        """The value, as soon as it is there."""
        values: list[Value] = []
        answer.then(values.append)
        while not values:
            self._handed_in.get()()
        return values[0]


def database_of(folder: Path) -> Path:
    """The journal's database. Raises StartError when there is none."""
    if not os.path.lexists(folder / JOURNAL):
        raise StartError(wording.NO_JOURNAL_THERE.format(folder=folder))
    return folder / JOURNAL


@contextmanager
def explained(why: str) -> Iterator[None]:
    """Add to a StartError why no gateway could be asked, if one has said that it runs."""
    try:
        yield
    except StartError as error:
        raise StartError(f"{error} ({why})" if why else str(error)) from error


@contextmanager
def opened(folder: Path, why: str) -> Iterator[tuple[SqliteJournal, HandedIn]]:
    """The store of a stopped gateway, for us alone. `why` no gateway could be asked. Raises StartError."""
    turns = HandedIn()
    with explained(why):
        journal = SqliteJournal(database_of(folder), call_soon_threadsafe=turns.put, patience=PATIENCE)
    try:
        yield journal, turns
    finally:
        journal.close()
