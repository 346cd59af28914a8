"""`/admin/api/campaigns…`: bulk actions, which operators take on all connections that a filter matches."""

import msgspec
from aiohttp import web

from gateway.core.operators.assembly import Operators
from gateway.core.operators.bulk import PER_SECOND, Action, BulkPlan, BulkState, Campaign, TooMany
from gateway.core.ports.cluster import NodeCard
from gateway.core.roles import Operator
from gateway.errors import Refusal
from gateway.web.dispatch import Call, Failure, Order, RefusalReply
from gateway.web.http.request import answered
from gateway.web.http.responses import json_answer
from gateway.web.tables.ask_nodes import Survey
from gateway.web.tables.connections import MergedTable
from gateway.web.tables.filter import split


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


class StopQuestion(msgspec.Struct, frozen=True):
    """Stop a bulk action that was begun at the node that is asked."""

    operator: Operator
    id: str


class BulkEndpoints:
    """The handlers."""

    def __init__(self, operators: Operators, table: MergedTable, survey: Survey) -> None:
        self._survey = survey
        survey.serve("campaigns", None, self._serve_all)
        survey.serve("campaign stop", StopQuestion, self._serve_stop)
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
        found, _ = await self._survey.ask("campaigns", lambda card: None, list[BulkRow])
        rows = [*self._own(), *(row for _, rows in found for row in rows)]
        return BulkActionList(rows if self._survey.alone else sorted(rows, key=lambda row: -row.began_at))

    async def one(self, call: Call[None]) -> BulkRow:
        """`GET /admin/api/campaigns/{id}`"""
        owner = await self._owner(call.id)
        if owner is None:
            return _row(self._campaigns.find(call.id))
        rows = await self._survey.ask_one(owner, "campaigns", None, list[BulkRow])
        return next((row for row in rows if row.id == call.id), None) or _row(self._campaigns.find(call.id))

    async def stop(self, call: Call[None]) -> BulkRow:
        """`DELETE /admin/api/campaigns/{id}`"""
        owner = await self._owner(call.id)
        if owner is not None:
            return await self._survey.ask_one(owner, "campaign stop", StopQuestion(call.operator, call.id), BulkRow)
        return _row(await answered(self._campaigns.stop(call.operator, call.id)))

    def _own(self) -> list[BulkRow]:
        return [_row(each) for each in self._campaigns.all()]

    async def _owner(self, id: str) -> NodeCard | None:
        """The other node at which that bulk action was begun; None: this one, or nobody knows it."""
        if self._survey.alone or any(row.id == id for row in self._own()):
            return None
        found, _ = await self._survey.ask("campaigns", lambda card: None, list[BulkRow])
        return next((card for card, rows in found if any(row.id == id for row in rows)), None)

    async def _serve_all(self, question: None) -> list[BulkRow]:
        return self._own()

    async def _serve_stop(self, question: StopQuestion) -> BulkRow:
        return _row(await answered(self._campaigns.stop(question.operator, question.id)))

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
