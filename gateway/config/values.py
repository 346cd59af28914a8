"""How the values of settings are written: ports, sizes, durations, lists. One type for each kind."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
DURATIONS = {"s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class WrongValue(ValueError):
    """A value of the right type that is wrong all the same. The message says how, and shows no secret."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of value is written.

    `placeholder` stands for the value in the help; `right` completes "… is not"; `note` is what the help adds to each
    setting of the form. `parse` makes the value of a text,
    wherever the text comes from, and raises ValueError; `show` is the text `parse` would read back. Without them the
    value is written as TOML writes its type. `check` raises WrongValue for what the type lets pass. A form with a
    `veil` is secret: its values are never printed, but for what the veil says of one that is set.
    """

    placeholder: str
    right: str
    note: str = ""
    parse: Callable[[str], object] | None = None
    show: Callable[[Any], object] | None = None
    check: Callable[[Any], None] | None = None
    veil: Callable[[Any], str] | None = None


def amount(text: str, units: Mapping[str, float]) -> float:
    """The number that `8MiB` or `30d` stands for; a bare number counts bytes or seconds. ValueError if none."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)", text.strip(), re.ASCII)
    if found is None or (found[2] and found[2] not in units):
        raise ValueError(text)
    return float(found[1]) * units.get(found[2], 1)


def amount_text(value: float, units: Mapping[str, float]) -> str | float:
    """The shortest exact way to write `value`: in the largest unit that divides it, else the bare number."""
    for unit, size in sorted(units.items(), key=lambda item: -item[1]):
        if size > 1 and value >= size and value % size == 0:
            return f"{value / size:.0f}{unit}"
    return int(value) if value == int(value) else value


def size_in_bytes(text: str) -> int:
    """`8MiB` as a number of bytes."""
    return int(amount(text, SIZES))


def comma_separated(text: str) -> list[str]:
    """The items of a list written as one text; blanks around them and empty ones do not count."""
    return [item.strip() for item in text.split(",") if item.strip()]


def path(text: str) -> Path | None:
    """A path, `~` allowed; the empty text is none."""
    return Path(text).expanduser() if text else None


def check_networks(networks: tuple[str, ...]) -> None:
    """ValueError if one of them is no address and no network."""
    for network in networks:
        ip_network(network)


PORT = Form("PORT", "a port: 1 to 65535, 0 = any free port, -1 = off", "0 = any free port, -1 = off")
COUNT = Form("N", "a whole number from 0, 0 = no limit")
SIZE = Form(
    "SIZE",
    'a size such as 8388608 (bytes) or "8MiB", 0 = no limit',
    parse=size_in_bytes,
    show=lambda size: amount_text(size, SIZES),
)
DURATION = Form(
    "TIME",
    'a duration such as "30d", "12h", "90m" or 45 (seconds), 0 = no limit',
    parse=lambda text: amount(text, DURATIONS),
    show=lambda seconds: amount_text(seconds, DURATIONS),
)
FOLDER = Form("DIR", "the path of a folder", parse=path, show=str)
FILE = Form("FILE", "the path of a file", parse=path, show=lambda file: file and str(file))
HOSTS = Form("HOST", "an address or a host name, without port", parse=comma_separated)
HOST_NAMES = Form("NAME,…", 'a list of host names without port, like "chat.example.org"', parse=comma_separated)
ORIGINS = Form("URL,…", 'a list of origins without path, like "https://chat.example.org"', parse=comma_separated)
NETWORKS = Form(
    "CIDR,…",
    'a list of addresses or networks, like "10.0.0.0/8" or "::1" (no bits behind the prefix)',
    parse=comma_separated,
    check=check_networks,
)
WORDS = Form("TEXT", "a text of at most 1000 characters")
SWITCH = Form("", "true or false")


def choice(words: tuple[str, ...]) -> Form:
    """The form of a choice; upper case is allowed."""
    *others, last = words
    text = f"{', '.join(others)} or {last}"
    return Form("WORD", text, text, parse=str.lower)


Port = Annotated[int, Meta(ge=-1, le=65535, extra={"form": PORT})]
Count = Annotated[int, Meta(ge=0, extra={"form": COUNT})]
Size = Annotated[int, Meta(ge=0, extra={"form": SIZE})]
Duration = Annotated[float, Meta(ge=0, le=1e10, extra={"form": DURATION})]
Folder = Annotated[Path, Meta(extra={"form": FOLDER})]
File = Annotated[Path | None, Meta(extra={"form": FILE})]
Hosts = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[^\s,/\[\]]+$")], ...], Meta(min_length=1, extra={"form": HOSTS})
]
HostNames = Annotated[tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+$")], ...], Meta(extra={"form": HOST_NAMES})]
Origins = Annotated[tuple[Annotated[str, Meta(pattern=r"^https?://[^/\s]+$")], ...], Meta(extra={"form": ORIGINS})]
Networks = Annotated[tuple[str, ...], Meta(extra={"form": NETWORKS})]
Words = Annotated[str, Meta(max_length=1000, extra={"form": WORDS})]
Switch = Annotated[bool, Meta(extra={"form": SWITCH})]
