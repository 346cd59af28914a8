import pytest

from gateway.bench.delivery_check import ExpectedOrder, split_lines
from gateway.bench.peer import LatencySamples, Percentiles, percentiles, summarise_latency
from gateway.bench.plan import key_of


def test_percentiles_are_by_nearest_rank() -> None:
    seconds = [number / 1000 for number in range(1000, 0, -1)]
    assert percentiles(seconds, 1.0) == Percentiles(500.0, 900.0, 990.0, 999.0, 1000.0)


def test_one_value_is_every_percentile() -> None:
    assert percentiles([0.002], 0.002) == Percentiles(2.0, 2.0, 2.0, 2.0, 2.0)


def test_nothing_has_no_percentiles() -> None:
    assert percentiles([], 0.0) is None


def three_messages() -> ExpectedOrder:
    order = ExpectedOrder(split_lines)
    for number in range(3):
        order.extend(key_of(0, number), b"1234567890\n")
    return order


def test_a_chunk_delivers_the_messages_that_end_in_it() -> None:
    samples = LatencySamples(three_messages(), [(0, 15, 1.5), (15, 33, 2.5), (33, 33, 9.0)])
    latency, _ = summarise_latency([samples], {0: [1.0, 1.0, 2.0]})
    assert latency == Percentiles(500.0, 1500.0, 1500.0, 1500.0, 1500.0)


def test_messages_per_read_leaves_out_reads_without_an_end() -> None:
    samples = LatencySamples(three_messages(), [(0, 22, 1.0), (22, 30, 1.0), (30, 33, 1.0)])
    assert summarise_latency([samples], {0: [0.0, 0.0, 0.0]})[1] == 1.5
    assert summarise_latency([LatencySamples(three_messages())], {0: []}) == (None, None)


def test_thinning_keeps_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.bench.peer.KEPT_LATENCIES", 1)
    summary, _ = summarise_latency([LatencySamples(three_messages(), [(0, 33, 3.0)])], {0: [0.0, 2.0, 2.0]})
    assert summary is not None
    assert summary.max == 3000.0


def test_the_longest_is_not_shorter_than_any_percentile() -> None:
    samples = LatencySamples(three_messages(), [(0, 33, 3.0)])
    summary, _ = summarise_latency([samples], {0: [2.0, 0.0, 2.0]})
    assert summary is not None
    assert summary.max == summary.p99 == 3000.0


def test_readers_of_several_rooms_are_summed_up_together() -> None:
    near, far = (LatencySamples(three_messages(), [(0, 11, now)]) for now in (1.0, 4.0))
    summary, joined = summarise_latency([near, far], {0: [0.0]})
    assert summary is not None
    assert (summary.p50, summary.max, joined) == (1000.0, 4000.0, 1.0)
