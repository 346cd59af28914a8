"""`echo hi | nc`: whatever netcat it is, its line arrives exactly once and nobody is told that it came and went."""

import re
import socket
import sqlite3
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import HOST, Browser, Terminal, history, post, raw
from tests.fakes import PATIENCE, at_best, until

SENDERS = {
    "nc.openbsd -N": ["nc.openbsd", "-N", HOST, "PORT"],
    "nc.openbsd -q0": ["nc.openbsd", "-q0", HOST, "PORT"],
    "nc.openbsd -q1": ["nc.openbsd", "-q1", HOST, "PORT"],
    "nc.traditional -q 0": ["nc.traditional", "-q", "0", HOST, "PORT"],
    "nc.traditional -q 1": ["nc.traditional", "-q", "1", HOST, "PORT"],
    "ncat --send-only": ["ncat", "--send-only", HOST, "PORT"],
    "ncat": ["ncat", HOST, "PORT"],
    "socat": ["socat", "-", f"TCP:{HOST}:PORT"],
    "socat -u": ["socat", "-u", "-", f"TCP:{HOST}:PORT"],
    "bash": ["bash", "-c", f"cat > /dev/tcp/{HOST}/PORT"],
}
NUMBERS = count()
Program = Callable[[str], str]


def command(name: str, program: Program, port: int) -> list[str]:
    """The sender's command line."""
    words = [word.replace("PORT", str(port)) for word in SENDERS[name]]
    return [program(words[0]), *words[1:]]


@pytest.mark.parametrize("end", ["\n", ""], ids=["line", "no-last-newline"])
@pytest.mark.parametrize("name", SENDERS)
def test_a_piped_line_arrives_once_and_the_program_ends_well(
    shared: Gateway, program: Program, name: str, end: str
) -> None:
    def sends() -> float:
        text = f"by {name} {len(end)} {next(NUMBERS)}"
        with Browser(shared.web) as reader:
            began = time.monotonic()
            sent = subprocess.run(
                command(name, program, shared.tcp), input=(text + end).encode(), capture_output=True, timeout=PATIENCE
            )
            took = time.monotonic() - began
            reader.texts_until(text)
            reader.say("after it")

        assert (sent.returncode, sent.stdout, sent.stderr) == (0, b"", b"")
        assert [message["text"] for message in history(shared.web, "lobby")].count(text) == 1
        return took

    at_best(sends, 2.5)


@pytest.mark.parametrize("name", ["nc.openbsd -N", "nc.openbsd -q0", "nc.traditional -q 0"])
def test_a_hundred_at_once_arrive_once_each(shared: Gateway, program: Program, name: str) -> None:
    texts = [f"{name} number {number}" for number in range(100)]
    running = []
    for _ in texts:
        running.append(
            subprocess.Popen(command(name, program, shared.tcp), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
    for each, text in zip(running, texts, strict=True):
        assert each.stdin is not None
        each.stdin.write(f"{text}\n".encode())
        each.stdin.close()
    codes = []
    for each in running:
        codes.append(each.wait(PATIENCE))
        assert each.stdout is not None
        each.stdout.close()
    with Browser(shared.web) as reader:
        reader.say("all of them are through")

    said = [message["text"] for message in history(shared.web, "lobby") if message["text"] in set(texts)]
    assert sorted(said) == sorted(texts)
    assert set(codes) == {0}


def test_a_short_visit_is_never_announced_and_a_longer_one_is(gateway: Gateway, program: Program) -> None:
    with Browser(gateway.web) as browser, Terminal(gateway.tcp).named("watcher") as terminal:
        for name in SENDERS:
            subprocess.run(command(name, program, gateway.tcp), input=b"hi\n", capture_output=True, timeout=PATIENCE)
        with Terminal(gateway.tcp).named("stayer"):
            seen = browser.until(
                lambda found: found["type"] == "presence" and {"nick": "stayer", "door": "tcp"} in found["joined"]
            )
            lines = terminal.until("stayer joined")

    told = [name["nick"] for each in seen if each["type"] == "presence" for name in each["joined"]]
    assert [nick for nick in told if nick not in ("watcher", browser.nick)] == ["stayer"]
    assert not any(each["left"] for each in seen if each["type"] == "presence")
    assert [line for line in lines if line.endswith(("joined (tcp)", "left"))] == ["-- stayer joined (tcp)"]


def seconds_to_announcement(gateway: Gateway, browser: Browser) -> float:
    """How long after its connection a terminal is told of."""
    began = time.monotonic()
    with Terminal(gateway.tcp):
        browser.until(lambda found: found["type"] == "presence" and found["joined"])
        return time.monotonic() - began


def test_a_join_is_announced_two_seconds_after_the_connection(gateway: Gateway) -> None:
    with Browser(gateway.web) as browser:
        browser.until(lambda found: found["type"] == "presence")
        best = min(seconds_to_announcement(gateway, browser) for _ in range(2))

    assert 1.9 < best < 2.9


def test_a_peer_that_speaks_before_its_announcement_is_not_announced_to_terminals(gateway: Gateway) -> None:
    with Browser(gateway.web) as browser, Terminal(gateway.tcp).named("watcher") as terminal:
        with Terminal(gateway.tcp).named("talker") as talker:
            talker.send("first words")
            browser.until(
                lambda found: found["type"] == "presence" and {"nick": "talker", "door": "tcp"} in found["joined"]
            )
        with Terminal(gateway.tcp).named("stayer"):
            lines = terminal.until("stayer joined")

    assert [line for line in lines if "talker" in line] == ["talker: first words"]


def test_pc_05_old_lines_say_their_day_and_todays_do_not(start: Start) -> None:
    gateway = start()
    for text in ("one", "two"):
        assert post(gateway.web, "lobby", text, "ci").status == 201
    assert gateway.stop() == 0
    with closing(sqlite3.connect(gateway.folder / "data" / "journal.sqlite3")) as journal:
        journal.execute("update messages set ts = ts - 259200000")
        journal.commit()
    gateway.start()
    post(gateway.web, "lobby", "three", "ci")
    with Terminal(gateway.tcp) as terminal:
        lines = [line for line in terminal.until("three") if "ci: " in line or re.match(r"-- \w{3} \d", line)]

    assert [re.sub(r"^\[\d\d:\d\d\] ", "", line) for line in lines if "ci: " in line] == [
        f"ci: {text}" for text in ("one", "two", "three")
    ]
    days = [place for place, line in enumerate(lines) if re.fullmatch(r"-- \w{3} \d{1,2} \w{3}", line)]
    assert days == [0, 3]


def test_pc_06_an_address_that_a_peer_is_told_is_the_one_it_came_by(start: Start) -> None:
    gateway = start("--host", "0.0.0.0")
    with closing(socket.create_connection(("127.0.0.2", gateway.tcp))) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        page = b"".join(iter(lambda: sock.recv(4096), b""))
    with Terminal(gateway.tcp) as terminal:
        greeting = "\n".join(terminal.until("Ctrl-R"))

    assert f"http://127.0.0.2:{gateway.web}/".encode() in page
    assert f"nc ADDRESS {gateway.tcp}" in greeting and "127.0.0.1" not in greeting


def test_on_loopback_only_the_greeting_says_how_to_let_others_in(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as terminal:
        assert any("--host 0.0.0.0" in line for line in terminal.until("Ctrl-R"))


def test_a_peer_that_waits_is_greeted_and_shown_the_last_twenty_with_the_time(gateway: Gateway) -> None:
    for number in range(25):
        assert post(gateway.web, "lobby", f"m{number}", "ci").status == 201
    began = time.monotonic()
    with Terminal(gateway.tcp) as terminal:
        lines = terminal.until("m24")
        took = time.monotonic() - began

    greeting, shown = lines[:-20], lines[-20:]
    assert took >= 0.1
    assert 3 <= len(greeting) <= 5
    assert all(line.startswith("-- ") for line in greeting)
    assert "/help" in " ".join(greeting)
    assert re.search("guest-[0-9a-f]{4}", " ".join(greeting))
    assert [re.sub(r"^\[\d\d:\d\d\] ", "", line) for line in shown] == [f"ci: m{number}" for number in range(5, 25)]
    assert all(re.match(r"\[\d\d:\d\d\] ", line) for line in shown)


def test_a_peer_that_speaks_first_gets_neither_greeting_nor_history(gateway: Gateway) -> None:
    post(gateway.web, "lobby", "old news")
    with Terminal(gateway.tcp) as script, Browser(gateway.web) as browser:
        script.send("I speak first")
        browser.texts_until("I speak first")
        browser.say("and I answer")

        assert script.line() == f"{browser.nick}: and I answer"


def test_a_line_that_gets_in_the_way_of_the_greeting_is_not_said_twice(gateway: Gateway) -> None:
    with Browser(gateway.web, nick="web") as browser, Terminal(gateway.tcp) as terminal:
        terminal.until("/quit leaves|/help")
        browser.say("hello")
        terminal.until("web: hello")
        browser.say("again")

        assert terminal.line() == "web: again"


def test_after_the_half_close_answers_come_and_then_the_end(gateway: Gateway) -> None:
    answer = raw(gateway.tcp, b"/nick bob\nhello\n/who\n", half_close=True).decode()

    assert answer.splitlines()[0] == "-- you are bob"
    assert "bob" in answer.splitlines()[-1]


def test_after_the_half_close_the_room_is_read_up_to_the_own_last_message(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as script, Browser(gateway.web, nick="web") as browser:
        script.send("/echo on")
        script.until("come back")
        texts = [f"n{number}" for number in range(30)]
        for text in texts:
            browser.say(text)
        script.send("/nick ci", "my last")
        script.sock.shutdown(socket.SHUT_WR)
        browser.texts_until("my last")
        browser.say("too late for it")

        lines = script.rest().splitlines()
    said = [line for line in lines if not line.startswith("-- ")]
    assert said == [*(f"web: {text}" for text in texts), "ci: my last"]


def test_a_half_close_without_a_word_ends_at_once(gateway: Gateway) -> None:
    def ends() -> float:
        began = time.monotonic()
        assert raw(gateway.tcp, b"", half_close=True) == b""
        return time.monotonic() - began

    at_best(ends, 1.9)


def test_pacing_slows_a_script_down_and_loses_nothing(start: Start, program: Program) -> None:
    gateway = start("--limits.burst", 3, "--limits.messages_per_second", 50)
    texts = [f"line {number}" for number in range(160)]
    began = time.monotonic()

    sent = subprocess.run(
        command("nc.openbsd -N", program, gateway.tcp),
        input="\n".join(texts).encode(),
        capture_output=True,
        timeout=PATIENCE,
    )

    assert time.monotonic() - began > 3
    assert (sent.returncode, sent.stdout) == (0, b"")
    assert [message["text"] for message in history(gateway.web, "lobby")] == texts


def test_a_program_that_does_not_wait_for_its_pace_loses_nothing_either(start: Start, program: Program) -> None:
    gateway = start("--limits.burst", 3, "--limits.messages_per_second", 50)
    texts = [f"line {number}" for number in range(120)]
    with Browser(gateway.web) as reader:
        subprocess.run(
            command("nc.openbsd -q0", program, gateway.tcp),
            input="\n".join(texts).encode(),
            timeout=PATIENCE,
            check=True,
        )
        assert reader.texts_until(texts[-1]) == texts


CARELESS = {
    "nc.traditional -q 0": SENDERS["nc.traditional -q 0"],
    "socat -t0": ["socat", "-t0", "-", f"TCP:{HOST}:PORT"],
    "ncat --send-only": SENDERS["ncat --send-only"],
}
"""Programs that close both ways as soon as they have handed everything to the kernel. (A shell that does so behind
/dev/tcp reads nothing, so that a greeting alone, which it gets where the machine is busy, makes its end a reset.)"""


def test_l7_programs_that_close_both_ways_lose_nothing_in_a_busy_room(
    start: Start, program: Program, tmp_path: Path
) -> None:
    gateway = start("--limits.burst", 3, "--limits.messages_per_second", 200)
    texts = {name: [f"{name} {number} " + "x" * 980 for number in range(400)] for name in CARELESS}
    stopped = threading.Event()

    def talk() -> None:
        with Terminal(gateway.tcp) as talker:
            while not stopped.wait(0.02):
                talker.send("busy")

    busy = threading.Thread(target=talk)
    busy.start()
    try:
        with Browser(gateway.web) as reader:
            running: list[subprocess.Popen[bytes]] = []
            for name, words in CARELESS.items():
                command = [program(words[0]), *(word.replace("PORT", str(gateway.tcp)) for word in words[1:])]
                path = tmp_path / f"lines {len(running)}"
                path.write_text("\n".join([*texts[name], ""]))
                with path.open() as lines:
                    running.append(subprocess.Popen(command, stdin=lines, stdout=subprocess.DEVNULL))
            missing = {text for each in texts.values() for text in each}
            order = []
            end = time.monotonic() + PATIENCE
            while missing and time.monotonic() < end:
                found = reader.receive(15)
                if found["type"] == "msg" and found["text"] in missing:
                    missing.discard(found["text"])
                    order.append(found["text"])
            for each in running:
                each.wait(PATIENCE)
    finally:
        stopped.set()
        busy.join()

    assert {name: [text for text in order if text in set(each)] for name, each in texts.items()} == texts


def test_a_reset_after_the_last_line_does_not_lose_the_line(gateway: Gateway) -> None:
    with Browser(gateway.web) as reader:
        for number in range(20):
            with Terminal(gateway.tcp) as script:
                script.send(f"line {number}")
        assert reader.texts_until("line 19") == [f"line {number}" for number in range(20)]


def test_a_thousand_resets_leave_nothing_behind(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as witness:
        witness.until("/help")
        before = gateway.descriptors()
        for _ in range(1000):
            with Terminal(gateway.tcp) as peer:
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with Browser(gateway.web) as browser:
            until(lambda: browser.say("/who")["text"].startswith("2 people"), "the others are gone")
        until(lambda: gateway.descriptors() <= before + 1, "their descriptors are closed")
