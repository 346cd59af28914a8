"""Two peers that change their minds about an option agree in the end, whatever crosses on the way."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tcp.telnet.q_method import DO, DONT, ECHO, IAC, WILL, WONT, Settled, Side, TelnetOptions

MOST = 20
"""Messages that the longest exchange about a few changes of mind takes."""


class Pair:
    """Two peers and what is on its way between them."""

    def __init__(self) -> None:
        self.ends = TelnetOptions(frozenset({ECHO}), frozenset()), TelnetOptions(frozenset(), frozenset({ECHO}))
        self.ways: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
        self.said = 0

    def change(self, end: int, on: bool) -> None:
        """One of them wants the first to echo, or not to."""
        side = (Side.US, Side.PEER)[end]
        self.send(end, self.ends[end].enable(side, ECHO) if on else self.ends[end].disable(side, ECHO))

    def send(self, end: int, said: bytes) -> None:
        if said:
            assert said[0] == IAC and said[2] == ECHO
            self.said += 1
            self.ways[end].append(said)

    def arrive(self, end: int) -> None:
        """What was said first by this end reaches the other."""
        if self.ways[end]:
            reply, _ = self.ends[1 - end].heard(self.ways[end].popleft()[1], ECHO)
            self.send(1 - end, reply)


@given(st.lists(st.tuples(st.sampled_from(["change", "arrive"]), st.integers(0, 1), st.booleans()), max_size=12))
def test_they_agree_and_stop_talking(steps: list[tuple[str, int, bool]]) -> None:
    pair = Pair()
    for what, end, on in steps:
        pair.change(end, on) if what == "change" else pair.arrive(end)
    before = pair.said
    while any(pair.ways):
        pair.arrive(0 if pair.ways[0] else 1)
        assert pair.said <= before + MOST

    assert pair.ends[0].is_on(Side.US, ECHO) == pair.ends[1].is_on(Side.PEER, ECHO)


@pytest.mark.parametrize(("verb", "reply", "side"), [(WILL, DO, Side.PEER), (DO, WILL, Side.US)])
def test_an_offer_is_agreed_to_once(verb: int, reply: int, side: Side) -> None:
    options = TelnetOptions(frozenset({ECHO}), frozenset({ECHO}))

    assert options.heard(verb, ECHO) == (bytes((IAC, reply, ECHO)), Settled(side, ECHO, True))
    assert options.heard(verb, ECHO) == (b"", None)
    assert options.agreed(side) == [ECHO]


@pytest.mark.parametrize(("verb", "reply"), [(WILL, DONT), (DO, WONT)])
def test_an_intrusion_is_refused_once(verb: int, reply: int) -> None:
    options = TelnetOptions(frozenset(), frozenset())

    assert options.heard(verb, ECHO) == (bytes((IAC, reply, ECHO)), None)
    assert options.heard(verb, ECHO) == (b"", None)
