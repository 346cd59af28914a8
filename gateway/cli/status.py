"""`gateway status`: one screen about a running gateway, or its summary as JSON for scripts.

The data folder says which gateway is meant, as for `gateway login-link`; for one on another machine its page's address
and a token do.
"""

import http.client
import json
import os
import ssl
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway import wording
from gateway.core.quantity import short_count, short_duration, short_milliseconds, short_rate, short_size
from gateway.errors import StartError
from gateway.login_link import TIMEOUT, Where, ask, own_machine, read_key, told

PIPED_COLUMNS = 250
STYLES = {"ok": "bold green", "busy": "bold yellow", "overloaded": "bold red", "draining": "bold blue"}
Json = dict[str, Any]


def show(question: tuple[Where, Mapping[str, str]]) -> int:
    """Print the status; return the exit code. The question is the settings, and `url`, `token`, `json` as given on the
    command line, empty where they were not. Raises StartError when no gateway answers."""
    settings, asked = question
    page, token = (asked["url"], asked["token"]) if asked["url"] else read_key(settings.data)[:2]
    summary = view_of(page, token, "summary", None if asked["url"] else own_machine())
    if asked["json"]:
        # Where the locale cannot show every character, only escapes make it valid JSON.
        shows_all = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        json.dump(summary, sys.stdout, indent=2, ensure_ascii=not shows_all)
        print()
        return 0
    try:
        shown = screen(summary, page)
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise StartError(wording.OTHER_VERSION.format(page=page, field=problem)) from problem
    # Whoever greps it wants whole names: without a terminal nothing says how wide a line may be.
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPED_COLUMNS
    Console(highlight=False, width=width).print(shown)
    return 0


def view_of(page: str, token: str, view: str, trust: ssl.SSLContext | None) -> Json:
    """One view of the dashboard as JSON; `trust` as for `ask`. Raises StartError."""
    try:
        status, body = ask(page, "GET", f"/admin/api/{view}", token, trust)
    except TimeoutError:
        raise StartError(wording.GATEWAY_HANGS.format(page=page, seconds=TIMEOUT)) from None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise StartError(wording.GATEWAY_SILENT.format(page=page, problem=problem)) from problem
    if status != 200:
        raise StartError(wording.GATEWAY_REFUSED.format(page=page, problem=told(status, body)))
    return body


def screen(summary: Json, page: str) -> RenderableType:
    """The summary on one screen."""
    parts = [headline(summary, page), doors(summary), figures(summary)]
    if summary.get("nodes"):
        parts.insert(1, nodes(summary["nodes"]))
    if summary["slowest"]:
        parts.append(slowest(summary["slowest"]))
    if summary["closed"]:
        parts.append(closed(summary))
    return Group(*(part for pair in zip(parts, [Text()] * len(parts), strict=True) for part in pair))


def headline(summary: Json, page: str) -> RenderableType:
    """Health and its causes, version, how long it has been up."""
    health = summary["health"]
    rest = wording.STATUS_HEAD.format(version=summary["version"], page=page, time=duration(summary["uptime"]))
    causes = (wording.STATUS_CAUSE.format(level=cause["level"], text=cause["text"]) for cause in summary["causes"])
    return Group(Text.assemble((health.upper(), STYLES.get(health, "bold")), rest), *map(Text, causes))


def nodes(lines: Iterable[Json]) -> RenderableType:
    """Every node, and every worker of those that have several."""
    table = grid(wording.STATUS_NODES, numbers={2})
    for line in lines:
        off = line["clock_ms"]
        clock = wording.STATUS_CLOCK_OFF.format(time=duration(abs(off))) if off else ""
        health = Text(line["health"] or wording.STATUS_NODE_MISSING, STYLES.get(line["health"], "bold red"))
        remark = Text(line["missing"] or clock or (wording.STATUS_NODE_ASKED if line["here"] else ""))
        table.add_row(
            Text(line["node"]), health, number(line["connections"]), duration(line["uptime"]), line["version"], remark
        )
    return table


def doors(summary: Json) -> RenderableType:
    """Every listener, and the connections by door."""
    table = grid(wording.STATUS_DOORS, numbers={3, 4})
    listening = {listener["door"] for listener in summary["listeners"]}
    for listener in summary["listeners"]:
        table.add_row(listener["door"], listener["address"], listener["state"], *counts(summary, listener["door"]))
    for door in ("tcp", "telnet", "web", "http"):
        if door not in listening and summary["tiles"][f"connections_{door}"]["total"]:
            table.add_row(door, "", "", *counts(summary, door))
    return table


def counts(summary: Json, door: str) -> tuple[str, str]:
    """The connections of a door: open ones, and all since the start. A port for TLS is not a door of its own."""
    if door.endswith("_tls"):
        return "", ""
    tile = summary["tiles"][f"connections_{door}"]
    return number(tile["now"]), number(tile["total"])


def figures(summary: Json) -> RenderableType:
    """The figures: now, the highest since the start, the limit, and in all."""
    table = grid(wording.STATUS_FIGURES, numbers={1, 2, 3, 4})
    for key, name in wording.STATUS_ROWS.items():
        tile, write = summary["tiles"][key], WRITERS.get(key, number)
        now, peak, limit, total = ("" if tile[each] is None else write(tile[each]) for each in KEYS)
        if key in RATES:
            now, peak = (wording.STATUS_PER_SECOND.format(figure=figure) if figure else "" for figure in (now, peak))
        table.add_row(name, now or wording.STATUS_UNKNOWN, peak or wording.STATUS_UNKNOWN, limit, total)
    return table


def slowest(lines: Iterable[Json]) -> RenderableType:
    """The connections that are furthest behind."""
    table = grid(wording.STATUS_SLOWEST, numbers={4})
    for line in lines:
        where = (line["id"], line["nick"], line["door"], line["address"], size(line["lag_bytes"]))
        table.add_row(*map(Text, where))
    return table


def closed(summary: Json) -> RenderableType:
    """The connections that closed last, and how many closed for which reason, the most frequent first."""
    often = sorted(summary["closed"].items(), key=lambda item: -item[1])
    each = (wording.STATUS_REASON.format(count=number(n), reason=word.replace("_", " ")) for word, n in often)
    reasons = Text(wording.STATUS_ENDED.format(reasons=", ".join(each)))
    if not summary["last_closed"]:
        return reasons
    table = grid(wording.STATUS_CLOSED)
    for line in summary["last_closed"]:
        ago = duration(max(0, summary["now"] - line["closed_at"]))
        words = ": ".join(filter(None, (line["reason"].replace("_", " "), line["words"])))
        where = (line["id"], line["nick"], line["door"], line["address"])
        table.add_row(*map(Text, (*where, duration(line["lasted"]), ago, words)))
    return Group(table, Text(), reasons)


def grid(heads: Iterable[str], numbers: Collection[int] = ()) -> Table:
    """A table without lines; the columns with these numbers are aligned right."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column, head in enumerate(heads):
        table.add_column(Text(head), justify="right" if column in numbers else "left")
    return table


def number(value: float | None) -> str:
    """`12,345`."""
    return wording.STATUS_UNKNOWN if value is None else short_count(value) if value == int(value) else short_rate(value)


def size(value: float | None) -> str:
    """`1.2 MB`."""
    return wording.STATUS_UNKNOWN if value is None else short_size(value)


def milliseconds(value: float | None) -> str:
    """`3.5 ms`."""
    return wording.STATUS_UNKNOWN if value is None else short_milliseconds(value)


def duration(ms: float) -> str:
    """`3d 04h`."""
    return short_duration(ms / 1000)


KEYS = "now", "peak", "limit", "total"
RATES = {"messages_in", "deliveries", "skipped", "bytes_in", "bytes_out"}
WRITERS: Mapping[str, Callable[[float | None], str]] = {
    "bytes_in": size,
    "bytes_out": size,
    "lag_p99": size,
    "rss_bytes": size,
    "loop_lag_p99_ms": milliseconds,
    "loop_lag_max_ms": milliseconds,
}
"""How the figures of a tile are written that are no plain numbers."""
