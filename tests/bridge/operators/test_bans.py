"""A ban, from the dashboard's API to a restart and out again, on every door of the real program."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import urllib.parse
from typing import Any

import pytest

from tests.bridge.gateways import ROOT, Gateway, Start
from tests.bridge.origins import GATEWAY
from tests.bridge.origins import running as running_origin
from tests.bridge.peers import HOST, Browser, Running, Terminal, post, request
from tests.fakes import PATIENCE, until

PASSWORD = "correct horse battery"
TOKEN = "a token of this test"
ACTED_SECONDS = 45.0
"""How long anything is waited for that is done within a second: the machine is busy."""


def api(gateway: Gateway, method: str, path: str, token: str = TOKEN, **body: Any) -> Any:
    """One request of a script; its JSON."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return request(gateway.web, method, f"/admin/api/{path}", json.dumps(body) if body else None, headers).json


@pytest.fixture(scope="module")
def governed(start_shared: Start) -> Gateway:
    """A gateway with a script and a person who administer it. Every test lifts what it has imposed."""
    hashed = subprocess.run(
        [sys.executable, "-m", "gateway", "passwd"],
        cwd=ROOT, input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=PATIENCE, check=True,
    ).stdout.strip()  # fmt: skip
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return start_shared("--admin.tokens", f"robot:admin:{digest}", "--admin.password_hash", hashed)


def test_bans_and_mutes_last_until_they_are_lifted(governed: Gateway) -> None:
    command = ["nc", "127.0.0.1", str(governed.tcp)]
    page = Browser(governed.web, nick="eve")
    token = page.welcome["token"]
    muted = Browser(governed.web, nick="dan")
    assert api(governed, "POST", "mutes", connection=muted.welcome["session"], reason="caps")["mute"]["target"] == "dan"
    assert muted.say("HELLO")["code"] == "muted"
    muted.send(type="nick", nick="innocent")
    with Running(command) as bob:
        bob.send("/nick bob", "hello")
        page.texts_until("hello")
        bob_ban = api(governed, "POST", "bans", nick="bob", reason="spam", seconds=3600)["ban"]
        assert api(governed, "POST", "bans", nick="eve", seconds=3600)["connections"] == 1
        until(
            lambda: bob.lines()[-1:] and bob.lines()[-1].startswith("!! banned: until "), "bob is told", ACTED_SECONDS
        )
        assert bob.lines()[-1].endswith(", spam")
        until(lambda: api(governed, "GET", "connections")["total"] == 1, "only dan is here", ACTED_SECONDS)
    code, reason = page.closed(ACTED_SECONDS)
    assert code == 4501 and reason.startswith("banned: until ")

    for restarts in range(2):
        with Terminal(governed.tcp) as again:
            assert again.answer("/nick b0b", "^(-- you are|!!)").startswith("!! banned: until ")
        back = Browser(governed.web, hello=False)
        back.send(type="hello", token=token)
        assert back.closed()[0] == 4501
        refused = post(governed.web, "lobby", "hi", "Bob")
        assert (refused.status, refused.json["error"]["code"]) == (403, "banned")
        quiet = Browser(governed.web, hello=False)
        quiet.send(type="hello", token=muted.welcome["token"], rooms=[{"room": "lobby"}])
        quiet.next("joined")
        assert quiet.say("HELLO")["text"] == "for ever, caps"
        quiet.close()
        if not restarts:
            governed.restart()

    for path in (f"bans/{bob_ban['id']}", "bans/eve", "mutes/dan"):
        assert api(governed, "DELETE", path)["lifted"]
    with Terminal(governed.tcp) as again:
        again.named("bob")
    entries = api(governed, "GET", "audit?q=who:robot")["entries"]
    assert [(entry["action"], entry["target"], entry["result"]) for entry in entries][::-1] == [
        ("mute", "dan", "done"), ("ban", "bob", "done"), ("ban", "eve", "done"),
        ("unban", "bob", "done"), ("unban", "eve", "done"), ("unmute", "dan", "done"),
    ]  # fmt: skip


def test_a_banned_address_is_told_so_at_every_door_and_the_dashboard_stays_open(governed: Gateway) -> None:
    page, terminal, stalled = Browser(governed.web), Terminal(governed.tcp), Terminal(governed.telnet)
    terminal.until("/help")
    until(lambda: api(governed, "GET", "connections")["total"] == 3, "only these are here", ACTED_SECONDS)
    refused = api(governed, "POST", "bans", address="127.0.0.1")
    assert '"sure"' in refused["error"]["text"]
    assert api(governed, "POST", "bans", address="127.0.0.0/8", sure=True, reason="storm")["connections"] == 3
    assert terminal.rest(ACTED_SECONDS).endswith("!! banned: for ever, storm\n")
    assert page.closed(ACTED_SECONDS) == (4501, "banned: for ever, storm")
    assert "!! banned: for ever, storm\r\n" in stalled.rest(ACTED_SECONDS)

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


def test_an_operator_logs_in_at_a_terminal_and_nobody_reads_the_password(governed: Gateway) -> None:
    with Terminal(governed.tcp) as ana, Terminal(governed.tcp) as bob:
        bob.named("bob")
        ana.named("ana")
        assert ana.answer("/kick bob", "^!!") == "!! forbidden: only operators can do that"
        assert ana.answer("/login admin wrong battery", "^!!").startswith("!! forbidden: ")
        assert ana.answer("/login admin correct horse battery", "^(--|!!) (you|forb)").startswith("-- you are admin")
        assert ana.answer("/wall tea is ready", "announced") == "-- announced to 2"
        assert ana.answer("/mute bob 10m caps", "muted").startswith("-- bob is muted until ")
        assert bob.answer("HELLO", "^!!").startswith("!! muted: until ")
        assert ana.answer("/kick bob enough", "kicked") == "-- bob is kicked"
        assert ana.answer("/unmute bob", "no longer") == "-- bob is no longer muted"
        heard = bob.rest(ACTED_SECONDS)
        assert heard.endswith("!! kicked: enough\n")
    assert "battery" not in heard + governed.stderr
    stored = (governed.folder / "data").glob("journal.sqlite3*")
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


NEIGHBOUR, STRANGER = "2001:db8:7:7:ffff::9", "2001:db8:7:8::1"
"""In the same /64 as the one who is banned, and beside it."""


def greeting(port: int, address: str) -> bytes:
    """What a terminal that a proxy introduces by this address reads first."""
    with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:
        sock.sendall(f"PROXY TCP6 {address} 2001:db8::1 40000 9999\r\n".encode())
        return sock.recv(65536)


def test_l2_the_network_of_a_banned_ipv6_address_is_refused_at_every_door(start: Start) -> None:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    governed = start("--admin.tokens", f"robot:admin:{digest}", "--web.trusted_proxies", HOST)
    introduced = start("--proxy-protocol", HOST, data="introduced", running=False)
    ban = api(governed, "POST", "bans", address="2001:db8:7:7::1", seconds=3600)["ban"]
    assert ban["target"] == "2001:db8:7:7::/64"

    def posted(address: str) -> int:
        return request(governed.web, "POST", "/r/lobby?nick=x", "hi", {"X-Forwarded-For": address}).status

    assert (posted(NEIGHBOUR), posted(STRANGER)) == (403, 201)
    for path in ("/r/lobby/messages", "/r/lobby/events"):
        assert request(governed.web, "GET", path, None, {"X-Forwarded-For": NEIGHBOUR}).status == 403

    assert governed.stop() == 0
    shutil.copytree(governed.folder / "data", introduced.folder / "data")
    introduced.start()
    for door in (introduced.tcp, introduced.telnet):
        assert b"banned: until " in greeting(door, NEIGHBOUR)
        assert b"banned" not in greeting(door, STRANGER)
