"""Lint, types and every test, the same at a desk and in CI."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack

from gateway.checkout import ROOT, apt_install
from tests.suite.programs import NPM, PROGRAMS, in_ci

LINTING = {
    "ruff": ["ruff", "check", "gateway", "tests"],
    "format": ["ruff", "format", "--check", "gateway", "tests"],
}
TYPING = {"mypy": ["mypy", "--strict", "gateway", "tests"]}
"""Takes a minute in a fresh clone, on one processor, and nothing waits for it: it runs beside all else, and yields to
it."""
PICTURES = "--pictures"
"""Makes the pictures of the README anew, and does nothing else."""

MEASURED = ["--cov", "--cov-report="]
"""Lines and branches that ran in the tests' own processes; tests/suite/coverage_floors.py shows them. A third
of what that would cost is saved by leaving out what goes over the same lines again (`no_cover`; tests/conftest.py)."""

COLLECTED = ["pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider"]
"""Reads all tests, while programs are installed and the sources linted. In a fresh clone pytest rewrites the asserts of
300 modules and keeps the result; workers that start at the same time would each do that for itself."""

SLOWEST = ["--slowest-files", "15"]
"""Names the files to look at when the suite takes longer than it should: ten minutes on two quiet processors."""

SIDE_BY_SIDE = ["--numprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
"""Most tests wait for other processes or for a timer: four at a time keep two processors busy.
Files in their order, and not those with most tests first: what the files of a folder share, as two browsers, is started
once in each process, and many short files come last, so that all end at about the same time."""

KEPT = ROOT / ".pytest_cache" / "v"
MOST_AGAIN = 6
"""Tests that get a second try, without others beside them. Most talk to real processes with real deadlines, and a
machine that others use as well sometimes stops one of them for seconds."""


BENCHES = {
    "--side-by-side": "tests.bench.side_by_side",
    "--growth": "tests.bench.costs.growth",
    "--nodes": "tests.bench.costs.nodes",
}
"""What measures and does nothing else: the gateway beside its peers, how its costs grow, what several on one Redis
cost. The arguments behind these words are that command's."""


def main(arguments: list[str]) -> int:
    """Run every step, also after one has failed; `arguments` are pytest's, which without any runs all tests on several
    processors. Return 0 when all are clean."""
    if PICTURES in arguments:
        get_programs()
        return run(["pytest", "-m", "pictures", "tests/web/browser"])
    for word, module in BENCHES.items():
        if word in arguments:
            get_programs()
            return run([module, *arguments[arguments.index(word) + 1 :]])
    testing = {"pytest": ["pytest", *(arguments or [*SIDE_BY_SIDE, *MEASURED, *SLOWEST])]}
    if not arguments:
        testing["coverage"] = ["tests.suite.coverage_floors"]
    with ExitStack() as beside:
        typing = {name: beside.enter_context(Beside(step)) for name, step in TYPING.items()}
        collected = None if arguments else beside.enter_context(Beside(COLLECTED))
        get_programs()
        failed = [name for name, step in LINTING.items() if run(step)]
        if collected is not None:
            collected.wait()
        failed += [name for name, step in testing.items() if run(step)]
        failed += [name for name, step in typing.items() if step.tell()]
    if "pytest" in failed and not arguments and pass_alone():
        failed.remove("pytest")
    print(f"failed: {', '.join(failed)}" if failed else "all clean", flush=True)
    return 1 if failed else 0


def run(step: list[str]) -> int:
    """The exit code of a module with its arguments."""
    return subprocess.run([sys.executable, "-m", *step], cwd=ROOT, env=environment(), check=False).returncode


class Beside:
    """A module that runs beside this one, and takes only the processor time that others leave. It ends with the block;
    what it says is kept."""

    def __init__(self, step: list[str]) -> None:
        command = ["nice", "-n", "19", sys.executable, "-m", *step]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the block ends
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=self._said, stderr=self._said)

    def __enter__(self) -> "Beside":
        return self

    def __exit__(self, *problem: object) -> None:
        self._process.kill()
        self._process.wait()
        self._said.close()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait()

    def tell(self) -> int:
        """The same, after what it has said."""
        code = self.wait()
        self._said.seek(0)
        print(self._said.read().decode(errors="replace"), end="", flush=True)
        return code


def environment() -> dict[str, str]:
    """That of every step. Hundreds of gateways are started: where the environment keeps Python from writing what it has
    compiled, each of them would compile everything anew, 0.5 s of processor time."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def pass_alone() -> bool:
    """Whether the tests that failed beside others pass by themselves. They are named: one that is named again and again
    expects too much of the machine. Where more than MOST_AGAIN failed it was not the machine; nor is it what leaves an
    error in a gateway's log."""
    failed = kept("cache/lastfailed")
    if not 0 < len(failed) <= MOST_AGAIN or kept("gateway/unannounced"):
        return False
    print("again, by themselves:", *failed, sep="\n  ", flush=True)
    return run(["pytest", "--last-failed", "--last-failed-no-failures", "none"]) == 0


def kept(name: str) -> list[str]:
    """The tests of a list that pytest's cache holds of the last run."""
    path = KEPT / name
    return list(json.loads(path.read_text("utf-8"))) if path.exists() else []


def get_programs() -> None:
    """Install the programs and the packages of npm that are missing, or say how; in CI exit when one stays missing."""
    wanted = [package for program in PROGRAMS.values() for package in program.packages]
    if wanted and not apt_install(wanted) and len(wanted) > 1:
        for package in wanted:  # one name that a distribution does not have keeps apt-get from the others
            apt_install([package])
    if not NPM.install():
        print("the packages of tests/foreign/package.json are not installed; npm gets them", file=sys.stderr)
        if in_ci():
            sys.exit("in CI they must be there")
    if absent := [program for program in PROGRAMS.values() if program.path is None]:
        print(
            f"not installed: {', '.join(program.names[0] for program in absent)}",
            f"  Debian: sudo apt-get install {' '.join(program.debian for program in absent)}",
            f"  macOS: brew install {' '.join(program.brew for program in absent if program.brew)}",
            sep="\n",
            file=sys.stderr,
        )
        if in_ci():
            sys.exit("in CI every program must be there")
        print("the tests that need them are skipped", file=sys.stderr)
