"""The built package works where nothing but itself and its dependencies is installed."""

import json
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from tests.fakes import PATIENCE
from tests.suite.error_lines import WATCH

ROOT = Path(__file__).parents[3]
START_SECONDS = 45
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
"""That of the tests: an environment's own would have to be installed first."""

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (ROOT / "templates").is_dir(), reason="the page templates are not here yet"),
]


def run(*command: str | Path) -> str:
    """Standard output of a program that must succeed; its complaints are the test's."""
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist of a clean copy of the checkout, and the wheel that was built from it where only what
    pyproject.toml says it needs for that is installed."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("gateway", "templates"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", ".gitignore"):
        shutil.copy(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", copy / "dist", copy)
    run(*PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", copy / "dist", next((copy / "dist").glob("*.tar.gz")))
    return copy / "dist"


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `gateway` command of an otherwise empty environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    run(*PIP, "--python", folder, "install", "--quiet", "--no-compile", next(dist.glob("*.whl")))
    return folder / "bin" / "gateway"


def test_the_wheel_holds_the_templates_and_the_static_files(dist: Path) -> None:
    files = set(zipfile.ZipFile(next(dist.glob("*.whl"))).namelist())

    for path in (ROOT / "templates").rglob("*.html"):
        assert f"gateway/templates/{path.relative_to(ROOT / 'templates').as_posix()}" in files
    for path in (ROOT / "gateway" / "web" / "static").rglob("*.*"):
        assert path.relative_to(ROOT).as_posix() in files
    assert "gateway/web/grafana.json" in files


def test_the_sdist_holds_the_templates_where_the_checkout_has_them(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}

    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "templates").rglob("*.html")} <= files


def test_the_installed_command_runs(installed: Path) -> None:
    assert run(installed, "--version").startswith("gateway ")
    assert run(installed, "check").startswith("host = ")


def test_the_installed_gateway_serves_its_pages(installed: Path, tmp_path: Path) -> None:
    ports_file = tmp_path / "ports.json"
    flags = ["--tcp-port", "0", "--telnet-port", "0", "--web-port", "0", "--memory", "--ports-file", str(ports_file)]
    log = tmp_path / "stderr"
    WATCH.follow(log)
    with (
        log.open("wb") as stderr,
        subprocess.Popen([str(installed), *flags], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=stderr) as gateway,
    ):
        try:
            web = f"http://127.0.0.1:{when_written(ports_file, gateway)['web']}"
            assert b"<html" in urllib.request.urlopen(f"{web}/", timeout=PATIENCE).read()
            assert urllib.request.urlopen(f"{web}/healthz", timeout=PATIENCE).status == 200
        finally:
            gateway.terminate()
        assert gateway.wait(timeout=PATIENCE) == 0


def when_written(ports_file: Path, gateway: "subprocess.Popen[bytes]") -> dict[str, int]:
    """The ports, once all doors listen."""
    deadline = time.monotonic() + START_SECONDS
    while not ports_file.exists():
        assert gateway.poll() is None, "the gateway ended before its doors listened"
        assert time.monotonic() < deadline, "the doors do not listen"
        time.sleep(0.02)
    ports: dict[str, int] = json.loads(ports_file.read_text())
    return ports
