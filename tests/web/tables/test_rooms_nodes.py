"""The table of rooms over several nodes: one row for a room, whoever has it in memory."""

import asyncio

import pytest
from msgspec import UNSET

from gateway.errors import Refusal
from gateway.web.tables.ask_nodes import Survey
from gateway.web.tables.paging import TableQuery
from gateway.web.tables.rooms import RoomPage, RoomRow, RoomTable
from tests.core.nodes import Nodes
from tests.core.world import World
from tests.web.tables.test_connections_nodes import settled

ROOMS = {"a": ("lobby", "ops", "dev", "art"), "b": ("lobby", "ops", "zoo"), "c": ("lobby", "ops", "bar", "dev")}


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def tables(nodes: Nodes) -> list[RoomTable]:
    """Three nodes with people in these rooms."""
    made = []
    for name, rooms in ROOMS.items():
        world = nodes.start(name)
        made.append(RoomTable(world.hub, world.hub.clock.now, Survey(world.hub.cluster)))
        for room in rooms[1:]:
            world.terminal().says(f"/join {room}")
    nodes.settle()
    return made


async def every(nodes: Nodes, table: RoomTable, sort: str, q: str = "") -> list[RoomRow]:
    """All rows, two at a time."""
    rows: list[RoomRow] = []
    cursor = None
    while True:
        page = await settled(nodes, table.page(TableQuery(sort, 2, cursor, q)))
        rows, cursor = rows + page.rooms, page.cursor
        if cursor is None:
            return rows


@pytest.mark.parametrize("sort", ["room", "-room", "-people", "nodes", "-tcp", "-head"])
async def test_a_room_has_one_row_in_one_order_at_every_node(nodes: Nodes, tables: list[RoomTable], sort: str) -> None:
    found = [[(row.room, row.nodes) for row in await every(nodes, table, sort)] for table in tables]
    there = {room: tuple(name for name in "abc" if room in ROOMS[name]) for rooms in ROOMS.values() for room in rooms}
    assert sorted(found[0]) == sorted(there.items())
    assert found[0] == found[1] == found[2]
    assert sort != "-tcp" or found[0][0][0] == "ops", "the sum is what is sorted by"


async def test_people_and_connections_are_those_of_all_nodes(nodes: Nodes, tables: list[RoomTable]) -> None:
    nodes.worlds[1].terminal("bob").says("/join ops", "hello")
    for world in nodes.worlds:
        world.later(2.0)
    nodes.settle()
    for table in tables:
        (row,) = await every(nodes, table, "room", "tcp>3")
        assert (row.room, row.nodes, row.people, row.tcp) == ("ops", ("a", "b", "c"), 4, 4)
    assert [row.room for row in await every(nodes, tables[2], "room", "node:b")] == ["lobby", "ops", "zoo"]
    assert [row.room for row in await every(nodes, tables[0], "room", "-node:b")] == ["art", "bar", "dev"]
    assert await every(nodes, tables[0], "room", "tcp>4") == []


async def test_a_row_has_the_sums_and_the_worst_delays_of_the_nodes(nodes: Nodes, tables: list[RoomTable]) -> None:
    here, there = nodes.worlds[0], nodes.worlds[1]
    there.terminal("bob").says("/join ops", "one", "two", "three")
    there.hub.rooms["ops"].topic = "of the node that is further"
    nodes.settle()
    (row,) = await every(nodes, tables[0], "room", "room:ops")
    logs = [world.hub.rooms["ops"].log for world in nodes.worlds]
    assert row.log_bytes == sum(log.bytes for log in logs) > here.hub.rooms["ops"].log.bytes
    assert row.head == max(log.head for log in logs) and row.topic == "of the node that is further"


async def test_one_snapshot_serves_all_that_look_at_once(nodes: Nodes, tables: list[RoomTable]) -> None:
    async def all_at_once() -> list[RoomPage]:
        return await asyncio.gather(*(tables[0].page(TableQuery("room")) for _ in range(5)))

    found = await settled(nodes, all_at_once())
    assert all(page.rooms == found[0].rooms for page in found)
    assert found[0].rooms[0] is found[4].rooms[0]


async def test_a_node_that_does_not_answer_is_named(nodes: Nodes, tables: list[RoomTable]) -> None:
    nodes.clusters["b"].away = True
    page: RoomPage = await settled(nodes, tables[0].page(TableQuery("room", 500)))
    assert page.missing is not UNSET and [each.node for each in page.missing] == ["b"]
    assert (page.total, page.of) == (5, 5)


async def test_alone_there_is_no_node() -> None:
    world = World()
    table = RoomTable(world.hub, world.hub.clock.now, Survey(world.hub.cluster))
    (row,) = (await table.page(TableQuery("room"))).rooms
    assert row.nodes is UNSET and row.number == "lobby"
    for question in (TableQuery("nodes"), TableQuery("room", q="node:a")):
        with pytest.raises(Refusal):
            await table.page(question)
