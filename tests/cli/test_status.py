"""The screen of `gateway status`, from a summary as the dashboard's API gives it."""

import socket
from typing import Any

import pytest
from rich.console import Console

from gateway import wording
from gateway.cli.status import PIPED_COLUMNS, screen, view_of
from gateway.core.quantity import short_duration
from gateway.errors import StartError

PAGE = "http://127.0.0.1:8080"


def tile(now: float | None, peak: float | None = None, limit: float | None = None, total: float | None = None) -> Any:
    return {"now": now, "peak": peak, "limit": limit, "total": total}


def summary(**changed: Any) -> dict[str, Any]:
    """A summary of a gateway on which nothing has happened, but for what is given."""
    doors = {f"connections_{door}": tile(0, total=0) for door in ("tcp", "telnet", "web", "http")}
    return {
        "health": "ok", "causes": [], "version": "1.2", "uptime": 3_723_000, "now": 100_000, "closed": {},
        "listeners": [], "slowest": [], "last_closed": [],
        "tiles": {**dict.fromkeys(wording.STATUS_ROWS, tile(None)), **doors},
    } | changed  # fmt: skip


def lines(shown: dict[str, Any]) -> list[list[str]]:
    """The words of each line on the screen."""
    console = Console(width=PIPED_COLUMNS, highlight=False)
    with console.capture() as captured:
        console.print(screen(shown, PAGE))
    return [line.split() for line in captured.get().splitlines() if line.strip()]


def test_the_first_lines_say_how_it_is_and_why() -> None:
    causes = [{"level": "busy", "text": "the loop is late by 300 ms"}]
    first, cause, *_ = lines(summary(health="busy", causes=causes))
    assert first[:4] == ["BUSY", "gateway", "1.2", "at"]
    assert " ".join(first[4:]) == f"{PAGE}, up {short_duration(3723)}"
    assert " ".join(cause).endswith("the loop is late by 300 ms")


def test_a_door_without_a_listener_is_shown_once_somebody_has_come_by_it() -> None:
    listeners = [{"door": "tcp", "address": "127.0.0.1:9999", "state": "ready"},
                 {"door": "tcp_tls", "address": "127.0.0.1:9998", "state": "draining"}]  # fmt: skip
    tiles = summary()["tiles"] | {"connections_tcp": tile(12_345, total=99_999), "connections_http": tile(1, total=7)}
    shown = lines(summary(listeners=listeners, tiles=tiles))
    assert ["tcp", "127.0.0.1:9999", "ready", "12,345", "99,999"] in shown
    assert ["tcp_tls", "127.0.0.1:9998", "draining"] in shown  # counted at the door that it is a port of
    assert ["http", "1", "7"] in shown
    assert not [line for line in shown if line[0] == "telnet"]


def test_figures_have_their_units_and_what_is_not_known_a_sign() -> None:
    figures = {"bytes_out": tile(1_500, 2_000, total=3_000_000), "loop_lag_p99_ms": tile(3.5, 12)}
    shown = lines(summary(tiles=summary()["tiles"] | figures))
    assert [*wording.STATUS_ROWS["bytes_out"].split(), "1.5", "kB/s", "2.0", "kB/s", "3.0", "MB"] in shown
    assert [*wording.STATUS_ROWS["loop_lag_p99_ms"].split(), "3.5", "ms", "12", "ms"] in shown
    unknown = wording.STATUS_UNKNOWN
    assert [*wording.STATUS_ROWS["rss_bytes"].split(), unknown, unknown] in shown


def test_connections_that_lag_and_that_have_closed_are_named() -> None:
    slow = {"id": "1a", "nick": "ana", "door": "tcp", "address": "10.0.0.1", "lag_bytes": 64_000}
    gone = {"id": "1b", "nick": "bob", "door": "web", "address": "10.0.0.2", "lasted": 5_000, "closed_at": 40_000,
            "reason": "too_many", "words": "eight are enough"}  # fmt: skip
    shown = lines(summary(slowest=[slow], last_closed=[gone], closed={"left": 3, "too_many": 1_200}))
    assert ["1a", "ana", "tcp", "10.0.0.1", "64.0", "kB"] in shown
    times = [short_duration(5), *short_duration(60).split()]
    assert ["1b", "bob", "web", "10.0.0.2", *times, "too", "many:", "eight", "are", "enough"] in shown
    reasons = " ".join(shown[-1])
    assert reasons.index("too many") < reasons.index("left") and "1,200" in reasons


def test_every_node_is_shown_with_what_is_wrong_with_it() -> None:
    node = {"node": "b", "health": "ok", "connections": 5, "uptime": 1_000, "version": "1.2", "clock_ms": 0,
            "missing": "", "here": False}  # fmt: skip
    shown = lines(summary(nodes=[
        node | {"node": "a", "here": True}, node | {"clock_ms": -90_000},
        node | {"node": "c", "health": "", "missing": "does not answer"},
    ]))  # fmt: skip
    a, b, c = (next(line for line in shown if line[0] == name) for name in "abc")
    assert " ".join(a).endswith(wording.STATUS_NODE_ASKED)
    assert "1m" in " ".join(b[5:])
    assert c[1] == wording.STATUS_NODE_MISSING.split()[0] and " ".join(c).endswith("does not answer")


def test_where_nothing_listens_that_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StartError, match=f"127.0.0.1:{port}"):
        view_of(f"http://127.0.0.1:{port}", "token", "summary", None)
