"""SIGHUP: what can change while the gateway runs changes, and nothing else does."""

import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.accounts import argon
from tests.bridge.canary import canary
from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import Browser, Terminal, post, refused_upgrade, request
from tests.fakes import until

HASH = argon.make(b"correct-horse")


class Configured:
    """A gateway with a file of settings."""

    def __init__(self, gateway: Gateway, file: Path) -> None:
        self.gateway = gateway
        self.file = file

    def reload(self, text: str) -> str:
        """Change the file and ask for it; what is logged of it."""
        self.file.write_text(text)
        already = len(self.gateway.stderr)
        self.gateway.running.send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP" in self.gateway.stderr[already:], "it is read again")
        return self.gateway.stderr[already:]


Configure = Callable[[str], Configured]


@pytest.fixture(scope="module")
def one(start_shared: Start, tmp_path_factory: pytest.TempPathFactory) -> Configured:
    """The gateway of all these tests."""
    file = tmp_path_factory.mktemp("settings") / "gateway.toml"
    file.write_text("")
    return Configured(start_shared("--config", str(file), "--limits.rooms", "50"), file)


@pytest.fixture
def configured(one: Configured) -> Configure:
    """Gives the gateway these settings."""

    def begin(text: str) -> Configured:
        one.reload(text)
        return one

    return begin


def test_limits_change_for_those_who_are_here(configured: Configure) -> None:
    it = configured("limits.messages_per_second = 1\nlimits.burst = 2\n")
    with Browser(it.gateway.web) as browser:
        assert [browser.say("x")["type"] for _ in range(3)] == ["ack", "ack", "error"]
        assert "changed: limits.messages_per_second, limits.burst" in it.reload(
            "limits.messages_per_second = 1000\nlimits.burst = 50\n"
        )
        assert [browser.say("x")["type"] for _ in range(20)] == ["ack"] * 20


def test_a_terminal_that_waits_for_its_turn_goes_on_at_the_new_rate(configured: Configure) -> None:
    it = configured("limits.messages_per_second = 1\nlimits.burst = 1\n")
    with Terminal(it.gateway.tcp) as slow, Terminal(it.gateway.tcp) as reader:
        reader.until("You are guest-")
        slow.send(*(f"line {number}" for number in range(200)))
        reader.until("line 0")
        it.reload("limits.messages_per_second = 0\n")
        reader.until("line 199$")


def test_the_number_of_connections_and_the_neighbours_of_the_web_door_change(configured: Configure) -> None:
    it = configured("")
    gateway = it.gateway
    friend = {"Origin": "https://friend.example"}
    assert refused_upgrade(gateway.web, **friend) == 403
    assert refused_upgrade(gateway.web, Host="chat.example") == 403
    neighbours = 'web.origins = ["https://friend.example"]\nweb.hosts = ["chat.example"]\n'
    assert "changed: web.origins, web.hosts" in it.reload(neighbours)
    assert refused_upgrade(gateway.web, **friend) == 101
    assert refused_upgrade(gateway.web, Host="chat.example") == 101
    with Terminal(gateway.tcp) as first:
        first.until("You are guest-")
        assert "changed: limits.connections\n" in it.reload(neighbours + "limits.connections = 1")
        with Terminal(gateway.tcp) as second:
            assert second.rest() == "!! full: try again in 30 s\n"


def test_trust_in_proxies_changes(configured: Configure) -> None:
    it = configured("limits.connections_per_ip = 1\n")
    forwarded = {"X-Forwarded-For": "203.0.113.7"}
    with Browser(it.gateway.web, additional_headers=forwarded), Browser(it.gateway.web, additional_headers=forwarded):
        pass
    it.reload('limits.connections_per_ip = 1\nweb.trusted_proxies = ["127.0.0.1"]\nproxy_protocol = ["127.0.0.2"]')
    with (
        Browser(it.gateway.web, additional_headers=forwarded),
        Browser(it.gateway.web, additional_headers=forwarded, hello=False) as second,
    ):
        assert second.closed()[0] == 4504


def test_words_of_the_day_are_read_by_newcomers(configured: Configure) -> None:
    it = configured('motd = "Be kind.\\nNo \\u001b[31mred\\u001b[0m ink."\n')
    with Terminal(it.gateway.tcp) as terminal, Browser(it.gateway.web) as browser:
        terminal.until("^-- Be kind.$")
        assert terminal.line() == "-- No red ink."
        assert browser.next("notice")["text"] == "Be kind.\nNo red ink."
    it.reload('motd = "New words."\n')
    with Terminal(it.gateway.tcp) as terminal:
        assert "-- Be kind." not in terminal.until("^-- New words.$")


def test_old_messages_go_when_retention_shrinks(configured: Configure) -> None:
    it = configured("")
    assert post(it.gateway.web, "lobby", "old").status == 201
    assert "changed: journal.retention" in it.reload('journal.retention = "1ms"\n')

    with Browser(it.gateway.web) as browser:

        def forgotten() -> bool:
            browser.send(type="history", room="lobby", limit=50)
            return not browser.next("history")["messages"]

        until(forgotten, "it is forgotten")


def test_wrong_settings_change_nothing_and_are_told(configured: Configure, expected_errors: list[str]) -> None:
    expected_errors.append("the settings stay as they are")
    it = configured('limits.burst = 7\nmotd = "Hello."\n')
    with canary(it.gateway.tcp, it.gateway.web):
        for text, words in (
            ('motd = "New."\nlimits.burts = 8', "unknown key limits.burts"),
            ('motd = "New."\nlimits.burst = "many"', "limits.burst: 'many'"),
            ("motd = [", "is not TOML"),
            ('motd = "New."\nproxy_protocol = ["10.0.0.1/8"]', "proxy_protocol: ['10.0.0.1/8']"),
        ):
            logged = it.reload(text)
            assert "the settings stay as they are" in logged and words in logged
        it.file.unlink()
        it.gateway.running.send_signal(signal.SIGHUP)
        until(lambda: "again: it is gone" in it.gateway.stderr, "the file is missed")
    with Terminal(it.gateway.tcp) as terminal:
        terminal.until("^-- Hello.$")


def test_what_needs_a_restart_is_named_and_flags_still_win(configured: Configure) -> None:
    it = configured("limits.burst = 7\n")
    logged = it.reload('limits.burst = 7\nlimits.rooms = 60\nselector = "poll"\njournal.durability = "power"\n')
    assert "nothing to change" in logged
    until(lambda: "a restart is needed for: selector, journal.durability" in it.gateway.stderr, "they are named")
    assert "limits.rooms" not in it.gateway.stderr


def test_the_log_follows_its_settings(configured: Configure) -> None:
    it = configured("")
    assert '"msg": "SIGHUP: settings read again, changed: log_format"' in it.reload('log_format = "json"\n')
    it.reload('log_level = "warning"\nselector = "poll"\n')
    already = len(it.gateway.stderr)
    with Terminal(it.gateway.tcp) as terminal:
        terminal.until("You are guest-")
    assert not it.gateway.stderr[already:]
    assert "changed: log_level" in it.reload("")


def test_a_token_works_from_when_it_is_written_down(configured: Configure) -> None:
    def status(it: Configured) -> int:
        return request(it.gateway.web, "GET", "/admin/api/summary", headers={"Authorization": "Bearer sesame"}).status

    it = configured("")
    assert status(it) == 401
    digest = hashlib.sha256(b"sesame").hexdigest()
    assert "changed: admin.tokens" in it.reload(f'admin.tokens = ["script:viewer:{digest}"]\n')
    assert status(it) == 200
    it.reload("")
    assert status(it) == 401


def test_a_login_ends_when_its_account_changes(configured: Configure) -> None:
    def settings(role: str) -> str:
        return f'[admin.accounts.{{}}]\nrole = "{role}"\nhash = "{HASH}"\n'

    it = configured(settings("admin").format("ana") + settings("admin").format("otto"))
    port, cookies = it.gateway.web, {}
    with Terminal(it.gateway.tcp) as terminal:
        terminal.answer("/login ana correct-horse", "you are ana")
        for name in ("ana", "otto"):
            body = json.dumps({"name": name, "password": "correct-horse"})
            answer = request(port, "POST", "/admin/login", body, {"Content-Type": "application/json"})
            cookies[name] = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        it.reload(settings("viewer").format("ana") + settings("admin").format("otto"))
        terminal.until("your account has changed")
        assert terminal.answer("/kick bob", "^!!").startswith("!! forbidden")
    assert [request(port, "GET", "/admin/api/summary", headers=cookies[name]).status for name in cookies] == [401, 200]
    it.reload("")
