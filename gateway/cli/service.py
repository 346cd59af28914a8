"""`gateway service`: the files with which others run the gateway: systemd units, a container file, a compose file.

They are printed for this installation: the Python and the package that print them are those that the unit starts, with
the flags given here. What the units rely on, where that is not plain from systemd's manual:

- Type=notify and WatchdogSec need AF_UNIX among the address families (`process.systemd` says why).
- ProcSubset=pid would hide /proc/sys/kernel/random/boot_id, by which the journal recognises a power loss: not set.
- SystemCallFilter keeps @resources: the gateway raises its own limit of descriptors, and asks for it by the same call.
- PrivateUsers takes the right to open a port below 1024: then it is left out, and the one capability is given.
- A dynamic user cannot read what only root or its owner may read. An installation or a data folder of that kind makes
  the service run as their owner; a certificate, key or settings file is handed over as a credential, a copy made at
  each start: after a change of it the service has to be restarted instead of reloaded.
- A drain takes up to 25 s, so TimeoutStopSec (and `stop_grace_period` of compose, 10 s by default) is longer.
- A socket unit has one name for all its sockets; the gateway finds the door of each by its port (`gateway.listeners`).
"""

import json
import pwd
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway import wording
from gateway.checkout import PROJECT, ROOT
from gateway.config.settings import SETTINGS, Settings, value_of
from gateway.core.address import host_and_port, is_loopback
from gateway.errors import UsageError
from gateway.process.resources import RESERVED
from gateway.tcp.listener import BACKLOG, addresses_of

PORTS = tuple(name for name in SETTINGS if name.endswith("_port"))
PRIVILEGED = range(1, 1024)
STATE = Path("/var/lib")
SETTINGS_FILE = "gateway.toml"
"""What a settings file is called as a credential."""
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
TEMPORARY = (Path("/tmp"), Path("/var/tmp"))
WILDCARDS = ("0.0.0.0", "::")
SPARE_DESCRIPTORS = 512
"""Beside the connections and RESERVED: rejected peers that linger, and a reload's files."""
NO_LIMIT_DESCRIPTORS = 1 << 19

HARDENING = """\
NoNewPrivileges=yes
ProtectSystem=strict
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
UMask=0077"""
"""What every unit has in common."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What the printed files are for: the settings with the flags that make them (as text, by name), the settings file
    (None: none), and whether the data folder is left to us to choose."""

    settings: Settings
    flags: Mapping[str, str]
    config: Path | None
    own_data: bool

    @property
    def data(self) -> Path | None:
        """The data folder of the service."""
        if self.settings.memory:
            return None
        return STATE / "gateway" if self.own_data else self.settings.data.absolute()

    @property
    def program(self) -> Sequence[str]:
        """The command that starts the gateway: the one beside this Python, or this Python."""
        command = Path(sys.executable).with_name("gateway")
        return [str(command)] if command.exists() and not PROJECT.is_file() else [sys.executable, "-m", "gateway"]

    @property
    def low_ports(self) -> bool:
        """Whether a port needs a privilege."""
        return any(value_of(self.settings, name) in PRIVILEGED for name in PORTS)


def show(kind: str, settings: Settings, flags: Mapping[str, str], config: str, own_data: bool) -> int:
    """Print the file of that kind (a key of KINDS) for an `Installation`; return the exit code. Raises UsageError where
    there is none."""
    if settings.classic:
        raise UsageError(wording.CLASSIC_NO_SERVICE)
    installation = Installation(settings, flags, Path(config).expanduser() if config else None, own_data)
    print("\n".join(KINDS[kind](installation)))
    return 0


def service_unit(of: Installation) -> Iterator[str]:
    """The lines of gateway.service."""
    user, why = _user(of)
    credentials = dict(_credentials(of, user))
    yield "# gateway service > /etc/systemd/system/gateway.service"
    yield "# systemctl daemon-reload && systemctl enable --now gateway"
    yield "[Unit]"
    yield "Description=Chat gateway: netcat, telnet and browsers in one room"
    if any(host not in WILDCARDS and not is_loopback(host) for host in _addresses(of.settings)):
        yield "# one of its addresses is there only once the network is"
        yield "Wants=network-online.target"
        yield "After=network-online.target"
    else:
        yield "After=network.target"
    if of.settings.redis is not None:
        yield "After=redis-server.service redis.service valkey-server.service valkey.service"
    yield ""
    yield "[Service]"
    yield "Type=notify"
    yield f"ExecStart={' '.join(map(quoted, _command(of, credentials)))}"
    if PROJECT.is_file():
        yield f"WorkingDirectory={_escaped(str(ROOT))}"
    yield "ExecReload=/bin/kill -HUP $MAINPID"
    yield "Restart=on-failure"
    yield "# 2 and 78: the command line or a setting is wrong, and stays wrong"
    yield "RestartPreventExitStatus=2 78"
    yield "RestartSec=1"
    yield "KillMode=mixed"
    yield "TimeoutStartSec=300"
    yield "TimeoutStopSec=35"
    yield "WatchdogSec=30"
    yield f"LimitNOFILE={_descriptors(of.settings)}"
    yield ""
    if why:
        yield f"# {why}"
    yield f"User={user}" if user else "DynamicUser=yes"
    yield from _folders(of)
    group = _redis_group(of.settings)
    if group and not user:
        yield f"SupplementaryGroups={group}"
    for name, path in credentials.items():
        yield f"# {path} is not for everybody: the service gets a copy, anew at each restart"
        yield f"LoadCredential={name}:{_escaped(str(path))}"
    yield f"ProtectHome={'read-only' if _any_in(HOMES, of) else 'yes'}"
    yield f"PrivateTmp={'no' if _any_in(TEMPORARY, of) else 'yes'}"
    yield HARDENING
    if of.low_ports:
        yield "AmbientCapabilities=CAP_NET_BIND_SERVICE"
        yield "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"
    else:
        yield "CapabilityBoundingSet="
        yield "PrivateUsers=yes"
    yield ""
    yield "[Install]"
    yield "WantedBy=multi-user.target"


def socket_unit(of: Installation) -> Iterator[str]:
    """The lines of gateway.socket."""
    if any(value_of(of.settings, name) == 0 for name in PORTS):
        raise UsageError(wording.FIXED_PORTS)
    yield "# gateway service --socket > /etc/systemd/system/gateway.socket, beside gateway.service"
    yield "# systemctl daemon-reload && systemctl enable --now gateway.socket"
    yield "[Unit]"
    yield "Description=The chat gateway's doors: newcomers wait here while it restarts"
    yield ""
    yield "[Socket]"
    for port in _open_ports(of.settings):
        yield from (f"ListenStream={host_and_port(host, port)}" for host in _addresses(of.settings))
    yield "BindIPv6Only=ipv6-only"
    yield f"Backlog={BACKLOG}"
    yield "NoDelay=yes"
    yield "KeepAlive=yes"
    yield ""
    yield "[Install]"
    yield "WantedBy=sockets.target"


def container_file(of: Installation) -> Iterator[str]:
    """The lines of a Containerfile, to be built in a checkout."""
    settings, python = of.settings, "docker.io/library/python:3.13-slim"
    environment = {"GATEWAY_HOST": "0.0.0.0", "GATEWAY_DATA": "/data"}
    environment |= {SETTINGS[name].variable: text for name, text in of.flags.items()}
    yield "# gateway service --container > Containerfile     (in a checkout of the gateway)"
    yield "# podman build -t gateway . && podman run --stop-timeout 35 -p 8080:8080 -v gateway:/data gateway"
    yield f"FROM {python} AS build"
    yield "WORKDIR /src"
    yield "COPY pyproject.toml README.md ./"
    yield "COPY gateway gateway"
    yield "COPY templates templates"
    yield "RUN python -m venv /opt/gateway && /opt/gateway/bin/pip install --no-cache-dir '.[fast,redis]'"
    yield ""
    yield f"FROM {python}"
    yield "COPY --from=build /opt/gateway /opt/gateway"
    yield "RUN useradd --system --uid 10001 --home-dir /data --no-create-home gateway \\"
    yield "    && install --directory --owner=10001 --mode=0700 /data"
    yield "USER 10001"
    yield "VOLUME /data"
    # json.dumps quotes as the file does, but for variables, of which the file has its own
    yield from (f"ENV {name}={json.dumps(text).replace('$', chr(92) + '$')}" for name, text in environment.items())
    yield f"EXPOSE {' '.join(map(str, _open_ports(settings)))}"
    yield "STOPSIGNAL SIGTERM"
    if settings.web_port > 0:
        yield "# whether it lives; whether newcomers should be sent to it tells /readyz"
        yield f"HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD {json.dumps(_probe(settings))}"
    yield 'ENTRYPOINT ["/opt/gateway/bin/gateway"]'


def _probe(settings: Settings) -> Sequence[str]:
    """A command that succeeds while the gateway lives: the image has no curl."""
    tls = settings.tls_cert is not None
    page = f"{'https' if tls else 'http'}://127.0.0.1:{settings.web_port}{settings.web.base_path}/healthz"
    trust = "context=ssl._create_unverified_context()" if tls else "context=None"
    code = f"import ssl, urllib.request as r; r.urlopen({page!r}, timeout=4, {trust})"
    return ["/opt/gateway/bin/python", "-c", code]


COMPOSE = """\
# gateway service --compose > compose.yaml      beside the Containerfile; then: podman-compose up -d
services:
  gateway:
    build:
      context: .
      dockerfile: Containerfile
    restart: unless-stopped
    init: true
    # a drain takes up to 25 s; the usual 10 s would cut it off
    stop_grace_period: 35s
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    ulimits:
      nofile: {descriptors}
    ports: {ports}
    volumes: ["gateway:/data"]
    environment:
      GATEWAY_REDIS: {redis}
    depends_on:
      redis:
        condition: service_healthy
  redis:
    image: docker.io/library/redis:7
    restart: unless-stopped
    # what was acknowledged is on the disk, and nothing is thrown away when the memory is full
    command: ["redis-server", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
    stop_grace_period: 30s
    volumes: ["redis:/data"]
    healthcheck:
      test: ["CMD", "redis-cli", "ping"]
      interval: 5s
      timeout: 3s
      retries: 10
volumes:
  gateway: {{}}
  redis: {{}}"""


def compose_file(of: Installation) -> Iterator[str]:
    """The lines of a compose file: the container of `container_file`, and a Redis that holds the journal."""
    ports = [f"{port}:{port}" for port in _open_ports(of.settings)]
    url = of.settings.redis or "redis://redis:6379"
    yield COMPOSE.format(
        descriptors=_descriptors(of.settings), ports=json.dumps(ports), redis=json.dumps(url).replace("$", "$$")
    )


KINDS = {"service": service_unit, "socket": socket_unit, "container": container_file, "compose": compose_file}
"""What can be printed, by the flag without its dashes."""


def quoted(word: str) -> str:
    """One word of ExecStart=, as systemd reads it: `%d` for the credentials' folder stays as it is."""
    safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{safe}"' if not word or set(word) & set(" \t'\"\\;") else safe


def _escaped(text: str) -> str:
    """Text without specifiers."""
    return text.replace("%", "%%")


def _command(of: Installation, credentials: Mapping[str, Path]) -> Iterator[str]:
    """The words of ExecStart=."""
    yield from map(_escaped, of.program)
    yield "serve"
    if of.config is not None:
        copied = SETTINGS_FILE in credentials
        yield f"--config={f'%d/{SETTINGS_FILE}' if copied else _escaped(str(of.config.absolute()))}"
    if of.own_data and of.data is not None:
        yield "--data=%S/gateway"
    for name, text in of.flags.items():
        setting, value = SETTINGS[name], value_of(of.settings, name)
        if isinstance(value, bool):
            yield setting.flag if value else f"--no-{setting.flag[2:]}"
        elif isinstance(value, Path):
            if name not in credentials:
                yield f"{setting.flag}={_escaped(str(value.absolute()))}"
        else:
            yield f"{setting.flag}={_escaped(text)}"
    yield from (f"{SETTINGS[name].flag}=%d/{name}" for name in credentials if name in SETTINGS)


def _credentials(of: Installation, user: str) -> Iterator[tuple[str, Path]]:
    """The files that the service's user cannot read, by the name that they get."""
    files = {SETTINGS_FILE: of.config, "tls_cert": of.settings.tls_cert, "tls_key": of.settings.tls_key}
    for name, path in files.items():
        if path is not None and not _open_to_all(path.absolute()) and user not in ("root", _owner(path.absolute())):
            yield name, path.absolute()


def _user(of: Installation) -> tuple[str, str]:
    """The user that the service has to be, and why; empty where one without any rights of its own will do."""
    closed = next((path for path in _programs(of) if not _open_to_all(path)), None)
    if closed is not None:
        return _owner(closed), wording.ONLY_OWNER_READS.format(path=closed)
    if of.data is not None and not of.own_data and of.data.parent != STATE:
        return _owner(of.data), wording.OWNER_OF_FOLDER.format(folder=of.data, state=STATE)
    return "", ""


def _owner(path: Path) -> str:
    """The owner of a path, or of the nearest folder above that exists."""
    there = next(each for each in (path, *path.parents) if each.exists())
    return pwd.getpwuid(there.stat().st_uid).pw_name


def _open_to_all(path: Path) -> bool:
    """Whether every user can read it, and walk to it."""
    try:
        walkable = all(each.stat().st_mode & stat.S_IXOTH for each in path.parents)
        return walkable and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _folders(of: Installation) -> Iterator[str]:
    """What the service may write to."""
    if of.data is not None:
        if of.data.parent == STATE:
            yield f"StateDirectory={_escaped(of.data.name)}"
            yield "StateDirectoryMode=0700"
        else:
            yield f"ReadWritePaths={_escaped(str(of.data))}"
    if of.settings.ports_file is not None:
        yield f"ReadWritePaths={_escaped(str(of.settings.ports_file.absolute().parent))}"


def _redis_group(settings: Settings) -> str:
    """The group that may speak with Redis by its socket; empty where everybody may, or there is no socket."""
    place = Path(urlsplit(settings.redis or "").path)
    if not place.is_socket() or place.stat().st_mode & stat.S_IWOTH:
        return ""
    return place.group()


def _programs(of: Installation) -> list[Path]:
    """Where the code is."""
    return [Path(of.program[0]), Path(sys.executable), Path(sys.executable).resolve(), Path(__file__)]


def _paths(of: Installation) -> Iterator[Path]:
    """All that the service reads and writes."""
    yield from _programs(of)
    for each in (of.config, of.data, of.settings.ports_file, of.settings.tls_cert, of.settings.tls_key):
        if each is not None:
            yield each.absolute()


def _open_ports(settings: Settings) -> list[int]:
    """The fixed ports of the doors that are on."""
    return [port for port in (value_of(settings, name) for name in PORTS) if isinstance(port, int) and port > 0]


def _descriptors(settings: Settings) -> int:
    """How many descriptors the process needs."""
    limit = settings.limits.connections
    return limit + RESERVED + SPARE_DESCRIPTORS if limit else NO_LIMIT_DESCRIPTORS


def _any_in(folders: Sequence[Path], of: Installation) -> bool:
    """Whether the service needs something in one of these folders."""
    return any(path.is_relative_to(folder) for path in _paths(of) for folder in folders)


def _addresses(settings: Settings) -> list[str]:
    """Where the doors listen, as addresses. Raises StartError for a host that has none."""
    return list(dict.fromkeys(address for host in settings.host for address in addresses_of(host)))
