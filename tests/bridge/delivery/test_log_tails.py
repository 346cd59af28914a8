"""`tail -f log | nc` for as long as the log grows, pastes of thousands of lines, and netcats that die while sending:
nothing is lost, repeated or reordered."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bridge.canary import PATIENCE, PROMISED, canary
from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import HOST, Browser, history
from tests.fakes import until

Program = Callable[[str], str]
PASTED = 5000


@contextmanager
def tailed(gateway: Gateway, program: Program, log: Path, since: str = "+1") -> Iterator["subprocess.Popen[bytes]"]:
    """`tail -n SINCE -F log | nc` meanwhile; the netcat."""
    tail = subprocess.Popen(["tail", "-n", since, "-s", "0.05", "-F", str(log)], stdout=subprocess.PIPE)
    command = [program("nc.openbsd"), HOST, str(gateway.tcp)]
    nc = subprocess.Popen(command, stdin=tail.stdout, stdout=subprocess.DEVNULL)
    try:
        yield nc
    finally:
        for process in (tail, nc):
            process.kill()
            process.wait()
        assert tail.stdout is not None
        tail.stdout.close()


def said(gateway: Gateway) -> list[str]:
    """The texts of the lobby."""
    return [message["text"] for message in history(gateway.web, "lobby")]


def tail_for(gateway: Gateway, program: Program, log: Path, lines: int, seconds: float, patience: float) -> None:
    """Append so many lines in so many seconds, in bursts, rotate the log half-way; all come, once and in order."""
    log.touch()
    written = [f"line {number} of the log" for number in range(lines)]
    burst = max(1, lines // 50)
    with canary(gateway.tcp, gateway.web, patience), tailed(gateway, program, log):
        for start in range(0, lines, burst):
            with log.open("a") as file:
                file.write("".join(f"{line}\n" for line in written[start : start + burst]))
            time.sleep(seconds / 50)
        until(lambda: said(gateway)[-1:] == written[-1:], "the last line")
    assert said(gateway) == written


def test_a_tailed_log_arrives_whole(start: Start, program: Program, tmp_path: Path) -> None:
    tail_for(start("--limits.burst", 1000), program, tmp_path / "log", 500, 1, PATIENCE)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_log_tailed_for_minutes_arrives_whole(start: Start, program: Program, tmp_path: Path) -> None:
    tail_for(start("--limits.messages_per_second", 60), program, tmp_path / "log", 15_000, 240, PROMISED)


def test_a_netcat_that_is_killed_costs_at_most_what_it_had_not_sent(
    start: Start, program: Program, tmp_path: Path
) -> None:
    gateway, log = start("--limits.burst", 1000), tmp_path / "log"
    log.write_text("".join(f"first {number}\n" for number in range(100)))
    with tailed(gateway, program, log) as nc:
        until(lambda: len(said(gateway)) == 100, "the first hundred")
        nc.kill()
        nc.wait()
    with log.open("a") as file:
        file.write("".join(f"second {number}\n" for number in range(100)))
    with tailed(gateway, program, log, since="100"):
        until(lambda: len(said(gateway)) == 200, "the second hundred")
    assert said(gateway) == [f"{turn} {number}" for turn in ("first", "second") for number in range(100)]


def test_a_paste_of_thousands_of_lines_is_paced_and_arrives_whole(start: Start, program: Program) -> None:
    gateway = start("--limits.burst", 4000, "--limits.messages_per_second", 2000)
    lines = [f"pasted {number}" for number in range(PASTED)]
    with canary(gateway.tcp, gateway.web), Browser(gateway.web) as reader:
        nc = subprocess.run(
            [program("nc.openbsd"), "-N", HOST, str(gateway.tcp)], input="\n".join(lines).encode(), timeout=60
        )
        assert nc.returncode == 0
        assert reader.texts_until(lines[-1]) == lines
    assert said(gateway) == lines
