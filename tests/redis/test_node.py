"""Two real gateways with one real Redis are one chat."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bridge.gateways import NO_PACE, Gateway, starter
from tests.bridge.peers import Browser, Terminal, history, post, post_json, request
from tests.fakes import PATIENCE, until
from tests.redis.servers import RedisServer


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    made = RedisServer("--appendonly", "yes", "--appendfsync", "always")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def pair(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """Two nodes for all tests of the file."""
    with starter(tmp_path_factory.mktemp("nodes")) as start:
        yield start("--redis", server.url, *NO_PACE, data="a"), start("--redis", server.url, *NO_PACE, data="b")


def found(gateway: Gateway, room: str, words: str) -> list[str]:
    """What a search finds in a room."""
    return [each["text"] for each in request(gateway.web, "GET", f"/r/{room}/messages?q={words}").json["messages"]]


def test_every_door_of_two_nodes_is_in_one_room(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Terminal(here.tcp).named("ana") as ana, Terminal(there.telnet).named("bob") as bob, Browser(there.web) as web:
        ana.send("from netcat")
        bob.until("ana: from netcat")
        assert web.until(lambda each: each.get("text") == "from netcat")[-1]["door"] == "tcp"
        bob.send("from telnet")
        ana.until("bob: from telnet")
        web.say("from the page")
        ana.until(f"{web.nick}: from the page")
        assert post(here.web, "lobby", "from curl", "ci").status == 201
        bob.until("ci: from curl")
    assert history(here.web, "lobby") == history(there.web, "lobby")


def test_a_page_resumes_at_the_other_node_without_a_gap(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Browser(here.web, "resumed") as page:
        joined = page.joined["resumed"]
        page.say("one", "resumed")
    for text in ("two", "three"):
        assert post(here.web, "resumed", text).status == 201
    place = {"room": "resumed", "epoch": joined["epoch"], "after": 1}
    with Browser(there.web, hello=False) as page:
        page.send(type="hello", rooms=[place])
        assert page.next("joined")["recovered"]
        assert post(there.web, "resumed", "four").status == 201
        assert page.texts_until("four") == ["two", "three", "four"]


def test_a_post_repeated_at_the_other_node_is_one_message(pair: tuple[Gateway, Gateway]) -> None:
    first, second = (post_json(each.web, "once", nick="ci", text="deploy", id="d1") for each in pair)
    assert (first.status, second.status, first.json) == (201, 201, second.json)
    assert [each["text"] for each in history(pair[0].web, "once")] == ["deploy"]


def test_topic_paste_removal_and_search_are_the_same_on_both(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Terminal(here.tcp).named("olga") as olga, Terminal(there.tcp).named("piet") as piet:
        for each in (olga, piet):
            each.answer("/join shared", "-- ")
        olga.send("/topic tea at five")
        piet.until("-- olga set the topic: tea at five")
        olga.send("/paste", *(f"line {number} of a paste" * 20 for number in range(20)), ".")
        piet.until("more lines")
        seq = history(there.web, "shared")[-1]["seq"]
        whole = request(there.web, "GET", f"/r/shared/paste/{seq}")
        assert whole.body.decode().count("\n") >= 19
        olga.send("a word that is regretted")
        piet.until("regretted")
        assert found(there, "shared", "regretted") == ["a word that is regretted"]
        olga.send("/delete")
        piet.until("was removed")
        assert history(there.web, "shared")[-1]["text"] == ""
        assert found(there, "shared", "regretted") == []


def test_a_search_finds_what_this_node_has_never_read(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    for text in ("first needle", "hay", "second needle"):
        assert post(here.web, "haystack", text).status == 201
    for more in ((), ("third needle",)):
        for text in more:
            assert post(here.web, "haystack", text).status == 201
        assert found(there, "haystack", "needle") == [*more, "second needle", "first needle"]


def test_a_killed_node_loses_nothing_that_was_acknowledged(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Browser(there.web, "killed") as page:
        said = [page.say(str(number), "killed")["seq"] for number in range(20)]
        there.kill()
    assert said == list(range(1, 21))
    assert [each["text"] for each in history(here.web, "killed")] == [str(number) for number in range(20)]
    there.start()
    assert history(there.web, "killed") == history(here.web, "killed")


def test_the_loss_of_redis_is_told_readers_stay_and_nothing_is_repeated(
    pair: tuple[Gateway, Gateway], server: RedisServer
) -> None:
    here, there = pair
    with ExitStack() as stack:
        ana, bob = (
            stack.enter_context(Terminal(each.tcp).named(nick)) for each, nick in ((here, "ann"), (there, "ben"))
        )
        for each in (ana, bob):
            each.answer("/join lossy", "-- ")
        ana.send("before")
        bob.until("ann: before")
        server.kill()
        ana.send("lost")
        ana.until("!! backplane: ")
        until(lambda: request(there.web, "GET", "/readyz").status == 503, "not ready")
        answer = post_json(there.web, "lossy", nick="ci", text="x", id="x1")
        assert (answer.status, answer.json["error"]["code"]) == (503, "backplane")
        server.start()
        until(lambda: {request(node.web, "GET", "/readyz").status for node in pair} == {200}, "ready again")
        until(lambda: post_json(there.web, "lossy", nick="ci", text="x", id="x1").status == 201, "posted at last")
        ana.until(": x$")
        ana.send("after")
        lines = bob.until("ann: after")
        assert [line for line in lines if not line.startswith("--")][-2:] == ["ci: x", "ann: after"]
    # bob's node may have read "after" from the stream before the node that it was said to.
    until(lambda: history(here.web, "lossy")[-1]["text"] == "after", "it has come back to the node it was said to")
    assert [each["text"] for each in history(here.web, "lossy")] == ["before", "x", "after"]


def test_the_data_folder_holds_nothing_that_cannot_be_made_again(pair: tuple[Gateway, Gateway]) -> None:
    names = {path.name.partition("-")[0] for path in Path(pair[0].folder, "data").iterdir()}
    assert "journal.sqlite3" not in names


def test_two_nodes_cannot_have_one_data_folder(pair: tuple[Gateway, Gateway], server: RedisServer) -> None:
    here, _ = pair
    second = Gateway(here.folder.parent / "second", "--redis", server.url, "--data", str(here.folder / "data"))
    second.launch()
    assert second.running.wait(PATIENCE) == 1
    assert "give each its own --data" in second.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--maxmemory-policy", "allkeys-lru"), "noeviction"), (None, "cannot be reached")],
)
def test_a_redis_that_cannot_be_used_ends_the_start_with_one_line(
    tmp_path: Path, options: tuple[str, ...] | None, words: str
) -> None:
    server = None if options is None else RedisServer(*options)
    try:
        gateway = Gateway(tmp_path, "--redis", "unix:///nowhere" if server is None else server.url)
        gateway.launch()
        assert gateway.running.wait(PATIENCE) == 1
        assert words in gateway.stderr and "Traceback" not in gateway.stderr
    finally:
        if server is not None:
            server.remove()
