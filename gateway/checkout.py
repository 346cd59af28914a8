"""Running right after `git clone`: the packages that pyproject.toml asks for, in .venv, made when first needed.

Standard library only, and imported by nothing but the two entry points, `python3 -m gateway` and `python3 tests`. If
this Python already has the packages, or if this is an installed package and not a checkout, nothing happens.

Simple on purpose: two first runs at the same moment would install over each other, and a package removed from .venv by
hand is not noticed; deleting .venv mends both.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from gateway import wording

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


def enter(command: Sequence[str], extras: Sequence[str] = ()) -> None:
    """Make sure that the packages are there, those of the `extras` too.

    Returns when this Python has them. Otherwise installs them into .venv, unless that is done already, and goes on as
    .venv's Python with `command` and the arguments of this process: then it does not return.
    """
    if not PROJECT.is_file():
        return
    ready = all(stamp(extra).is_file() and stamp(extra).read_text() == fingerprint(extra) for extra in ("", *extras))
    inside = Path(sys.prefix) == VENV
    if (inside and ready) or (not inside and satisfied(requirements(extras))):
        return
    if not ready:
        install(extras)
    os.execv(PYTHON, [str(PYTHON), *command, *sys.argv[1:]])


def stamp(extra: str) -> Path:
    """The file that records what .venv was last made of."""
    return VENV / f"installed-{extra or 'plain'}"


def fingerprint(extra: str) -> str:
    """A hash of what pyproject.toml asks for, not of the rest of it: an edited lint rule must not run pip."""
    return hashlib.sha256("\n".join(requirements([extra] if extra else [])).encode()).hexdigest()


def requirements(extras: Sequence[str]) -> list[str]:
    """What pyproject.toml asks for."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]


def satisfied(wanted: Iterable[str]) -> bool:
    """Whether this Python has every package in at least that version; only `name>=1.2` is understood."""
    for line in wanted:
        found = re.match(r"([\w.-]+)>=([\d.]+)", line)
        try:
            if found is None or numbers(version(found[1])) < numbers(found[2]):
                return False
        except PackageNotFoundError:
            return False
    return True


def numbers(release: str) -> list[int]:
    """`3.14.3` as numbers that compare."""
    return [int(part) for part in re.findall(r"\d+", release)]


def install(extras: Sequence[str]) -> None:
    """Make .venv and install the requirements there (the gateway itself runs from the checkout). Exits on failure."""
    say(wording.INSTALLING_INTO.format(folder=VENV))
    if not PYTHON.exists():
        require_venv()
        run([sys.executable, "-m", "venv", "--clear", str(VENV)], wording.CANNOT_MAKE_VENV)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements(extras)]
    run(pip, wording.PIP_FAILED)
    # As pip does for what it installs: a fifth of each start is saved, also where Python is told to write no bytecode.
    run([str(PYTHON), "-m", "compileall", "-q", str(ROOT / "gateway")], wording.SOURCES_DO_NOT_COMPILE)
    for extra in ("", *extras):
        stamp(extra).write_text(fingerprint(extra))


def require_venv() -> None:
    """Debian ships Python without what `python3 -m venv` needs: get it, or exit with the command that does."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if find_spec("ensurepip") is None and not apt_install([package]):
        sys.exit(wording.NO_VENV_YET.format(package=package))


def apt_install(packages: Sequence[str]) -> bool:
    """Install Debian packages, if that is possible without a password. Return whether it was done."""
    if shutil.which("apt-get") is None:
        return False
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if rights and (
        shutil.which("sudo") is None or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode
    ):
        return False
    say(wording.INSTALLING_PACKAGES.format(packages=" ".join(packages)))
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    subprocess.run([*apt, "update"], stdout=sys.stderr, check=False)
    install = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    return subprocess.run(install, stdout=sys.stderr, check=False).returncode == 0


def run(command: Sequence[str], advice: str) -> None:
    """Run a program with its output on standard error; exit with `advice` when it fails."""
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        sys.exit(f"gateway: {advice}")


def say(text: str) -> None:
    """Print one line to standard error."""
    print(f"gateway: {text}", file=sys.stderr, flush=True)
