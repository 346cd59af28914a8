"""Out of file descriptors: newcomers are refused or wait, open connections notice nothing, and the processor rests."""

import os
import resource
import socket
import time
from contextlib import ExitStack

import pytest

from tests.bridge.canary import canary
from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import HOST, Browser, Terminal, needs_proc, post
from tests.fakes import until

WINDOW = 1.0
"""Seconds in which processor time is counted."""
MOST = 0.05
TICKS = os.sysconf("SC_CLK_TCK")


def knock(stack: ExitStack, gateway: Gateway, number: int) -> socket.socket:
    """Somebody new, every second one at the web door."""
    sock = stack.enter_context(socket.create_connection((HOST, gateway.web if number % 2 else gateway.tcp), 20))
    if number % 2:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return sock


def processor_share(gateway: Gateway) -> float:
    """The share of one processor that the gateway uses in WINDOW seconds."""
    before, began = gateway.cpu_ticks(), time.monotonic()
    time.sleep(WINDOW)
    return (gateway.cpu_ticks() - before) / TICKS / (time.monotonic() - began)


@needs_proc
def test_with_eighty_descriptors_a_connection_too_many_is_told(start: Start) -> None:
    gateway = start(running=False)
    gateway.starter = ("sh", "-c", 'ulimit -n 80; exec "$@"', "sh")
    gateway.start()
    with ExitStack() as stack:
        with canary(gateway.tcp, gateway.web):
            socks = [knock(stack, gateway, number) for number in range(200)]
            answers = [sock.recv(4096) for sock in socks]
        refused = [answer for answer in answers if b"full" in answer and b"try again in 30 s" in answer]
        let_in = {answer[:12] for answer in answers if answer not in refused}
        assert let_in <= {b"-- You are g", b"HTTP/1.1 200"}
        # There is room for less than 20, and a web connection that has its answer gives way to a newcomer.
        assert len(refused) >= 200 - 2 * 20
        assert {answer[:12] for answer in refused} == {b"!! full: try", b"HTTP/1.1 503"}
        assert processor_share(gateway) < MOST
    until(lambda: post(gateway.web, "lobby", "there is room again").status == 201, "room for a newcomer")
    assert "Too many open files" not in gateway.stderr


@needs_proc
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_when_the_last_descriptor_is_gone_newcomers_wait_and_then_come_in(gateway: Gateway) -> None:
    limits = resource.prlimit(gateway.running.pid, resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        with canary(gateway.tcp, gateway.web):
            resource.prlimit(gateway.running.pid, resource.RLIMIT_NOFILE, (gateway.descriptors() + 8, limits[1]))
            socks = [knock(stack, gateway, number) for number in range(60)]
            until(lambda: "Too many open files" in gateway.stderr, "the complaint")
            talks(socks[0])
        began, complaints = time.monotonic(), gateway.stderr.count("Too many")
        assert processor_share(gateway) < MOST
        assert gateway.stderr.count("Too many") - complaints <= time.monotonic() - began + 1
        resource.prlimit(gateway.running.pid, resource.RLIMIT_NOFILE, limits)
        assert all(sock.recv(4096) for sock in socks)
    with Terminal(gateway.tcp) as terminal, Browser(gateway.web) as browser:
        terminal.send("all is well again")
        browser.texts_until("all is well again")


def talks(sock: socket.socket) -> None:
    """A connection from before the last descriptor was gone still talks, which needs the journal."""
    sock.sendall(b"/echo on\nsaid in need\n")
    seen = b""
    while b": said in need" not in seen:
        more = sock.recv(4096)
        assert more, seen
        seen += more
