"""`kill -9` at any moment: what was acknowledged or shown is still there, once, in order, under its number."""

import os
import random
import threading

import pytest

from tests.bridge.gateways import DOORS, NO_PACE, Gateway, Start
from tests.bridge.peers import Browser, history
from tests.bridge.records import Held, Records, violations
from tests.bridge.talkers import Talkers
from tests.fakes import until

SEED = int(os.environ.get("BRIDGE_SEED", random.SystemRandom().randrange(10**9)))


def held(gateway: Gateway) -> list[Held]:
    """The lobby's final history."""
    return [Held(message["epoch"], message["seq"], message["text"]) for message in history(gateway.web, "lobby")]


def crash_again_and_again(gateway: Gateway, cycles: int) -> tuple[Records, Talkers]:
    """Kill the gateway so many times at random moments while peers talk on every door."""
    dice = random.Random(SEED)
    records = Records()
    talkers = Talkers(gateway, records, dice.getrandbits(32))
    moment = threading.Event()
    for cycle in range(cycles):
        if cycle:
            gateway.ports = dict.fromkeys(DOORS, 0)  # what was free may be taken by others meanwhile
            gateway.start()
        talkers.begin(cycle)
        moment.wait(dice.uniform(0.02, 0.7))
        talkers.expect_death()
        gateway.kill()
        talkers.end()
    gateway.start()
    return records, talkers


def check(gateway: Gateway, cycles: int) -> None:
    """All promises hold after that many crashes."""
    print(f"seed {SEED}: run again with BRIDGE_SEED={SEED}")
    records, talkers = crash_again_and_again(gateway, cycles)
    final = held(gateway)

    print(f"{len(final)} messages held, {len(records.of('acked'))} acknowledged, {len(records.of('shown'))} shown")
    assert len(records.of("acked")) > cycles
    assert violations(records.rows, final) == []
    assert [message.seq for message in final] == list(range(1, len(final) + 1))
    assert {message.epoch for message in final} | talkers.epochs == {final[0].epoch}


@pytest.mark.timeout(120)
def test_ten_crashes_lose_nothing_that_was_acknowledged_or_shown(start: Start) -> None:
    check(start(*NO_PACE, "--limits.log_messages", 200), 10)


@pytest.mark.timeout(120)
def test_crashes_lose_nothing_with_the_durability_of_power_either(start: Start) -> None:
    check(start(*NO_PACE, "--journal.durability", "power"), 3)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_two_hundred_crashes_lose_nothing(start: Start) -> None:
    check(start(*NO_PACE), 200)


def test_what_is_sent_again_after_crashes_under_its_old_id_is_there_once(start: Start) -> None:
    gateway = start(*NO_PACE)
    dice = random.Random(SEED)
    print(f"seed {SEED}: run again with BRIDGE_SEED={SEED}")
    waiting = {f"id{number}": f"text {number}" for number in range(600)}
    everything = list(waiting.values())
    token = None
    for _ in range(3):
        with Browser(gateway.web, hello=False) as browser:
            browser.send(type="hello", rooms=[{"room": "lobby"}], **({"token": token} if token else {}))
            welcome = browser.next("welcome")
            assert token in (None, welcome["token"])
            token = welcome["token"]
            for id, text in waiting.items():
                browser.send(type="say", id=id, room="lobby", text=text)
            for _ in range(dice.randrange(20, 200)):
                waiting.pop(browser.next("ack")["id"], None)
            gateway.kill()
        gateway.start()
    with Browser(gateway.web, hello=False) as browser:
        browser.send(type="hello", rooms=[{"room": "lobby"}], token=token)
        for id, text in list(waiting.items()):
            browser.send(type="say", id=id, room="lobby", text=text)
        while waiting:
            waiting.pop(browser.next("ack")["id"])

    assert sorted(message.token for message in held(gateway)) == sorted(everything)


def test_a_clean_stop_under_load_loses_nothing_either(start: Start) -> None:
    gateway = start(*NO_PACE)
    records = Records()
    talkers = Talkers(gateway, records, SEED)
    talkers.begin(0)
    until(lambda: len(records.of("acked")) > 200, "everybody talks")

    assert gateway.stop() == 0
    talkers.end()
    assert violations(records.rows, held(gateway.start())) == []
