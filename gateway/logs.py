"""Log lines on standard error, as text or as one JSON object a line."""

import json
import logging
import sys
from datetime import UTC, datetime


class Text(logging.Formatter):
    """`2026-11-23T14:01:02.123Z warning tcp.server: words`."""

    def format(self, record: logging.LogRecord) -> str:
        words = super().format(record)
        return f"{moment(record)} {record.levelname.lower()} {record.name.removeprefix('gateway.')}: {words}"


class Json(logging.Formatter):
    """The same as an object: time, level, logger, message, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


FORMATS = {"text": Text, "json": Json}


def moment(record: logging.LogRecord) -> str:
    """When a record was made, in UTC."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def start(level: str, form: str) -> None:
    """Send what is logged at `level` or above to standard error in one of FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATS[form]())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
