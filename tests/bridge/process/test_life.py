"""How a gateway starts, refuses to start, and stops: what its operator and their scripts see."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bridge.gateways import ROOT, STOP_SECONDS, Gateway, Start
from tests.bridge.peers import HOST, Browser, Terminal, history, needs_proc, post, request
from tests.fakes import PATIENCE, at_best, until

LINK = re.compile(r"http://\S+/admin/login\?token=[\w.~-]+")


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def ends(gateway: Gateway) -> int:
    """Start it in the expectation that it gives up; its exit code."""
    gateway.launch()
    return gateway.running.wait(STOP_SECONDS)


# Starting


def test_one_ready_line_names_every_door_and_the_next_the_dashboard(gateway: Gateway) -> None:
    ready, link, last = until(lambda: lines if len(lines := gateway.stdout.splitlines()) > 2 else [], "three lines")

    assert ready == (f"ready: tcp {HOST}:{gateway.tcp}  telnet {HOST}:{gateway.telnet}  http://{HOST}:{gateway.web}/")
    assert link.startswith("Dashboard (link works once, for 15 minutes): ") and LINK.search(link)
    assert last == f"data in {gateway.folder / 'data'}; Ctrl-C stops"
    assert gateway.stderr == ""


def test_doors_that_are_off_are_null_and_not_in_the_ready_line(start: Start) -> None:
    gateway = start("--telnet-port=-1", "--web-port=-1", "--memory")

    assert gateway.ports == {"tcp": gateway.tcp, "telnet": None, "web": None}
    until(lambda: "Ctrl-C" in gateway.stdout, "the last line")
    assert gateway.stdout == f"ready: tcp {HOST}:{gateway.tcp}\nnothing is kept; Ctrl-C stops\n"


def test_the_ports_file_is_written_whole(start: Start) -> None:
    gateway = start()
    content = json.loads((gateway.folder / "ports.json").read_text())

    assert set(content) == {"tcp", "telnet", "web", "tcp_tls", "telnet_tls", "pid"}
    assert content["pid"] == gateway.running.pid


def test_without_a_disk_nothing_is_kept(start: Start) -> None:
    gateway = start("--memory")
    post(gateway.web, "lobby", "gone tomorrow")
    assert not (gateway.folder / "data").exists()
    gateway.restart()

    assert history(gateway.web, "lobby") == []


def test_a_login_link_can_be_asked_for_while_the_gateway_runs(gateway: Gateway) -> None:
    printed = run("login-link", "--data", gateway.folder / "data")

    assert (printed.returncode, printed.stderr) == (0, "")
    assert LINK.fullmatch(printed.stdout.strip())
    path = printed.stdout.strip().partition(str(gateway.web))[2]
    page = request(gateway.web, "GET", path, headers={"Accept": "text/html"})
    assert page.status == 200
    assert b"<button" in page.body


def test_a_login_link_without_a_gateway_is_refused_with_one_line(tmp_path: Path) -> None:
    printed = run("login-link", "--data", tmp_path)

    assert (printed.returncode, printed.stdout, printed.stderr.count("\n")) == (1, "", 1)


# Refusing to start


def test_a_second_gateway_on_the_same_data_is_told_so_in_one_line(start: Start, gateway: Gateway) -> None:
    second = start("--data", str(gateway.folder / "data"), data="second", running=False)

    assert ends(second) == 1
    assert second.stderr.count("\n") == 1
    assert second.stdout == ""
    assert post(gateway.web, "lobby", "the first goes on").status == 201


@pytest.mark.parametrize("door", ["tcp", "telnet", "web"])
def test_a_port_that_is_taken_is_told_in_one_line(start: Start, door: str) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        gateway = start(f"--{door}-port", str(port), "--memory", running=False)

        assert ends(gateway) == 1
    assert str(port) in gateway.stderr
    assert gateway.stderr.count("\n") == 1
    assert gateway.stdout == ""


def test_wrong_usage_and_wrong_settings_have_their_exit_codes(start: Start) -> None:
    assert run("--tcp-prot", "1").returncode == 2
    assert run("--config", "/no/such/file.toml").returncode == 78
    assert run("--config", ROOT / "README.md").returncode == 78


def test_a_folder_that_cannot_be_written_is_told_in_one_line(start: Start) -> None:
    nobodys = next(folder for folder in ("/proc/sys", "/System") if os.path.isdir(folder))  # not even root's
    gateway = start("--data", nobodys, running=False)

    assert ends(gateway) == 1
    assert gateway.stderr.count("\n") == 1


def test_a_data_folder_that_is_a_file_is_told_in_one_line(start: Start) -> None:
    gateway = start(running=False)
    (gateway.folder / "data").write_text("not a folder")

    assert ends(gateway) == 1
    assert gateway.stderr.count("\n") == 1
    assert (gateway.folder / "data").read_text() == "not a folder"


def test_a_file_that_is_no_journal_is_kept_and_the_start_refused(start: Start) -> None:
    gateway = start(running=False)
    (gateway.folder / "data").mkdir()
    (gateway.folder / "data" / "journal.sqlite3").write_text("my diary, not yours\n" * 100)

    assert ends(gateway) == 1
    assert (gateway.folder / "data" / "journal.sqlite3").read_text().startswith("my diary")


# Stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_nobody_connected_it_stops_at_once(gateway: Gateway, number: int) -> None:
    def stops() -> float:
        began = time.monotonic()
        assert gateway.stop(number) == 0
        took = time.monotonic() - began
        gateway.start()
        return took

    at_best(stops, 2.9)
    assert gateway.stderr == ""


def test_everybody_is_told_when_to_come_back(gateway: Gateway) -> None:
    with Browser(gateway.web) as browser, Terminal(gateway.tcp) as tcp, Terminal(gateway.telnet) as telnet:
        tcp.until("/help")
        telnet.until("/help")
        gateway.running.send_signal(signal.SIGTERM)
        bye = browser.next("bye")
        closed = browser.closed()
        lines = [terminal.rest() for terminal in (tcp, telnet)]
        tcp.sock.close()
        telnet.sock.close()
        assert gateway.running.wait(STOP_SECONDS) == 0

    assert (bye["code"], bye["reason"], bye["retry_ms"] > 0) == (4001, "draining", True)
    assert closed == (4001, "draining")
    assert all(
        re.fullmatch(r"!! draining: the gateway is restarting; reconnect in \d+ s", text.splitlines()[-1])
        for text in lines
    )


def test_what_was_received_before_the_stop_is_committed_and_delivered(gateway: Gateway) -> None:
    with Browser(gateway.web) as reader, Terminal(gateway.tcp) as writer:
        writer.send("are you there?")
        reader.texts_until("are you there?")
        writer.send(*(f"line {number}" for number in range(50)))
        gateway.running.send_signal(signal.SIGTERM)
        seen = reader.until(lambda found: found["type"] == "bye")
        assert gateway.running.wait(STOP_SECONDS) == 0
    gateway.start()

    lines = [f"line {number}" for number in range(50)]
    assert [found["text"] for found in seen if found["type"] == "msg"] == lines
    assert [message["text"] for message in history(gateway.web, "lobby")][1:] == lines


def test_it_stops_although_peers_neither_read_nor_close(gateway: Gateway) -> None:
    stalled = [Terminal(gateway.tcp, receive_buffer=4096) for _ in range(5)]
    browsers = [Browser(gateway.web, receive_buffer=4096) for _ in range(5)]
    for number in range(40):
        post(gateway.web, "lobby", f"{number}" * 2000, f"n{number}")

    assert gateway.stop() == 0
    for peer in stalled:
        peer.sock.close()
    for browser in browsers:
        browser.socket.socket.close()


def test_a_second_signal_hurries(gateway: Gateway) -> None:
    def stops() -> float:
        with Terminal(gateway.tcp) as terminal:
            terminal.until("/help")
            began = time.monotonic()
            gateway.running.send_signal(signal.SIGTERM)
            terminal.until("draining")
            gateway.running.send_signal(signal.SIGTERM)

            assert gateway.running.wait(STOP_SECONDS) == 0
            took = time.monotonic() - began
        gateway.start()
        return took

    at_best(stops, 2.9)


def test_it_comes_back_on_the_same_ports_at_once_with_peers_still_there(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as before, Browser(gateway.web) as browser:
        before.until("/help")
        ports = dict(gateway.ports)
        assert gateway.stop() == 0
        gateway.start()
        assert gateway.ports == ports
        assert browser.closed()[0] == 4001
    with Terminal(gateway.tcp) as after:
        assert after.answer("/nick").startswith("-- you are")


@needs_proc
def test_a_restart_after_kill_takes_less_than_two_seconds_of_work(gateway: Gateway) -> None:
    post(gateway.web, "lobby", "before the crash")
    gateway.kill()
    gateway.start()

    assert gateway.cpu_ticks() < 2 * os.sysconf("SC_CLK_TCK")
    assert [message["text"] for message in history(gateway.web, "lobby")] == ["before the crash"]


def test_closed_output_does_not_stop_the_chat(start: Start) -> None:
    gateway = start()
    os.truncate(gateway.folder / "stdout", 0)
    gateway.running.send_signal(signal.SIGPIPE)

    assert post(gateway.web, "lobby", "still here").status == 201


def test_an_ipv6_host_is_served_and_told(start: Start) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    gateway = start("--host", "::1", "--host", HOST)

    assert f"[::1]:{gateway.tcp}" in gateway.stdout and f"{HOST}:{gateway.tcp}" in gateway.stdout
    with socket.create_connection(("::1", gateway.tcp)) as six, Terminal(gateway.tcp) as four:
        four.send("/echo on")
        four.until("come back")
        six.sendall(b"hello from six\n")
        assert four.until("hello from six")
