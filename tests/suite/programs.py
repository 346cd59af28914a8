"""The programs of other people that the tests use as peers, and where they come from."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """A program the tests use: the names it may have (the path of a file for what is none itself), and its package for
    apt-get and for brew."""

    names: tuple[str, ...]
    debian: str
    brew: str
    lighter: str = ""
    """Its form that takes less of a machine, of the same name as its Debian package."""

    @property
    def path(self) -> str | None:
        """Where it is installed."""
        names = (self.lighter, *self.names) if self.lighter else self.names
        return next((found for name in names if (found := shutil.which(name, os.F_OK))), None)

    @property
    def packages(self) -> list[str]:
        """What apt-get would get: the program itself if it is missing, in CI also its lighter form."""
        found = self.path
        if self.lighter and in_ci() and (found is None or Path(found).name != self.lighter):
            return [self.lighter]
        return [] if found else [self.debian]


STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"

PROGRAMS = {
    "nc.openbsd": Program(("nc.openbsd",), "netcat-openbsd", ""),
    "nc.traditional": Program(("nc.traditional",), "netcat-traditional", ""),
    "ncat": Program(("ncat",), "ncat", "nmap"),
    "socat": Program(("socat",), "socat", "socat"),
    "bash": Program(("bash",), "bash", "bash"),
    "curl": Program(("curl",), "curl", "curl"),
    "wget": Program(("wget",), "wget", "wget"),
    "telnet": Program(("telnet",), "telnet", "telnet"),
    "openssl": Program(("openssl",), "openssl", "openssl"),
    "telnet-ssl": Program(("telnet-ssl",), "telnet-ssl", ""),
    "gnutls-cli": Program(("gnutls-cli",), "gnutls-bin", "gnutls"),
    "plink": Program(("plink",), "putty-tools", "putty"),
    "tt++": Program(("tt++", "/usr/games/tt++"), "tintin++", "tintin"),
    "tf": Program(("tf", "tf5"), "tf5", "tinyfugue"),
    "faketime": Program(("faketime",), "faketime", "libfaketime"),
    "cc": Program(("cc", "gcc", "clang"), "build-essential", ""),
    "mosquitto": Program(("mosquitto", "/usr/sbin/mosquitto"), "mosquitto", "mosquitto"),
    "valgrind": Program(("valgrind",), "valgrind", ""),
    "tsc": Program(("tsc",), "node-typescript", "typescript"),
    "node": Program(("node",), "nodejs", "node"),
    "npm": Program(("npm",), "npm", "node"),
    "systemd-analyze": Program(("systemd-analyze",), "systemd", ""),
    "nginx": Program(("nginx", "/usr/sbin/nginx"), "nginx-light", "nginx"),
    "nginx-stream": Program((STREAM_MODULE,), "libnginx-mod-stream", ""),
    "haproxy": Program(("haproxy", "/usr/sbin/haproxy"), "haproxy", "haproxy"),
    "caddy": Program(("caddy",), "caddy", "caddy"),
    "redis-server": Program(("redis-server",), "redis-server", "redis"),
    "chromium": Program(
        ("chromium", "chromium-browser", "google-chrome"), "chromium", "chromium", "chromium-headless-shell"
    ),
    "firefox": Program(("firefox-esr", "firefox"), "firefox-esr", "firefox"),
}


def in_ci() -> bool:
    """Whether a missing program is a failure."""
    return os.environ.get("CI", "").lower() in ("1", "true")


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages of npm, those that a `package.json` names, in a folder of their own beside Python's."""

    wanted: Path
    folder: Path

    @property
    def modules(self) -> Path:
        """Where the packages are."""
        return self.folder / "node_modules"

    @property
    def ready(self) -> bool:
        """Whether what is wanted now is what was installed."""
        stamp = self.folder / "installed.json"
        return stamp.exists() and stamp.read_bytes() == self.wanted.read_bytes()

    def install(self) -> bool:
        """Get what is missing, where npm is there and answers; whether the packages are there now."""
        npm = PROGRAMS["npm"].path
        if self.ready or npm is None:
            return self.ready
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.wanted, self.folder / "package.json")
        command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(self.folder)]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0:
            shutil.copy(self.wanted, self.folder / "installed.json")
        return self.ready


ROOT = Path(__file__).resolve().parents[2]
NPM = Packages(ROOT / "tests" / "foreign" / "package.json", ROOT / ".venv" / "npm")
