"""The table of connections (`/admin/api/connections…`), over all nodes: a page of it, one connection in full, the whole
table as a file.

Every node filters, sorts and pages its own snapshot (`tables.snapshots`); whoever is asked merges one page of each.
That is right because a page begins after the key of its cursor, a value and a session's number, and both mean the same
at every node: the first rows of all nodes after that key are among the first rows of each. So a view costs each node
one page, as often as somebody looks, however many connections there are; and nodes that come or go between two pages
neither repeat rows nor hide those of others. `total` and `of` are sums.

A frozen moment is frozen at every node; its name says which node calls it what. A node that began later is no part of
it. A file of the table is made of pages of a frozen moment.

Alone, everything is the table of this process.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence

import msgspec
from aiohttp import web
from msgspec.structs import replace

from gateway import wording
from gateway.core.hub import SESSION_ID, Hub
from gateway.core.ports.cluster import NodeCard
from gateway.core.rooms.fanout import Member, members_of
from gateway.errors import Code, Refusal
from gateway.web.dispatch import Call
from gateway.web.tables.ask_nodes import Survey
from gateway.web.tables.connection_row import COLUMNS, NODE, ORDERED_BY, ConnectionRow, Sparkline
from gateway.web.tables.download import DOWNLOAD_ROWS, send_csv, send_json_lines
from gateway.web.tables.paging import PAGE_LIMIT, PageQuery, TableQuery, order, table_query
from gateway.web.tables.snapshots import SORT_DEFAULT, ConnectionTable, TablePage

FROZEN_NAME = re.compile(r"[0-9a-f]{1,8}\.[0-9a-f]{1,12}(-[0-9a-f]{1,8}\.[0-9a-f]{1,12}){0,999}")


class PageQuestion(msgspec.Struct, frozen=True):
    """What a node is asked: a page of its rows. `fresh`: something was done, so not of a snapshot made before."""

    query: TableQuery
    fresh: bool = False


class TargetQuestion(msgspec.Struct, frozen=True):
    """Which of a node's open connections match."""

    q: str


class Targets(msgspec.Struct):
    """The ids of connections, and those among them that are operators'."""

    ids: list[str]
    operators: list[str]


class MergedTable:
    """The table of this process, and of the other nodes."""

    def __init__(self, hub: Hub, own: ConnectionTable, survey: Survey) -> None:
        self._hub = hub
        self._own = own
        self._survey = survey
        self._fresh = False
        survey.serve("connections", PageQuestion, self._serve_page)
        survey.serve("targets", TargetQuestion, lambda question: self._own_targets(question.q))

    def expire(self) -> None:
        """A connection has changed: the next view is of snapshots made after this."""
        self._own.expire()
        self._fresh = True

    async def page(self, question: TableQuery) -> TablePage:
        """As `ConnectionTable.page`, of all nodes."""
        if self._survey.alone:
            return await self._own.page(question)
        names = _names(question.snapshot) if question.snapshot is not None else None
        cards = [card for card in self._survey.others() if names is None or card.number in names]
        fresh, self._fresh = self._fresh, False

        def asked(card: NodeCard) -> PageQuestion:
            return PageQuestion(replace(question, snapshot=names[card.number] if names else None), fresh)

        # At the same time: a node that has not been looked at lately needs a while for its snapshot.
        own, (found, missing) = await asyncio.gather(
            self._own_page(question, names), self._survey.ask("connections", asked, TablePage, cards)
        )
        pages = {self._survey.number: own, **{card.number: page for card, page in found}}
        some, cursor = await _merged(question, list(pages.values()))
        total, of = (sum(getattr(page, name) for page in pages.values()) for name in ("total", "of"))
        return TablePage(some, total, of, cursor, own.at, _name(pages), missing)

    async def slices(self, question: TableQuery) -> AsyncIterator[Sequence[ConnectionRow]]:
        """All rows that match, in order, of one moment. Refusals come before the first."""
        if self._survey.alone:
            return await self._slices_of_own(question)
        first = await self.page(replace(question, limit=PAGE_LIMIT, cursor=None, freeze=question.snapshot is None))

        async def slices() -> AsyncIterator[Sequence[ConnectionRow]]:
            page = first
            yield page.connections
            while page.cursor is not None:
                page = await self.page(
                    replace(question, limit=PAGE_LIMIT, cursor=page.cursor, snapshot=first.snapshot, freeze=False)
                )
                yield page.connections

        return slices()

    async def targets(self, q: str) -> Targets:
        """The open connections at all nodes that match at this moment. Raises Refusal for a wrong filter word, and when
        a node does not answer: then nobody knows how many are meant."""
        own, (found, missing) = await asyncio.gather(
            self._own_targets(q), self._survey.ask("targets", lambda card: TargetQuestion(q), Targets)
        )
        if missing:
            raise Refusal(Code.BACKPLANE, missing[0].why, retry_ms=2000)
        for _, other in found:
            own.ids += other.ids
            own.operators += other.operators
        return own

    async def _own_page(self, question: TableQuery, names: dict[int, str] | None) -> TablePage:
        if names is None:
            return await self._own.page(question)
        if self._survey.number in names:
            return await self._own.page(replace(question, snapshot=names[self._survey.number]))
        # It began after that moment; what is wrong with the question is told all the same.
        page = await self._own.page(replace(question, snapshot=None))
        return TablePage([], 0, 0, None, page.at, None)

    async def _serve_page(self, asked: PageQuestion) -> TablePage:
        if asked.fresh:
            self._own.expire()
        try:
            return await self._own.page(asked.query)
        except web.HTTPGone:
            raise Refusal(Code.BACKPLANE, wording.MOMENT_DROPPED) from None

    async def _own_targets(self, q: str) -> Targets:
        self._own.expire()
        snapshot = await self._own.snapshot()
        ids = [row.id for row in (await snapshot.view(TableQuery("id", q=q))).rows("id")]
        sessions = filter(None, map(self._hub.find, ids))
        return Targets(ids, [each.id for each in sessions if each.operator is not None])

    async def _slices_of_own(self, question: TableQuery) -> AsyncIterator[Sequence[ConnectionRow]]:
        snapshot, _ = await self._own.moment(question)
        rows = (await snapshot.view(question)).rows(question.sort)

        async def slices() -> AsyncIterator[Sequence[ConnectionRow]]:
            for start in range(0, len(rows), DOWNLOAD_ROWS):
                some = rows[start : start + DOWNLOAD_ROWS]
                await snapshot.fill(some)
                yield some

        return slices()


async def _merged(question: TableQuery, pages: list[TablePage]) -> tuple[list[ConnectionRow], str | None]:
    """The first rows of these pages, and the cursor of the next page."""
    column = question.asked.attribute
    rows = await order([row for page in pages for row in page.connections], ORDERED_BY.get(column, column))
    some, cursor = rows.page(PageQuery(question.sort, question.limit, None))
    # Where all rows shown are one node's, those of its next page follow.
    return some, cursor or next((page.cursor for page in pages if page.cursor is not None), None)


def _name(pages: dict[int, TablePage]) -> str | None:
    """The name of a moment that is frozen at these nodes; None when it is at none."""
    frozen = [f"{number:x}.{page.snapshot}" for number, page in pages.items() if page.snapshot is not None]
    return "-".join(frozen) or None


def _names(name: str) -> dict[int, str]:
    """What each node calls the frozen moment. Raises HTTPGone."""
    if FROZEN_NAME.fullmatch(name) is None:
        raise web.HTTPGone
    pairs = (each.split(".") for each in name.split("-"))
    return {int(number, 16): own for number, own in pairs}


EVENTS = 20


class RoomLine(msgspec.Struct, gc=False):
    """A room the connection is in. `cursor` is the number of the last message it has; `reading` whether it is served
    from the log already."""

    room: str
    cursor: int
    head: int
    lag_messages: int
    lag_bytes: int
    reading: bool


class EventLine(msgspec.Struct, gc=False):
    """An event of the connection at `at` (ms since 1970), see `core.stats.recent`."""

    at: int
    event: str
    detail: str


class Detail(msgspec.Struct, gc=False):
    """One connection in full."""

    connection: ConnectionRow
    rooms: list[RoomLine]
    events: list[EventLine]
    sparkline: Sparkline


class ConnectionDetails:
    """What is known of one connection of this process."""

    def __init__(self, hub: Hub, table: ConnectionTable) -> None:
        self._hub = hub
        self._table = table

    async def one(self, id: str) -> Detail:
        """An open connection, or one of the last that closed. Raises Refusal."""
        await self._table.snapshot()  # looking at one connection keeps its sparkline going
        session = self._hub.find(id)
        number = int(id, 16) if SESSION_ID.fullmatch(id) else 0
        row = self._table.row(session) if session is not None else self._table.closed_row(number)
        if row is None:
            raise Refusal(Code.NO_SUCH_USER, wording.CONNECTION_LONG_GONE)
        rooms = [_line(member) for member in members_of(session)] if session is not None else []
        events = [EventLine(each.at, each.event, each.detail) for each in self._hub.stats.recent.of(number, EVENTS)]
        return Detail(row, rooms, events, self._table.trail.of(number))


def _line(member: Member) -> RoomLine:
    log = member.room.log
    behind = max(0, log.head - member.cursor)
    lag_bytes = log.lag_bytes(member.cursor) if behind else 0
    return RoomLine(member.room.name, member.cursor, log.head, behind, lag_bytes, member.attached)


class ConnectionEndpoints:
    """The handlers."""

    def __init__(self, table: MergedTable, details: ConnectionDetails, survey: Survey) -> None:
        self._table = table
        self._details = details
        self._survey = survey
        survey.serve("connection", str, details.one)

    async def page(self, call: Call[None]) -> TablePage:
        """`GET /admin/api/connections`"""
        return await self._table.page(table_query(call.query, SORT_DEFAULT))

    async def one(self, call: Call[None]) -> Detail:
        """`GET /admin/api/connections/{id}`: an open connection, or one of the last that closed."""
        owner = self._survey.owner(call.id)
        return await (
            self._details.one(call.id) if owner is None else self._survey.ask_one(owner, "connection", call.id, Detail)
        )

    async def as_csv(self, call: Call[None]) -> web.StreamResponse:
        """`GET /admin/api/connections.csv`"""
        columns = COLUMNS if self._survey.alone else (NODE, *COLUMNS)
        return await send_csv(call.request, columns, await self._slices(call))

    async def as_json_lines(self, call: Call[None]) -> web.StreamResponse:
        """`GET /admin/api/connections.jsonl`"""
        return await send_json_lines(call.request, await self._slices(call))

    async def _slices(self, call: Call[None]) -> AsyncIterator[Sequence[ConnectionRow]]:
        return await self._table.slices(table_query(call.query, SORT_DEFAULT))
