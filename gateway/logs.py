"""Log lines on standard error, as text or as one JSON object a line; never waiting for whoever should read them.

A pipe that nobody reads is full after 64 KiB, and one write more would stop every chat. The kernel calls a pipe
writable while PIPE_BYTES fit, so a piece of that size, written after asking, does not block; what does not fit is lost
and counted. The same holds for a terminal that was stopped with Ctrl-S. No thread is needed, and none can hang at exit.
"""

import contextlib
import json
import logging
import os
import select
from datetime import UTC, datetime

STANDARD_ERROR = 2
PIPE_BYTES = 4096
"""PIPE_BUF of Linux; macOS' 512 only makes the last piece of a full pipe block for as long as its reader sleeps."""


class Text(logging.Formatter):
    """`2026-11-23T14:01:02.123Z warning tcp.server: words`."""

    def format(self, record: logging.LogRecord) -> str:
        words = super().format(record)
        return f"{moment(record)} {record.levelname.lower()} {record.name.removeprefix('gateway.')}: {words}"


class Json(logging.Formatter):
    """The same as an object: time, level, logger, message, the record's own `fields`, exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Stream(logging.Handler):
    """Writes to a descriptor as long as somebody takes it."""

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
            line = f"{self._lost} log lines were lost: they could not be written\n{line}"
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


FORMATS = {"text": Text, "json": Json}


def moment(record: logging.LogRecord) -> str:
    """When a record was made, in UTC."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def start(level: str, form: str) -> None:
    """Send what is logged at `level` or above to standard error in one of FORMATS."""
    handler = Stream(STANDARD_ERROR)
    handler.setFormatter(FORMATS[form]())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
