"""Two workers behind the same ports are one chat with one dashboard, and one process for whoever runs them."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from websockets import ConnectionClosed

from tests.bridge.gateways import NO_PACE, STOP_SECONDS, Gateway, starter
from tests.bridge.peers import HOST, Browser, Terminal, history, post, request
from tests.fakes import until
from tests.redis.servers import RedisServer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

ONE_A_SECOND = (
    "--limits.address_messages_per_second",
    "1",
    "--limits.address_burst",
    "4",
    "--web.trusted_proxies",
    HOST,
)
"""Of addresses that are not loopback: only those that a proxy names."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the children in /proc")


@pytest.fixture(scope="module")
def gateway(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two workers for all tests of the file."""
    redis_server.cli("FLUSHALL")
    with starter(tmp_path_factory.mktemp("workers")) as start:
        gateway = start("--redis", redis_server.url, "--workers", "2", *NO_PACE, *ONE_A_SECOND)
        until(lambda: "Ctrl-C" in gateway.stdout, "the last line")
        yield gateway
        assert gateway.stop() == 0


def workers(gateway: Gateway) -> list[int]:
    """The pids of the workers."""
    pid = gateway.running.pid
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def connections(gateway: Gateway) -> dict[int, int]:
    """How many sockets each worker has open."""

    def sockets(pid: int) -> int:
        folder = Path(f"/proc/{pid}/fd")
        found = 0
        for name in os.listdir(folder):
            with suppress(FileNotFoundError):  # it was closed meanwhile
                found += os.readlink(folder / name).startswith("socket:")
        return found

    return {pid: sockets(pid) for pid in workers(gateway)}


P = TypeVar("P", Terminal, Browser)


def at_each(gateway: Gateway, stack: ExitStack, least: int, come: Callable[[int], P]) -> list[P]:
    """People who come one by one until each worker has so many of them."""
    before, people = connections(gateway), list[P]()

    def spread() -> bool:
        people.append(stack.enter_context(come(len(people))))
        return all(count - before[pid] >= least for pid, count in connections(gateway).items())

    until(spread, f"each worker has {least}")
    assert len(people) < 30
    return people


def test_whoever_runs_them_sees_one_gateway(gateway: Gateway) -> None:
    assert len(workers(gateway)) == 2
    assert json.loads((gateway.folder / "ports.json").read_text())["pid"] == gateway.running.pid
    assert re.fullmatch(r"ready: .*\nDashboard .*\ndata in Redis at .*; Ctrl-C stops\n", gateway.stdout)


def test_all_workers_are_one_room(gateway: Gateway) -> None:
    with ExitStack() as stack:
        people = at_each(gateway, stack, 3, lambda number: Terminal(gateway.tcp).named(f"p{number}"))
        page = stack.enter_context(Browser(gateway.web))
        for number, each in enumerate(people):
            each.send(f"from {number}")
        until(lambda: len(history(gateway.web, "lobby")) == len(people), "all is posted")
        assert post(gateway.web, "lobby", "from curl").status == 201
        for number, each in enumerate(people):
            lines = [line.partition("] ")[2] or line for line in each.until("from curl") if ": from" in line]
            others = [f"p{other}: from {other}" for other in range(len(people)) if other != number]
            assert sorted(lines[:-1]) == sorted(others)
        for number, each in enumerate(people[1:], 1):
            people[0].send(f"/msg p{number} psst")
            each.until(r"\[p0 -> you\] psst")
        texts = [each["text"] for each in page.until(lambda each: each.get("text") == "from curl") if "seq" in each]
    found = history(gateway.web, "lobby")
    assert texts == [each["text"] for each in found], "in one order"
    assert [each["seq"] for each in found] == list(range(1, len(people) + 2))


def test_guesses_count_at_all_workers_together(gateway: Gateway) -> None:
    began, wrong = time.monotonic(), {"Authorization": "Bearer a token that nobody has"}
    found = [request(gateway.web, "GET", "/admin/api/summary", headers=wrong).status for _ in range(16)]
    assert set(found) == {401, 429}
    assert found.count(401) <= 3 + (time.monotonic() - began) // 20, "three at once, then one in 20 s"


def test_the_rate_of_an_address_is_that_of_all_workers(gateway: Gateway) -> None:
    began, headers = time.monotonic(), FORM | {"X-Forwarded-For": "203.0.113.9"}
    found = [request(gateway.web, "POST", "/r/rate", f"m{number}", headers).status for number in range(16)]
    assert set(found) == {201, 429}
    assert found.count(201) <= 4 + (time.monotonic() - began), "four at once, then one a second"


def test_a_link_and_its_session_are_good_at_every_worker(gateway: Gateway) -> None:
    found = until(lambda: re.search(r"/admin/login\?token=(\S+)(?=\s)", gateway.stdout), "the link is printed")
    link = found[0]

    def known_link() -> bool:
        return all(request(gateway.web, "GET", link).status == 200 for _ in range(8))

    until(known_link, "every worker knows the link")
    opened = request(gateway.web, "POST", "/admin/login", f"token={found[1]}", FORM)
    assert opened.status == 303
    cookie = {"Cookie": opened.headers["Set-Cookie"].partition(";")[0]}

    def known() -> bool:
        return all(request(gateway.web, "GET", "/admin/api/summary", headers=cookie).status == 200 for _ in range(8))

    until(known, "every worker knows the session")
    until(
        lambda: request(gateway.web, "POST", "/admin/login", f"token={found[1]}", FORM).status == 403, "it is used up"
    )


def test_a_killed_worker_takes_only_its_own_connections_and_loses_nothing(
    gateway: Gateway, expected_errors: list[str]
) -> None:
    expected_errors.append("ended: SIGKILL")
    with ExitStack() as stack:
        # One more than is asked for below: a worker may open a socket of its own meanwhile.
        people = at_each(gateway, stack, 3, lambda number: Browser(gateway.web, "killed"))
        for number, each in enumerate(people):
            each.say(f"said {number}", "killed")
        victim = workers(gateway)[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(workers(gateway)) == 2 and victim not in workers(gateway), "a successor")
        assert post(gateway.web, "killed", "afterwards").status == 201
        left = [each for each in people if sees(each, "afterwards")]
        assert 2 <= len(left) <= len(people) - 2
    texts = [each["text"] for each in history(gateway.web, "killed")]
    assert set(texts[:-1]) == {f"said {number}" for number in range(len(people))} and texts[-1] == "afterwards"
    assert len(texts) == len(people) + 1


def sees(page: Browser, text: str) -> bool:
    """Whether a page is still connected, and then sees a text."""
    try:
        page.until(lambda each: each.get("text") == text)
    except (ConnectionClosed, AssertionError):
        return False
    return True


def test_the_end_takes_all_workers_and_tells_their_peers(redis_server: RedisServer, tmp_path: Path) -> None:
    with starter(tmp_path) as start:
        gateway = start("--redis", redis_server.url, "--workers", "3", "--web-port=-1")
        pids = workers(gateway)
        with ExitStack() as stack:
            people = [stack.enter_context(Terminal(gateway.tcp)).named(f"q{number}") for number in range(6)]
            gateway.running.send_signal(signal.SIGINT)
            for each in people:
                each.until("restarting|come back")
        assert gateway.running.wait(STOP_SECONDS) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
