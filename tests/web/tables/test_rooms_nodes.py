"""The table of rooms over several nodes: a row for each node that has the room, in one order."""

import pytest
from msgspec import UNSET

from gateway.errors import Refusal
from gateway.web.tables.paging import TableQuery
from gateway.web.tables.rooms import RoomPage, RoomRow, RoomTable
from gateway.web.tables.survey import Survey
from tests.core.nodes import Nodes
from tests.core.world import World
from tests.web.tables.test_merged import settled

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


@pytest.mark.parametrize("sort", ["room", "-room", "-people", "node", "-head"])
async def test_pages_are_those_of_one_table_at_every_node(nodes: Nodes, tables: list[RoomTable], sort: str) -> None:
    found = [[(row.room, row.node) for row in await every(nodes, table, sort)] for table in tables]
    assert sorted(found[0]) == sorted((room, name) for name, rooms in ROOMS.items() for room in rooms)
    assert found[0] == found[1] == found[2]


async def test_people_are_those_of_all_nodes_and_the_word_node_is_known(nodes: Nodes, tables: list[RoomTable]) -> None:
    for world in nodes.worlds:
        world.later(2.0)
    nodes.settle()
    rows = await every(nodes, tables[0], "room", "room:ops")
    assert [(row.node, row.people, row.tcp) for row in rows] == [("a", 3, 1), ("b", 3, 1), ("c", 3, 1)]
    assert [row.room for row in await every(nodes, tables[2], "room", "node:b")] == ["lobby", "ops", "zoo"]


async def test_a_node_that_does_not_answer_is_named(nodes: Nodes, tables: list[RoomTable]) -> None:
    nodes.clusters["b"].away = True
    page: RoomPage = await settled(nodes, tables[0].page(TableQuery("room", 500)))
    assert page.missing is not UNSET and [each.node for each in page.missing] == ["b"]
    assert (page.total, page.of) == (8, 8)


async def test_alone_there_is_no_node() -> None:
    world = World()
    table = RoomTable(world.hub, world.hub.clock.now, Survey(world.hub.cluster))
    (row,) = (await table.page(TableQuery("room"))).rooms
    assert row.node is UNSET and row.number == "lobby"
    for question in (TableQuery("node"), TableQuery("room", q="node:a")):
        with pytest.raises(Refusal):
            await table.page(question)
