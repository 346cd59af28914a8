"""A ban, from the dashboard's API to a restart and out again, on every door of the real program."""

import hashlib
import json
import subprocess
import sys
import urllib.parse
from typing import Any

import pytest

from tests.bridge.gateways import ROOT, Gateway, Start, until
from tests.bridge.origins import GATEWAY
from tests.bridge.origins import running as running_origin
from tests.bridge.peers import Browser, Running, Terminal, post, request

TOKEN = "a token of this test"
ACTED_SECONDS = 15.0
"""How long anything is waited for that is done within a second: the machine is busy."""


def api(gateway: Gateway, method: str, path: str, token: str = TOKEN, **body: Any) -> Any:
    """One request of a script; its JSON."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return request(gateway.web, method, f"/admin/api/{path}", json.dumps(body) if body else None, headers).json


@pytest.fixture
def governed(start: Start) -> Gateway:
    """A gateway with a script that administers it."""
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return start("--admin.tokens", f"robot:admin:{digest}")


def test_who_is_banned_goes_and_stays_out_until_he_is_let_in_again(governed: Gateway) -> None:
    command = ["nc", "127.0.0.1", str(governed.tcp)]
    page = Browser(governed.web, nick="eve")
    token = page.welcome["token"]
    with Running(command) as bob:
        bob.send("/nick bob", "hello")
        page.texts_until("hello")
        ban = api(governed, "POST", "bans", nick="bob", reason="spam", seconds=3600)["ban"]
        assert api(governed, "POST", "bans", nick="eve", seconds=3600)["connections"] == 1
        until(lambda: bob.lines()[-1:] and bob.lines()[-1].startswith("!! banned: until "), "he is told", ACTED_SECONDS)
        assert bob.lines()[-1].endswith(", spam")
        until(lambda: api(governed, "GET", "connections")["total"] == 0, "nobody is here", ACTED_SECONDS)
    code, reason = page.closed(ACTED_SECONDS)
    assert code == 4501 and reason.startswith("banned: until ")

    for _ in range(2):
        with Terminal(governed.tcp) as again:
            assert again.answer("/nick b0b", "^(-- you are|!!)").startswith("!! banned: until ")
        back = Browser(governed.web, hello=False)
        back.send(type="hello", token=token)
        assert back.closed()[0] == 4501
        refused = post(governed.web, "lobby", "hi", "Bob")
        assert (refused.status, refused.json["error"]["code"]) == (403, "banned")
        governed.restart()

    assert api(governed, "DELETE", f"bans/{ban['id']}") == {"id": ban["id"], "lifted": True}
    with Terminal(governed.tcp) as again:
        again.named("bob")
    entries = api(governed, "GET", "audit")["entries"]
    assert [(entry["who"], entry["action"], entry["target"], entry["result"]) for entry in entries] == [
        ("robot", "unban", "bob", "done"), ("robot", "ban", "eve", "done"), ("robot", "ban", "bob", "done")
    ]  # fmt: skip


def test_a_banned_address_is_told_so_at_every_door_and_the_dashboard_stays_open(governed: Gateway) -> None:
    page, terminal, stalled = Browser(governed.web), Terminal(governed.tcp), Terminal(governed.telnet)
    terminal.until("/help")
    refused = api(governed, "POST", "bans", address="127.0.0.1")
    assert '"sure"' in refused["error"]["text"]
    assert api(governed, "POST", "bans", address="127.0.0.0/8", sure=True, reason="storm")["connections"] == 3
    assert terminal.rest(ACTED_SECONDS).endswith("!! banned: for ever, storm\n")
    assert page.closed(ACTED_SECONDS) == (4501, "banned: for ever, storm")
    assert "!! banned: for ever, storm\r\n" in stalled.rest(ACTED_SECONDS)

    governed.restart()
    for port, end in ((governed.tcp, "\n"), (governed.telnet, "\r\n")):
        with Terminal(port) as newcomer:
            assert newcomer.rest(ACTED_SECONDS) == f"!! banned: for ever, storm{end}"
    assert Browser(governed.web, hello=False).closed() == (4501, "banned: for ever, storm")
    for path in ("/r/lobby/messages", "/rooms", "/r/lobby/raw", "/r/lobby/events"):
        assert request(governed.web, "GET", path).status == 403
    assert api(governed, "GET", "bans?q=storm")["total"] == 1
    assert api(governed, "DELETE", "bans/" + urllib.parse.quote("127.0.0.0/8", safe=""))["lifted"]
    with Terminal(governed.tcp) as welcome:
        welcome.until("/help")


def test_who_is_muted_stays_so_under_another_nick_and_after_a_restart(governed: Gateway) -> None:
    page = Browser(governed.web, nick="eve")
    connection = page.welcome["session"]
    assert api(governed, "POST", "mutes", connection=connection, reason="caps")["mute"]["target"] == "eve"
    assert page.say("HELLO")["code"] == "muted"
    page.send(type="nick", nick="innocent")
    page.next("notice")
    assert page.say("HELLO")["code"] == "muted"
    governed.restart()
    back = Browser(governed.web, hello=False)
    back.send(type="hello", token=page.welcome["token"], rooms=[{"room": "lobby"}])
    back.next("joined")
    assert back.say("HELLO")["text"] == "for ever, caps"
    assert api(governed, "GET", "mutes")["total"] == 1


def test_an_operator_logs_in_at_a_terminal_and_nobody_reads_his_password(start: Start) -> None:
    hashed = subprocess.run(
        [sys.executable, "-m", "gateway", "passwd"],
        cwd=ROOT, input="correct horse battery\n", capture_output=True, text=True, timeout=30, check=True,
    ).stdout.strip()  # fmt: skip
    gateway = start("--admin.password_hash", hashed)
    with Terminal(gateway.tcp) as ana, Terminal(gateway.tcp) as bob:
        bob.named("bob")
        ana.named("ana")
        assert ana.answer("/kick bob", "^!!") == "!! forbidden: only operators can do that"
        assert ana.answer("/login admin wrong battery", "^!!").startswith("!! forbidden: ")
        assert ana.answer("/login admin correct horse battery", "^(--|!!) (you|forb)").startswith("-- you are admin")
        assert ana.answer("/wall tea is ready", "announced") == "-- announced to 2"
        assert ana.answer("/mute bob 10m caps", "muted").startswith("-- bob is muted until ")
        assert bob.answer("HELLO", "^!!").startswith("!! muted: until ")
        assert ana.answer("/kick bob enough", "kicked") == "-- bob is kicked"
        heard = bob.rest(ACTED_SECONDS)
        assert heard.endswith("!! kicked: enough\n")
    assert "battery" not in heard + gateway.stderr
    stored = (gateway.folder / "data").glob("journal.sqlite3*")
    assert not any(b"battery" in path.read_bytes() for path in stored)


def test_the_console_gives_the_same_orders(tmp_path: Any) -> None:
    with running_origin(tmp_path, *GATEWAY, "--console", stdin=subprocess.PIPE) as server:
        bob = server.call()
        bob.says(b"/nick bob\n")
        bob.hears(b"you are bob\n")
        server.operator_says(b"wall hello\nkick bob enough\nkick bob\nban bob 10 x\n")
        bob.hears(b"-- [announcement] hello\n!! kicked: enough\n")
        server.operator_says(b"quit\n")
        code, output, _ = server.ends()
    assert code == 0
    assert output.split(b">>>:")[1:] == [
        b"announced to 1\n",
        b"bob is kicked\n",
        b"no_such_user: nobody here is called bob\n",
        b"bad_message: for how long? 10m are minutes, 10h hours, 10d days\n",
        b"",
    ]
