"""Sizes, durations and counts: read the same everywhere, and what is written can be read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.settings import SETTINGS
from gateway.core import quantity

SIZES = [
    ("64k", 64_000), ("64kB", 64_000), ("64 KB", 64_000), ("64KiB", 65_536), ("64kib", 65_536), ("65.5 kB", 65_500),
    ("1.5MB", 1_500_000), ("2M", 2_000_000), ("2MiB", 2 << 20), ("1G", 10**9), ("1 GiB", 1 << 30), ("0", 0), ("7", 7),
    ("7B", 7), (" 8MiB\n", 8 << 20),
]  # fmt: skip
DURATIONS = [
    ("90s", 90), ("10m", 600), ("12h", 43_200), ("30d", 30 * 86_400), ("2w", 14 * 86_400), ("250ms", 0.25), ("45", 45),
    ("1.5h", 5400), ("1h 02m", 3720), ("1h02m", 3720), ("3d 04h", 273_600), ("10 min", 600), ("5M", 300),
]  # fmt: skip


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_a_size_is_read(text: str, size: int) -> None:
    assert quantity.parse_size(text) == size


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert quantity.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "k", "-1", "1e3", "8 MiBs", "1,5k", "\u0661k", "inf", "0x10", "1k2", "5s"])
def test_a_malformed_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        quantity.parse_size(text)


@pytest.mark.parametrize("text", ["", "s", "-1s", "3 years", "2m1h", "1h1h", "1h2", "90k", "spam", "10m!", "inf"])
def test_a_malformed_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        quantity.parse_duration(text)


def test_counts_may_be_grouped() -> None:
    assert [quantity.parse_count(text) for text in ("1,234,567", "10k", "2M", "0")] == [1_234_567, 10_000, 2_000_000, 0]
    with pytest.raises(ValueError, match="1,23"):
        quantity.parse_count("1,23")


@given(st.integers(0, 10**14))
def test_the_exact_form_reads_back_as_the_same_value(value: int) -> None:
    assert quantity.parse_size(str(quantity.exact_size(value))) == value
    assert quantity.parse_duration(str(quantity.exact_duration(value))) == value


@given(st.integers(0, 10**13))
def test_the_short_form_reads_back_as_no_more_and_at_least_half(value: int) -> None:
    for text, read in (
        (quantity.short_size(value), quantity.parse_size),
        (quantity.short_duration(value), quantity.parse_duration),
        (quantity.short_count(value), quantity.parse_count),
    ):
        assert value * 0.5 - 1 <= read(text) <= value


@pytest.mark.parametrize("text", ["64k", "64kB", "64KiB"])
def test_a_size_means_the_same_in_a_setting(text: str) -> None:
    assert SETTINGS["limits.log_bytes"].read(text, is_text=True) == quantity.parse_size(text)


def test_no_other_file_has_units_of_its_own() -> None:
    own = [
        path.name
        for path in (Path(quantity.__file__).parents[1]).rglob("*.py")
        if "bench" not in path.parts and ("<< 10," in path.read_text() or '"kB"' in path.read_text())
    ]
    assert own == ["quantity.py"]


NOW = int(datetime(2026, 11, 24, 14, 30).timestamp() * 1000)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("10m", datetime(2026, 11, 24, 14, 20)),
        ("3d", datetime(2026, 11, 21, 14, 30)),
        ("14:00", datetime(2026, 11, 24, 14, 0)),
        ("15:00", datetime(2026, 11, 23, 15, 0)),
        ("2026-11-20", datetime(2026, 11, 20)),
        ("2026-11-20T08:15", datetime(2026, 11, 20, 8, 15)),
        ("2026-11-20T08:15:01Z", datetime(2026, 11, 20, 8, 15, 1, tzinfo=UTC)),
        ("2026-11-20t08:15z", datetime(2026, 11, 20, 8, 15, tzinfo=UTC)),
        ("999999999999w", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_an_age_a_time_of_day_or_a_date(words: str, found: datetime) -> None:
    assert quantity.moment(words, NOW) == int(found.timestamp() * 1000)


@pytest.mark.parametrize(
    "words", ["", "x", "25:00", "14:60", "2026-13-01", "2026-02-30", "tomorrow", "2026-11-20T8", "-1"]
)
def test_other_words_are_no_moment(words: str) -> None:
    assert quantity.moment(words, NOW) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1), ("9" * 19, None)]
    + [(other, None) for other in ("", " 1", "-1", "+1", "1.0", "1e3", "1_0", "٣", "²", "x")],
)
def test_a_whole_number_has_digits_and_nothing_else(text: str, number: int | None) -> None:
    assert quantity.whole_number(text) == number
