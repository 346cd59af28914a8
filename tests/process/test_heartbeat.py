"""The heartbeat in a real loop, faster than usual: what it measures, and when it rests."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from gateway.errors import JournalError
from gateway.process import heartbeat
from gateway.process.gc_policy import GcPolicy
from gateway.process.heartbeat import Heartbeat
from gateway.process.resources import Process
from tests.fakes import eventually
from tests.web.little_chat import LittleChat

ALIVE: list[int] = []
"""One for each time that the service manager was told that the loop turns."""


@pytest.fixture
async def chat(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LittleChat]:
    """A hub whose heartbeat beats every 50 ms and looks every 5."""
    monkeypatch.setattr(heartbeat, "BEAT", 0.05)
    monkeypatch.setattr(heartbeat, "MEASURE_EVERY", 0.005)
    chat = LittleChat(time.monotonic)
    beating = Heartbeat(asyncio.get_running_loop(), chat.hub, GcPolicy(), lambda: ALIVE.append(1), lambda: 0.25)
    beating.start()
    yield chat
    beating.stop()
    rows = len(chat.hub.stats.sampler.rings.since("5m")[0])
    await asyncio.sleep(0.12)
    assert len(chat.hub.stats.sampler.rings.since("5m")[0]) == rows, "it beats after its end"


async def test_every_beat_is_a_row_of_what_the_process_is_like(chat: LittleChat) -> None:
    sampler = chat.hub.stats.sampler
    await eventually(lambda: len(sampler.rings.since("5m")[0]) >= 3)

    assert sampler.current["rss_bytes"] > 1_000_000 and sampler.current["fds"] > 3
    assert sampler.cpu_seconds > 0 and sampler.accept_queue == 0.25


async def test_each_beat_says_that_the_loop_turns_and_a_frozen_loop_says_nothing(chat: LittleChat) -> None:
    before = len(ALIVE)
    await eventually(lambda: len(ALIVE) >= before + 2)
    frozen = len(ALIVE)
    time.sleep(0.2)
    assert len(ALIVE) == frozen


async def test_a_loop_that_stands_still_is_felt(chat: LittleChat) -> None:
    time.sleep(0.4)
    await eventually(lambda: chat.hub.stats.sampler.peaks.get("loop_lag_max_ms", 0) > 300)


async def test_the_fast_timer_runs_only_while_something_happens(chat: LittleChat) -> None:
    sampler, counters = chat.hub.stats.sampler, chat.hub.stats.counters
    await eventually(lambda: sampler.loop_lag.count == len(sampler.rings.since("5m")[0]) == 3)
    counters.bytes_in += 1
    await eventually(lambda: sampler.loop_lag.count > len(sampler.rings.since("5m")[0]))

    def one_look_a_beat() -> bool:
        looks, rows = sampler.loop_lag.count, len(sampler.rings.since("5m")[0])
        before = seen.pop() if seen else (0, 0)
        seen.append((looks, rows))
        return rows > before[1] > 0 and looks - before[0] == rows - before[1]

    seen: list[tuple[int, int]] = []
    await eventually(one_look_a_beat)


async def test_a_journal_that_cannot_store_is_noticed_while_nobody_speaks(
    chat: LittleChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = chat.hub.stats.sampler
    with monkeypatch.context() as broken:
        broken.setattr(chat.hub.journal, "append", lambda batch, done: done(JournalError("the disk is full")))
        await eventually(lambda: sampler.health.causes)
        assert "the disk is full" in sampler.health.causes[0].text
    await eventually(lambda: not sampler.health.causes)


@pytest.mark.parametrize("counted_by_linux", [True, False])
def test_descriptors_are_counted(counted_by_linux: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not counted_by_linux:
        monkeypatch.setattr(os, "stat", lambda path: os.stat_result([0] * 10))
    before = Process().descriptors()
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(10)]
    after = Process().descriptors()
    for descriptor in opened:
        os.close(descriptor)

    assert before is not None and after == before + 10
