"""A room over plain HTTP, by the real curl: streams beside a terminal and a browser, across a crash, and stalled."""

import json
import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import HOST, Browser, Json, Running, Terminal, history, post, post_json, request
from tests.fakes import until

PATIENCE = 45.0
WORDS = "w" * 3900
FILL = 3000
"""Messages of about 4 KB: more than the buffers between the gateway and a curl that stands still, and than its log."""
SKIPPED = re.compile(r"-- (\d+) lines? skipped: /since (\d+) shows them")

Program = Callable[[str], str]
Follow = Callable[..., Running]


@pytest.fixture
def curl(program: Program) -> Callable[..., Running]:
    """`curl(gateway, "raw")` follows the lobby."""

    def follow(gateway: Gateway, way: str, *options: str) -> Running:
        return Running([program("curl"), "-sN", *options, f"http://{HOST}:{gateway.web}/r/lobby/{way}"])

    return follow


def events(stream: Running) -> list[tuple[str, str, Any]]:
    """What a stream of events has shown so far: (type, id, object) of each."""
    found = []
    for block in "\n".join(stream.lines()).split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in fields and fields["data"].endswith("}"):
            found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return found


def messages(stream: Running) -> list[str]:
    """The texts that a stream of events has shown, those of the past included."""
    found: list[str] = []
    for type, _, shown in events(stream):
        found += [each["text"] for each in shown["messages"]] if type == "history" else []
        found += [shown["text"]] if type == "msg" else []
    return found


def shows(stream: Running, text: str) -> None:
    """Wait until it stands in the output."""
    until(lambda: any(text in line for line in stream.lines()), text, PATIENCE)


def said(gateway: Gateway, text: str) -> Json:
    """Say something by POST; where it stands."""
    answer = post(gateway.web, "lobby", text, "ci")
    assert answer.status == 201
    found: Json = answer.json
    return found


def test_streams_a_terminal_and_a_browser_are_one_room_and_resume_after_a_crash(start: Start, curl: Follow) -> None:
    gateway = start(*NO_PACE)
    with curl(gateway, "raw") as raw, curl(gateway, "events") as stream:
        with Terminal(gateway.tcp).named("nina") as nina, Browser(gateway.web, nick="vera") as vera:
            until(lambda: len(request_rooms(gateway)) == 1 and events(stream), "the streams are there", PATIENCE)
            nina.send("by nc")
            vera.until(lambda found: found.get("text") == "by nc")
            vera.say("by browser")
            said(gateway, "by post")
            nina.until("^ci: by post")
            shows(raw, "ci: by post")
            shows(stream, "by post")
            assert [line for line in raw.lines() if ": by " in line] == [
                "nina: by nc",
                "vera: by browser",
                "ci: by post",
            ]
            assert messages(stream)[-3:] == ["by nc", "by browser", "by post"]
        gateway.kill()
        for each in (raw, stream):
            each.process.wait(PATIENCE)
    place = [id for _, id, _ in events(stream) if id][-1]

    gateway.start()
    missed = [f"missed {number}" for number in range(3)]
    for text in missed:
        said(gateway, text)
    with curl(gateway, "events", "-H", f"Last-Event-ID: {place}") as stream:
        said(gateway, "live")
        shows(stream, '"live"')
        assert events(stream)[0][2]["recovered"] is True
        assert messages(stream) == [*missed, "live"]
    with curl(gateway, f"raw?after={place}") as raw:
        shows(raw, "ci: live")
        assert raw.lines() == [f"ci: {text}" for text in (*missed, "live")]


def request_rooms(gateway: Gateway) -> list[Json]:
    """The rooms that there are."""
    found: list[Json] = request(gateway.web, "GET", "/rooms").json
    return found


def test_streams_that_stand_still_cost_nobody_anything_and_are_told_what_they_missed(
    start: Start, curl: Follow
) -> None:
    gateway = start(*NO_PACE, "--limits.log_messages", 100)
    with curl(gateway, "raw") as raw, curl(gateway, "events") as stream, Browser(gateway.web, nick="vera") as vera:
        while not all(any("first" in line for line in each.lines()) for each in (raw, stream)):
            said(gateway, "first")
        for each in (raw, stream):
            os.kill(each.process.pid, signal.SIGSTOP)
        for text in [f"{number} {WORDS}" for number in range(FILL)]:
            vera.send(type="say", room="lobby", text=text)
            if text.partition(" ")[0].endswith("99"):
                vera.texts_until(text)
        head = said(gateway, "last")["seq"]
        for each in (raw, stream):
            os.kill(each.process.pid, signal.SIGCONT)
            shows(each, "last")

    skipped = [(int(since) + 1, int(count)) for count, since in SKIPPED.findall("\n".join(raw.lines()))]
    gaps = [(each["from"], each["to"] - each["from"] + 1) for type, _, each in events(stream) if type == "gap"]
    shown = [line for line in raw.lines() if line.endswith(WORDS)]
    for found, count in ((skipped, len(shown)), (gaps, sum(text.endswith(WORDS) for text in messages(stream)))):
        assert found
        assert count + sum(missed for _, missed in found) == FILL
        assert all(1 < begin < begin + missed <= head for begin, missed in found)


def test_a_token_in_the_header_posts_as_its_owner(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room, nick="tara") as tara:
        bearer = {"Authorization": f"Bearer {tara.welcome['token']}"}
        assert request(shared.web, "POST", f"/r/{room}", "by header", bearer).status == 201
        assert post_json(shared.web, room, text="by field", token=tara.welcome["token"]).status == 201
        assert request(shared.web, "POST", f"/r/{room}", "forged", {"Authorization": "Bearer x"}).status == 401
        bob = {"Authorization": "Basic Ym9iOng="}
        assert request(shared.web, "POST", f"/r/{room}?nick=bob", "by proxy", bob).status == 201

    found = [(each["nick"], each["text"]) for each in history(shared.web, room)]
    assert found == [("tara", "by header"), ("tara", "by field"), ("bob", "by proxy")]


def test_head_answers_what_get_would_without_its_body(shared: Gateway, room: str) -> None:
    assert post(shared.web, room, "x", "ci").status == 201
    for path in ("/rooms", f"/r/{room}/messages", "/healthz", "/docs", "/openapi.json"):
        head, answer = request(shared.web, "HEAD", path), request(shared.web, "GET", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Type"] == answer.headers["Content-Type"]
    assert request(shared.web, "HEAD", f"/r/{room}/raw").headers["Allow"] == "GET"
