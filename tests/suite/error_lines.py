"""Error lines that no test announced: in the log of every gateway process, and logged in the tests' own process.

Whoever starts a gateway has its standard error written to a file and names that file here (`WATCH.follow`). After each
test, tests/conftest.py asks for what is new. A test that causes an error on purpose says so beforehand, with a pattern
for the whole entry: `expected_errors.append("journal failed")`. Output of other tests that comes late is told by the
test that runs then, so the report names the file.
"""

import logging
import re
from collections.abc import Iterable
from pathlib import Path

START_OF_ENTRY = re.compile(r'\d{4}-\d\d-\d\dT\S+Z \w+ |\{"ts":')
"""How an entry begins in gateway/process/logs.py, as text and as JSON. Other lines belong to the entry before them."""

TROUBLE = re.compile(
    r'\A(\S+Z (error|critical) |\{.*"level": ?"(error|critical)")'
    r"|Traceback \(most recent call last\)|never retrieved|never awaited|Exception in callback|Exception ignored"
    r"|ResourceWarning|Fatal Python error"
)

RACE_OF_A_LIBRARY = re.compile(r"websockets\.client ERROR: unexpected internal error\n(?s:.*)EOFError: stream ended\Z")
"""A client of `websockets` in threads whose gateway is killed: one thread fails to write and ends the stream, while the
one that reads still holds what came before. The gateway has no part in it."""


def entries(text: str) -> list[str]:
    """The entries of a log, each with the lines that belong to it."""
    found: list[str] = []
    for line in text.splitlines():
        if found and not START_OF_ENTRY.match(line):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


def errors(text: str) -> list[str]:
    """The entries of a log that tell of an error."""
    return [entry for entry in entries(text) if TROUBLE.search(entry)]


class ErrorWatch(logging.Handler):
    """Collects entries that tell of an error, from files and from this process."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
        self._read: dict[Path, int] = {}
        self._own: list[str] = []

    def follow(self, path: Path) -> None:
        """Read this file, which may not be there yet, from its beginning; once, however often it is named."""
        self._read.setdefault(path, 0)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is logged in this process."""
        if record.levelno >= logging.ERROR or "ResourceWarning" in record.getMessage():
            entry = self.format(record)
            if not RACE_OF_A_LIBRARY.search(entry):
                self._own.append(entry)

    def take(self, expected: Iterable[str] = ()) -> list[str]:
        """The errors since the last call that match no pattern of `expected`; each begins with where it was found."""
        found = [f"logged by the test's own process: {entry}" for entry in self._own]
        self._own.clear()
        for path in self._read:
            found += [f"{path}: {entry}" for entry in errors(self._news(path))]
        return [entry for entry in found if not any(re.search(pattern, entry) for pattern in expected)]

    def _news(self, path: Path) -> str:
        """The whole lines that were added since the last look."""
        start = self._read[path]
        if not path.exists() or path.stat().st_size <= start:
            return ""
        with path.open("rb") as file:
            file.seek(start)
            whole = file.read().rpartition(b"\n")[0] + b"\n"
        if whole == b"\n":
            return ""
        self._read[path] = start + len(whole)
        return whole.decode("utf-8", "replace")


WATCH = ErrorWatch()
"""The one of this process: a log handler, so it is there once, like logging itself."""
