"""How the values of settings are written: ports, sizes, durations, lists. One type for each kind."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from gateway import wording
from gateway.core.address import parse_network
from gateway.core.quantity import exact_duration, exact_size, parse_duration, parse_size


class WrongValue(ValueError):
    """A value of the right type that is not allowed. The message says why, and shows no secret."""


class NoHome(WrongValue):
    """The machine has no home for the user that `~` means."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of value is written.

    `placeholder` stands for the value in the help; `right` completes "… is not"; `note` is what the help adds to each
    setting of the form. `parse` makes the value of a text,
    wherever the text comes from, and raises ValueError; `show` is the text `parse` would read back. Without them the
    value is written as TOML writes its type. `check` raises WrongValue for what the type lets pass. A form with a
    `veil` is secret: its values are never printed, but for what the veil says of one that is set. `free`: it is text
    for people, and quotes around it are part of it.
    """

    placeholder: str
    right: str
    note: str = ""
    parse: Callable[[str], object] | None = None
    show: Callable[[Any], object] | None = None
    check: Callable[[Any], None] | None = None
    veil: Callable[[Any], str] | None = None
    free: bool = False


def comma_separated(text: str) -> list[str]:
    """The items of a list written as one text; blanks around them and empty ones do not count."""
    return [item.strip() for item in text.split(",") if item.strip()]


def path(text: str) -> Path | None:
    """A path, `~` allowed; the empty text is none. Raises NoHome where the home of `~` is not known: a folder that is
    really called `~` is an accident waiting for `rm -rf ~`."""
    expanded = os.path.expanduser(text)
    if text.startswith("~") and (expanded.startswith("~") or (text.split("/")[0] == "~" and home() is None)):
        raise NoHome(wording.NO_HOME_FOR_PATH.format(text=text))
    return Path(expanded) if text else None


def home() -> Path | None:
    """The user's home folder. None where HOME is empty or no folder (/dev/null, /nonexistent), or where it is not set
    and the system does not know the user."""
    found = os.environ["HOME"] if "HOME" in os.environ else os.path.expanduser("~")
    return Path(found) if os.path.isabs(found) and os.path.isdir(found) else None


def host_names(text: str) -> list[str]:
    """Hosts as a list; the brackets that an IPv6 address has in front of a port are not part of it."""
    return [re.sub(r"^\[([^\[\]]*)\]$", r"\1", item) for item in comma_separated(text)]


def base_path(text: str) -> str:
    """A path in its canonical form: with a slash before it and none after it; empty for the root."""
    return "/" + text.strip("/ ") if text.strip("/ ") else ""


def check_hosts(hosts: tuple[str, ...]) -> None:
    """Raise WrongValue for a host that cannot be a machine's."""
    for host in hosts:
        if host == "*":
            raise WrongValue(wording.ALL_ADDRESSES)
        if re.fullmatch(r"[^:]+:\d+", host):
            raise WrongValue(wording.HOST_HAS_PORT.format(host=host))


def switch(text: str) -> str:
    """`true` or `false` for other words that mean the same; anything else as it is."""
    word = text.lower()
    return "true" if word in ("yes", "on") else "false" if word in ("no", "off") else word


def words(text: str) -> str:
    """The text. Raises WrongValue for bytes in the environment or on the command line that were not UTF-8."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise WrongValue(wording.VALUE_NOT_UTF8)
    return text


def check_networks(networks: tuple[str, ...]) -> None:
    """Raise ValueError if one of them is neither an address nor a network."""
    for network in networks:
        parse_network(network)


OWN_PATHS = frozenset(("admin", "docs", "healthz", "metrics", "openapi.json", "r", "readyz", "rooms", "static", "ws"))
"""The first parts of the web door's own paths."""


def check_base_path(path: str) -> None:
    """Raise WrongValue for a base path that could be mistaken for one of the web door's own paths."""
    first = path.split("/")[1] if path else ""
    if first in OWN_PATHS:
        raise WrongValue(wording.PATH_OF_OUR_OWN.format(first=first))


REDIS_SCHEMES = ("redis", "rediss", "unix")
ONE_SENTINEL = r"(\[[0-9a-fA-F:.]+\]:\d{1,5}|[^@/,\s:\[\]]+(:\d{1,5})?)"
SENTINELS = re.compile(
    rf"rediss?\+sentinel://([^@/\s]*@)?{ONE_SENTINEL}(,{ONE_SENTINEL})*/[A-Za-z0-9._-]+(/\d{{1,9}})?(\?\S*)?"
)


def redis_url(text: str) -> str | None:
    """The URL of a Redis; the empty text is none. Raises ValueError when it is not one."""
    if not text:
        return None
    ports = re.findall(r":(\d+)(?=[,/])", text.partition("?")[0])
    if SENTINELS.fullmatch(text) and all(int(port) <= 65535 for port in ports):
        return text
    parts = urlsplit(text)
    if parts.scheme not in REDIS_SCHEMES or not (parts.hostname or parts.scheme == "unix") or parts.port == 0:
        raise ValueError(wording.NOT_A_REDIS_URL)
    return text


def veiled_url(url: str) -> str:
    """The URL without its user and password."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{'…@' if '@' in parts.netloc else ''}{place}{parts.path}"


PORT = Form("PORT", "a port: 1 to 65535, 0 = any free port, -1 = off", "0 = any free port, -1 = off")
COUNT = Form("N", "a whole number from 0, 0 = no limit")
WORKERS = Form("N", "a whole number from 1 to 64")
SIZE = Form(
    "SIZE",
    'a size such as 8388608 (bytes) or "8MiB", 0 = no limit',
    parse=lambda text: int(parse_size(text)),
    show=exact_size,
)
DURATION = Form(
    "TIME",
    'a duration such as "30d", "12h", "90m" or 45 (seconds), 0 = no limit',
    parse=parse_duration,
    show=exact_duration,
)
FOLDER = Form("DIR", "the path of a folder", parse=path, show=str)
FILE = Form("FILE", "the path of a file", parse=path, show=lambda file: file and str(file))
HOSTS = Form("HOST", "an address or a host name, without port", parse=host_names, check=check_hosts)
HOST_NAMES = Form(
    "NAME,…",
    'a list of host names without port, like "chat.example.org" (in ASCII: "xn--mller-kva.example"), or of origins, '
    'like "https://chat.example.org"',
    parse=comma_separated,
)
ORIGINS = Form("URL,…", 'a list of origins without path, like "https://chat.example.org"', parse=comma_separated)
NETWORKS = Form(
    "CIDR,…",
    'a list of addresses or networks, like "10.0.0.0/8" or "::1" (no bits behind the prefix)',
    parse=comma_separated,
    check=check_networks,
)
BASE_PATH = Form(
    "PATH", 'a path such as "/chat", of letters, digits, ".", "_", "~" and "-"', parse=base_path, check=check_base_path
)
REDIS_URL = Form(
    "URL",
    "a URL such as redis://:PASSWORD@HOST:6379/0, rediss://HOST:6380 (TLS), unix:///run/redis.sock or "
    "redis+sentinel://HOST:26379,HOST:26379/SERVICE",
    parse=redis_url,
    veil=veiled_url,
)
WORDS = Form("TEXT", "a text of at most 1000 characters", parse=words, free=True)
SWITCH = Form("", "true or false", parse=switch)


SHORT = {"warn": "warning"}


def choice(words: tuple[str, ...]) -> Form:
    """The form of a choice; upper case is allowed, and the short word that other programs have for one."""
    *others, last = words
    text = f"{', '.join(others)} or {last}"
    return Form("WORD", text, text, parse=lambda word: SHORT.get(word.lower(), word.lower()))


Port = Annotated[int, Meta(ge=-1, le=65535, extra={"form": PORT})]
Count = Annotated[int, Meta(ge=0, extra={"form": COUNT})]
Size = Annotated[int, Meta(ge=0, extra={"form": SIZE})]
Duration = Annotated[float, Meta(ge=0, le=1e10, extra={"form": DURATION})]
Folder = Annotated[Path, Meta(extra={"form": FOLDER})]
File = Annotated[Path | None, Meta(extra={"form": FILE})]
Hosts = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[^\s,/\[\]]+$")], ...], Meta(min_length=1, extra={"form": HOSTS})
]
HostNames = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^(https?://[A-Za-z0-9._-]+(:\d{1,5})?|[A-Za-z0-9._-]+)$")], ...],
    Meta(extra={"form": HOST_NAMES}),
]
Origins = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+.-]*://[^/\s]+$")], ...], Meta(extra={"form": ORIGINS})
]
Networks = Annotated[tuple[str, ...], Meta(extra={"form": NETWORKS})]
BasePath = Annotated[
    str, Meta(pattern=r"^(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*$", max_length=200, extra={"form": BASE_PATH})
]
RedisUrl = Annotated[str | None, Meta(extra={"form": REDIS_URL})]
Workers = Annotated[int, Meta(ge=1, le=64, extra={"form": WORKERS})]
Words = Annotated[str, Meta(max_length=1000, extra={"form": WORDS})]
Switch = Annotated[bool, Meta(extra={"form": SWITCH})]
