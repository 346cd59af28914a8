import gc
import socket

import pytest

from tests.bench.fake_gateway import fake_gateway
from tests.fakes import PATIENCE


def test_a_fake_gateway_ends_without_a_word_while_connections_are_open(caplog: pytest.LogCaptureFixture) -> None:
    with fake_gateway() as ports:
        peers = [socket.create_connection(("127.0.0.1", ports[door]), timeout=PATIENCE) for door in ("tcp", "telnet")]
        for peer in peers:
            peer.sendall(b"/echo on\n/join r\nhello\n")
            peer.recv(100)
    for peer in peers:
        peer.close()
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == []
