"""Log lines on standard error, as text or as one JSON object a line; never waiting for their reader.

A pipe that nobody reads is full after 64 KiB, and one write more would stop every chat. The kernel calls a pipe
writable while PIPE_BYTES fit, so a piece of that size, written after asking, does not block; what does not fit is lost
and counted. The same holds for a terminal that was stopped with Ctrl-S. No thread is needed, and none can hang at exit.

Why by hand: structlog and logging's own handlers block on a full pipe, or need a thread that may hang at exit.
"""

import contextlib
import fcntl
import json
import logging
import os
import select
import stat
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType

from gateway import wording

STANDARD_ERROR = 2
PIPE_BYTES = 4096
"""PIPE_BUF of Linux; macOS' 512 only makes the last piece of a full pipe block for as long as its reader sleeps."""


class TextFormatter(logging.Formatter):
    """`2026-11-23T14:01:02.123Z warning tcp.server: words`."""

    def format(self, record: logging.LogRecord) -> str:
        words = super().format(record)
        return f"{moment(record)} {record.levelname.lower()} {record.name.removeprefix('gateway.')}: {words}"


class JsonFormatter(logging.Formatter):
    """The same as one object: `ts`, `level`, `logger`, `msg`, the record's own `fields` (`extra={"fields": {…}}`), and
    `exception` and `stack` where there are any. A field cannot take the place of one of these."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        line |= {name: value for name, value in getattr(record, "fields", {}).items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class LogStream(logging.Handler):
    """Writes to a descriptor as long as its reader keeps up."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line, or count it as lost."""
        line = self.format(record) + "\n"
        if self._lost:
            line = f"{self.format(lost(self._lost))}\n{line}"
        if self._write(line.encode("utf-8", "backslashreplace")):
            self._lost = 0
        else:
            self._lost += 1

    def _write(self, line: bytes) -> bool:
        with contextlib.suppress(OSError):
            for start in range(0, len(line), PIPE_BYTES):
                if not self._poll.poll(0):
                    return False
                os.write(self._descriptor, line[start : start + PIPE_BYTES])
            return True
        return False


FORMATS = {"text": TextFormatter, "json": JsonFormatter}
LEVELS = ("debug", "info", "warning", "error")

log = logging.getLogger("gateway.process.logs")


def moment(record: logging.LogRecord) -> str:
    """When a record was made, in UTC."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lost(count: int) -> logging.LogRecord:
    """The record that says how many were lost."""
    words = wording.LOG_LINES_LOST
    return logging.LogRecord(log.name, logging.WARNING, __file__, 0, words, (count,), None)


def start(level: str, form: str) -> None:
    """Send what is logged at `level` or above to standard error in one of FORMATS, together with Python's
    warnings and uncaught errors."""
    append_only(STANDARD_ERROR)
    handler = LogStream(STANDARD_ERROR)
    handler.setFormatter(FORMATS[form]())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = uncaught
    sys.unraisablehook = unraisable
    threading.excepthook = uncaught_in_thread


def append_only(descriptor: int) -> None:
    """Write at the end of a plain file, wherever that is: a log that is copied and cut while we run (logrotate's
    copytruncate) would begin with as many NUL bytes as it had before."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)


def set_level(level: str) -> str:
    """Log at `level` (one of LEVELS) or above from now on; return the level until now. Raises ValueError."""
    if level not in LEVELS:
        raise ValueError(f"a log level is one of {', '.join(LEVELS)}, not {level[:40]!r}")
    root = logging.getLogger()
    before = logging.getLevelName(root.level).lower()
    root.setLevel(level.upper())
    return before


def uncaught(kind: type[BaseException], problem: BaseException, where: TracebackType | None) -> None:
    """As `sys.excepthook`."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, problem, where)
    else:
        log.critical(wording.LOG_PROGRAM_FAILED, exc_info=(kind, problem, where))


def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    """As `threading.excepthook`."""
    if args.exc_value is not None and args.exc_type is not SystemExit:
        log.error(wording.LOG_THREAD_FAILED, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def unraisable(args: "sys.UnraisableHookArgs") -> None:
    """As `sys.unraisablehook`: what went wrong where no caller can be told."""
    if args.exc_value is not None:
        log.error(
            "%s: %r",
            args.err_msg or wording.LOG_IGNORED,
            args.object,
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )
