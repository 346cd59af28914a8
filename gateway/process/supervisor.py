"""The supervisor: one process that owns the listening sockets, and the workers that accept from them.

Each worker is a whole gateway with its own selectors server, loop and hub. It is forked, so that it shares what was
imported, and speaks with the supervisor as with systemd (`process.systemd`): READY, WATCHDOG, STATUS by a datagram
socket of its own. What this design rests on:

- One queue for all. The supervisor listens, and every worker accepts from the same sockets. With SO_REUSEPORT each
  worker would have a queue of its own: newcomers in the queue of a worker that does not accept would wait for it, and
  be reset when it goes. Here any worker that is awake takes them, and while no worker lives they wait.
- A kernel wakes the same worker again and again: users of other servers report 7 of 10 connections for one of five
  workers. `WorkerCounts.busier` lets a worker that has clearly more than another leave a newcomer to it for a moment;
  it takes the newcomer itself when it is still there then.
- Limits count in memory that all workers share (`process.shared_counts`). Each writes only into its own part, so there
  is no lock, and the supervisor wipes the part of one that has ended.
- A worker that ends by itself drops its own connections and is replaced, at once the first time, then after a growing
  pause. One that has not reported for SILENT_SECONDS is killed and replaced. If one ends before all were ready for the
  first time, the start has failed: the others are stopped, and its exit code is ours.
- Signals: SIGTERM and SIGINT stop all (again: at once), SIGHUP and SIGUSR2 are passed on, SIGUSR1 replaces the workers
  one by one, each after its successor is ready. A worker ignores SIGINT: Ctrl-C reaches all processes of a terminal.

Not done on purpose: workers started later run the code that was loaded at the start. A new version of the package wants
a restart of the whole (with systemd's sockets it refuses nobody).
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from gateway import wording
from gateway.process.shared_counts import SharedCounts, WorkerCounts

log = logging.getLogger(__name__)

Sockets = dict[str, list[socket.socket]]
"""The listening sockets by port name."""

TICK_SECONDS = 1.0
SILENT_SECONDS = 30.0
"""A worker's loop that stands still longer than this is not coming back: the same as WatchdogSec= of the unit."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""A worker that has lived so long may end once without a pause."""
STOP_SECONDS = 30.0
"""How long a worker may take to stop; a drain takes up to 25."""
PASSED_ON = (signal.SIGHUP, signal.SIGUSR2)
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1, *PASSED_ON)


class WorkerState(Enum):
    """A worker's life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


@dataclass(slots=True)
class Worker:
    """One worker process. `place` counts from 0 and is inherited by its successor."""

    place: int
    pid: int
    ear: socket.socket
    born: float
    heard: float
    part: int
    state: WorkerState = WorkerState.STARTING
    replaces: "Worker | None" = None
    deadline: float = 0.0


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a forked worker is given: its place, the sockets, where it reports, and its part of the counts of all."""

    place: int
    sockets: Sockets
    mouth: socket.socket
    part: WorkerCounts
    secret: str


@dataclass(slots=True)
class WorkerPlace:
    """One of the `count` places: when it is filled again, and the pause before that."""

    due: float = 0.0
    pause: float = 0.0


class Supervisor:
    """Keeps `count` workers, which know the `secret` of the data folder. `ready` is called when all of them are for the
    first time, `beat` once a second,
    `reloaded` when a SIGHUP has come (False) and when all have taken it (True), `stopping` when all have to stop."""

    def __init__(
        self,
        count: int,
        sockets: Sockets,
        secret: str,
        *,
        ready: Callable[[], object],
        beat: Callable[[], object],
        reloaded: Callable[[bool], object],
        stopping: Callable[[], object],
    ) -> None:
        self._count = count
        self._sockets = sockets
        self._secret = secret
        self._ready, self._beat, self._reloaded, self._stopping = ready, beat, reloaded, stopping
        self.shared = SharedCounts(2 * count)
        self._places = [WorkerPlace() for _ in range(count)]
        self._workers: dict[int, Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._ears: dict[socket.socket, Worker | None] = {}
        """Where reports come in; None: where signals do."""
        self._announced = False
        self._stop_asked = 0
        self._paused = False
        self._reloading: set[int] = set()
        self._rolling: list[int] = []
        self._code = 0
        self._next_beat = 0.0
        self._waker: socket.socket | None = None

    def run(self) -> "Assignment | int":
        """Supervise until all has stopped; return the exit code. In a forked worker it returns that worker's
        assignment instead, and all that the supervisor has open is closed there."""
        self._listen_for_signals()
        for place in range(self._count):
            forked = self._fork(place)
            if forked is not None:
                return forked
        while self._workers or not self._stop_asked:
            self._selector.select(self._until_next())
            for ear, worker in list(self._ears.items()):
                self._hear(ear, worker)
            self._reap()
            forked = self._fill()
            if forked is not None:
                return forked
            self._pulse()
        return self._code

    # What happens

    def _hear(self, ear: socket.socket, worker: "Worker | None") -> None:
        """Read what is there: signals (no worker), or a worker's report."""
        while True:
            try:
                data = ear.recv(4096)
            except (BlockingIOError, ConnectionError):
                return
            if worker is None:
                for number in data:
                    self._signalled(signal.Signals(number))
            elif not data:
                return
            else:
                self._reported(worker, data.decode("utf-8", "replace"))

    def _reported(self, worker: Worker, words: str) -> None:
        worker.heard = time.monotonic()
        if not words.startswith("READY=1"):
            return
        self._has_reloaded(worker)
        if worker.state is not WorkerState.STARTING:
            return
        worker.state = WorkerState.READY
        if self._paused:
            self._kill(worker, signal.SIGUSR2)
        if worker.replaces is not None and worker.replaces.pid in self._workers:  # otherwise its pid may be anybody's
            self._stop(worker.replaces)
        worker.replaces = None
        if not self._announced and all(each.state is WorkerState.READY for each in self._workers.values()):
            self._announced = len(self._workers) == self._count
            if self._announced:
                self._ready()

    def _has_reloaded(self, worker: Worker) -> None:
        """A worker has taken the SIGHUP, or never will."""
        if worker.pid in self._reloading:
            self._reloading.discard(worker.pid)
            if not self._reloading:
                self._reloaded(True)

    def _signalled(self, number: signal.Signals) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop_asked += 1
            if self._stop_asked == 1:
                self._stopping()
            for worker in self._workers.values():
                self._stop(worker)
        elif number is signal.SIGUSR1 and self._announced and not self._stop_asked:
            self._rolling += [place for place in range(self._count) if place not in self._rolling]
        elif number in PASSED_ON:
            if number is signal.SIGUSR2:
                self._paused = not self._paused
            elif not self._reloading and not self._stop_asked:
                self._reloading = {each.pid for each in self._workers.values() if each.state is WorkerState.READY}
                self._reloaded(False)
            for worker in self._workers.values():
                if worker.state is not WorkerState.STARTING:
                    self._kill(worker, number)

    def _reap(self) -> None:
        """Take the exit codes of the workers that have ended."""
        for pid in list(self._workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._ended(self._workers.pop(pid), os.waitstatus_to_exitcode(status))

    def _ended(self, worker: Worker, code: int) -> None:
        self._selector.unregister(worker.ear)
        del self._ears[worker.ear]
        worker.ear.close()
        self.shared.wipe(worker.part)
        self._has_reloaded(worker)
        if worker.state is WorkerState.STOPPING:
            return
        if self._announced or code < 0:  # otherwise it has said itself why it cannot start
            log.error(wording.LOG_WORKER_ENDED, worker.place + 1, worker.pid, how_it_ended(code))
        if not self._announced:
            # What it could not do, the others cannot either.
            self._code = code if code > 0 else 1
            self._signalled(signal.SIGTERM)
        else:
            place, now = self._places[worker.place], time.monotonic()
            if now - worker.born > STEADY_SECONDS:
                place.pause = 0.0
            place.due = now + place.pause
            place.pause = min(max(FIRST_PAUSE, 2 * place.pause), LONGEST_PAUSE)

    # What is done

    def _fill(self) -> "Assignment | None":
        """Fork what is missing and due; in the forked worker, its assignment."""
        if self._stop_asked:
            return None
        now = time.monotonic()
        taken = {worker.place for worker in self._workers.values() if worker.state is not WorkerState.STOPPING}
        for number, place in enumerate(self._places):
            if number not in taken and place.due <= now:
                return self._fork(number)
        if self._rolling and all(each.state is WorkerState.READY for each in self._workers.values()):
            number = self._rolling.pop(0)
            (old,) = [worker for worker in self._workers.values() if worker.place == number]
            return self._fork(number, replaces=old)
        return None

    def _fork(self, place: int, replaces: "Worker | None" = None) -> "Assignment | None":
        """Start a worker; in the worker itself, return its assignment."""
        part = min(set(range(self.shared.parts)) - {worker.part for worker in self._workers.values()})
        self.shared.wipe(part)
        ear, mouth = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.setblocking(False)
        # Until it has let go of our wake-up socket, a signal for the worker would seem to be one for us.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        pid = os.fork()
        if pid:
            mouth.close()
            now = time.monotonic()
            worker = Worker(place, pid, ear, now, now, part, replaces=replaces)
            self._workers[pid] = worker
            self._ears[ear] = worker
            self._selector.register(ear, selectors.EVENT_READ)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            return None
        self._leave(ear)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        return Assignment(place, self._sockets, mouth, self.shared.part(part), self._secret)

    def _leave(self, ear: socket.socket) -> None:
        """In a worker: drop what is the supervisor's alone. Until the gateway handles them, no signal ends it but those
        that end processes."""
        signal.set_wakeup_fd(-1)
        if self._waker is not None:
            self._waker.close()
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL if number in (signal.SIGTERM, signal.SIGCHLD) else signal.SIG_IGN)
        for each in (*self._ears, ear):
            each.close()
        self._selector.close()

    def _stop(self, worker: Worker) -> None:
        """Ask a worker to stop; asked again, at once."""
        if worker.state is not WorkerState.STOPPING:
            worker.state, worker.deadline = WorkerState.STOPPING, time.monotonic() + STOP_SECONDS
        self._kill(worker, signal.SIGTERM)

    def _kill(self, worker: Worker, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, number)

    def _pulse(self) -> None:
        """Once a second: kill workers that are silent or do not stop, and report that the supervisor is alive."""
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + TICK_SECONDS
        for worker in self._workers.values():
            silent = worker.state is WorkerState.READY and now - worker.heard > SILENT_SECONDS
            if silent or (worker.state is WorkerState.STOPPING and now > worker.deadline):
                log.error(wording.LOG_WORKER_SILENT, worker.place + 1, worker.pid)
                self._kill(worker, signal.SIGKILL)
        self._beat()

    def _until_next(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        pauses = [place.due - now for place in self._places if place.due > now]
        return max(0.0, min([self._next_beat - now, *pauses]))

    def _listen_for_signals(self) -> None:
        """Have the numbers of signals written to a socket, which wakes the selector."""
        waker, woken = socket.socketpair()
        waker.setblocking(False)
        woken.setblocking(False)
        self._ears[woken] = None
        self._selector.register(woken, selectors.EVENT_READ)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, lambda *_: None)
        self._waker = waker


def how_it_ended(code: int) -> str:
    """A process's exit code in words, for the log."""
    if code >= 0:
        return wording.ENDED_WITH_CODE.format(code=code)
    with contextlib.suppress(ValueError):
        return wording.ENDED_BY_SIGNAL.format(signal=signal.Signals(-code).name)
    return wording.ENDED_BY_SIGNAL.format(signal=-code)
