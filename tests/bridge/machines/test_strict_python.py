"""Python at its strictest: nothing relies on `assert` or docstrings, nothing warns, nothing is left open."""

import pytest

from tests.bridge.gateways import NO_PACE, Start
from tests.bridge.peers import Browser, Terminal, history, post, raw

WAYS = {
    "without asserts and docstrings": {"PYTHONOPTIMIZE": "2"},
    "with every warning an error": {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_life_from_start_to_stop(start: Start, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    for name, value in WAYS[way].items():
        monkeypatch.setenv(name, value)
    gateway = start(*NO_PACE)
    with Terminal(gateway.tcp) as terminal, Browser(gateway.web, nick="page") as browser:
        terminal.send("from a terminal")
        assert browser.texts_until("from a terminal")
        assert browser.say("from a page")["type"] == "ack"
        assert post(gateway.web, "lobby", "from a script").status == 201
        terminal.until("from a script")
        assert terminal.answer("/who")
        for door in ("tcp", "telnet", "web"):
            raw(gateway.port(door), b"\xff\xfb\x1f\x00\x81\n\n", half_close=True)
        raw(gateway.web, b"GET /r/lobby HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        browser.socket.socket.sendall(b"\x81\x02hi")
        browser.closed()
    assert [message["text"] for message in history(gateway.web, "lobby")][:3] == [
        "from a terminal",
        "from a page",
        "from a script",
    ]
    assert gateway.stop() == 0
    assert "Warning" not in gateway.stderr and "Error" not in gateway.stderr, gateway.stderr
