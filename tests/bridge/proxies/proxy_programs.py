"""Real proxies in front of a gateway: nginx, HAProxy and Caddy, each with a configuration that the test gives."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes import until
from tests.suite.programs import PROGRAMS

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at just now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@contextmanager
def nginx(folder: Path, port: int, http: str, rest: str = "") -> Iterator[None]:
    """Runs nginx with this in its section `http`, and the rest beside it; it listens at the port. It keeps its files in
    `folder`."""
    kept = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    module = PROGRAMS["nginx-stream"].path
    text = (
        (f"load_module {module};\n" if rest else "")
        + f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/nginx-errors;\n"
        f"events {{}}\nhttp {{ access_log off; {kept}\n{http}\n}}\n{rest}"
    )
    with _running("nginx", folder, text, port, "-p", str(folder), "-e", str(folder / "nginx-errors"), "-c"):
        yield


@contextmanager
def haproxy(folder: Path, port: int, text: str) -> Iterator[None]:
    """Runs HAProxy with this below its section `global`."""
    with _running("haproxy", folder, f"global\n    log stderr local0 warning\n\n{text}", port, "-db", "-f"):
        yield


@contextmanager
def caddy(folder: Path, port: int, text: str, *options: str) -> Iterator[None]:
    """Runs Caddy with this and some global options."""
    mine = "\n".join(("admin off", "auto_https disable_redirects", *options))
    command = ("run", "--adapter", "caddyfile", "--config")
    with _running("caddy", folder, f"{{\n{mine}\n}}\n{text}", port, *command):
        yield


@contextmanager
def _running(name: str, folder: Path, text: str, port: int, *command: str) -> Iterator[None]:
    """Runs a program, which gets the configuration as a file behind the words of the command."""
    program = PROGRAMS[name].path
    assert program is not None
    config = folder / f"{name}.conf"
    config.write_text(text)
    with open(folder / f"{name}.log", "wb") as log:
        own = os.environ | {"XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        process = subprocess.Popen([program, *command, str(config)], stdout=log, stderr=log, cwd=folder, env=own)
    try:
        until(lambda: process.poll() is not None or _listens(port), f"{name} listens")
        assert process.poll() is None, (folder / f"{name}.log").read_text()
        yield
    finally:
        process.kill()  # Caddy would wait for its connections to end
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def location(path: str, upstream: str, host: str = "$http_host") -> str:
    """A `location` of nginx that passes WebSockets on too. An `upstream` with a path takes the location's off."""
    return (
        f"location {path} {{ proxy_pass {upstream}; proxy_http_version 1.1; proxy_set_header Host {host};"
        " proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_buffering off; }"
    )
