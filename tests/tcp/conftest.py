"""Servers and houses, closed after each test."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence

import pytest

from gateway.core.protocol.message import Door
from gateway.tcp.listener import Listener
from gateway.tcp.server import Server, new_selector
from tests.tcp.house import LOCALHOST, House, Reception
from tests.tls_peers import Certificates


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that nobody listens on yet."""
    server = Server(new_selector("auto"))
    yield server
    server.close()


@pytest.fixture
def new_house() -> Iterator[Callable[..., House]]:
    """Builds houses with the limits that a test gives."""
    houses: list[House] = []

    def build(
        door: Door = Door.TCP, proxies: Sequence[str] = (), tls: ssl.SSLContext | None = None, **limits: float
    ) -> House:
        houses.append(House(door, proxies, tls, **limits))
        return houses[-1]

    yield build
    for house in houses:
        house.close()


@pytest.fixture
def tls_house(new_house: Callable[..., House], certificates: Certificates) -> House:
    """A house with a plain door whose port speaks TLS."""
    return new_house(tls=certificates.certificate().for_terminals())


@pytest.fixture
def house(new_house: Callable[..., House]) -> House:
    """A house with a plain door."""
    return new_house()


@pytest.fixture
def reception() -> Iterator[Reception]:
    reception = Reception()
    yield reception
    for sock in reception.here:
        sock.close()


@pytest.fixture
def listener(server: Server, reception: Reception) -> Listener:
    return server.listen(LOCALHOST, 0, reception)


@pytest.fixture
def call(listener: Listener) -> Iterator[Callable[[], socket.socket]]:
    """Connects to the listener."""
    callers: list[socket.socket] = []

    def connect() -> socket.socket:
        callers.append(socket.create_connection(listener.address))
        return callers[-1]

    yield connect
    for caller in callers:
        caller.close()
