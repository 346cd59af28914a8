"""TLS at every door of a real gateway, with the programs that people use."""

import io
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.bridge.gateways import NO_PACE, ROOT, Gateway, Start
from tests.bridge.peers import HOST, SECONDS, Running, request
from tests.fakes import until
from tests.tls_peers import Certificates, TlsClient

Find = Callable[[str], str]


@pytest.fixture(scope="module")
def gateway(start_shared: Start, certificates: Certificates) -> Gateway:
    """One with every port."""
    return start_shared(
        *NO_PACE, *certificates.pair.flags, "--tcp-tls-port=0", "--telnet-tls-port=0", "--web.hsts=365d"
    )


def port(gateway: Gateway, name: str) -> str:
    found = gateway.told[name]
    assert found is not None
    return str(found)


def talk(command: list[str], words: str) -> str:
    """What a program shows that is given these words and then the end of its input."""
    done = subprocess.run(command, input=words.encode(), capture_output=True, timeout=SECONDS)
    return done.stdout.decode(errors="replace")


def said(gateway: Gateway, certificates: Certificates, room: str) -> list[str]:
    """The texts of a room."""
    with page(gateway, certificates, "GET", f"/r/{room}/messages") as answer:
        return [message["text"] for message in json.load(answer)["messages"]]


def page(gateway: Gateway, certificates: Certificates, method: str, path: str) -> Any:
    """One request over TLS; the response as a file."""
    sock = tls(gateway, certificates, "web")
    sock.sendall(f"{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    answer = sock.makefile("rb")
    head = b"".join(iter(answer.readline, b"\r\n"))
    return answer if b" 200 " in head[:15] else io.BytesIO(b'{"messages":[]}')


def tls(gateway: Gateway, certificates: Certificates, name: str) -> ssl.SSLSocket:
    """A bare client at one of the ports."""
    sock = socket.create_connection((HOST, int(port(gateway, name))), SECONDS)
    return certificates.trust().wrap_socket(sock, server_hostname="localhost")


def ncat(gateway: Gateway, find: Find, trusted: Path) -> list[str]:
    return [find("ncat"), "--ssl", HOST, port(gateway, "tcp_tls")]


def s_client(gateway: Gateway, find: Find, trusted: Path) -> list[str]:
    where = f"{HOST}:{port(gateway, 'tcp_tls')}"
    return [find("openssl"), "s_client", "-quiet", "-no_ign_eof", "-CAfile", str(trusted), "-connect", where]


def s_client_of_old(gateway: Gateway, find: Find, trusted: Path) -> list[str]:
    return [*s_client(gateway, find, trusted), "-tls1_2"]


def socat(gateway: Gateway, find: Find, trusted: Path) -> list[str]:
    where = f"OPENSSL:localhost:{port(gateway, 'tcp_tls')},pf=ip4,cafile={trusted}"
    return [find("socat"), "-t30", "-", where]


def gnutls(gateway: Gateway, find: Find, trusted: Path) -> list[str]:
    return [find("gnutls-cli"), f"--x509cafile={trusted}", "-p", port(gateway, "tcp_tls"), "localhost"]


@pytest.mark.parametrize("program_of", [ncat, s_client, s_client_of_old, socat, gnutls])
@pytest.mark.parametrize("end", ["", "\n"], ids=["cut", "whole"])
def test_a_script_s_lines_are_posted_once_and_answered(
    gateway: Gateway,
    certificates: Certificates,
    program: Find,
    program_of: Callable[[Gateway, Find, Path], list[str]],
    end: str,
) -> None:
    room = f"{program_of.__name__.replace('_', '-')}-{len(end)}"
    lines = [f"line {number}{' of many' * 50}" for number in range(200)]
    shown = talk(
        program_of(gateway, program, certificates.trusted),
        f"/join {room}\n" + "".join(f"{line}\n" for line in lines) + f"the last{end}",
    )

    until(lambda: said(gateway, certificates, room) == [*lines, "the last"], "all lines")
    if program_of not in (s_client, s_client_of_old):  # which exits at the end of its input without reading
        assert f"-- you are in #{room}" in shown


def test_the_page_s_door_speaks_tls_with_curl(gateway: Gateway, certificates: Certificates, program: Find) -> None:
    curl = [program("curl"), "-sS", "--cacert", str(certificates.trusted)]
    at = f"https://localhost:{port(gateway, 'web')}"

    assert json.loads(talk([*curl, f"{at}/healthz"], "")) == {"status": "ok"}
    assert '"seq":1' in talk([*curl, "-d", "by curl", f"{at}/r/curl"], "")
    assert talk([*curl, f"{at}/r/curl/messages"], "").count('"text":"by curl"') == 1
    assert "strict-transport-security: max-age=31536000" in talk([*curl, "-D-", f"{at}/nothing"], "").lower()
    docs = talk([*curl, f"{at}/docs"], "")
    assert f"wss://localhost:{port(gateway, 'web')}/ws" in docs
    assert "http://" not in re.sub(r"http://www\.w3\.org", "", docs)


def test_a_websocket_and_a_stream_over_tls(gateway: Gateway, certificates: Certificates) -> None:
    at = f"wss://localhost:{port(gateway, 'web')}/ws"
    stream = tls(gateway, certificates, "web")
    stream.sendall(b"GET /r/socket/raw HTTP/1.1\r\nHost: localhost\r\n\r\n")
    lines = stream.makefile("rb")
    until(lambda: lines.readline() == b"\r\n", "the head")
    with connect(at, ssl=certificates.trust(), compression=None) as browser:
        browser.send(json.dumps({"type": "hello", "nick": "ana", "rooms": [{"room": "socket"}]}))
        browser.send(json.dumps({"type": "say", "room": "socket", "text": "x" * 3000, "id": "one"}))
        kinds = [json.loads(browser.recv(SECONDS))["type"] for _ in range(5)]

        assert sorted(kinds) == ["ack", "history", "joined", "msg", "welcome"]
        assert lines.readline() == b"ana: " + b"x" * 3000 + b"\n"
    stream.close()


def test_telnet_over_tls_negotiates(gateway: Gateway, certificates: Certificates, program: Find) -> None:
    with Running([program("telnet-ssl"), "-z", "ssl", HOST, port(gateway, "telnet_tls")]) as telnet:
        until(lambda: any("-- " in line for line in telnet.lines()), "the greeting")
        telnet.send("/join telnet", "typed over TLS", "quit")
        until(lambda: "typed over TLS" in said(gateway, certificates, "telnet"), "the line")
        telnet.process.wait(SECONDS)


def test_plain_words_and_plain_requests_are_told_where_they_are(gateway: Gateway, program: Find) -> None:
    for name, words in (("tcp_tls", "openssl s_client"), ("telnet_tls", "openssl s_client"), ("web", "https://")):
        (line,) = talk([program("ncat"), HOST, port(gateway, name)], "hello\n").splitlines()
        assert line.startswith(f"!! bad_message: this port speaks TLS: {words}")
        answer = request(int(port(gateway, name)), "GET", "/")
        assert answer.status == 400 and words.encode() in answer.body


def test_the_ready_line_and_the_commands_know_https(gateway: Gateway) -> None:
    ready, link, *_ = gateway.stdout.splitlines()
    data = ("--data", str(gateway.folder / "data"))

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=True).stdout

    assert f" tcp_tls {HOST}:{port(gateway, 'tcp_tls')} " in ready
    assert f" telnet_tls {HOST}:{port(gateway, 'telnet_tls')} " in ready
    assert ready.endswith(f" https://{HOST}:{gateway.web}/")
    assert f"https://{HOST}:{gateway.web}/admin/login?token=" in link
    assert run("login-link", *data).startswith(f"https://{HOST}:{gateway.web}/admin/login?token=")
    assert f"https://{HOST}:{gateway.web}/" in run("status", *data)
    assert gateway.stderr.count("error") == 0


def test_sighup_gives_newcomers_the_new_certificate_and_drops_nobody(start: Start, certificates: Certificates) -> None:
    pair = certificates.issue("to-be-renewed")
    gateway = start(*pair.flags, "--tcp-tls-port=0")
    old = {name: tls(gateway, certificates, name) for name in ("tcp_tls", "web")}
    before = {name: sock.getpeercert() for name, sock in old.items()}
    certificates.issue("to-be-renewed")
    gateway.running.send_signal(signal.SIGHUP)
    until(lambda: "newcomers get the certificate" in gateway.stderr, "the reload")

    for name in old:
        with tls(gateway, certificates, name) as new:
            assert new.getpeercert() != before[name]
    old["tcp_tls"].sendall(b"/nick bob\n")
    with old["tcp_tls"].makefile("rb") as lines:
        until(lambda: lines.readline() == b"-- you are bob\n", "the nick")
    old["web"].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert old["web"].recv(65536).startswith(b"HTTP/1.1 200 ")
    for sock in old.values():
        sock.close()


def test_a_key_that_does_not_fit_is_wrong_configuration(start: Start, certificates: Certificates) -> None:
    other = certificates.issue("not-this-one")
    wrong = (certificates.pair.flags[0], other.flags[1])
    gateway = start(*wrong, running=False)
    gateway.launch()
    checked = subprocess.run(
        [sys.executable, "-m", "gateway", "check", *wrong], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS
    )

    assert gateway.running.wait(SECONDS) == 78
    (line,) = gateway.stderr.splitlines()
    assert line.startswith("gateway: tls_key: ") and "is not the key of the first certificate" in line
    assert (checked.returncode, checked.stderr) == (78, f"{line}\n")


def test_a_peer_in_its_handshake_when_the_gateway_stops_is_told_when_to_come_back(
    start: Start, certificates: Certificates
) -> None:
    gateway = start(*certificates.pair.flags, "--tcp-tls-port=0")
    client = TlsClient(certificates.trust())
    with socket.create_connection((HOST, int(port(gateway, "tcp_tls"))), SECONDS) as sock:
        sock.sendall(client.begin())
        hello = sock.recv(65536)
        gateway.running.send_signal(signal.SIGTERM)
        until(lambda: socket.socket().connect_ex((HOST, gateway.web)), "the end of listening")
        words = client.takes(hello)
        sock.sendall(client.output())
        while data := sock.recv(65536):
            words += client.takes(data)
    assert b"!! draining: " in words and client.ended
    assert gateway.running.wait(SECONDS) == 0
