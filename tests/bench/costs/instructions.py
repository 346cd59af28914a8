"""How many instructions of the processor a delivery takes, or a newcomer, counted by valgrind's callgrind.

Time on a shared machine varies by tens of per cent, the number of instructions by a few in a thousand: a change that
makes a delivery dearer by 5 % is seen at once, and no other process disturbs it. What is counted stands in works.py.

`python -m tests.bench.costs.instructions` prints the figures and compares them with the baseline, and with `--write`
makes them the baseline: do that, and say why in the commit, when a change is worth what it costs, or has made things
cheaper.

How it counts. This module runs itself under callgrind, which counts only between `begin` and `end` (instructions.c):
imports and rooms that fill take a hundred times as many instructions. Every work is done once before, so that caches
are filled and the interpreter has adapted its code, and the collector is off.

Another interpreter (version, compiler, flags) takes other instructions for the same code. On the interpreter of the
baseline a figure may grow by `TOLERANCE`. On another one the figures are divided by those of the yardstick, a fixed
piece of pure Python that this project never changes, and such a ratio may grow by `FOREIGN_TOLERANCE`: the yardstick is
not like the work in every respect.
"""

import ctypes
import gc
import os
import platform
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import msgspec

from tests.bench.costs.works import ALONE, works
from tests.suite.programs import PROGRAMS

ROOT = Path(__file__).resolve().parents[3]
BASELINE = Path(__file__).with_name("instructions.json")
SOURCE = Path(__file__).with_name("instructions.c")
TOLERANCE = 0.03
FOREIGN_TOLERANCE = 0.25
PATIENCE = 150.0


class Baseline(msgspec.Struct, frozen=True):
    """Instructions by work, and the interpreter that took them."""

    interpreter: str
    instructions: dict[str, int]

    def figures(self) -> dict[str, float]:
        """The instructions, and for the terminals and the browsers what they take without the lines' own price: a
        reader's share is small beside it, and grows unseen otherwise."""
        alone = self.instructions[ALONE]
        shares = {
            f"{name}, the readers": count - alone
            for name, count in self.instructions.items()
            if name.startswith("lines to ")
        }
        return {**self.instructions, **shares}

    def ratios(self) -> dict[str, float]:
        """The figures in yardsticks."""
        return {name: count / self.instructions["yardstick"] for name, count in self.figures().items()}


def interpreter() -> str:
    """This interpreter, as far as it decides how many instructions something takes."""
    flags = sysconfig.get_config_var("OPT") or ""
    built = f"{platform.python_implementation()} {platform.python_version()} {platform.python_compiler()} {flags}"
    libraries = f"msgspec {msgspec.__version__} SQLite {sqlite3.sqlite_version}"
    return f"{built} {platform.machine()} {libraries}".replace("  ", " ")


def do_all(library: str) -> None:
    """In the process that is counted: do each work between `begin` and `end` of the C library."""
    marks = ctypes.CDLL(library)
    everything = works()
    for work in everything.values():
        work()
    gc.collect()
    gc.disable()
    for name, work in everything.items():
        marks.begin()
        work()
        marks.end(name.encode())


def count() -> Baseline:
    """Count the works. Raises RuntimeError with what was said when that fails."""
    counted = counted_by("tests.bench.costs.instructions")
    nothing = counted.pop("nothing")
    return Baseline(interpreter(), {name: number - nothing for name, number in counted.items()})


def counted_by(module: str) -> dict[str, int]:
    """Run that module under callgrind, with the library of the marks as its argument; return what it has counted by
    name. Raises RuntimeError with what was said when that fails."""
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/marks.so"
        run([str(PROGRAMS["cc"].path), "-shared", "-fPIC", "-O1", "-o", library, str(SOURCE)])
        run(
            [
                str(PROGRAMS["valgrind"].path), "--tool=callgrind", "--instr-atstart=no", "--dump-line=no",
                f"--callgrind-out-file={folder}/counted", sys.executable, "-m", module, library,
            ]
        )  # fmt: skip
        return dict(collected(path) for path in sorted(Path(folder).glob("counted.*")))


def run(command: list[str]) -> None:
    """Run a program in surroundings that are the same everywhere."""
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")


def collected(path: Path) -> tuple[str, int]:
    """The name of a work and its instructions, from a file of callgrind's."""
    lines = path.read_text(errors="replace").splitlines()
    name = next(line.partition("Client Request: ")[2] for line in lines if "Client Request: " in line)
    return name, next(int(line.split()[1]) for line in lines if line.startswith(("summary:", "totals:")))


def baseline() -> Baseline:
    """What was counted when it was last written."""
    return msgspec.json.decode(BASELINE.read_bytes(), type=Baseline)


def growth(now: Baseline, before: Baseline) -> dict[str, float]:
    """By which share each figure has grown: in instructions where the interpreter is the same, else in yardsticks."""
    same = now.interpreter == before.interpreter
    old, new = (each.figures() if same else each.ratios() for each in (before, now))
    return {name: figure / old[name] - 1 for name, figure in new.items() if name != "yardstick"}


def tolerance(now: Baseline, before: Baseline) -> float:
    """By which share a figure may grow."""
    return TOLERANCE if now.interpreter == before.interpreter else FOREIGN_TOLERANCE


def dearer(now: Baseline, before: Baseline) -> list[str]:
    """What has grown by more than is tolerated, each with by how much."""
    allowed = tolerance(now, before)
    return [
        f"{name}: {grown:+.1%}, tolerated {allowed:+.0%}"
        for name, grown in growth(now, before).items()
        if grown > allowed
    ]


def main() -> int:
    """Print what was counted; with `--write`, keep it."""
    now, write = count(), "--write" in sys.argv
    before = now if write else baseline()
    grown = growth(now, before)
    for name, figure in now.figures().items():
        print(f"{name:36} {figure:12,} instructions  {now.ratios()[name]:7.3f}  {grown.get(name, 0.0):+.2%}")
    if write:
        BASELINE.write_bytes(msgspec.json.format(msgspec.json.encode(now), indent=2) + b"\n")
    print(*dearer(now, before), sep="\n")
    return 1 if dearer(now, before) else 0


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].endswith(".so"):
        do_all(sys.argv[1])
    else:
        sys.exit(main())
