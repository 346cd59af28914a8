"""Connections cut at any byte, in both directions, while all talk: whoever reconnects misses and repeats nothing."""

import asyncio
import os
import random
import re
import time
from contextlib import suppress

import pytest

from tests.bridge.cuts import GONE, Bot, Cut, Page, Poster, Proxy, Returning, Wire, random_cut
from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import history, post
from tests.bridge.records import Held, Records, violations
from tests.fakes import PATIENCE

SEED = int(os.environ.get("BRIDGE_SEED", random.SystemRandom().randrange(10**9)))
ROOM = "lobby"
TALK_EVERY = 0.004
"""Seconds between two messages of the burst, which nobody cuts."""
LAST_BYTES = 130
"""The end of an answer that is cut at every byte: the last message and a little of the one before."""


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
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
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
def test_hundreds_of_cuts_lose_and_repeat_nothing(start: Start) -> None:
    check(start(*NO_PACE, "--limits.log_messages", 20), 250)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_ten_thousand_cuts_lose_and_repeat_nothing(start: Start) -> None:
    check(start(*NO_PACE, "--limits.log_messages", 50), 10_000)


# Every byte of one answer


async def cut_at_every_byte(gateway: Gateway, kind: type[Returning], door: str) -> None:
    """Come back from the same position again and again, cut one byte later each time, then once uncut."""
    said = ["first", "second"]
    for text in said:
        assert post(gateway.web, ROOM, text).status == 201
    epoch, cut = history(gateway.web, ROOM)[0]["epoch"], Cut()
    proxy = Proxy(lambda: cut)
    proof = None
    async with proxy.before(gateway.port(door)):

        async def come_back(*cuts: Cut) -> Returning:
            nonlocal cut
            peer = kind("reader", proxy.port, ROOM, Records(), talks=False)
            peer.epoch, peer.stop_at, peer.proof = epoch, len(said), proof
            for next_cut in cuts:
                cut = next_cut
                if not peer.stopping:
                    await one_life(peer)
            return peer

        proof = (await come_back(Cut())).proof
        whole = proxy.latest.carried
        lives = set()
        for down in range(whole - LAST_BYTES, whole + 1):
            peer = await come_back(Cut(down=down), Cut())
            assert [(row.seq, row.token) for row in peer.records.of("shown")] == list(enumerate(said, 1)), down
            lives.add(peer.lives)
        assert 2 in lives  # the list of members, and so the length, differs while others are still leaving


async def one_life(peer: Returning) -> None:
    """Until the cut, or until it has seen enough."""
    peer.lives += 1
    wire = await Wire.open(peer.port)
    with suppress(*GONE):
        await peer.life(wire)
    wire.close()


@pytest.mark.parametrize(("kind", "door"), [(Page, "web"), (Bot, "tcp")])
def test_an_answer_cut_at_every_byte_is_completed_by_the_next(
    gateway: Gateway, kind: type[Returning], door: str
) -> None:
    asyncio.run(cut_at_every_byte(gateway, kind, door))


async def come_back_by_code(gateway: Gateway, down: int, texts: list[str]) -> tuple[list[bytes], int, list[bytes]]:
    """A terminal is cut after so many bytes of `texts`, and comes back by its code: what it had seen, up to which
    number it is told to have been sent everything, and what it is shown then."""
    seen: list[bytes] = []
    shown: list[bytes] = []
    sent = 0
    proxy = Proxy(Cut)
    async with proxy.before(gateway.tcp):
        wire = await Wire.open(proxy.port)
        wire.write(b"/resume\n")
        code = (await wire.line()).split()[2]
        proxy.latest.left[True] = down
        for text in texts:
            answer = await asyncio.to_thread(post, gateway.web, ROOM, text, "web")
            assert answer.status == 201
        with suppress(*GONE):
            while True:
                if not (line := await wire.line()).startswith(b"-- "):  # who came the turn before leaves meanwhile
                    seen.append(line)
        wire.close()
    wire = await Wire.open(gateway.tcp)
    wire.write(b"/resume " + code + b"\n/topic\n")
    while b"no topic" not in (line := await wire.line()):
        if told := re.match(rb"-- (?:nothing )?new since you left \(message (\d+)\)", line):
            sent = int(told[1])  # the second: the proxy had taken everything before it was cut
        elif line.startswith(b"["):
            shown.append(line.partition(b"] ")[2])
    wire.close()
    return seen, sent, shown


def test_a_terminal_cut_anywhere_is_told_from_where_on_it_is_shown_more(gateway: Gateway) -> None:
    for turn, down in enumerate(range(1, 36, 2)):
        texts = [f"line {3 * turn + number}" for number in (1, 2, 3)]
        lines = [f"web: {text}".encode() for text in texts]
        seen, sent, shown = asyncio.run(come_back_by_code(gateway, down, texts))
        assert seen == lines[: len(seen)]
        assert sent >= 3 * turn + len(seen)
        assert shown == lines[sent - 3 * turn :]
