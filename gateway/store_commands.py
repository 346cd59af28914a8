"""The commands that work on the store: `gateway backup` and `gateway new-epoch`.

The store of a running gateway is locked, so the gateway itself does the work: it is asked as by `gateway login-link`,
with the key in the data folder. Where none can be asked the store is opened here, as the gateway opens it, and that
lock decides: a gateway that runs and cannot be asked (it has no web door, it hangs) keeps everybody else out.
"""

import http.client
import os
import queue
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gateway.core.answer import Answer
from gateway.core.quantity import short_size
from gateway.core.sessions import nicknames
from gateway.errors import JournalError, Refusal, StartError, UsageError
from gateway.journal.sqlite import SqliteJournal
from gateway.login_link import ask, own_machine, read_key, told

JOURNAL = "journal.sqlite3"
POLL_SECONDS = 0.2
PATIENCE = 1.0
"""Seconds to wait for the lock of a gateway that has just been stopped."""
Value = TypeVar("Value")


class StoreSettings(Protocol):
    """The settings that say which store is meant."""

    @property
    def data(self) -> Path: ...

    @property
    def memory(self) -> bool: ...


Question = tuple[StoreSettings, Mapping[str, str]]
"""The settings, and what else was given on the command line, empty where it was not."""


class Unasked(Exception):
    """No gateway can be asked, for the reason in words; empty: none has said that it runs."""


def backup(question: Question) -> int:
    """`gateway backup FILE`: returns the exit code. Raises StartError, UsageError."""
    settings, asked = question
    if asked["file"] in ("", "-"):
        raise UsageError("backup writes a file: name it (`gateway export` writes to standard output)")
    file, replace = os.path.abspath(asked["file"]), bool(asked["force"])
    folder = kept(settings)
    progress = Progress()
    try:
        request(folder, "POST", "/admin/backup", {"file": file, "replace": replace})
    except Unasked as why:
        with opened(folder, str(why)) as (journal, turns):
            failure = turns.wait(journal.copy(file, replace, progress.show))
        progress.end()
        if failure is not None:
            raise StartError(str(failure)) from None
    else:
        watch(folder, file, progress)
    print(f"{file}: {short_size(os.path.getsize(file))}" if os.path.exists(file) else file)
    return 0


def watch(folder: Path, file: str, progress: "Progress") -> None:
    """Wait until the gateway has written the backup. Raises StartError; an interrupt stops the backup."""
    try:
        while True:
            report = request(folder, "GET", "/admin/backup")
            if report.get("file") != file:
                raise StartError("another backup has been begun since: look at that one")
            if report["state"] != "running":
                break
            progress.show(report["copied"], report["total"])
            time.sleep(POLL_SECONDS)
    except Unasked as why:
        raise StartError(f"the gateway went away before the backup was complete: {why}") from None
    except KeyboardInterrupt:
        with suppress(Unasked, StartError):
            request(folder, "DELETE", "/admin/backup")
        raise
    finally:
        progress.end()
    if report["state"] != "complete":
        raise StartError(report["text"])


def new_epoch(question: Question) -> int:
    """`gateway new-epoch ROOM`: returns the exit code. Raises StartError, UsageError."""
    settings, asked = question
    try:
        room = nicknames.room(asked["room"])
    except Refusal as refusal:
        raise UsageError(refusal.text) from refusal
    folder = kept(settings)
    try:
        request(folder, "POST", "/admin/new-epoch", {"room": room})
    except Unasked as why:
        with opened(folder, str(why)) as (journal, turns):
            known = turns.wait(journal.new_epoch(room))
        if isinstance(known, JournalError):
            raise StartError(str(known)) from None
        if not known:
            raise StartError(f"nothing has been said in #{room}: it has no epoch that anybody knows") from None
    print(f"#{room} has a new epoch")
    return 0


def kept(settings: StoreSettings) -> Path:
    """The folder of the store. Raises UsageError where nothing is kept."""
    if settings.memory:
        raise UsageError("with --memory nothing is kept: there is no store")
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
        raise Unasked(f"the gateway at {page} does not answer: {problem}") from problem
    if status in (401, 404, 405) and "no_such_room" not in str(said):
        raise Unasked(f"the gateway at {page} is another one, or of another version")
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


@contextmanager
def opened(folder: Path, why: str) -> Iterator[tuple[SqliteJournal, HandedIn]]:
    """The store of a stopped gateway, for us alone. `why` no gateway could be asked. Raises StartError."""
    database = folder / JOURNAL
    if not os.path.lexists(database):
        raise StartError(f"there is no journal in {folder}: --data names another folder")
    turns = HandedIn()
    try:
        journal = SqliteJournal(database, call_soon_threadsafe=turns.put, patience=PATIENCE)
    except StartError as error:
        raise StartError(f"{error} ({why})" if why else str(error)) from error
    try:
        yield journal, turns
    finally:
        journal.close()


class Progress:
    """How far it is, on a terminal's standard error; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = ""
        self._visible = sys.stderr is not None and sys.stderr.isatty()

    def show(self, copied: int, total: int) -> bool:
        """Show it; True: go on."""
        words = f"{100 * copied // total} %" if total else ""
        if self._visible and words != self._shown:
            self._shown = words
            print(f"\rgateway: {words:6}", end="", file=sys.stderr, flush=True)
        return True

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            print(file=sys.stderr)
