"""`gateway status`: one screen about a running gateway, or its summary as JSON for scripts.

The data folder says which gateway is meant, as for `gateway login-link`; for one on another machine its page's address
and a token do.
"""

import http.client
import json
import os
import ssl
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway import wording
from gateway.core.quantity import short_count, short_duration, short_milliseconds, short_rate, short_size
from gateway.errors import StartError
from gateway.login_link import TIMEOUT, Where, ask, own_machine, read_key, told

UNKNOWN = "n/a"
PIPED_COLUMNS = 250
STYLES = {"ok": "bold green", "busy": "bold yellow", "overloaded": "bold red", "draining": "bold blue"}
RATES = (("messages in", "messages_in"), ("fan-out", "deliveries"), ("skipped", "skipped"))
SIZES = (("bytes in", "bytes_in"), ("bytes out", "bytes_out"))

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
    line = Text.assemble(
        (health.upper(), STYLES.get(health, "bold")), f"  gateway {summary['version']} at {page}, ",
        f"up {duration(summary['uptime'])}",
    )  # fmt: skip
    return Group(line, *(Text(f"  {cause['level']}: {cause['text']}") for cause in summary["causes"]))


def nodes(lines: Iterable[Json]) -> RenderableType:
    """Every node, and every worker of those that have several."""
    table = grid("node", "health", "connections", "up", "version", "")
    for line in lines:
        clock = f"its clock is {duration(abs(line['clock_ms']))} off" if line["clock_ms"] else ""
        health = Text(line["health"] or "missing", STYLES.get(line["health"], "bold red"))
        remark = Text(line["missing"] or clock or ("asked" if line["here"] else ""))
        table.add_row(
            Text(line["node"]), health, number(line["connections"]), duration(line["uptime"]), line["version"], remark
        )
    return table


def doors(summary: Json) -> RenderableType:
    """Every listener, and the connections by door."""
    table = grid("door", "address", "state", "connections", "opened in all")
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
    tiles = summary["tiles"]
    table = grid("", "now", "highest", "limit", "in all")

    def row(name: str, tile: Json, write: Any, per: str = "") -> None:
        now, peak = (write(tile[key]) + (per if tile[key] is not None else "") for key in ("now", "peak"))
        limit, total = (write(tile[key]) if tile[key] is not None else "" for key in ("limit", "total"))
        table.add_row(name, now, peak, limit, total)

    row("connections", tiles["connections"], number)
    for name, key in RATES:
        row(name, tiles[key], number, "/s")
    for name, key in SIZES:
        row(name, tiles[key], size, "/s")
    row("lag p99", tiles["lag_p99"], size)
    row("slow readers", tiles["slow"], number)
    row("loop lag p99", tiles["loop_lag_p99_ms"], milliseconds)
    row("loop lag at worst", tiles["loop_lag_max_ms"], milliseconds)
    row("memory", tiles["rss_bytes"], size)
    row("file descriptors", tiles["fds"], number)
    return table


def slowest(lines: Iterable[Json]) -> RenderableType:
    """The connections that are furthest behind."""
    table = grid("slowest", "nick", "door", "address", "lag")
    for line in lines:
        where = (line["id"], line["nick"], line["door"], line["address"], size(line["lag_bytes"]))
        table.add_row(*map(Text, where))
    return table


def closed(summary: Json) -> RenderableType:
    """The connections that closed last, and how many closed for which reason, the most frequent first."""
    often = sorted(summary["closed"].items(), key=lambda item: -item[1])
    reasons = Text("ended in all: " + ", ".join(f"{number(count)} {word.replace('_', ' ')}" for word, count in often))
    if not summary["last_closed"]:
        return reasons
    table = grid("last closed", "nick", "door", "address", "lasted", "ago", "reason")
    for line in summary["last_closed"]:
        ago = duration(max(0, summary["now"] - line["closed_at"]))
        words = ": ".join(filter(None, (line["reason"].replace("_", " "), line["words"])))
        where = (line["id"], line["nick"], line["door"], line["address"])
        table.add_row(*map(Text, (*where, duration(line["lasted"]), ago, words)))
    return Group(table, Text(), reasons)


def grid(*heads: str) -> Table:
    """A table without lines; numbers are aligned right."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        right = head in ("now", "highest", "limit", "in all", "connections", "opened in all", "lag")
        table.add_column(Text(head), justify="right" if right else "left")
    return table


def number(value: float | None) -> str:
    """`12,345`."""
    return UNKNOWN if value is None else short_count(value) if value == int(value) else short_rate(value)


def size(value: float | None) -> str:
    """`1.2 MB`."""
    return UNKNOWN if value is None else short_size(value)


def milliseconds(value: float | None) -> str:
    """`3.5 ms`."""
    return UNKNOWN if value is None else short_milliseconds(value)


def duration(ms: float) -> str:
    """`3d 04h`."""
    return short_duration(ms / 1000)
