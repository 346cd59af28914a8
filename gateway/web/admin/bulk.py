"""`/admin/api/campaigns…`: bulk actions, which operators take on all connections that a filter matches."""

import msgspec
from aiohttp import web

from gateway.core.operators.assembly import Operators
from gateway.core.operators.bulk import PER_SECOND, Action, BulkPlan, BulkState, Campaign, TooMany
from gateway.errors import Refusal
from gateway.web.endpoint import Call, Failure, Order, RefusalReply
from gateway.web.http.request import answered
from gateway.web.http.responses import json_answer
from gateway.web.tables.filter import split
from gateway.web.tables.merged import MergedTable


class BulkRequest(Order):
    """`q` may be empty, which matches every connection; `expected` is the number that the operator read and typed.
    `reason` is for kick, ban and mute, `seconds` for ban and mute (without: for ever), `text` for message."""

    action: Action
    q: str
    expected: int
    reason: str = ""
    seconds: int | None = None
    text: str = ""
    per_second: int = PER_SECOND

    @property
    def target(self) -> str:
        return self.q or "everybody"

    @property
    def words_said(self) -> str:
        return self.text or self.reason


class BulkRow(msgspec.Struct, frozen=True):
    """The state of a bulk action. Times: ms since 1970. `spared` are operators' connections that were left out, `left`
    those that are still to be done."""

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


class BulkActionList(msgspec.Struct):
    """The bulk actions, the latest first."""

    campaigns: list[BulkRow]


class BulkEndpoints:
    """The handlers."""

    def __init__(self, operators: Operators, table: MergedTable) -> None:
        self._campaigns = operators.bulk
        self._audit = operators.audit
        self._table = table

    async def begin(self, call: Call[BulkRequest]) -> BulkRow | web.Response:
        """`POST /admin/api/campaigns`: 202, or 409 when more match by now than the operator expects."""
        order = call.body
        try:
            plan = await self._plan(order)
        except Refusal as refusal:
            self._audit.note(call.operator, f"campaign {order.action}", order.q, "", f"refused: {refusal.text}")
            raise
        try:
            return _row(await answered(self._campaigns.begin(call.operator, plan)))
        except TooMany as refusal:
            failure = Failure(refusal.code.value, refusal.text, matches=refusal.matches)
            return json_answer(RefusalReply(failure), 409)

    async def all(self, call: Call[None]) -> BulkActionList:
        """`GET /admin/api/campaigns`: the latest first."""
        return BulkActionList([_row(each) for each in self._campaigns.all()])

    async def one(self, call: Call[None]) -> BulkRow:
        """`GET /admin/api/campaigns/{id}`"""
        return _row(self._campaigns.find(call.id))

    async def stop(self, call: Call[None]) -> BulkRow:
        """`DELETE /admin/api/campaigns/{id}`"""
        return _row(await answered(self._campaigns.stop(call.operator, call.id)))

    async def _plan(self, order: BulkRequest) -> BulkPlan:
        """The plan, for the connections that match at this moment. Raises Refusal for a wrong filter word."""
        found = await self._table.targets(order.q)
        return BulkPlan(
            action=order.action,
            words=order.q,
            targets=found.ids,
            operators=frozenset(found.operators),
            named=_named(order.q),
            expected=order.expected,
            reason=order.reason,
            seconds=order.seconds,
            said=order.text,
            per_second=order.per_second,
        )


def _named(q: str) -> frozenset[str]:
    """The ids that a filter names."""
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
