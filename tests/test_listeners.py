"""Which door a socket that was passed to the gateway belongs to."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gateway.errors import StartError
from gateway.listeners import by_port_name
from gateway.process.systemd import PassedSocket


@dataclass(frozen=True)
class Ports:
    """The settings of the ports."""

    tcp_port: int = -1
    telnet_port: int = -1
    web_port: int = -1
    tcp_tls_port: int = -1
    telnet_tls_port: int = -1
    tls_cert: str | None = None


def port_of(sock: socket.socket) -> int:
    """The port it listens on."""
    found: int = sock.getsockname()[1]
    return found


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.mark.parametrize("name", ["tcp", "telnet", "web", "tcp-tls", "telnet_tls"])
def test_a_socket_belongs_to_the_door_that_its_unit_names_also_to_one_that_is_off(
    listening: socket.socket, name: str
) -> None:
    assert by_port_name([PassedSocket(name, listening)], Ports(tls_cert="x")) == {name.replace("-", "_"): [listening]}


@pytest.mark.parametrize("name", ["gateway.socket", "unknown", ""])
def test_without_such_a_name_it_belongs_to_the_door_whose_port_it_listens_on(
    listening: socket.socket, name: str
) -> None:
    passed = PassedSocket(name, listening)
    assert by_port_name([passed, passed], Ports(telnet_port=port_of(listening))) == {"telnet": [listening, listening]}


def test_a_socket_of_no_door_is_told_with_its_port_and_the_names(listening: socket.socket) -> None:
    passed = PassedSocket("gateway.socket", listening)
    with pytest.raises(StartError, match=f"port {port_of(listening)}.*tcp, telnet, web, tcp-tls, telnet-tls"):
        by_port_name([passed], Ports())


def test_a_socket_for_tls_needs_a_certificate(listening: socket.socket) -> None:
    with pytest.raises(StartError, match="tcp_tls, which needs a certificate: give --tls-cert"):
        by_port_name([PassedSocket("tcp-tls", listening)], Ports())
