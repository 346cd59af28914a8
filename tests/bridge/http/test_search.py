"""Search over HTTP, and that it finds everything again after `kill -9`, and after its file was lost."""

from urllib.parse import quote

import pytest

from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import Answer, Terminal, post, request
from tests.fakes import until


def search(gateway: Gateway, room: str, query: str, more: str = "") -> Answer:
    return request(gateway.web, "GET", f"/r/{room}/messages?q={quote(query)}{more}")


def seqs(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.body
    return [message["seq"] for message in answer.json["messages"]]


def test_what_was_posted_is_found_at_once_in_pages(shared: Gateway, room: str) -> None:
    for number in range(1, 8):
        post(shared.web, room, f"word {number}", "ana" if number % 2 else "bob")
    page = search(shared, room, "word from:ANA since:1h", "&limit=3")
    assert (seqs(page), page.json["more"]) == ([7, 5, 3], True)
    assert page.json["messages"][0]["text"] == "word 7"
    cursor = f"&limit=3&cursor={quote(page.json['cursor'])}"
    last = search(shared, room, "word from:ANA since:1h", cursor)
    assert (seqs(last), last.json["more"], last.json["cursor"]) == ([1], False, None)
    assert "cursor" not in request(shared.web, "GET", f"/r/{room}/messages").json


@pytest.mark.parametrize(
    ("query", "more", "status", "words"),
    [
        ("word", "&after=1", 400, "within q"),
        ("word", "&cursor=1", 400, "epoch:seq"),
        ("word", "&cursor=AAAAAAAA:1", 409, "new epoch"),
        ("word", "&epoch=AAAAAAAA", 409, "new epoch"),
        ("word room:lobby", "", 400, "alone"),
        ("*", "", 400, "which words"),
        ("\x1b[31m", "", 400, ""),
        ("w" * 301, "", 413, ""),
    ],
)
def test_a_malformed_search_is_told(shared: Gateway, room: str, query: str, more: str, status: int, words: str) -> None:
    post(shared.web, room, "a word")
    answer = search(shared, room, query, more)
    assert (answer.status, words in answer.json["error"]["text"]) == (status, True)


def test_a_room_that_is_not_there_and_a_cursor_without_a_search(shared: Gateway, room: str) -> None:
    assert search(shared, room, "word").status == 404
    post(shared.web, room, "a word")
    assert request(shared.web, "GET", f"/r/{room}/messages?cursor=x").status == 400


@pytest.mark.parametrize("lost", [False, True])
def test_everything_is_found_again_after_a_kill(start: Start, lost: bool) -> None:
    gateway = start(*NO_PACE)
    for number in range(1, 401):
        assert post(gateway.web, "lobby", f"word{number:03} of all").status == 201
    gateway.kill()
    files = list((gateway.folder / "data").glob("index.sqlite3*"))
    assert files
    if lost:
        for file in files:
            file.unlink()
    gateway.start()

    def found(number: int) -> bool:
        return seqs(search(gateway, "lobby", f"word{number:03}")) == [number]

    until(lambda: found(400), "the end is found")
    assert found(1) and found(250)
    post(gateway.web, "lobby", "word401 of all")
    until(lambda: seqs(search(gateway, "lobby", "all", "&limit=2")) == [401, 400], "the newest is found")


def test_a_word_that_is_taken_back_leaves_the_search_and_every_file(start: Start) -> None:
    gateway = start(*NO_PACE)

    def holders() -> list[str]:
        return [path.name for path in (gateway.folder / "data").iterdir() if b"hunter2zebra" in path.read_bytes()]

    with Terminal(gateway.tcp) as bob:
        bob.send("my password is hunter2zebra", "oh no", "/search hunter2zebra")
        bob.until("#1 .*hunter2zebra")
        assert {"index.sqlite3-wal", "journal.sqlite3-wal"} & set(holders())
        bob.send("/delete 1")
        bob.until("message 1 was removed")
        assert bob.answer("/search hunter2zebra") == "-- nothing found"
    until(lambda: not holders(), "no file holds it")
    gateway.kill()
    gateway.start()
    until(lambda: seqs(search(gateway, "lobby", "oh")) == [2], "the rest is found")
    assert seqs(search(gateway, "lobby", "hunter2zebra")) == []
    assert holders() == []
