"""The operator's way to the dashboard of a running gateway: `gateway login-link`.

Anybody who can read the data folder may have a link. A running gateway keeps a file there that only its user can read:
its page's address and a secret, which is new at each start. The command presents the secret to the gateway, from this
machine, and gets a fresh one-time link.
"""

import contextlib
import http.client
import json
import secrets
import sys
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from gateway.errors import StartError
from gateway.process.files import write_whole

FILE = "running.json"
SECRET_BYTES = 24
TIMEOUT = 5.0
NO_PROXY = b"PROXY UNKNOWN\r\n"
"""The PROXY header of a connection that is not proxied."""


class LoginLinkKey:
    """The file of a running gateway in its data folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.secret = secrets.token_urlsafe(SECRET_BYTES)

    def write(self, page: str, elsewhere: str = "") -> None:
        """Write the page's address and the secret for `login_link`, and the address by which other machines reach a
        page that listens on all addresses. Raises StartError."""
        content = json.dumps({"page": page, "secret": self.secret, "elsewhere": elsewhere})
        try:
            write_whole(self.path, content.encode(), 0o600)
        except (OSError, RuntimeError) as problem:
            why = getattr(problem, "strerror", None) or problem
            raise StartError(f"cannot write {self.path}: {why}") from problem

    def remove(self) -> None:
        """Remove the file: the gateway stops."""
        with contextlib.suppress(OSError):
            self.path.resolve().unlink()


class Where(Protocol):
    """The settings that say which gateway is meant."""

    @property
    def data(self) -> Path: ...


def login_link(settings: Where) -> int:
    """Print a fresh one-time dashboard link of the gateway that runs on this data folder; return the exit code."""
    page, secret, elsewhere = read_key(settings.data)
    try:
        body = ask(page, "POST", "/admin/login-link", secret)[1]
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise StartError(f"the gateway at {page} does not answer: {problem}") from problem
    if "url" not in body:
        raise StartError(f"the gateway at {page} refused: {body.get('error', {}).get('text', 'no reason given')}")
    print(body["url"])
    if elsewhere:
        print(f"gateway: from another machine: {elsewhere} in place of {urlsplit(page).hostname}", file=sys.stderr)
    return 0


def ask(page: str, method: str, path: str, token: str) -> tuple[int, Any]:
    """The status and the JSON body of the gateway's response. Raises OSError, HTTPException or ValueError.

    A gateway that expects a PROXY header from this address closes connections without one: then ask again with one.
    """
    try:
        return _ask(page, method, path, token, b"")
    except ConnectionResetError:
        return _ask(page, method, path, token, NO_PROXY)


def _ask(page: str, method: str, path: str, token: str, introduction: bytes) -> tuple[int, Any]:
    where = urlsplit(page if "//" in page else f"http://{page}")
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.connect()
        connection.sock.sendall(introduction)
        connection.request(method, where.path.rstrip("/") + path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def read_key(folder: Path) -> tuple[str, str, str]:
    """The page's address and the secret of the gateway that runs on `folder`, and the address that other machines use
    (empty: the same). Raises StartError with advice."""
    try:
        if (folder / FILE).exists() and not (folder / FILE).is_file():
            raise StartError(f"{folder / FILE} is no file of a gateway: it is a folder, a device or a pipe")
        content = json.loads((folder / FILE).read_text("utf-8-sig"))
        return content["page"], content["secret"], content.get("elsewhere", "")
    except FileNotFoundError:
        raise StartError(f"no gateway with a web door runs on {folder}; --data names another folder") from None
    except (OSError, ValueError, KeyError) as problem:
        raise StartError(f"cannot read {folder / FILE}: {problem}") from problem
