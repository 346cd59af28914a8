"""The table over several nodes: every page is that of one table, whatever node is asked, comes or goes."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from aiohttp import web
from msgspec import UNSET

from gateway.core.ports.transport import Arrival
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.errors import Refusal
from gateway.web.tables.ask_nodes import Survey
from gateway.web.tables.connection_row import ConnectionRow
from gateway.web.tables.connections import ConnectionDetails, ConnectionEndpoints, Detail, MergedTable
from gateway.web.tables.filter import BadWord
from gateway.web.tables.paging import TableQuery
from gateway.web.tables.snapshots import ConnectionTable, TablePage
from tests.core.nodes import Nodes
from tests.core.world import Peer, World
from tests.fakes import PATIENCE

T = TypeVar("T")
SORTS = ("id", "-id", "nick", "-nick", "-lag_bytes", "door", "-address", "rtt", "node", "-node", "skipped")


class NodeWithTable:
    """One node and its table."""

    def __init__(self, nodes: Nodes, name: str) -> None:
        self.nodes = nodes
        self.world = nodes.start(name)
        hub = self.world.hub
        self.survey = Survey(hub.cluster)
        self.own = ConnectionTable(hub, hub.clock.now, node=lambda: self.survey.label)
        self.table = MergedTable(hub, self.own, self.survey)
        self.endpoints = ConnectionEndpoints(self.table, ConnectionDetails(hub, self.own), self.survey)

    def join(self, nick: str = "", **fields: Any) -> Peer:
        """Somebody who is connected here."""
        peer = self.world.terminal(nick) if nick else self.world.terminal()
        for name, value in fields.items():
            setattr(peer.session, name, value)
        return peer

    async def page(self, sort: str = "id", **question: Any) -> TablePage:
        return await settled(self.nodes, self.table.page(TableQuery(sort, **question)))

    async def all(self, sort: str = "id", limit: int = 7, **question: Any) -> list[ConnectionRow]:
        """All rows, page by page."""
        page = await self.page(sort, limit=limit, **question)
        rows = page.connections
        while page.cursor is not None:
            page = await self.page(sort, limit=limit, **question | {"cursor": page.cursor})
            rows = rows + page.connections
        return rows


async def settled(nodes: Nodes, work: Coroutine[Any, Any, T]) -> T:
    """What comes of it, while the nodes answer each other."""
    task = asyncio.ensure_future(work)
    while not task.done():
        nodes.answer()
        await asyncio.sleep(0)
    return await task


def from_there(number: int) -> Arrival:
    """A terminal at one of some addresses."""
    return Arrival(Door.TCP, f"10.0.0.{number}", terminal=True)


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def three(nodes: Nodes) -> list[NodeWithTable]:
    """Three nodes with 40 connections, many of which have the same values."""
    made, dice = [NodeWithTable(nodes, name) for name in "abc"], random.Random(7)
    for _ in range(40):
        node = made[dice.randrange(3)]
        node.join(
            owed=b"x" * dice.choice((0, 0, 5, 9)), arrival=from_there(dice.randrange(5)), skipped=dice.randrange(3)
        )
    return made


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_of_all_nodes_are_those_of_one_table(three: list[NodeWithTable], sort: str) -> None:
    whole = [row.id for row in (await three[0].page(sort, limit=500)).connections]
    assert len(set(whole)) == 40
    for node in three:
        rows = await node.all(sort)
        assert [row.id for row in rows] == whole
    field, down = sort.lstrip("-"), sort.startswith("-")
    values = [getattr(row, field) for row in rows if getattr(row, field) is not None]
    if field not in ("id", "rtt"):
        assert values == sorted(values, reverse=down)


async def test_counts_are_sums_and_a_filter_is_everybodys(three: list[NodeWithTable]) -> None:
    page = await three[1].page(q="skipped>0", limit=3)
    assert (page.of, page.total, len(page.connections), page.missing) == (
        40,
        len(await three[0].all(q="skipped>0")),
        3,
        [],
    )
    assert {row.skipped for row in await three[2].all(q="skipped>0")} == {1, 2}


async def test_the_word_node_names_those_of_one(three: list[NodeWithTable]) -> None:
    assert {row.node for row in await three[0].all(q="node:b")} == {"b"}
    assert {row.node for row in await three[0].all(q="-node:b")} == {"a", "c"}
    with pytest.raises(BadWord, match="nod:b"):
        await three[0].page(q="nod:b")


async def test_a_page_costs_each_node_no_more_than_one_page(three: list[NodeWithTable]) -> None:
    asked: list[int] = []
    cluster: Any = three[1].world.hub.cluster
    serve = cluster.served["connections"]

    def counted(question: bytes) -> Any:
        answer = serve(question)
        answer.then(lambda body: asked.append(body.count(b'"nick"')))
        return answer

    cluster.served["connections"] = counted
    await three[0].page(limit=4)
    assert asked == [4]


async def test_all_nodes_make_their_pages_at_the_same_time(three: list[NodeWithTable]) -> None:
    begun: list[str] = []
    all_begun = asyncio.Event()
    for node, name in zip(three, "abc", strict=True):

        async def wait(question: TableQuery, name: str = name, page: Any = node.own.page) -> TablePage:
            begun.append(name)
            if len(begun) == 3:
                all_begun.set()
            await all_begun.wait()
            found: TablePage = await page(question)
            return found

        node.own.page = wait  # type: ignore[method-assign]
    async with asyncio.timeout(PATIENCE):
        assert (await three[0].page()).of == 40


async def test_a_node_that_does_not_answer_is_named_and_the_others_are_there(three: list[NodeWithTable]) -> None:
    cluster: Any = three[2].world.hub.cluster
    cluster.away = True
    page = await three[0].page(limit=500)
    assert {row.node for row in page.connections} == {"a", "b"}
    assert page.missing is not UNSET and [(each.node, "does not answer" in each.why) for each in page.missing] == [
        ("c", True)
    ]


async def test_a_node_of_another_version_is_one_that_does_not_answer(three: list[NodeWithTable]) -> None:
    cluster: Any = three[2].world.hub.cluster
    serve = cluster.served["targets"]
    cluster.served["connections"] = serve
    page = await three[0].page()
    assert page.missing is not UNSET and "another version" in page.missing[0].why


async def test_paging_goes_on_when_a_node_leaves_and_another_comes(nodes: Nodes, three: list[NodeWithTable]) -> None:
    first = await three[0].page("nick", limit=15)
    del nodes.clusters["b"]
    late = NodeWithTable(nodes, "d")
    late.join("zacharias")
    rest = await three[0].all("nick", cursor=first.cursor)
    names = [row.nick for row in first.connections] + [row.nick for row in rest]
    assert names == sorted(names) and len(set(names)) == len(names)
    assert names[-1] == "zacharias" and {row.node for row in rest} == {"a", "c", "d"}


async def test_a_frozen_moment_is_one_of_all_nodes_and_any_node_knows_it(
    nodes: Nodes, three: list[NodeWithTable]
) -> None:
    page = await three[0].page(limit=5, freeze=True)
    for node in (*three, NodeWithTable(nodes, "d")):
        node.join("newcomer" + node.survey.label)
    rows = await three[1].all(snapshot=page.snapshot)
    assert len(rows) == 40 and not [row for row in rows if row.nick.startswith("newcomer")]
    assert [row.id for row in rows[:5]] == [row.id for row in page.connections]
    assert len(await three[0].all()) == 44
    # The one that came later is no part of it, but can be asked for it.
    late = await NodeWithTable(nodes, "e").page(snapshot=page.snapshot)
    assert late.of == 40
    for wrong in ("1", "x.y", "1.1--2.2", "9" * 300):
        with pytest.raises(web.HTTPGone):
            await three[0].page(snapshot=wrong)


async def test_an_id_is_of_one_connection_of_all_nodes(nodes: Nodes, three: list[NodeWithTable]) -> None:
    bob = three[2].join("bob")
    (row,) = await three[0].all(q="nick:bob")
    owner = three[0].survey.owner(row.id)
    assert owner is not None and owner.id == "c" and row.id == bob.session.id
    detail = await settled(nodes, three[0].survey.ask_one(owner, "connection", row.id, Detail))
    assert (detail.connection.nick, detail.connection.node, detail.rooms[0].room) == ("bob", "c", "lobby")
    three[2].world.hub.disconnect(bob.session, CloseReason.LEFT)
    with pytest.raises(Refusal, match="no such connection"):
        await settled(nodes, three[0].survey.ask_one(owner, "connection", f"{0x300000FFF:x}", Detail))
    closed = await three[0].page("-closed_at", state="closed")
    assert [(each.nick, each.node) for each in closed.connections] == [("bob", "c")]


async def test_what_was_done_is_seen_in_the_next_page(
    three: list[NodeWithTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.tables.snapshots.SLICE", 1)  # snapshots are kept
    before = (await three[0].page()).of
    three[1].join("late")
    assert (await three[0].page()).of == before
    three[0].table.expire()
    assert (await three[0].page()).of == before + 1


async def test_targets_are_of_all_nodes_or_of_none(nodes: Nodes, three: list[NodeWithTable]) -> None:
    vera = three[1].join("vera", operator=Operator("vera", Role.OPERATOR, "telnet"))
    found = await settled(nodes, three[0].table.targets(""))
    assert len(found.ids) == len(set(found.ids)) == 41 and found.operators == [vera.session.id]
    cluster: Any = three[2].world.hub.cluster
    cluster.away = True
    with pytest.raises(Refusal, match="c does not answer"):
        await settled(nodes, three[0].table.targets(""))


async def test_a_file_has_all_rows_in_order(
    nodes: Nodes, three: list[NodeWithTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.tables.connections.PAGE_LIMIT", 9)

    async def collect() -> list[ConnectionRow]:
        return [row async for some in await three[1].table.slices(TableQuery("-nick")) for row in some]

    rows = await settled(nodes, collect())
    assert [row.nick for row in rows] == sorted((row.nick for row in rows), reverse=True) and len(rows) == 40


def test_alone_no_node_is_shown() -> None:
    world = World()
    survey = Survey(world.hub.cluster)
    assert survey.alone and survey.others() == [] and survey.owner("100") is None
