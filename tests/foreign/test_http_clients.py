"""The HTTP clients that people script with: each posts, reads back and follows, as its own users do."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests

from tests.bridge.gateways import Gateway
from tests.bridge.peers import SECONDS, Running, history, post
from tests.fakes import until
from tests.foreign.conftest import Program

TEXT = 'Grüße & "quotes" 100% + 你好'


def httpie(*words: str) -> list[str]:
    """The command of the HTTPie beside this Python."""
    found = shutil.which("http", path=str(Path(sys.executable).parent)) or shutil.which("http")
    if found is None:
        pytest.skip("httpie is not installed")
    return [found, "--ignore-stdin", "--pretty=none", *words]


def run(command: list[str], words: str = "") -> str:
    done = subprocess.run(command, input=words, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def texts(gateway: Gateway, room: str) -> list[tuple[str, str]]:
    return [(message["nick"], message["text"]) for message in history(gateway.web, room)]


Post = Callable[[Program, str], None]
POSTS: dict[str, Post] = {
    "curl": lambda program, url: print(run([program("curl"), "-sSf", "-d", TEXT, f"{url}?nick=ci"])),
    "curl from a file": lambda program, url: print(
        run([program("curl"), "-sSf", "--data-binary", "@-", f"{url}?nick=ci"], TEXT)
    ),
    "wget": lambda program, url: print(run([program("wget"), "-qO-", f"--post-data={TEXT}", f"{url}?nick=ci"])),
    "httpie": lambda program, url: print(run(httpie("--check-status", "POST", url, f"text={TEXT}", "nick=ci"))),
    "requests": lambda program, url: requests.post(url, json={"text": TEXT, "nick": "ci"}).raise_for_status(),
    "requests, text": lambda program, url: requests.post(
        url, data=TEXT.encode(), params={"nick": "ci"}
    ).raise_for_status(),
    "httpx": lambda program, url: print(
        httpx.post(url, json={"text": TEXT, "nick": "ci"}).raise_for_status().status_code
    ),
}


@pytest.mark.parametrize("client", POSTS)
def test_what_a_client_posts_is_said_as_it_is(shared: Gateway, program: Program, room: str, client: str) -> None:
    POSTS[client](program, f"http://127.0.0.1:{shared.web}/r/{room}")

    assert texts(shared, room) == [("ci", TEXT)]


def test_a_session_posts_many_times_on_one_connection(shared: Gateway, room: str) -> None:
    url = f"http://127.0.0.1:{shared.web}/r/{room}"
    with requests.Session() as session:
        for number in range(20):
            session.post(url, json={"text": f"requests {number}", "nick": "ci"}).raise_for_status()
    with httpx.Client() as client:
        for number in range(20):
            client.post(url, json={"text": f"httpx {number}", "nick": "ci"}).raise_for_status()

    wanted = [f"{name} {number}" for name in ("requests", "httpx") for number in range(20)]
    assert [text for _, text in texts(shared, room)] == wanted


async def test_twenty_posts_at_once_by_httpx_are_all_said(shared: Gateway, room: str) -> None:
    url = f"http://127.0.0.1:{shared.web}/r/{room}"
    async with httpx.AsyncClient() as client:
        for number in range(20):
            (await client.post(url, json={"text": str(number), "nick": "ci"})).raise_for_status()

    assert [text for _, text in texts(shared, room)] == [str(number) for number in range(20)]


FOLLOWERS: dict[str, Callable[[Program, str], list[str]]] = {
    "curl": lambda program, url: [program("curl"), "-sSN", url],
    "wget": lambda program, url: [program("wget"), "-qO-", url],
    "httpie": lambda program, url: httpie("--stream", "--body", "GET", url),
}


@pytest.mark.parametrize("client", FOLLOWERS)
def test_a_follower_of_a_room_sees_each_message_when_it_is_said(
    shared: Gateway, program: Program, room: str, client: str
) -> None:
    with Running(FOLLOWERS[client](program, f"http://127.0.0.1:{shared.web}/r/{room}/raw")) as follower:

        def posted_and_shown() -> bool:
            assert post(shared.web, room, "now", "ci").status == 201
            return any(line.endswith("ci: now") for line in follower.lines())

        until(posted_and_shown, "a line that is said while it follows", SECONDS)


def test_requests_and_httpx_read_server_sent_events_line_by_line(shared: Gateway, room: str) -> None:
    first = post(shared.web, room, "first", "ci").json
    assert post(shared.web, room, "an event", "ci").status == 201
    url, since = f"http://127.0.0.1:{shared.web}/r/{room}/events", {"Last-Event-ID": f"{first['epoch']}:{first['seq']}"}
    with requests.get(url, headers=since, stream=True, timeout=SECONDS) as answer:
        by_requests = next(line for line in answer.iter_lines(chunk_size=1, decode_unicode=True) if "an event" in line)
    with httpx.stream("GET", url, headers=since, timeout=SECONDS) as stream:
        by_httpx = next(line for line in stream.iter_lines() if "an event" in line)

    assert json.loads(by_requests[5:])["text"] == json.loads(by_httpx[5:])["text"] == "an event"
