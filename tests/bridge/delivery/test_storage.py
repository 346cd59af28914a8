"""The journal fails under a running gateway: senders are told, /readyz fails, reading goes on, and it comes back."""

import resource
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.bridge.canary import PROMISED, Canary, canary
from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import Browser, Json, Terminal, history, post, request
from tests.fakes import PATIENCE, until

DAY_MS = 86_400_000


def journal_of(gateway: Gateway) -> Path:
    return gateway.folder / "data" / "journal.sqlite3"


def ready(gateway: Gateway) -> int:
    return request(gateway.web, "GET", "/readyz").status


def said_until(browser: Browser, type: str, text: str) -> Json:
    """Say it under new ids until the answer is of that type."""
    return until(lambda: found if (found := browser.say(text))["type"] == type else None, f"a {type}")


def fails_and_comes_back(gateway: Gateway, break_it, mend_it) -> None:  # type: ignore[no-untyped-def]
    """Everybody is told while it is broken, nothing that was refused is stored, numbers go on when it works again."""
    with Browser(gateway.web) as browser, Terminal(gateway.tcp) as terminal:
        epoch = browser.joined["lobby"]["epoch"]
        assert browser.say("before")["seq"] == 1
        break_it()
        assert said_until(browser, "error", "too much " * 400)["code"] == "storage"
        terminal.send("refused")
        terminal.until("^!! storage: ")
        answer = post(gateway.web, "lobby", "refused")
        assert (answer.status, "Retry-After" in answer.headers) == (503, True)
        until(lambda: ready(gateway) == 503, "not ready")
        kept = history(gateway.web, "lobby")
        assert kept[0]["text"] == "before" and "refused" not in {message["text"] for message in kept}
        mend_it()
        seq = said_until(browser, "ack", "after")["seq"]
        until(lambda: ready(gateway) == 200, "ready")
        final = history(gateway.web, "lobby")
        assert (final[-1]["seq"], final[-1]["text"], final[-1]["epoch"]) == (seq, "after", epoch)
        assert [message["seq"] for message in final] == list(range(1, seq + 1))
        assert "refused" not in {message["text"] for message in final}
        log = gateway.stderr
        assert (log.count("storage: messages cannot be stored: "), log.count("storage: messages are stored again")) == (
            1,
            1,
        )


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_a_disk_that_takes_no_more_is_told_and_comes_back(gateway: Gateway) -> None:
    limits = resource.prlimit(gateway.running.pid, resource.RLIMIT_FSIZE)
    wal = journal_of(gateway).with_name("journal.sqlite3-wal")

    def fill() -> None:
        # Two frames: what fails is opened again and then begins a new write-ahead log, which must not have room.
        resource.prlimit(gateway.running.pid, resource.RLIMIT_FSIZE, (min(wal.stat().st_size, 12_000), limits[1]))

    fails_and_comes_back(gateway, fill, lambda: resource.prlimit(gateway.running.pid, resource.RLIMIT_FSIZE, limits))


def test_a_journal_that_is_taken_away_is_told_and_may_be_put_back(gateway: Gateway) -> None:
    path = journal_of(gateway)
    elsewhere = path.with_name("elsewhere")
    fails_and_comes_back(gateway, lambda: path.rename(elsewhere), lambda: elsewhere.rename(path))


def test_a_journal_that_is_deleted_is_told_and_nobody_is_cut(gateway: Gateway) -> None:
    with Browser(gateway.web) as browser, Terminal(gateway.tcp) as terminal:
        assert browser.say("before")["type"] == "ack"
        data = gateway.folder / "data"
        while data.exists():  # the index makes and deletes a file in it meanwhile
            shutil.rmtree(data, ignore_errors=True)
        assert said_until(browser, "error", "lost")["code"] == "storage"
        terminal.send("lost too")
        assert "put it back" in terminal.until("^!! storage: ")[-1]
        assert history(gateway.web, "lobby")[0]["text"] == "before"
    assert gateway.stop() == 0


@pytest.mark.parametrize("way", ["copied", "backed-up", "vacuumed"])
def test_h1_a_database_restored_without_its_companions_gives_no_number_out_twice(start: Start, way: str) -> None:
    gateway = start()
    given = [post(gateway.web, "lobby", text).json for text in ("one", "two")]
    gateway.kill()
    backup = gateway.folder / "backup"
    with closing(sqlite3.connect(journal_of(gateway))) as connection:
        if way == "backed-up":
            with closing(sqlite3.connect(backup)) as target:
                connection.backup(target)
        elif way == "vacuumed":
            connection.execute("VACUUM INTO ?", (str(backup),))
        else:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            shutil.copy(journal_of(gateway), backup)
    gateway.start()
    given += [post(gateway.web, "lobby", text).json for text in ("three", "four")]
    assert gateway.stop() == 0
    for file in journal_of(gateway).parent.glob("journal.sqlite3*"):
        file.unlink()
    shutil.copy(backup, journal_of(gateway))
    gateway.start()
    given.append(post(gateway.web, "lobby", "other").json)
    assert [each["seq"] for each in given] == [1, 2, 3, 4, 3]
    assert len({(each["epoch"], each["seq"]) for each in given}) == len(given)
    assert "every room gets a new epoch" in gateway.stderr


@pytest.mark.soak
@pytest.mark.parametrize("let_go", [False, True], ids=["for-ever", "for-a-moment"])
def test_a_journal_locked_by_another_program_is_waited_for(start: Start, let_go: bool) -> None:
    gateway = start()
    assert post(gateway.web, "lobby", "kept").status == 201
    assert gateway.stop() == 0
    content = journal_of(gateway).read_bytes()
    with closing(sqlite3.connect(journal_of(gateway), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        gateway.launch()
        if let_go:
            time.sleep(0.5)
            assert gateway.running.poll() is None
            other.execute("ROLLBACK")
        else:
            assert gateway.running.wait(PATIENCE) == 1
            assert gateway.stderr.count("\n") == 1 and "locked" in gateway.stderr
            assert journal_of(gateway).read_bytes() == content
    if let_go:
        until(lambda: "ready: " in gateway.stdout, "the ready line")
        assert [message["text"] for message in history(gateway.web, "lobby")] == ["kept"]


# Retention


def fill(path: Path, rows: int) -> None:
    """Give the lobby so many messages of yesterday."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (room,) = connection.execute("SELECT id FROM rooms WHERE name = 'lobby'").fetchone()
        (head,) = connection.execute("SELECT max(seq) FROM messages").fetchone()
        connection.execute("BEGIN")
        old = time.time_ns() // 1_000_000 - DAY_MS
        connection.execute("UPDATE messages SET ts = ?", (old,))
        connection.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, 'ana', 'web', 'say', ?)",
            ((room, head + number, old, f"old {number} " + "w" * 60) for number in range(1, rows + 1)),
        )
        connection.execute("COMMIT")


def oldest(gateway: Gateway) -> list[Json]:
    """The first message that is still held, in a list."""
    found: list[Json] = request(gateway.web, "GET", "/r/lobby/messages?after=0&limit=1").json["messages"]
    return found


def forget(gateway: Gateway, rows: int, patience: float) -> Canary:
    """Let the gateway delete so many messages while a canary runs."""
    assert post(gateway.web, "lobby", "first").status == 201
    assert gateway.stop() == 0
    fill(journal_of(gateway), rows)
    gateway.start()
    began = time.monotonic()
    with canary(gateway.tcp, gateway.web, patience) as bird:
        until(lambda: not oldest(gateway), "all of them are forgotten", 600)
    print(f"{rows} rows in {time.monotonic() - began:.0f} s, the longest silence {bird.longest:.2f} s")
    answer = post(gateway.web, "lobby", "the number goes on")
    assert answer.json["seq"] == rows + 2
    return bird


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_million_old_messages_are_forgotten_in_slices(start: Start) -> None:
    forget(start("--journal.retention", "1h"), 1_000_000, PROMISED)
