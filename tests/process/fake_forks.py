"""A machine without processes: what a supervisor forks, signals and waits for, and the clock that it goes by.

A test tells a story: a generator that runs inside the supervisor's loop, one part in each turn.
"""

import os
import selectors
import signal
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from gateway.process import supervisor
from gateway.process.supervisor import HANDLED, Assignment, Supervisor

Story = Iterator[None]


class StoryOver(Exception):
    """All has been told, and the supervisor still supervises."""


class FakeWorker:
    """What a fork has made: it sends reports, gets signals, and ends when the test says so."""

    def __init__(self, pid: int, mouth: socket.socket, born: float) -> None:
        self.pid = pid
        self.born = born
        self._mouth = mouth
        self.got: list[signal.Signals] = []
        self.status: int | None = None
        """As of waitpid; None: it lives."""

    def says(self, words: str = "READY=1\nSTATUS=here") -> None:
        self._mouth.send(words.encode())

    def ends(self, code: int = 0) -> None:
        """With an exit code, or by a signal (negative)."""
        self.status = code << 8 if code >= 0 else -code
        self._mouth.close()


class FakeMachine:
    """What `gateway.process.supervisor` asks of the system, but for the signals to itself, which are real."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.forked: list[FakeWorker] = []
        self.forks_return: list[int] = []
        """What the next forks return; a pid when it is empty."""
        self.story: Story = iter(())
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._handlers = {number: signal.getsignal(number) for number in HANDLED}
        own = {"fork": self._fork, "waitpid": self._waitpid, "kill": self._kill}
        system = {"getpid": os.getpid, "WNOHANG": os.WNOHANG, "waitstatus_to_exitcode": os.waitstatus_to_exitcode}
        sockets = {"AF_UNIX": socket.AF_UNIX, "SOCK_DGRAM": socket.SOCK_DGRAM, "socketpair": self._socketpair}
        selector = {"EVENT_READ": selectors.EVENT_READ, "DefaultSelector": lambda: self}
        monkeypatch.setattr(supervisor, "os", SimpleNamespace(**own, **system))
        monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(supervisor, "socket", SimpleNamespace(**sockets))
        monkeypatch.setattr(supervisor, "selectors", SimpleNamespace(**selector))

    def run(self, supervisor: Supervisor, story: Story) -> Assignment | int | None:
        """What the supervisor returns; None: at the end of the story it goes on."""
        self.story = story
        try:
            return supervisor.run()
        except StoryOver:
            return None

    @property
    def living(self) -> list[FakeWorker]:
        """The workers that have not ended, the oldest first."""
        return [worker for worker in self.forked if worker.status is None]

    def tell(self, number: signal.Signals) -> None:
        """Send one to the supervisor."""
        signal.raise_signal(number)

    def restore(self) -> None:
        """Give the tests' own process back what it had."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for each in [each for pair in self._pairs for each in pair]:
            each.close()

    # The selector: nothing comes in before the time is up, and then the next part of the story does.

    def register(self, sock: socket.socket, events: int) -> None: ...

    def unregister(self, sock: socket.socket) -> None: ...

    def close(self) -> None: ...

    def select(self, timeout: float) -> None:
        self.now += timeout
        try:
            next(self.story)
        except StopIteration:
            raise StoryOver from None

    # The system.

    def _socketpair(self, *kind: int) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair(*kind)
        self._pairs.append(pair)
        return pair

    def _fork(self) -> int:
        if self.forks_return:
            return self.forks_return.pop(0)
        ear, mouth = self._pairs[-1]
        worker = FakeWorker(5000 + len(self.forked), mouth.dup(), self.now)
        self._pairs.append((ear, worker._mouth))
        self.forked.append(worker)
        return worker.pid

    def _waitpid(self, pid: int, flags: int) -> tuple[int, int]:
        assert flags == os.WNOHANG, "the supervisor must not wait for one worker"
        (worker,) = [worker for worker in self.forked if worker.pid == pid]
        return (0, 0) if worker.status is None else (pid, worker.status)

    def _kill(self, pid: int, number: signal.Signals) -> None:
        (worker,) = [worker for worker in self.forked if worker.pid == pid]
        worker.got.append(number)
        if worker.status is not None:
            raise ProcessLookupError
