"""`gateway export` and `gateway import`: the store as JSON lines (`core.ports.export_format`), in SQLite or Redis.

The export of a running gateway is that of a backup which it writes for this, so that it is of one moment and the chat
does not wait for whoever reads it. Of what nodes share in Redis it is not of one moment: what they say meanwhile may be
in it or not.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from gateway import wording
from gateway.cli.backup import Progress, watch
from gateway.cli.store import (
    JOURNAL,
    PATIENCE,
    Question,
    StoreSettings,
    Unasked,
    database_of,
    explained,
    kept,
    redis_export,
    request,
)
from gateway.core.ports.export_format import ExportLines, Filled, WrongLine, written
from gateway.core.quantity import short_size
from gateway.errors import JournalError, StartError, UsageError
from gateway.journal.backup import LargeFile
from gateway.journal.export import copied, dump, fill, unused
from gateway.process.files import write_whole

TOKEN_KEY = "token.key"


def export(question: Question) -> int:
    """`gateway export [FILE]`: returns the exit code. Raises StartError, UsageError."""
    settings, asked = question
    folder, file = kept(settings), asked["file"] or "-"
    if settings.redis is not None:
        return export_redis(settings.redis, file, bool(asked["force"]))
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


def export_redis(url: str, file: str, force: bool) -> int:
    """Export what is in Redis, while nodes may go on."""
    with redis_export(url) as archive:
        lines = written(archive.dump())
        if file == "-" or is_stream(file):
            with written_to(file) as out:
                out.writelines(lines)
            return 0
        with closing(LargeFile(Path(file), force, None)) as whole:
            with open(whole.part, "wb") as out:
                out.writelines(lines)
            whole.complete()
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
        raise StartError(wording.NO_OUTPUT)
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def snapshot(folder: Path, beside: Path | None) -> Iterator[tuple[Any, bool]]:
    """A connection to the store at one moment, and whether a gateway goes on with it. Its copy lies in a folder of its
    own in `beside`, or where temporary files are."""
    try:
        place = TemporaryDirectory(prefix=".gateway-export-", dir=beside)
    except FileNotFoundError as problem:
        if beside is None:
            raise StartError(wording.NO_TEMPORARY_FOLDER) from problem
        raise
    with place as temporary:
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
                raise StartError(wording.NAME_OF_OUR_OWN.format(name=os.path.dirname(temporary)))
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
        raise UsageError(wording.NO_INPUT)
    new_epochs = {"": None, "true": True, "false": False}[asked["new_epochs"]]
    with sys.stdin.buffer if file == "-" else open(file, "rb") as source:
        try:
            loaded = filled_from(ExportLines(source.readline), settings, folder, new_epochs)
        except (WrongLine, JournalError) as problem:
            raise StartError(wording.NOTHING_IMPORTED.format(problem=problem)) from problem
    counts = ((loaded.counts.get(kind, 0), words) for kind, words in COUNTED.items())
    print(", ".join(f"{count:,} {words}" for count, words in counts))
    if loaded.renewed and loaded.live and new_epochs is None:
        print(wording.NEW_EPOCHS_GIVEN)
    return 0


def filled_from(lines: ExportLines, settings: StoreSettings, folder: Path, new_epochs: bool | None) -> Filled:
    """Fill the store. Raises WrongLine, JournalError, StartError."""
    if settings.redis is None:
        return fill(
            folder / JOURNAL,
            lines,
            new_epochs=new_epochs,
            patience=PATIENCE,
            keep_key=lambda key: write_token_key(folder, key),
        )
    with redis_export(settings.redis) as archive:
        try:
            archive.load(lines, new_epochs=new_epochs)
        except JournalError as problem:
            raise StartError(wording.NOTHING_IMPORTED.format(problem=problem)) from problem
        if archive.longest > settings.journal.stream_messages > 0:
            print(
                wording.REDIS_KEEPS_LESS.format(count=archive.longest, kept=settings.journal.stream_messages),
                file=sys.stderr,
            )
        return archive


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
        raise StartError(wording.CANNOT_READ_FILE.format(what=folder / TOKEN_KEY, why=problem.strerror)) from problem


def write_token_key(folder: Path, key: bytes) -> None:
    """Keep the key of the tokens. Raises JournalError."""
    try:
        if key:
            write_whole(folder / TOKEN_KEY, key, 0o600, sync=True)
    except OSError as problem:
        raise JournalError(wording.CANNOT_WRITE.format(path=folder / TOKEN_KEY, why=problem.strerror)) from problem
