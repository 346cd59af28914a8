"""The commands that work on the store: `gateway backup`, `export`, `import` and `new-epoch`.

The store of a running gateway is locked, so the gateway itself does the work: it is asked as by `gateway login-link`,
with the key in the data folder. Where none can be asked the store is opened here, as the gateway opens it, and that
lock decides: a gateway that runs and cannot be asked (it has no web door, it hangs) keeps everybody else out.

The export of a running gateway is that of a backup which it writes for this, so that it is of one moment and the chat
does not wait for whoever reads it.
"""

import http.client
import os
import queue
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Protocol, TypeVar

from gateway.core.answer import Answer
from gateway.core.ports.archive import ExportLines, WrongLine, written
from gateway.core.quantity import short_size
from gateway.core.sessions import nicknames
from gateway.errors import JournalError, Refusal, StartError, UsageError
from gateway.journal.archive import copied, dump, fill, unused
from gateway.journal.backup import LargeFile
from gateway.journal.sqlite import SqliteJournal
from gateway.login_link import ask, own_machine, read_key, told
from gateway.process.files import write_whole

JOURNAL = "journal.sqlite3"
TOKEN_KEY = "token.key"
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


def export(question: Question) -> int:
    """`gateway export [FILE]`: returns the exit code. Raises StartError, UsageError."""
    settings, asked = question
    folder, file = kept(settings), asked["file"] or "-"
    database, key = database_of(folder), read_token_key(folder)
    if file == "-" or is_stream(file):
        with snapshot(folder, None) as (connection, live), written_to(file) as out:
            out.writelines(written(dump(connection, live=live, token_key=key)))
        return 0
    try:
        with closing(LargeFile(Path(file), bool(asked["force"]), database)) as whole:
            with snapshot(folder, whole.place.parent) as (connection, live), open(whole.part, "wb") as out:
                out.writelines(written(dump(connection, live=live, token_key=key)))
            whole.complete()
    except JournalError as problem:
        raise StartError(str(problem)) from problem
    print(f"{os.path.abspath(file)}: {short_size(os.path.getsize(file))}")
    return 0


def is_stream(file: str) -> bool:
    """Whether it is a pipe or a device, to which can only be written as it is: `>(gzip)`, /dev/stdout."""
    return os.path.exists(file) and not os.path.isfile(file) and not os.path.isdir(file)


@contextmanager
def written_to(file: str) -> Iterator[BinaryIO]:
    """Standard output (`-`), a pipe or a device."""
    if file != "-":
        with open(file, "wb") as out:
            yield out
        return
    if sys.stdout is None:
        raise StartError("there is no standard output: name a file")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def snapshot(folder: Path, beside: Path | None) -> Iterator[tuple[Any, bool]]:
    """A connection to the store at one moment, and whether a gateway goes on with it. Its copy lies in a folder of its
    own in `beside`, or where temporary files are."""
    with TemporaryDirectory(prefix=".gateway-export-", dir=beside) as temporary:
        if os.geteuid() == 0:
            os.chown(temporary, folder.stat().st_uid, -1)  # the gateway writes there
        copy = os.path.join(temporary, "copy.sqlite3")
        try:
            request(folder, "POST", "/admin/backup", {"file": copy})
        except Unasked as reason:
            why = str(reason)
        else:
            watch(folder, copy, Progress())
            if not os.path.exists(copy):
                raise StartError(f"the gateway has a {os.path.dirname(temporary)} of its own: name a file elsewhere")
            with copied(Path(copy)) as connection:
                yield connection, True
            return
    with explained(why), unused(database_of(folder), PATIENCE) as connection:
        yield connection, False


def import_(question: Question) -> int:
    """`gateway import [FILE]`: returns the exit code. Raises StartError, UsageError."""
    settings, asked = question
    folder, file = kept(settings), asked["file"] or "-"
    if file == "-" and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("name the file of an export, or pipe one in")
    new_epochs = {"": None, "true": True, "false": False}[asked["new_epochs"]]
    with sys.stdin.buffer if file == "-" else open(file, "rb") as source:
        lines = ExportLines(source.readline)
        try:
            loaded = fill(
                folder / JOURNAL,
                lines,
                new_epochs=new_epochs,
                patience=PATIENCE,
                keep_key=lambda key: write_token_key(folder, key),
            )
        except (WrongLine, JournalError) as problem:
            raise StartError(f"nothing was imported: {problem}") from problem
    counts = ((loaded.counts.get(kind, 0), words) for kind, words in COUNTED.items())
    print(", ".join(f"{count:,} {words}" for count, words in counts))
    if loaded.renewed and loaded.live and new_epochs is None:
        print("Every room has a new epoch, because the gateway that was exported went on (--no-new-epochs keeps them).")
    return 0


COUNTED = {
    "room": "rooms",
    "message": "messages",
    "identity": "people",
    "ban": "bans",
    "mute": "mutes",
    "audit": "audit entries",
}


def read_token_key(folder: Path) -> bytes:
    """The key of the tokens; empty if there is none."""
    try:
        return (folder / TOKEN_KEY).read_bytes() if (folder / TOKEN_KEY).is_file() else b""
    except OSError as problem:
        raise StartError(f"cannot read {folder / TOKEN_KEY}: {problem.strerror}") from problem


def write_token_key(folder: Path, key: bytes) -> None:
    """Keep the key of the tokens. Raises JournalError."""
    try:
        if key:
            write_whole(folder / TOKEN_KEY, key, 0o600, sync=True)
    except OSError as problem:
        raise JournalError(f"cannot write {folder / TOKEN_KEY}: {problem.strerror}") from problem


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


def database_of(folder: Path) -> Path:
    """The journal's database. Raises StartError when there is none."""
    if not os.path.lexists(folder / JOURNAL):
        raise StartError(f"there is no journal in {folder}: --data names another folder")
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
