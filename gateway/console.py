"""The operator's prompt `>>>:` on standard input, as in the project's origin: `quit` stops the server.

It reads in a thread of its own, because epoll refuses regular files and /dev/null; the end of its input ends only the
prompt. It reads the descriptor and not `sys.stdin`: a thread that waits inside `sys.stdin` holds its lock, and the
interpreter aborts at its end when it cannot take that lock.
"""

import os
import sys
import threading
from collections.abc import Callable

PROMPT = ">>>:"
READ_BYTES = 4096


def start(stop: Callable[[], object]) -> None:
    """Show the prompt. `stop` is called on the prompt's thread when the operator says quit. Without a standard input
    there is no prompt."""
    if sys.stdin is not None:
        threading.Thread(target=_read, args=(sys.stdin.fileno(), stop), name="console", daemon=True).start()


def _read(descriptor: int, stop: Callable[[], object]) -> None:
    line = b""
    try:
        print(PROMPT, end="", flush=True)
        while data := os.read(descriptor, READ_BYTES):
            *lines, line = (line + data).split(b"\n")
            line = line[:READ_BYTES]
            for words in map(bytes.strip, lines):
                if words == b"quit":
                    stop()
                    return
                if words:
                    print("quit stops the server; there are no other words yet")
                print(PROMPT, end="", flush=True)
    except OSError:
        return  # the terminal has gone, or nobody reads our output any more
    if line.strip() == b"quit":
        stop()
