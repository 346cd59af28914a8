"""The canary: a terminal and a browser that answer each other every 100 ms. Whatever else happens to the gateway, they
must hear each other.

The gateway promises PROMISED seconds at most, which only the long forms check, by name on a calm machine. The short
forms allow PATIENCE, because a loaded machine needs more.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bridge.peers import SECONDS, Browser, Terminal

PAUSE = 0.1
PROMISED = 1.0
PATIENCE = 5.0


class Canary:
    """The pair, in a room of its own. `longest` is the longest silence so far, in seconds."""

    def __init__(self, tcp: int, web: int) -> None:
        self._terminal = Terminal(tcp)
        self._terminal.send("/join canary")
        self._terminal.until("you are in #canary")
        self._browser = Browser(web, "canary")
        self._over = threading.Event()
        self.longest = 0.0
        self.problem: BaseException | None = None
        self._thread = threading.Thread(target=self._sing, daemon=True)
        self._thread.start()

    def _sing(self) -> None:
        try:
            for number in itertools.count():
                began = time.monotonic()
                self._terminal.send(f"tick {number}")
                self._browser.texts_until(f"tick {number}")
                self._browser.send(type="say", room="canary", text=f"tock {number}")
                self._terminal.until(f"tock {number}$")
                self.longest = max(self.longest, time.monotonic() - began)
                if self._over.wait(PAUSE):
                    return
        except BaseException as problem:
            self.problem = problem

    def stop(self) -> None:
        """Exchange a last message, end, and close."""
        self._over.set()
        self._thread.join(SECONDS)
        self._terminal.sock.close()
        self._browser.close()


@contextmanager
def canary(tcp: int, web: int, patience: float = PATIENCE) -> Iterator[Canary]:
    """Run a canary in the room `canary` meanwhile; no silence may last longer than `patience` seconds."""
    bird = Canary(tcp, web)
    try:
        yield bird
    finally:
        bird.stop()
    assert bird.problem is None, bird.problem
    assert bird.longest < patience, f"nothing was heard for {bird.longest:.2f} s"
