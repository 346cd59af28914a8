"""Connections cut at any byte, in both directions, while everybody talks: who comes back misses and repeats nothing."""

import asyncio
import os
import random
import time

import pytest

from tests.bridge.cuts import Bot, Cut, Page, Poster, Proxy, Returning, random_cut
from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import history
from tests.bridge.records import Held, Records, violations

SEED = int(os.environ.get("BRIDGE_SEED", random.SystemRandom().randrange(10**9)))
ROOM = "lobby"
TALK_EVERY = 0.004
"""Seconds between two messages of the burst, which nobody cuts."""


async def cut_again_and_again(gateway: Gateway, cuts: int) -> tuple[Records, list[Returning]]:
    """Let pages, bots and posters live through so many cuts."""
    print(f"seed {SEED}: run again with BRIDGE_SEED={SEED}")
    dice = random.Random(SEED)
    records = Records()
    web, tcp = (Proxy(lambda: Cut() if calm.is_set() else random_cut(dice)) for _ in range(2))
    calm = asyncio.Event()
    async with web.before(gateway.web), tcp.before(gateway.tcp):
        peers: list[Returning] = [
            *(Page(f"page{number}", web.port, ROOM, records) for number in range(4)),
            *(Bot(f"bot{number}", tcp.port, ROOM, records) for number in range(2)),
            *(Poster(f"poster{number}", web.port, ROOM, records) for number in range(2)),
        ]
        burst = Poster("burst", gateway.web, ROOM, records)
        burst.pause = TALK_EVERY
        tasks = [asyncio.create_task(peer.live()) for peer in [burst, *peers]]
        while web.cuts + tcp.cuts < cuts:
            await asyncio.sleep(0.02)
            for proxy in (web, tcp):
                proxy.forget_the_silent()
            for task in tasks:
                if task.done():
                    task.result()
        calm.set()
        for peer in [burst, *peers]:
            peer.stopping = True
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
    return records, peers


def check(gateway: Gateway, cuts: int) -> None:
    """All promises hold after so many cuts."""
    began = time.monotonic()
    records, peers = asyncio.run(cut_again_and_again(gateway, cuts))
    final = [Held(message["epoch"], message["seq"], message["text"]) for message in history(gateway.web, ROOM)]

    lives, resumed = sum(peer.lives for peer in peers), sum(peer.resumed for peer in peers)
    print(
        f"{cuts} cuts, {lives} lives, {resumed} resumed, {len(final)} messages held, "
        f"{len(records.of('acked'))} acknowledged, {len(records.of('shown'))} shown, "
        f"{len(records.of('gap'))} gaps, {time.monotonic() - began:.1f} s"
    )
    assert violations(records.rows, final) == []
    assert resumed > cuts / 10
    assert len(final) == len(records.of("acked"))


@pytest.mark.timeout(120)
def test_four_hundred_cuts_lose_and_repeat_nothing(start: Start) -> None:
    check(start(*NO_PACE, "--limits.log_messages", 200), 400)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_ten_thousand_cuts_lose_and_repeat_nothing(start: Start) -> None:
    check(start(*NO_PACE, "--limits.log_messages", 1000), 10_000)
