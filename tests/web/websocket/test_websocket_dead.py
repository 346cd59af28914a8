"""What a closed WebSocket leaves behind: nothing that waits for the garbage collector."""

import asyncio
import gc
from collections.abc import Iterator
from functools import partial

import pytest
from websockets.asyncio.client import connect

from gateway.web.http import timer_wheel
from gateway.web.http.timer_wheel import PacedClose
from gateway.web.websocket import Socket
from tests.fakes import eventually
from tests.web.running_door import Running


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only what nobody refers to is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def sockets() -> int:
    return sum(isinstance(each, Socket) for each in gc.get_objects())


@pytest.mark.usefixtures("no_collector")
async def test_a_dead_socket_is_freed_without_the_collector(web: Running) -> None:
    before = sockets()
    browser = await connect(web.ws)
    await browser.send('{"type":"hello"}')
    await eventually(lambda: web.chat.sessions)
    assert sockets() == before + 1

    browser.transport.abort()
    await eventually(lambda: not web.chat.sessions and sockets() == before)


async def test_one_of_many_closing_connections_waits_for_a_turn_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer_wheel, "AT_ONCE", 3)
    line, parted = PacedClose(), list[int]()

    for number in range(8):
        line.turn(partial(parted.append, number))
    assert parted == []
    await asyncio.sleep(0)
    assert parted == [0, 1, 2]
    await eventually(lambda: parted == list(range(8)))
    line.turn(partial(parted.append, 8))
    await eventually(lambda: parted[-1] == 8)
