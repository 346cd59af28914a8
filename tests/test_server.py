"""The assembled gateway: what has to be there before its doors open."""

import asyncio
from pathlib import Path

import pytest

from gateway.config.settings import Settings
from gateway.core.answer import Answer
from gateway.core.ports.journal import RoomRecord
from gateway.errors import JournalError, StartError
from gateway.server import Gateway

TURNS = 50
"""Turns of the loop: far more than a start takes that waits for nothing."""


def opening_late(gateway: Gateway) -> Answer[RoomRecord | JournalError]:
    """Let the journal open rooms only when the answer is set, as one does that has a crash to repair first."""
    answer: Answer[RoomRecord | JournalError] = Answer()
    gateway.journal.open = lambda room, recent: answer  # type: ignore[method-assign]
    return answer


async def start_late(data: Path, fails: bool) -> bool:
    """Start a gateway whose lobby takes its time; return whether a door was open before the lobby was."""
    settings = Settings(tcp_port=0, telnet_port=-1, web_port=0, data=data)
    gateway = Gateway(settings, lambda: settings, asyncio.get_running_loop(), b"key")
    really_open = gateway.journal.open
    late = opening_late(gateway)
    starting = asyncio.create_task(gateway.start())
    try:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        early = bool(gateway.listeners.all())
        if fails:
            late.set(JournalError("the disk is full: make room"))
        else:
            really_open("lobby", 50).then(late.set)
        await starting
        return early
    finally:
        await gateway.close()


def test_no_door_opens_before_the_lobby_is_there(tmp_path: Path) -> None:
    assert not asyncio.run(start_late(tmp_path, fails=False))


def test_a_lobby_that_cannot_be_opened_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"lobby cannot be opened: .*the disk is full"):
        asyncio.run(start_late(tmp_path, fails=True))
