"""One real gateway for the tests of the kinds of measurement."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.bench import main
from tests.bridge.gateways import NO_PACE, starter

Bench = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def ports_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The ports file of a gateway that takes as many connections and messages as come."""
    with starter(tmp_path_factory.mktemp("bench")) as start:
        yield start(*NO_PACE, "--limits.connections", "0").folder / "ports.json"


@pytest.fixture
def bench(ports_file: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    """`bench("fanout", …)` measures that gateway; what `--json` prints, after exit code 0."""

    def measure(kind: str, *words: str) -> dict[str, Any]:
        code = main([kind, "--ports-file", str(ports_file), *words, "--json"])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        report: dict[str, Any] = json.loads(out)
        return report

    return measure
