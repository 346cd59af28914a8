"""The operator's prompt `>>>:` on standard input, as in the project's origin: `quit` stops the server.

It reads in a thread of its own, because epoll refuses regular files and /dev/null; the end of its input ends only the
prompt. It reads the descriptor and not `sys.stdin`: a thread that waits inside `sys.stdin` holds its lock, and the
interpreter aborts at its end when it cannot take that lock. The prompt comes back when a line has been answered.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.sanitize import BYTE_ORDER_MARK

PROMPT = ">>>:"
READ_BYTES = 4096
ANSWER_SECONDS = 10.0
"""How long the prompt waits for an answer before it comes back."""
Hear = Callable[[str], str]
"""Called on the prompt's thread with a line that is not `quit`; returns what to print. Raises RuntimeError when the
server has stopped."""


def no_other_words(line: str) -> str:
    """A server that knows `quit` only."""
    return wording.CONSOLE_EARLY


def in_loop(call_soon: Callable[[Callable[[], object]], object], hear: Callable[[str], Answer[str]]) -> Hear:
    """What hears a line in the thread of a loop; `call_soon` is its `call_soon_threadsafe`."""

    def heard(line: str) -> str:
        answer: Future[str] = Future()
        call_soon(lambda: hear(line).then(answer.set_result))
        try:
            return answer.result(ANSWER_SECONDS)
        except TimeoutError:
            return wording.CONSOLE_BUSY

    return heard


def start(stop: Callable[[], object], hear: Hear = no_other_words) -> None:
    """Show the prompt. `stop` is called on the prompt's thread when the operator says quit. Without a standard input
    there is no prompt."""
    if sys.stdin is not None:
        # A background job (`gateway --console &`, Ctrl-Z and bg) that reads its terminal is stopped as a whole, with
        # every chat; ignored, the reading fails and only the prompt ends.
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        threading.Thread(target=_read, args=(sys.stdin.fileno(), stop, hear), name="console", daemon=True).start()


def _read(descriptor: int, stop: Callable[[], object], hear: Hear) -> None:
    line, first = b"", True
    try:
        print(PROMPT, end="", flush=True)
        while data := os.read(descriptor, READ_BYTES):
            *lines, line = (line + data).split(b"\n")
            if first and lines:
                # A pipe of Windows PowerShell begins with it; a later one is a letter like any other.
                lines[0], first = lines[0].removeprefix(BYTE_ORDER_MARK), False
            line = line[:READ_BYTES]
            for words in map(bytes.strip, lines):
                if words == b"quit":
                    stop()
                    return
                if words:
                    print(hear(words.decode("utf-8", "replace")))
                print(PROMPT, end="", flush=True)
        if (line.removeprefix(BYTE_ORDER_MARK) if first else line).strip() == b"quit":
            stop()
    except (OSError, RuntimeError):
        return  # the terminal has gone, nobody reads our output any more, or the server has stopped meanwhile
