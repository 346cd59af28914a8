"""`/admin/api/campaigns…`: what operators do to all connections that a filter matches."""

from typing import Any

import msgspec
from aiohttp import web

from gateway.core.hub import Hub
from gateway.core.operators.bulk import PER_SECOND, Action, BulkPlan, BulkState, Campaign, TooMany
from gateway.core.operators.roles import Role
from gateway.errors import Refusal
from gateway.web.admin.authorize import Login, WriteRequests
from gateway.web.http.query import ask, only
from gateway.web.http.responses import json_answer
from gateway.web.tables.connections import ConnectionTable
from gateway.web.tables.filter import split
from gateway.web.tables.paging import TableQuery


class BulkRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`q` may be empty: everybody; `expected` is the number that the operator read and typed. `reason` is for kick,
    ban and mute, `seconds` for ban and mute (without: for ever), `text` for message."""

    action: Action
    q: str
    expected: int
    reason: str = ""
    seconds: int | None = None
    text: str = ""
    per_second: int = PER_SECOND


class BulkRow(msgspec.Struct, frozen=True):
    """A campaign as it stands. Times: ms since 1970. `spared` are operators who were left out, `left` who comes yet."""

    id: str
    action: Action
    q: str
    reason: str
    seconds: int | None
    text: str
    operator: str
    per_second: int
    state: BulkState
    total: int
    done: int
    gone: int
    refused: int
    spared: int
    left: int
    began_at: int
    ended_at: int | None
    problem: str | None


class BulkEndpoints:
    """The handlers."""

    def __init__(self, hub: Hub, login: Login, table: ConnectionTable, orders: WriteRequests) -> None:
        self._campaigns = hub.upkeep.campaigns
        self._login = login
        self._table = table
        self._orders = orders

    async def begin(self, request: web.Request) -> web.Response:
        """`POST /admin/api/campaigns`: 202, or 409 when more match by now than the operator expects."""
        operator, order = await self._orders.take(request, "campaign", "", BulkRequest)
        try:
            plan = await self._plan(order)
        except Refusal as refusal:
            self._orders.refused(operator, f"campaign {order.action}", order.q, refusal)
            raise
        try:
            campaign: Campaign = await ask(lambda done: self._campaigns.begin(operator, plan, done))
        except TooMany as refusal:
            error = {"code": refusal.code, "text": refusal.text, "matches": refusal.matches}
            return json_answer({"error": error}, 409)
        return json_answer(_row(campaign), 202)

    async def all(self, request: web.Request) -> web.Response:
        """`GET /admin/api/campaigns`: the latest first."""
        self._login.reader(request, Role.VIEWER)
        only(request)
        return json_answer({"campaigns": [_row(each) for each in self._campaigns.all()]})

    async def one(self, request: web.Request) -> web.Response:
        """`GET /admin/api/campaigns/{id}`"""
        self._login.reader(request, Role.VIEWER)
        only(request)
        return json_answer(_row(self._campaigns.find(request.match_info["id"])))

    async def stop(self, request: web.Request) -> web.Response:
        """`DELETE /admin/api/campaigns/{id}`"""
        id = request.match_info["id"]
        operator = self._orders.operator(request, "campaign stop", id)
        campaign: Campaign = await ask(lambda done: self._campaigns.stop(operator, id, done))
        return json_answer(_row(campaign))

    async def _plan(self, order: BulkRequest) -> BulkPlan:
        """Who is meant: those who match at this moment. Raises Refusal for a wrong word."""
        self._table.expire()
        snapshot = await self._table.snapshot()
        rows = (await snapshot.view(TableQuery("id", q=order.q))).rows("id")
        targets = [row.id for row in rows]
        seconds, per_second = order.seconds, order.per_second
        return BulkPlan(
            order.action,
            order.q,
            targets,
            _named(order.q),
            order.expected,
            order.reason,
            seconds,
            order.text,
            per_second,
        )


def _named(q: str) -> frozenset[str]:
    """The ids that a filter spells out."""
    return frozenset(word.value.text for word in split(q) if word.name == "id" and not word.negated)


def _row(campaign: Campaign) -> BulkRow:
    plan = campaign.plan
    return BulkRow(
        id=campaign.id,
        action=plan.action,
        q=plan.words,
        reason=plan.reason,
        seconds=plan.seconds,
        text=plan.said,
        operator=campaign.operator.name,
        per_second=plan.per_second,
        state=campaign.state,
        total=campaign.total,
        done=campaign.done,
        gone=campaign.gone,
        refused=campaign.refused,
        spared=campaign.spared,
        left=campaign.left,
        began_at=campaign.began_at,
        ended_at=campaign.ended_at,
        problem=campaign.problem,
    )


def routes(desk: BulkEndpoints) -> list[Any]:
    """The routes of campaigns."""
    return [
        web.post("/admin/api/campaigns", desk.begin),
        web.get("/admin/api/campaigns", desk.all),
        web.get("/admin/api/campaigns/{id}", desk.one),
        web.delete("/admin/api/campaigns/{id}", desk.stop),
    ]
