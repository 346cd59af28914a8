"""One-time links to the dashboard: the tokens in them (`LoginLinks`), and the command that gets a fresh one from a
running gateway (`gateway login-link`).

A link is good once, for LINK_LIFE. Anybody who can read the data folder may have one. A running gateway keeps a file
there that only its user can read: its page's address and a secret, which is new at each start. The command presents the
secret to the gateway, from this machine, and gets a fresh link.
"""

import contextlib
import hashlib
import hmac
import http.client
import json
import secrets
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from gateway import wording
from gateway.errors import StartError
from gateway.process.files import write_whole

LINK_LIFE = 15 * 60.0
LINK_LIMIT = 32
"""Links that are remembered."""
FILE = "running.json"
SECRET_BYTES = 24
TIMEOUT = 5.0
MOST_BYTES = 1 << 22
"""Of an answer: more is none of a gateway's."""
NO_PROXY = b"PROXY UNKNOWN\r\n"
"""The PROXY header of a connection that is not proxied."""


@dataclass(slots=True)
class _Link:
    ends: float
    used: bool = False


class LoginLinks:
    """One-time tokens. `clock` returns monotonic seconds. The last LINK_LIMIT links are remembered, used ones
    too, so that an operator can be told what is wrong with a link.

    `minted` and `used` are called with the digest of a token, to tell other nodes of the gateway, which then `know` it
    and that it is `used_up`. A link that is used at two nodes within the few milliseconds that takes logs in at both.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        minted: Callable[[str], object] = str,
        used: Callable[[str], object] = str,
    ) -> None:
        self._clock = clock
        self._minted = minted
        self._used = used
        self._links: dict[bytes, _Link] = {}

    def mint(self) -> str:
        """A fresh token, good once within 15 minutes."""
        token = secrets.token_urlsafe(SECRET_BYTES)
        self.know(_digest(token).hex())
        self._minted(_digest(token).hex())
        return token

    def know(self, digest: str) -> None:
        """The token with this digest is good once, from now on."""
        while len(self._links) >= LINK_LIMIT:
            del self._links[next(iter(self._links))]
        self._links[bytes.fromhex(digest)] = _Link(self._clock() + LINK_LIFE)

    def used_up(self, digest: str) -> None:
        """The token with this digest has been used."""
        link = self._links.get(bytes.fromhex(digest))
        if link is not None:
            link.used = True

    def problem(self, token: str) -> str | None:
        """Why `token` is not valid: "unknown", "used" or "expired"; None if it is. Does not use it up."""
        link = self._find(token)
        if link is None:
            return "unknown"
        if link.used:
            return "used"
        return "expired" if self._clock() > link.ends else None

    def use(self, token: str) -> str | None:
        """Use `token` up, unless there is a `problem` with it, which is returned."""
        problem = self.problem(token)
        link = self._find(token)
        if problem is None and link is not None:
            link.used = True
            self._used(_digest(token).hex())
        return problem

    def _find(self, token: str) -> _Link | None:
        wanted, found = _digest(token), None
        for key, link in self._links.items():
            if hmac.compare_digest(key, wanted):
                found = link
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class LoginLinkKey:
    """The file of a running gateway in its data folder. Workers are given the `secret` of their supervisor's file, and
    write none."""

    def __init__(self, folder: Path, secret: str | None = None) -> None:
        self.path = folder / FILE
        self.secret = secret or secrets.token_hex(SECRET_BYTES)  # no `-` at its beginning: it is typed after --token

    def write(self, page: str, elsewhere: str = "") -> None:
        """Write the page's address and the secret for `login_link`, and the address by which other machines reach a
        page that listens on all addresses. Raises StartError."""
        content = json.dumps({"page": page, "secret": self.secret, "elsewhere": elsewhere})
        try:
            write_whole(self.path, content.encode(), 0o600)
        except (OSError, RuntimeError) as problem:
            why = getattr(problem, "strerror", None) or problem
            raise StartError(wording.CANNOT_WRITE.format(path=self.path, why=why)) from problem

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
    print(link_of(page, secret))
    if elsewhere:
        print(wording.LINK_FROM_ELSEWHERE.format(elsewhere=elsewhere, host=urlsplit(page).hostname), file=sys.stderr)
    return 0


def link_of(page: str, secret: str) -> str:
    """A fresh one-time link of the gateway with that page, to whoever has the secret. Raises StartError."""
    try:
        status, body = ask(page, "POST", "/admin/login-link", secret, own_machine())
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise StartError(wording.GATEWAY_SILENT.format(page=page, problem=problem)) from problem
    url = body.get("url")
    if not isinstance(url, str):
        raise StartError(wording.GATEWAY_REFUSED.format(page=page, problem=told(status, body)))
    return url


def ask(
    page: str, method: str, path: str, token: str, trust: ssl.SSLContext | None = None, body: object = None
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON body of the gateway's response to a request, with `body` as JSON if there is one. `trust`
    decides about the certificate of an https page, by default like browsers do. Raises OSError, HTTPException or
    ValueError.

    A gateway that expects a PROXY header from this address closes connections without one: then ask again with one.
    """
    trust = trust or ssl.create_default_context()
    try:
        return _ask(page, method, path, token, trust, b"", body)
    except (ConnectionResetError, ssl.SSLEOFError):
        return _ask(page, method, path, token, trust, NO_PROXY, body)


def own_machine() -> ssl.SSLContext:
    """Trusts any certificate, for a page whose address was read from the data folder: that is this machine, where
    without TLS nobody would be asked either, and the certificate is for the name that others know it by."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one would read the system's certificates first
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    return trust


def _ask(
    page: str, method: str, path: str, token: str, trust: ssl.SSLContext, introduction: bytes, body: object
) -> tuple[int, dict[str, Any]]:
    where = urlsplit(page if "//" in page else f"http://{page}")
    secure, host = where.scheme == "https", where.hostname or ""
    connection = http.client.HTTPConnection(host, where.port or (443 if secure else 80), timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.connect()
        connection.sock.sendall(introduction)
        if secure:
            connection.sock = trust.wrap_socket(connection.sock, server_hostname=host)
        sent = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(method, where.path.rstrip("/") + path, sent, headers)
        answer = connection.getresponse()
        try:
            said = json.loads(answer.read(MOST_BYTES))
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise ValueError(wording.SOMETHING_ELSE_LISTENS.format(status=answer.status))
        return answer.status, said


def told(status: int, body: dict[str, Any]) -> str:
    """Why a gateway refused, in its own words where it has any."""
    error = body.get("error")
    words = error.get("text") if isinstance(error, dict) else None
    return words if isinstance(words, str) else f"status {status}"


def read_key(folder: Path) -> tuple[str, str, str]:
    """The page's address and the secret of the gateway that runs on `folder`, and the address that other machines use
    (empty: the same). Raises StartError with advice."""
    try:
        if (folder / FILE).exists() and not (folder / FILE).is_file():
            raise StartError(wording.NOT_A_GATEWAY_FILE.format(path=folder / FILE))
        content = json.loads((folder / FILE).read_text("utf-8-sig"))
        page, secret, elsewhere = content["page"], content["secret"], content.get("elsewhere", "")
        if not all(isinstance(each, str) for each in (page, secret, elsewhere)):
            raise ValueError(content)
        return page, secret, elsewhere
    except FileNotFoundError:
        raise StartError(wording.NO_GATEWAY_RUNS.format(folder=folder)) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        why = getattr(problem, "strerror", None) or wording.NOT_BY_A_GATEWAY
        raise StartError(wording.CANNOT_READ_FILE.format(what=folder / FILE, why=why)) from problem
