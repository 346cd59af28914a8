"""A real nginx in front of a gateway."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import PROGRAMS

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def nginx(folder: Path, *locations: str) -> Iterator[int]:
    """Runs nginx with these `location` blocks on the port that is yielded. It keeps all its files in `folder`."""
    program, port = PROGRAMS["nginx"].path, _free_port()
    assert program is not None
    kept = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/nginx-errors;\n"
        "events {}\n"
        f"http {{ access_log off; {kept}\n"
        f"server {{ listen 127.0.0.1:{port}; {' '.join(locations)} }} }}\n"
    )
    command = [program, "-p", str(folder), "-e", str(folder / "nginx-errors"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        _wait_until_it_listens(process, port)
        yield port
    finally:
        process.terminate()
        process.communicate()


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except ConnectionRefusedError:
            continue
    raise AssertionError(process.communicate()[1].decode())


def location(path: str, upstream: str, host: str = "$http_host") -> str:
    """A `location` that passes WebSockets on too. An `upstream` with a path takes the location's off."""
    return (
        f"location {path} {{ proxy_pass {upstream}; proxy_http_version 1.1; proxy_set_header Host {host};"
        " proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_buffering off; }"
    )
