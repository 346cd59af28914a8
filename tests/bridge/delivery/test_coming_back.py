"""Coming back when it is difficult: everybody with one token, with a forged one, while the gateway stops or stands
still, and when a thousand go at once."""

import asyncio
import signal
import time
from contextlib import suppress

import pytest

from gateway.core.sessions.identity import CONNECTIONS
from tests.bridge.canary import PATIENCE, PROMISED, canary
from tests.bridge.crowds import reader, reset
from tests.bridge.cuts import GONE, Json, Wire
from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import Browser, Terminal, history, needs_proc
from tests.fakes import until

STORM = 50
MISSED = 1500
REPLACED = (4505).to_bytes(2, "big")


# Tokens


async def storm(port: int, token: str, place: Json) -> tuple[list[list[Json]], list[bytes], list[Json]]:
    """Hello with the same token from STORM sockets at once: what each was told, the codes of all that were closed, and
    what the last one open is told to a ping."""
    wires = [await Wire.open(port) for _ in range(STORM)]
    await asyncio.gather(*(wire.upgrade() for wire in wires))
    for wire in wires:
        wire.send(type="hello", token=token, rooms=[place])
    seen: list[list[Json]] = [[] for _ in wires]
    codes: list[bytes] = []

    async def read(number: int) -> None:
        try:
            while True:
                seen[number].append(await wires[number].receive())
        except EOFError as end:
            codes.append(end.args[0][:2])

    tasks = [asyncio.create_task(read(number)) for number in range(STORM)]
    waiting = set(tasks)
    async with asyncio.timeout(PATIENCE):
        while len(waiting) > CONNECTIONS:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        winner = tasks.index(waiting.pop())
        wires[winner].send(type="ping", id="still here")
        while not seen[winner] or seen[winner][-1] != {"type": "pong", "id": "still here"}:
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    for wire in wires:
        wire.close()
    return seen, codes, seen[winner]


def test_of_fifty_connections_with_one_token_eight_stay_and_the_others_are_told(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as terminal:
        with Browser(gateway.web, nick="ana") as browser:
            token, epoch = browser.welcome["token"], browser.joined["lobby"]["epoch"]
        terminal.send("1", "2", "3")
        until(lambda: len(history(gateway.web, "lobby")) == 3, "all are said")
        place = {"room": "lobby", "epoch": epoch, "after": 0}
        seen, codes, winner = asyncio.run(storm(gateway.web, token, place))

        assert codes == [REPLACED] * (STORM - CONNECTIONS)
        assert [each["seq"] for each in winner if each["type"] == "msg"] == [1, 2, 3]
        for told in seen:
            assert {each["nick"] for each in told if each["type"] == "welcome"} <= {"ana"}
            numbers = [each["seq"] for each in told if each["type"] == "msg"]
            assert numbers == list(range(1, len(numbers) + 1))
        until(lambda: terminal.answer("/who", "in #lobby").startswith("-- 1 person"), "all have gone")


@pytest.mark.parametrize("forge", [
    lambda mine, other: mine[:-1] + ("A" if mine[-1] != "A" else "B"),
    lambda mine, other: other.partition(".")[0] + "." + mine.partition(".")[2],
    lambda mine, other: other.partition(".")[0],
    lambda mine, other: other.partition(".")[0] + ".",
    lambda mine, other: "../../" + mine,
    lambda mine, other: "\x00" + other,
], ids=["altered", "mixed", "unsigned", "no-signature", "path", "nul"])  # fmt: skip
def test_a_forged_token_makes_somebody_new_and_harms_nobody(shared: Gateway, room: str, forge) -> None:  # type: ignore[no-untyped-def]
    with Browser(shared.web, room) as mine, Browser(shared.web, room) as other:
        token = forge(mine.welcome["token"], other.welcome["token"])
        with Browser(shared.web, hello=False) as forger:
            forger.send(type="hello", token=token, rooms=[])
            welcome, error = forger.receive(), forger.receive()
        assert (error["type"], error["code"]) == ("error", "token_invalid")
        assert welcome["nick"] not in (mine.nick, other.nick)
        for owner in (mine, other):
            assert owner.say("I am still here", room)["type"] == "ack"


# The gateway stops or stands still


async def read_slowly(port: int, place: Json, stop: asyncio.Event | None) -> list[int]:
    """Resume and read to the last message or to the end; with `stop`, slowly, and set it after some. The numbers."""
    wire = await Wire.open(port, receive_buffer=4096 if stop else 0)
    await wire.upgrade()
    wire.send(type="hello", rooms=[place])
    numbers: list[int] = []
    with suppress(*GONE):
        while not numbers or numbers[-1] < MISSED:
            found = await wire.receive()
            if found["type"] == "joined":
                assert found["recovered"]
            elif found["type"] == "msg":
                numbers.append(found["seq"])
                if stop is not None and len(numbers) == 100:
                    stop.set()
                    await asyncio.sleep(0.2)
            else:
                assert found["type"] != "gap"
    wire.close()
    return numbers


async def resume_while_it_stops(gateway: Gateway, place: Json) -> list[int]:
    stop = asyncio.Event()
    reading = asyncio.create_task(read_slowly(gateway.web, place, stop))
    await stop.wait()
    gateway.running.send_signal(signal.SIGTERM)
    return await reading


def test_a_resume_that_a_stop_cuts_short_goes_on_after_it(start: Start) -> None:
    gateway = start(*NO_PACE, "--limits.log_messages", 20)
    with Browser(gateway.web) as writer:
        epoch = writer.joined["lobby"]["epoch"]
        for number in range(MISSED):
            writer.send(type="say", room="lobby", text=f"{number} " + "w" * 300)
        writer.say("/who")
        until(lambda: history_head(gateway) == MISSED, "all are said")
    place = {"room": "lobby", "epoch": epoch, "after": 0}

    before = asyncio.run(resume_while_it_stops(gateway, place))
    assert before == list(range(1, len(before) + 1)) and 0 < len(before) < MISSED
    assert gateway.running.wait(PATIENCE) == 0
    gateway.start()
    after = asyncio.run(read_slowly(gateway.web, place | {"after": len(before)}, None))

    print(f"{len(before)} before the stop, {len(after)} after it")
    assert before + after == list(range(1, MISSED + 1))


def history_head(gateway: Gateway) -> int:
    with Browser(gateway.web) as browser:
        return int(browser.joined["lobby"]["head"])


def stand_still(gateway: Gateway, seconds: float) -> None:
    """Stop the process and let it go on; nobody is cut, and what was sent meanwhile arrives."""
    with Browser(gateway.web, ping_interval=None) as browser, Terminal(gateway.tcp) as terminal:
        terminal.send("/echo on")
        terminal.until("come back")
        gateway.running.send_signal(signal.SIGSTOP)
        try:
            terminal.send("said to a sleeper")
            id = browser.post("so is this")
            time.sleep(seconds)
        finally:
            gateway.running.send_signal(signal.SIGCONT)
        terminal.until("said to a sleeper")
        assert browser.until(lambda found: found.get("id") == id)[-1]["type"] == "ack"
        with canary(gateway.tcp, gateway.web):
            time.sleep(0.5)
        assert browser.say("still the same connection")["type"] == "ack"


def test_a_gateway_that_stood_still_for_a_moment_cuts_nobody(gateway: Gateway) -> None:
    stand_still(gateway, 1)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_gateway_that_stood_still_for_two_minutes_cuts_nobody(gateway: Gateway) -> None:
    stand_still(gateway, 120)


# A thousand at once


def kill_at_once(gateway: Gateway, count: int, patience: float) -> None:
    """Reset so many connections in one go; the canary goes on, and nothing is left of them."""
    with canary(gateway.tcp, gateway.web, patience) as bird:
        before = gateway.descriptors()
        socks = [reader(gateway, number) for number in range(count)]
        until(lambda: gateway.descriptors() >= before + count, "all have been accepted")
        for sock in socks:
            reset(sock)
        until(lambda: gateway.descriptors() <= before, "all descriptors are back")
        with Browser(gateway.web) as browser:
            until(lambda: len(browser.say("/who")["text"].splitlines()) == 2, "they have left the room")
        longest = bird.longest
    print(f"{count} connections killed at once: the longest silence was {longest:.2f} s")


@needs_proc
def test_a_thousand_connections_killed_at_once_leave_nothing_behind(gateway: Gateway) -> None:
    kill_at_once(gateway, 1000, PATIENCE)


@needs_proc
@pytest.mark.soak
@pytest.mark.timeout(300)
def test_ten_thousand_connections_killed_at_once_leave_nothing_behind(start: Start) -> None:
    kill_at_once(start("--limits.connections", 0), 10_000, PROMISED)
