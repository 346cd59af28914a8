import pytest

from gateway.bench.peer import Percentiles
from gateway.bench.report import as_table, latency_cells, latency_chart, limited_by


@pytest.mark.parametrize(
    ("server", "load", "waited", "by_the_clock", "words"),
    [
        (
            0.6,
            0.97,
            0.0,
            False,
            "this program was the limit (97% of a core, the gateway 60%): the",
        ),
        (None, 0.95, 0.0, False, "this program was the limit (95% of a core, the gateway unknown)"),
        (0.98, 0.95, 0.0, False, "the gateway was the limit (98% of a core, this program 95%)"),
        (None, 0.5, 0.0, False, "unknown, because the gateway's CPU time is not known"),
        (0.5, 0.4, 1.2, False, "other processes had the cores for 120% of the time"),
        (0.1, 0.1, 0.9, True, "other processes had the cores for 90% of the time"),
        (0.1, 0.1, 0.0, True, "neither was the limit: messages left by the clock"),
        (0.5, 0.4, 0.0, False, "neither was fully busy: the gateway 50% of a core, this program 40%"),
    ],
)
def test_who_was_the_limit_is_said(
    server: float | None, load: float, waited: float, by_the_clock: bool, words: str
) -> None:
    assert limited_by(server, load, waited, by_the_clock).startswith(words)


def test_a_table_is_plain_text_with_numbers_to_the_right() -> None:
    assert as_table(("door", "n"), [["tcp", "1,000"], ["web", "9"]]).splitlines() == [
        "door      n",
        "tcp   1,000",
        "web       9",
    ]


def test_unknown_latencies_are_left_out_of_a_chart() -> None:
    known = Percentiles(1.0, 2.0, 3.0, 4.0, 5.0)
    chart = latency_chart("x", {"tcp": known, "web": None})
    assert chart.lines == {"tcp": [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0), (4, 5.0)]}
    assert chart.ticks == ("p50", "p90", "p99", "p99.9", "max")
    assert latency_cells(None) == ["n/a"] * 5
