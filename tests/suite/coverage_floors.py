"""How much of each package the tests ran in their own process, lines and branches, and the least that is allowed.

What only gateway processes of tests/bridge run does not count: measuring these would cost the suite more time than it
tells. A floor is raised when the figure has risen, never lowered.
"""

import sys
from collections import Counter
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {
    "accounts": 95,
    "bench": 88,
    "cli": 89,
    "config": 92,
    "core": 94,
    "gateway": 78,
    "journal": 96,
    "process": 88,
    "redis": 94,
    "tcp": 95,
    "web": 95,
    "wording": 99,
}
"""Percent, by package: one or two less than what the whole suite covers. `gateway` is the files at the top."""


def percent_by_package() -> dict[str, float]:
    """What was covered according to the data file of the last run, in percent, by the first folder below gateway/."""
    measured = Coverage(config_file=str(ROOT / "pyproject.toml"), data_file=str(ROOT / ".coverage"))
    measured.load()
    there: Counter[str] = Counter()
    ran: Counter[str] = Counter()
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        parts = path.relative_to(ROOT / "gateway").parts
        package = parts[0] if len(parts) > 1 else "gateway"
        numbers = measured._analyze(str(path)).numbers
        there[package] += numbers.n_statements + numbers.n_branches
        ran[package] += numbers.n_executed + numbers.n_executed_branches
    return {package: 100 * ran[package] / count for package, count in there.items() if count}


def main() -> int:
    """Print the table; 1 when a package is below its floor."""
    found = percent_by_package()
    low = {package for package, floor in FLOORS.items() if found.get(package, 0) < floor}
    for package, percent in sorted(found.items()):
        print(f"{package:10} {percent:5.1f} %  floor {FLOORS.get(package, 0)}{'  TOO LOW' if package in low else ''}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
