"""`gateway backup` and `gateway new-epoch`."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from gateway import wording
from gateway.cli.store import Question, Unasked, kept, opened, redis_export, request
from gateway.core import name_rules
from gateway.core.quantity import short_size
from gateway.errors import JournalError, Refusal, StartError, UsageError

POLL_SECONDS = 0.2


def backup(question: Question) -> int:
    """`gateway backup FILE`: returns the exit code. Raises StartError, UsageError."""
    settings, asked = question
    if asked["file"] in ("", "-"):
        raise UsageError(wording.BACKUP_NEEDS_FILE)
    file, replace = os.path.abspath(asked["file"]), bool(asked["force"])
    folder = kept(settings)
    if settings.redis is not None:
        raise UsageError(wording.BACKUP_WITH_REDIS)
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
                raise StartError(wording.BACKUP_SUPERSEDED)
            if report["state"] != "running":
                break
            progress.show(report["copied"], report["total"])
            time.sleep(POLL_SECONDS)
    except Unasked as why:
        raise StartError(wording.BACKUP_GATEWAY_WENT.format(why=why)) from None
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
        room = name_rules.room(asked["room"])
    except Refusal as refusal:
        raise UsageError(refusal.text) from refusal
    folder = kept(settings)
    try:
        if settings.redis is not None:
            with redis_export(settings.redis) as archive:
                renewed(room, archive.new_epoch(room))
            return 0
        request(folder, "POST", "/admin/new-epoch", {"room": room})
    except Unasked as why:
        with opened(folder, str(why)) as (journal, turns):
            known = turns.wait(journal.new_epoch(room))
        if isinstance(known, JournalError):
            raise StartError(str(known)) from None
        renewed(room, known)
    else:
        renewed(room, True)
    return 0


def renewed(room: str, known: bool) -> None:
    """Say what came of a new epoch. Raises StartError where there is no such room."""
    if not known:
        raise StartError(wording.NO_SUCH_STORED_ROOM.format(room=room))
    print(wording.EPOCH_RENEWED.format(room=room))


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
