from pathlib import Path

import pytest

from gateway.bench import main
from gateway.bench.chart import draw
from gateway.bench.plan import BenchError
from gateway.bench.report import Chart

CHART = Chart("Two lines", "connections", "ms", {"poll": [(10, 1.0), (100, 9.0)], "epoll": [(10, 1.0)]}, log_x=True)


def test_a_picture_shows_names_and_the_machine(tmp_path: Path) -> None:
    draw(CHART, tmp_path / "two.svg")
    picture = (tmp_path / "two.svg").read_text()
    for words in ("Two lines", "connections", "poll", "epoll", CHART.note):
        assert words in picture


def test_a_png_is_a_png(tmp_path: Path) -> None:
    draw(Chart("Ticks", "way", "us", {"a": [(0, 1.0), (1, 2.0)]}, ticks=("x", "y" * 40)), tmp_path / "two.png")
    assert (tmp_path / "two.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "two.svg").mkdir()
    with pytest.raises(BenchError, match=r"cannot write .*two\.svg: Is a directory"):
        draw(CHART, tmp_path / "two.svg")


def test_a_measurement_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["selectors", "--steps", "5,20", "--rounds", "10", "--plot", str(tmp_path / "seen.svg")])
    assert code == 0
    assert "One ready connection among idle ones" in (tmp_path / "seen.svg").read_text()


def test_without_matplotlib_it_is_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr("gateway.bench.cli.resolve_name", missing)
    code = main(["selectors", "--plot", str(tmp_path / "none.png")])
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err == "gateway bench: --plot needs matplotlib: pip install 'gateway[plot]'\n"
