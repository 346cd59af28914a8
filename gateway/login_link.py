"""The operator's way to the dashboard of a running gateway: `gateway login-link`.

Whoever can read the data folder may have a link. A running gateway keeps a file there that only its user can read: its
page's address and a secret, which is made anew at each start. The command shows the secret at the page, from this
machine, and gets a fresh one-time link.
"""

import contextlib
import http.client
import json
import os
import secrets
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from gateway.errors import StartError

FILE = "running.json"
SECRET_BYTES = 24
TIMEOUT = 5.0
NO_PROXY = b"PROXY UNKNOWN\r\n"
"""The PROXY header of a connection that is the caller's own."""


class LoginLinkKey:
    """The file of a running gateway in its data folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.secret = secrets.token_urlsafe(SECRET_BYTES)

    def write(self, page: str) -> None:
        """Leave the page's address and the secret for `link`. Raises StartError."""
        fresh = self.path.with_name(f"{FILE}.{os.getpid()}")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump({"page": page, "secret": self.secret}, file)
            fresh.replace(self.path)
        except OSError as problem:
            raise StartError(f"cannot write {self.path}: {problem.strerror}") from problem

    def remove(self) -> None:
        """The gateway no longer runs."""
        with contextlib.suppress(OSError):
            self.path.unlink()


class Where(Protocol):
    """The settings that tell which gateway is meant."""

    @property
    def data(self) -> Path: ...


def login_link(settings: Where) -> int:
    """Print a fresh one-time dashboard link of the gateway that runs on this data folder; the exit code."""
    page, secret = read_key(settings.data)
    try:
        try:
            body = ask(page, secret)
        except ConnectionResetError:
            body = ask(page, secret, NO_PROXY)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise StartError(f"the gateway at {page} does not answer: {problem}") from problem
    if "url" not in body:
        raise StartError(f"the gateway at {page} refused: {body.get('error', {}).get('text', 'no reason given')}")
    print(body["url"])
    return 0


def ask(page: str, secret: str, introduction: bytes = b"") -> dict[str, Any]:
    """What the gateway answers to whoever asks for a link. It cuts those (ConnectionResetError) who do not introduce
    themselves at an address from which it expects a proxy."""
    where = urlsplit(page)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.connect()
        connection.sock.sendall(introduction)
        connection.request("POST", "/admin/login-link", headers={"Authorization": f"Bearer {secret}"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer


def read_key(folder: Path) -> tuple[str, str]:
    """The page's address and the secret of the gateway that runs on `folder`. Raises StartError with advice."""
    try:
        content = json.loads((folder / FILE).read_text())
        return content["page"], content["secret"]
    except FileNotFoundError:
        raise StartError(f"no gateway with a web door runs on {folder}; --data names another folder") from None
    except (OSError, ValueError, KeyError) as problem:
        raise StartError(f"cannot read {folder / FILE}: {problem}") from problem
