import json
import shutil

import pytest

from gateway.bench import main
from gateway.bench.machine import cores

SHORT = ["fanout", "--compare", "--readers", "20", "--seconds", "0.2", "--turns", "1", "--patience", "2"]


def test_naive_servers_are_measured_against_the_c_figure(capsys: pytest.CaptureFixture[str]) -> None:
    before = cores()
    code = main([*SHORT, "--ways", "c-tick,c-message,selectors,aiohttp", "--json"])
    rows = {row["way"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert code == 0
    assert cores() == before
    assert all(row["turns"] == 1 and row["deliveries_per_s"] > 0 for row in rows.values())
    if shutil.which("cc"):
        assert rows["c-tick"]["ratio"] == 1.0
        assert rows["aiohttp"]["ratio"] > 1.0


def test_without_a_compiler_the_rows_in_c_are_not_available(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bench.compare.shutil.which", lambda name: None)
    code = main([*SHORT, "--ways", "c-tick,selectors"])
    out = capsys.readouterr().out
    assert code == 0
    assert "C, one send per tick: no C compiler (cc, gcc, clang) here" in out
    assert out.splitlines()[1].split()[-9:] == ["n/a"] * 9


def test_a_server_that_does_not_start_is_exit_1_with_its_last_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bench.compare.PACKAGE_HOME", "/nowhere")
    monkeypatch.setattr("gateway.bench.compare.sys.executable", shutil.which("false"))
    code = main([*SHORT, "--ways", "selectors,gateway-tcp"])
    out = capsys.readouterr().out
    assert code == 1
    assert "did not start" in out
    assert "the gateway did not start (exit code 1): without a word" in out
