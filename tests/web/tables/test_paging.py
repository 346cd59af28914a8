"""Pages by key: every row once, in order, rows without a value last."""

import asyncio
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.web.tables.paging import PageQuery, order


class Item(NamedTuple):
    number: int
    value: int | None
    name: str = "x"


def pages(items: list[Item], sort: str, limit: int) -> list[Item]:
    ordering = asyncio.run(order(items, sort.removeprefix("-")))
    seen: list[Item] = []
    cursor: str | None = None
    while True:
        some, cursor = ordering.page(PageQuery(sort, limit, cursor))
        seen += some
        if cursor is None:
            return seen


@given(st.lists(st.none() | st.integers(0, 3), max_size=20), st.integers(1, 5))
def test_pages_are_the_whole_in_order_with_the_unknown_last(values: list[int | None], limit: int) -> None:
    items = [Item(number, value) for number, value in enumerate(values)]
    known = [(item.value, item.number) for item in items if item.value is not None]
    unknown = [(None, item.number) for item in items if item.value is None]

    up = [(item.value, item.number) for item in pages(items, "value", limit)]
    down = [(item.value, item.number) for item in pages(items, "-value", limit)]

    assert up == sorted(known) + unknown
    assert down == sorted(known, reverse=True) + unknown[::-1]


def test_rows_that_come_and_go_between_pages_neither_repeat_nor_hide_others() -> None:
    first, cursor = asyncio.run(order([Item(n, n) for n in range(6)], "value")).page(PageQuery("value", 3, None))
    later = asyncio.run(order([Item(n, n) for n in (0, 3, 4, 5, 7)], "value"))

    second, _ = later.page(PageQuery("value", 3, cursor))

    assert [item.number for item in first + second] == [0, 1, 2, 3, 4, 5]


def test_a_long_table_is_sorted_in_runs() -> None:
    items = [Item(number, (number * 7919) % 6007) for number in range(6007)]

    assert [item.value for item in pages(items, "value", 500)] == list(range(6007))


def test_a_cursor_of_another_order_is_refused() -> None:
    items = [Item(1, 1, "a"), Item(2, 2, "b")]
    by_name = asyncio.run(order(items, "name"))
    _, cursor = by_name.page(PageQuery("name", 1, None))
    assert cursor is not None
    for ordering, sort in ((by_name, "-name"), (asyncio.run(order(items, "value")), "name")):
        with pytest.raises(Refusal, match="another order"):
            ordering.page(PageQuery(sort, 1, cursor))
