"""The supervisor with real processes, whose workers (`toy_workers.py`) tell each peer their pid; and on a fake machine
(`fake_forks.py`), where the time that things take is none."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.process.supervisor import HANDLED, SILENT_SECONDS, STOP_SECONDS, Assignment, Supervisor, how_it_ended
from tests.fakes import PATIENCE, until
from tests.process.fake_forks import FakeMachine

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
        peer = socket.create_connection(("127.0.0.1", int(self.said("ready ").split()[1])), timeout=PATIENCE)
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
        toy.process.wait(PATIENCE)


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
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as waiting:
        toy.tell(signal.SIGUSR2)
        assert int(waiting.recv(100)) in toy.workers()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_is_passed_on_and_clean(toy: Toy, number: signal.Signals) -> None:
    toy.call()
    toy.tell(number)
    assert toy.process.wait(PATIENCE) == 0
    toy.said("stopping")


def test_workers_end_when_their_supervisor_is_gone(toy: Toy) -> None:
    toy.call()
    workers = toy.workers()
    toy.process.kill()
    toy.process.wait()
    until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers), "all have gone")


def test_a_start_that_fails_has_the_exit_code_of_the_worker_that_failed(tmp_path: Path) -> None:
    toy = Toy(tmp_path, "2", "78")
    assert toy.process.wait(PATIENCE) == 78
    assert (tmp_path / "out").read_text() in ("", "stopping\n")
    assert (tmp_path / "err").read_text() == "", "the worker says itself why"


def test_the_end_of_a_process_in_words() -> None:
    assert [how_it_ended(code) for code in (3, -9, -250)] == ["exit code 3", "SIGKILL", "250"]


# The supervisor on a machine without processes


class Supervised:
    """A supervisor of two workers on a fake machine, and what it told whoever started it."""

    def __init__(self, machine: FakeMachine) -> None:
        self.machine = machine
        self.said: list[str] = []
        self.beats = 0
        self.supervisor = Supervisor(
            2,
            {},
            "secret",
            ready=lambda: self.said.append("ready"),
            beat=self.beat,
            reloaded=lambda done: self.said.append("reloaded" if done else "reloading"),
            stopping=lambda: self.said.append("stopping"),
        )

    def beat(self) -> None:
        self.beats += 1

    def started(self) -> Iterator[None]:
        """The part of a story in which both become ready."""
        for worker in self.machine.forked[:2]:
            worker.says()
        yield
        assert self.said == ["ready"]
        self.said.clear()

    def run(self, story: Iterator[None]) -> Assignment | int | None:
        return self.machine.run(self.supervisor, story)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, expected_errors: list[str]) -> Iterator[Supervised]:
    expected_errors += [r"worker \d \(process \d+\) (ended|does not answer)"]
    machine = FakeMachine(monkeypatch)
    yield Supervised(machine)
    machine.restore()


def test_it_is_ready_once_all_workers_are_and_beats_once_a_second(fake: Supervised) -> None:
    def story() -> Iterator[None]:
        one, other = fake.machine.forked
        one.says("WATCHDOG=1")
        one.says()
        yield
        assert fake.said == []
        other.says()
        yield
        assert fake.said == ["ready"]
        one.says()
        beats, now = fake.beats, fake.machine.now
        for _ in range(10):
            yield
        assert (fake.said, fake.beats - beats, fake.machine.now - now) == (["ready"], 10, 10.0)

    assert fake.run(story()) is None


def test_a_worker_that_ends_is_replaced_at_once_and_then_after_growing_pauses(
    fake: Supervised, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Iterator[None]:
        yield from fake.started()
        pauses = []
        for count in range(3, 12):
            fake.machine.living[-1].ends(-9)
            ended = fake.machine.now
            while len(fake.machine.forked) < count:
                fake.machine.living[0].says("WATCHDOG=1")
                yield
            pauses.append(fake.machine.forked[-1].born - ended)
        assert pauses == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
        fake.machine.living[-1].says()
        for _ in range(62):
            fake.machine.living[-1].says("WATCHDOG=1")
            fake.machine.living[0].says("WATCHDOG=1")
            yield
        fake.machine.living[-1].ends(1)
        ended = fake.machine.now
        yield
        assert fake.machine.forked[11].born == ended, "it was steady: no pause"

    assert fake.run(story()) is None
    assert "worker 2 (process 5001) ended: SIGKILL" in caplog.text and "ended: exit code 1" in caplog.text


@pytest.mark.parametrize(("code", "exit_code", "logged"), [(78, 78, False), (0, 1, False), (-11, 1, True)])
def test_a_start_that_fails_stops_all_and_starts_none_again(
    fake: Supervised, caplog: pytest.LogCaptureFixture, code: int, exit_code: int, logged: bool
) -> None:
    def story() -> Iterator[None]:
        one, other = fake.machine.forked
        one.says()
        other.ends(code)
        yield
        assert one.got == [signal.SIGTERM] and fake.machine.living == [one]
        one.ends()
        yield

    assert fake.run(story()) == exit_code
    assert fake.said == ["stopping"] and len(fake.machine.forked) == 2
    assert ("SIGSEGV" in caplog.text) == logged, "a worker that returns says itself why"


def test_it_stops_when_all_workers_have_and_kills_one_that_does_not(
    fake: Supervised, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Iterator[None]:
        yield from fake.started()
        one, other = fake.machine.forked
        fake.machine.tell(signal.SIGTERM)
        yield
        assert one.got == other.got == [signal.SIGTERM]
        fake.machine.tell(signal.SIGINT)
        yield
        assert one.got == other.got == [signal.SIGTERM] * 2, "asked again, at once"
        one.ends()
        asked = fake.machine.now
        while signal.SIGKILL not in other.got:
            yield
        assert STOP_SECONDS - 2 < fake.machine.now - asked < STOP_SECONDS + 2
        other.ends(-9)
        yield

    assert fake.run(story()) == 0
    assert fake.said == ["stopping"] and len(fake.machine.forked) == 2
    assert caplog.text.count("does not answer") == 1


def test_a_worker_that_has_not_reported_for_long_is_killed_and_replaced(fake: Supervised) -> None:
    def story() -> Iterator[None]:
        yield from fake.started()
        one, other = fake.machine.forked
        heard = fake.machine.now
        while not other.got:
            one.says("WATCHDOG=1")
            yield
        assert (one.got, other.got) == ([], [signal.SIGKILL])
        assert SILENT_SECONDS < fake.machine.now - heard < SILENT_SECONDS + 3
        other.ends(-9)
        yield
        assert len(fake.machine.living) == 2

    assert fake.run(story()) is None


def test_a_reload_is_over_when_the_last_has_reloaded_or_ended(fake: Supervised) -> None:
    def story() -> Iterator[None]:
        yield from fake.started()
        one, other = fake.machine.forked
        fake.machine.tell(signal.SIGHUP)
        yield
        assert one.got == other.got == [signal.SIGHUP] and fake.said == ["reloading"]
        one.says()
        yield
        assert fake.said == ["reloading"]
        other.ends(1)
        yield
        assert fake.said == ["reloading", "reloaded"]
        fake.machine.tell(signal.SIGHUP)
        yield
        assert fake.machine.forked[-1].got == [], "it reads the settings anyhow: it starts"
        one.says()
        yield
        assert fake.said == ["reloading", "reloaded"] * 2

    assert fake.run(story()) is None


def test_workers_are_replaced_each_after_its_successor_is_ready(fake: Supervised) -> None:
    def story() -> Iterator[None]:
        yield from fake.started()
        one, other = fake.machine.forked
        fake.machine.tell(signal.SIGUSR1)
        yield
        successor = fake.machine.living[-1]
        assert len(fake.machine.living) == 3 and one.got == other.got == []
        successor.says()
        yield
        assert (one.got, other.got) == ([signal.SIGTERM], [])
        one.ends()
        yield
        fake.machine.living[-1].says()
        yield
        assert (other.got, successor.got) == ([signal.SIGTERM], [])
        other.ends()
        yield
        yield
        assert len(fake.machine.forked) == 4 == 2 * len(fake.machine.living)

    assert fake.run(story()) is None


def test_a_second_request_to_replace_all_takes_none_away_from_the_first(fake: Supervised) -> None:
    def story() -> Iterator[None]:
        yield from fake.started()
        first = set(fake.machine.living)
        for number in (signal.SIGUSR1, signal.SIGUSR1):
            fake.machine.tell(number)
            yield
        for _ in range(12):
            for worker in fake.machine.living:
                worker.ends() if signal.SIGTERM in worker.got else worker.says()
            yield
        assert not first & set(fake.machine.living) and len(fake.machine.living) == 2
        assert len(fake.machine.forked) == 5, "place 1 again, because the second request came after its successor"

    assert fake.run(story()) is None


def test_a_worker_that_ends_before_its_successor_is_ready_is_not_signalled_any_more(fake: Supervised) -> None:
    """Its pid may be another process's by then."""

    def story() -> Iterator[None]:
        yield from fake.started()
        one = fake.machine.forked[0]
        fake.machine.tell(signal.SIGUSR1)
        yield
        one.ends(1)
        yield
        fake.machine.forked[2].says()
        yield
        assert one.got == []

    assert fake.run(story()) is None


def test_a_pause_reaches_a_worker_as_soon_as_it_is_ready(fake: Supervised) -> None:
    def story() -> Iterator[None]:
        yield from fake.started()
        fake.machine.tell(signal.SIGUSR2)
        fake.machine.forked[1].ends(1)
        yield
        late = fake.machine.living[-1]
        assert fake.machine.forked[0].got == [signal.SIGUSR2] and late.got == []
        late.says()
        yield
        assert late.got == [signal.SIGUSR2]
        fake.machine.tell(signal.SIGUSR2)
        yield
        assert late.got == [signal.SIGUSR2] * 2

    assert fake.run(story()) is None


def test_a_forked_worker_has_its_assignment_and_nothing_of_the_supervisors(fake: Supervised) -> None:
    fake.machine.forks_return = [4999, 0]
    found = fake.run(iter(()))

    assert isinstance(found, Assignment) and (found.place, found.secret, found.part.number) == (1, "secret", 1)
    assert found.mouth.fileno() >= 0 and not [ear for ear in fake.supervisor._ears if ear.fileno() >= 0]
    assert signal.set_wakeup_fd(-1) == -1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert {signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)} == {signal.SIG_IGN}
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(HANDLED)
