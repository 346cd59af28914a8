"""What a table is asked: `state`, `q`, `sort`, `limit`, `cursor`, and whether to look at a moment that was frozen."""

import msgspec
from aiohttp import web

from gateway.errors import Code, Refusal
from gateway.web.ordering import PageQuery
from gateway.web.query import number, only

PAGE_DEFAULT = 50
PAGE_LIMIT = 500
QUERY = frozenset(("state", "q", "sort", "limit", "cursor", "snapshot", "freeze"))
STATES = ("open", "closed", "any")
YES = ("yes", "1", "true")


class TableQuery(msgspec.Struct, frozen=True):
    """One look at a table. `snapshot` is the frozen moment to look at, None: now; `freeze` keeps the moment."""

    sort: str
    limit: int = PAGE_DEFAULT
    cursor: str | None = None
    q: str = ""
    state: str = "open"
    snapshot: str | None = None
    freeze: bool = False

    @property
    def asked(self) -> PageQuery:
        """The page."""
        return PageQuery(self.sort, self.limit, self.cursor)


def table_query(
    request: web.Request, default: str, known: frozenset[str] = QUERY, also: frozenset[str] = frozenset()
) -> TableQuery:
    """The query of a table that is sorted by `default` unless told otherwise; a Refusal says what is wrong with it.
    `known` are the names this table has, `also` what the address may say besides."""
    query = request.query
    only(request, *sorted(known), *also)
    state = query.get("state") or "open"
    if state not in STATES:
        raise Refusal(Code.BAD_MESSAGE, f"state is one of {', '.join(STATES)}")
    limit = number(request, "limit", least=1) or PAGE_DEFAULT
    if limit > PAGE_LIMIT:
        raise Refusal(Code.BAD_MESSAGE, f"limit is at most {PAGE_LIMIT}")
    return TableQuery(
        sort=query.get("sort") or default,
        limit=limit,
        cursor=query.get("cursor") or None,
        q=query.get("q", ""),
        state=state,
        snapshot=query.get("snapshot") or None,
        freeze=query.get("freeze", "") in YES,
    )
