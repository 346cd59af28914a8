"""Requests no honest browser sends: each gets an answer, and nothing else happens."""

import pytest

from tests.core.world import Peer, World


@pytest.fixture
def browser() -> Peer:
    peer = World().browser("ana")
    peer.forget()
    return peer


def receives(peer: Peer, frame: str) -> dict[str, object]:
    peer.world.requests.receive(peer.session, frame)
    peer.world.run()
    return peer.objects[-1]


def test_half_a_surrogate_pair_is_bad_text_and_keeps_its_id(browser: Peer) -> None:
    answer = receives(browser, '{"type":"say","room":"lobby","text":"\\ud800","id":"c1"}')
    assert (answer["code"], answer["id"]) == ("bad_text", "c1")


@pytest.mark.parametrize("deep", ['{"type":"say","x":' + "[" * 30_000, '{"a":' * 12_000])
def test_a_very_deep_request_is_a_bad_message(browser: Peer, deep: str) -> None:
    assert receives(browser, deep)["code"] == "bad_message"
