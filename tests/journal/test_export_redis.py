"""Moving a store from SQLite to Redis and back: numbers, epochs, topics, bans, tokens."""

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.core.ports.export_format import ExportLines, WrongLine, written
from gateway.errors import BackplaneError, JournalError
from gateway.redis.export import RedisExport
from tests.journal.conftest import Ask, Fill, Say, Texts
from tests.journal.test_export_format import BAN, KEY, MUTE, Exported, exported, full
from tests.redis.servers import RedisServer
from tests.test_login_link import one_line

__all__ = ["exported", "full"]


@pytest.fixture
def archive(redis_server: RedisServer) -> Iterator[RedisExport]:
    """An empty Redis."""
    redis_server.cli("FLUSHALL")
    with closing(RedisExport(redis_server.url)) as archive:
        yield archive


def load(archive: RedisExport, export: bytes, new_epochs: bool | None = None) -> None:
    archive.load(ExportLines(io.BytesIO(export).readline), new_epochs=new_epochs)


def lines(export: bytes) -> list[dict[str, Any]]:
    """The lines but for receipts, which are old, and for when somebody left who had not."""
    found = [json.loads(line) for line in export.splitlines()]
    kept = [each for each in found if each["type"] not in ("receipt", "end")]
    return [each | ({"seen": 0} if each.get("nick") == "bob" and "seen" in each else {}) for each in kept]


def test_what_moves_to_redis_comes_back_the_same(full: Path, exported: Exported, archive: RedisExport) -> None:
    export = exported(full)
    load(archive, export)
    assert archive.counts["message"] == 5 and archive.longest == 4 and not archive.renewed
    back = b"".join(written(archive.dump()))
    assert lines(back) == lines(export)
    assert list(ExportLines(io.BytesIO(back).readline))


def test_receipts_move_both_ways_while_they_are_good(
    archive: RedisExport, request: pytest.FixtureRequest, ask: Ask, say: Say
) -> None:
    open_redis: Callable[[], Any] = request.getfixturevalue("open_redis")
    journal, now = open_redis(), time.time_ns() // 1_000_000
    sent = [
        say("kept", identity="ab12", id="c 1 ü", ts=now),
        say("old version", identity="ab12", id="c2", ts=now),
        say("removed", identity="ab12", id="c3", ts=now),
    ]
    ask(journal.append, sent)
    (old,) = [key for key in archive._client.scan_iter("gw:id:*") if archive._client.get(key).endswith(b" c2")]
    archive._client.set(old, archive._client.get(old).removesuffix(b" c2"))
    ask(journal.remove, "lobby", 3, 5, "otto", "x")
    export = b"".join(written(archive.dump()))
    receipts = [json.loads(line) for line in export.splitlines() if b'"receipt"' in line]
    assert [(each["identity"], each["id"], each["room"], each["seq"]) for each in receipts] == [
        ("ab12", "c 1 ü", "lobby", 1),
        ("ab12", "c3", "lobby", 3),
    ]
    request.getfixturevalue("redis_server").cli("FLUSHALL")
    load(archive, export, new_epochs=False)
    back = b"".join(written(archive.dump()))
    assert [json.loads(line) for line in back.splitlines() if b'"receipt"' in line] == receipts


def test_a_node_goes_on_where_sqlite_ended(
    full: Path,
    exported: Exported,
    archive: RedisExport,
    redis_server: RedisServer,
    request: pytest.FixtureRequest,
    ask: Ask,
    say: Say,
    fill: Fill,
    texts: Texts,
) -> None:
    export = exported(full)
    open_redis: Callable[[], Any] = request.getfixturevalue("open_redis")  # it empties Redis
    load(archive, export)
    journal = open_redis()
    rooms = {each["room"]: each for each in lines(export) if each["type"] == "room"}
    for record in ask(journal.rooms):
        assert (record.epoch, record.head) == (rooms[record.room]["epoch"], rooms[record.room]["head"])
    assert [each.topic for each in ask(journal.rooms)] == ["nothing yet", "", "", ""]
    assert texts(journal)[1] == "" and texts(journal)[0] == "1 'x' ünï\n\ttab"
    assert ask(journal.paste, "ops", 1) == "whole\n" * 500
    assert ask(journal.remove, "lobby", 1, 5, "otto", "x").number == 3
    assert ask(journal.ledger.sanctions, 0) == [BAN, MUTE]
    assert ask(journal.append, [say("next")])[0].seq == 5
    assert redis_server.cli("GET", "gw:token-key") == KEY


def test_a_wrong_line_leaves_redis_as_it_was(
    full: Path, exported: Exported, archive: RedisExport, redis_server: RedisServer
) -> None:
    with pytest.raises(WrongLine):
        load(archive, exported(full)[:-9])
    assert redis_server.cli("KEYS", "*") == []


def test_a_redis_that_is_used_or_has_nodes_is_left_alone(
    full: Path, exported: Exported, archive: RedisExport, redis_server: RedisServer
) -> None:
    export = exported(full)
    now = int(redis_server.cli("TIME")[0]) * 1000
    redis_server.cli("HSET", "gw:nodes", "n1", now)
    with pytest.raises(JournalError, match="gateways are running"):
        load(archive, export)
    assert b'"live":true' in next(written(archive.dump()))
    redis_server.cli("DEL", "gw:nodes")
    redis_server.cli("SADD", "gw:rooms", "lobby")
    with pytest.raises(JournalError, match="is not empty"):
        load(archive, export)


def test_the_export_of_a_gateway_that_goes_on_gives_new_epochs(
    full: Path, exported: Exported, archive: RedisExport
) -> None:
    export = exported(full)
    load(archive, export.replace(b'"live":false', b'"live":true'))
    epochs = {each["epoch"] for each in lines(b"".join(written(archive.dump()))) if each["type"] == "room"}
    assert archive.renewed and len(epochs) == 4
    assert not epochs & {each["epoch"] for each in lines(export) if each["type"] == "room"}


def test_an_entry_that_was_deleted_by_hand_is_exported_as_removed(
    full: Path, exported: Exported, archive: RedisExport, redis_server: RedisServer
) -> None:
    load(archive, exported(full))
    redis_server.cli("XDEL", "gw:log:lobby", "3-0")
    export = b"".join(written(archive.dump()))
    (lost,) = [each for each in lines(export) if each["type"] == "message" and each.get("seq") == 3]
    assert lost["removed"]["number"] == 3 and list(ExportLines(io.BytesIO(export).readline))


def test_the_commands_work_on_redis(
    full: Path,
    exported: Exported,
    archive: RedisExport,
    redis_server: RedisServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a").write_bytes(exported(full))
    url = ("--redis", redis_server.url)
    assert main(["import", str(tmp_path / "a"), *url]) == 0
    assert capsys.readouterr().out.startswith("4 rooms, 5 messages, 2 people, 1 bans, 1 mutes, 2 audit entries")
    assert main(["import", str(tmp_path / "a"), *url]) == 1
    assert "nothing was imported: the Redis at" in one_line(capsys)
    assert main(["export", str(tmp_path / "b"), *url, "--data", str(tmp_path / "none")]) == 0
    assert lines((tmp_path / "b").read_bytes()) == lines((tmp_path / "a").read_bytes())
    before = redis_server.cli("HGET", "gw:room:lobby", "epoch")
    assert main(["new-epoch", "lobby", *url]) == 0
    assert redis_server.cli("HGET", "gw:room:lobby", "epoch") != before
    assert main(["new-epoch", "nowhere", *url]) == 1
    capsys.readouterr()
    assert main(["backup", str(tmp_path / "c"), *url]) == 2
    assert "back up Redis itself" in one_line(capsys)


def test_a_redis_that_does_not_answer_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(RedisExport("redis://127.0.0.1:1")) as archive, pytest.raises(BackplaneError):
        archive.nodes()
    assert main(["export", "--redis", "redis://127.0.0.1:1"]) == 1
    assert "Redis" in one_line(capsys)
