"""The supervisor with real processes, whose workers (`toy_workers.py`) tell each peer their pid."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.process.supervisor import how_it_ended
from tests.fakes import until

ROOT = Path(__file__).parents[2]


class Toy:
    """A supervisor and its workers."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
            command = [sys.executable, "-m", "tests.process.toy_workers", *arguments]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err)
        self.peers: list[socket.socket] = []

    def said(self, word: str) -> str:
        """The line that begins with this word, once it is there."""

        def found() -> str:
            lines = (self.folder / "out").read_text().splitlines()
            return next((line for line in lines if line.startswith(word)), "")

        return until(found, word)

    def call(self) -> int:
        """Connect; the pid of the worker that has taken the connection."""
        peer = socket.create_connection(("127.0.0.1", int(self.said("ready ").split()[1])), timeout=30)
        self.peers.append(peer)
        return int(peer.recv(100))

    def workers(self) -> set[int]:
        """The pids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return set(map(int, children.split()))

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Toy]:
    toy = Toy(tmp_path, "2")
    yield toy
    for peer in toy.peers:
        peer.close()
    if toy.process.poll() is None:
        toy.tell(signal.SIGTERM)
        toy.process.wait(30)


pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the children in /proc")


def test_newcomers_are_spread_over_the_workers(toy: Toy) -> None:
    taken = Counter(toy.call() for _ in range(40))
    assert set(taken) == toy.workers() and len(taken) == 2
    assert min(taken.values()) >= 12


def test_a_worker_that_stands_still_keeps_no_newcomer_waiting(toy: Toy) -> None:
    frozen = toy.call()
    os.kill(frozen, signal.SIGSTOP)
    try:
        assert frozen not in {toy.call() for _ in range(20)}
    finally:
        os.kill(frozen, signal.SIGCONT)


def test_a_worker_that_is_killed_takes_only_its_own_connections_and_is_replaced(toy: Toy) -> None:
    pids = [toy.call() for _ in range(20)]
    victim, other = sorted(set(pids))
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(toy.workers()) == 2 and victim not in toy.workers(), "a successor")

    for peer, pid in zip(toy.peers, pids, strict=True):
        if pid == victim:
            assert peer.recv(1) == b""
        else:
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.recv(1)
    until(lambda: toy.call() not in (victim, other), "the successor takes newcomers")
    assert f"process {victim}) ended: SIGKILL" in (toy.folder / "err").read_text()


def test_reloads_are_passed_on_and_over_when_all_have_reloaded(toy: Toy) -> None:
    toy.said("ready")
    toy.tell(signal.SIGHUP)
    toy.said("reloading")
    toy.said("reloaded")


def test_workers_are_replaced_one_by_one_and_nobody_is_refused(toy: Toy) -> None:
    toy.said("ready")
    before = toy.workers()
    toy.tell(signal.SIGUSR1)
    until(lambda: (toy.call(), not toy.workers() & before)[1], "all are new")
    until(lambda: len(toy.workers()) == 2, "and two again")


def test_a_pause_is_passed_on_also_to_a_worker_that_comes_later(toy: Toy) -> None:
    victim = toy.call()
    toy.tell(signal.SIGUSR2)
    port = int(toy.said("ready ").split()[1])
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(toy.workers()) == 2 and victim not in toy.workers(), "a successor")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as waiting:
        toy.tell(signal.SIGUSR2)
        assert int(waiting.recv(100)) in toy.workers()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_is_passed_on_and_clean(toy: Toy, number: signal.Signals) -> None:
    toy.call()
    toy.tell(number)
    assert toy.process.wait(30) == 0
    toy.said("stopping")


def test_workers_end_when_their_supervisor_is_gone(toy: Toy) -> None:
    toy.call()
    workers = toy.workers()
    toy.process.kill()
    toy.process.wait()
    until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers), "all have gone")


def test_a_start_that_fails_has_the_exit_code_of_the_worker_that_failed(tmp_path: Path) -> None:
    toy = Toy(tmp_path, "2", "78")
    assert toy.process.wait(30) == 78
    assert (tmp_path / "out").read_text() in ("", "stopping\n")
    assert (tmp_path / "err").read_text() == "", "the worker says itself why"


def test_the_end_of_a_process_in_words() -> None:
    assert [how_it_ended(code) for code in (3, -9, -250)] == ["exit code 3", "SIGKILL", "250"]
