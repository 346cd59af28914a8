"""The operator's prompt `>>>:` on standard input, as in the project's origin: `quit` stops the server.

It reads in a thread of its own, because epoll refuses regular files and /dev/null; the end of its input ends only the
prompt.
"""

import threading
from collections.abc import Callable

PROMPT = ">>>:"


def start(stop: Callable[[], object]) -> None:
    """Show the prompt. `stop` is called on the prompt's thread when the operator says quit."""
    threading.Thread(target=_read, args=(stop,), name="console", daemon=True).start()


def _read(stop: Callable[[], object]) -> None:
    while True:
        try:
            words = input(PROMPT).strip()
        except (EOFError, OSError, ValueError, UnicodeDecodeError):
            return
        if words == "quit":
            stop()
            return
        if words:
            print("quit stops the server; there are no other words yet")
