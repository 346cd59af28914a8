"""Every peer of the comparison does a little of the work, and nothing gets lost; the table says who was cheaper."""

from collections.abc import Callable

import pytest

from gateway.bench.compare import started
from tests.bench.side_by_side.__main__ import Results, notes, table
from tests.bench.side_by_side.dialects import NatsDialect, packet, split_messages, split_packets
from tests.bench.side_by_side.peers import PEERS
from tests.bench.side_by_side.works import Price, works

TINY = {work.name: work for work in works(0.005)}
FAN_OUT = TINY["fan-out"]
TRIES = 2


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_delivers_everything_and_its_price_is_known(name: str, program: Callable[[str], str]) -> None:
    if name == "mosquitto":
        program(name)
    if name == "c":
        program("cc")
    peer = PEERS[name]
    peer.release()
    for work in (FAN_OUT, TINY["ingest"], TINY["connect"]):
        server = peer.alone if work.alone and peer.alone else peer.server
        with started(server, None) as target:
            # So little work sometimes is over before the kernel has charged any of it.
            prices = [work.measure(server, target) for _ in range(TRIES)]
        assert max(price.value for price in prices) > 0
        # NATS promises no common order of what several say; the table of a comparison tells how often it was broken.
        faults = [fault for each in prices for fault in each.faults]
        assert [fault for fault in faults if name != "nats" or "reordered" not in fault] == [], work.name


def test_idle_connections_that_are_closed_are_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    server = PEERS["nats"].server
    with started(server, None) as target:
        assert TINY["idle"].measure(server, target).faults == ()
        monkeypatch.setattr(NatsDialect, "enter", lambda *words: b"NONSENSE\r\n" * 3)
        assert TINY["idle"].measure(server, target).faults == ("25 connections were closed",)


@pytest.mark.parametrize(
    ("split", "pieces"),
    [
        (split_packets, [packet(0x30, b"\x00\x01rshort"), packet(0x30, b"x" * 300), packet(0xD0, b"")]),
        (split_messages, [b"INFO {}\r\n", b"MSG r 1 5\r\na\r\nbc\r\n", b"PING\r\n"]),
    ],
)
def test_a_stream_is_cut_into_the_same_pieces_wherever_it_is_cut(
    split: Callable[[bytes], tuple[list[bytes], bytes]], pieces: list[bytes]
) -> None:
    stream = b"".join(pieces)
    for cut in range(len(stream) + 1):
        first, rest = split(stream[:cut])
        second, nothing = split(rest + stream[cut:])
        assert (first + second, nothing) == (pieces, b"")


def some_results() -> Results:
    """The gateway between two peers."""
    results = Results([FAN_OUT], {name: PEERS[name] for name in ("c", "gateway-tcp", "nats", "mosquitto")})
    for name, value in {"c": 0.1, "gateway-tcp": 2.0, "nats": 1.0, "mosquitto": 400.0}.items():
        results.prices[FAN_OUT.name, name] = [Price(value), Price(value * 3), Price(value)]
    return results


def test_the_table_shows_medians_and_losses() -> None:
    row = table(some_results(), "tcp")[2]

    assert row.endswith("| 0.1 | 2 | **1** | 400 | 2.00 |")


def test_what_was_not_delivered_or_measured_is_said_below_the_table() -> None:
    results = some_results()
    results.prices[FAN_OUT.name, "nats"].append(Price(1.0, ("3 missing",), overloaded=True))
    results.troubles[FAN_OUT.name, "mosquitto"] = "went away"
    results.absent["socketify"] = "not installed"

    said = "\n".join(notes(results, 3))

    assert "Not all was delivered once and in order: NATS, fan-out: 3 missing." in said
    assert "The load generator was the limit in: fan-out (NATS)." in said
    assert "Not measured: mosquitto, fan-out: went away." in said
    assert "Left out: socketify: not installed." in said
