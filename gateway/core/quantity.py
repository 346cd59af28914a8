"""Sizes, durations, counts and moments: how they are read and how they are written, the same everywhere. Pure.

Settings, filter words, operators' commands, the dashboard's tables and `gateway status` all read and write quantities
here, so what one of them writes any other reads:

    sizes      65536   64kB   64k   64KiB   65.5 kB     k, kB, M, MB, G, GB by 1000; KiB, MiB, GiB by 1024
    durations  45   90s   10m   12h   30d   1h 02m      also 250ms and 2w; several units, the largest first
    counts     1200   1,200   10k   2M

    moments    10m (ago)   14:00   2026-11-24   2026-11-24T14:00   2026-11-24T14:00:05Z, else in the server's zone

Upper and lower case are the same, and a blank may stand before a unit. A bare number counts bytes, or seconds.

Short forms (`65.5 kB`, `1h 02m`) are cut, not rounded: `lag>=65.5kB` finds the row whose lag is written like that.
The page's format.js writes the same. Exact forms are for settings: reading one back gives the same value.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise

KB, MB, GB, TB = 10**3, 10**6, 10**9, 10**12
SIZES = {
    **{"": 1, "b": 1, "k": KB, "kb": KB, "m": MB, "mb": MB, "g": GB, "gb": GB, "t": TB, "tb": TB},
    **{"ki": 1 << 10, "kib": 1 << 10, "mi": 1 << 20, "mib": 1 << 20, "gi": 1 << 30, "gib": 1 << 30, "tib": 1 << 40},
}
MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
COUNTS = {"": 1, "k": KB, "m": MB, "g": GB}

_EXACT_SIZES = (("GiB", 1 << 30), ("GB", GB), ("MiB", 1 << 20), ("MB", MB), ("KiB", 1 << 10), ("kB", KB))
_EXACT_DURATIONS = (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_AMOUNT = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([a-z]*)", re.ASCII)
_STEPS = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([a-z]+) ?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z?)?", re.ASCII | re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+", re.ASCII)


def whole_number(text: str, digits: int = 18) -> int | None:
    """The number that `text` writes in 0 to 9 and nothing else; None if it writes none, or one of more `digits`:
    18 fit into the 64 bits of the journal."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def parse_size(text: str) -> float:
    """Bytes that `64KiB` stands for. ValueError if it is no size."""
    return _parse(text, SIZES)


def parse_duration(text: str) -> float:
    """Seconds that `90s` or `1h30m` stands for; a bare number counts seconds. ValueError if it is no duration."""
    return parse_milliseconds(text, 1000) / 1000


def parse_milliseconds(text: str, bare: int) -> float:
    """The same in milliseconds; a bare number counts `bare` of them."""
    words = text.strip().lower()
    steps = list(_STEPS.finditer(words))
    if len(steps) < 2:
        return _parse(words, {**MILLISECONDS, "": bare})
    if "".join(step[0] for step in steps) != words or any(step[2] not in MILLISECONDS for step in steps):
        raise ValueError(text)
    sizes = [MILLISECONDS[step[2]] for step in steps]
    if any(next_one >= size for size, next_one in pairwise(sizes)):
        raise ValueError(text)
    return sum(float(step[1]) * size for step, size in zip(steps, sizes, strict=True))


def parse_count(text: str) -> float:
    """The number that `10k` or `1,200` stands for. ValueError if it is none."""
    words = text.strip()
    return float(words.replace(",", "")) if _GROUPED.fullmatch(words) else _parse(words, COUNTS)


def moment(words: str, now: int) -> int | None:
    """The moment (ms since 1970) that `10m` (ago), `14:00` (the last time it was so) or a date names; None for other
    words. `now` is ms since 1970."""
    clock = _CLOCK.fullmatch(words)
    try:
        if _DATE.fullmatch(words):
            return int(datetime.fromisoformat(words.upper()).timestamp() * 1000)
        if not clock:
            return max(0, now - int(parse_duration(words) * 1000))
        today = datetime.fromtimestamp(now / 1000)
        moment = today.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return int((moment if moment <= today else moment - timedelta(days=1)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def _parse(text: str, units: Mapping[str, float]) -> float:
    found = _AMOUNT.fullmatch(text.strip().lower())
    if found is None or found[2] not in units:
        raise ValueError(text)
    amount = int(found[1]) if found[1].isdecimal() else float(found[1])  # a float holds no more than 2**53 exactly
    return round(amount * units[found[2]], 6)  # 16.1 * 1000 is a little more than 16100


def exact_size(size: float) -> str | float:
    """The shortest text that `parse_size` reads as exactly so many bytes; the number itself where no unit fits."""
    return _exact(size, _EXACT_SIZES)


def exact_duration(seconds: float) -> str | float:
    """The same for seconds."""
    return _exact(seconds, _EXACT_DURATIONS) if seconds != int(seconds) else _exact(int(seconds), _EXACT_DURATIONS)


def _exact(value: float, units: tuple[tuple[str, int], ...]) -> str | float:
    for unit, size in units:
        if value >= size and value % size == 0:
            return f"{value // size:.0f}{unit}"
    return value


def short_count(n: float) -> str:
    """`1,234`."""
    return f"{int(n):,}"


def short_rate(n: float) -> str:
    """A number a second: `0`, `9.9`, `12`."""
    return "0" if n == 0 else _tenths(n, 1) if n < 10 else short_count(n)


def short_size(size: float) -> str:
    """`999 B`, `65.5 kB`, `1.2 MB`, `3.0 GB`."""
    if size < KB:
        return f"{int(size)} B"
    if size < MB:
        return f"{_tenths(size, KB)} kB"
    return f"{_tenths(size, MB)} MB" if size < GB else f"{_tenths(size, GB)} GB"


def short_milliseconds(ms: float) -> str:
    """`3.5 ms`, `250 ms`."""
    return f"{_tenths(ms, 1)} ms" if ms < 10 else f"{int(ms)} ms"


def short_duration(seconds: float) -> str:
    """`45s`, `5m`, `1h 02m`, `3d 04h`."""
    s = max(0, int(seconds))
    if s < 60:
        return f"{s}s"
    if s < 3600:
        return f"{s // 60}m"
    if s < 86400:
        return f"{s // 3600}h {s // 60 % 60:02}m"
    return f"{s // 86400}d {s // 3600 % 24:02}h"


def _tenths(n: float, unit: int) -> str:
    """The number of units with one decimal, cut; computed in whole numbers, because 0.3 / 0.1 is less than 3."""
    whole, tenth = divmod(int(n * 10) // unit, 10)
    return f"{whole}.{tenth}"
