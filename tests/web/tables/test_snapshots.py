"""Frozen moments of the table of connections."""

from gateway.core.protocol.close_reason import CloseReason
from gateway.web.tables.snapshots import FROZEN, FROZEN_SECONDS
from tests.web.admin.test_pages import log_in
from tests.web.running_door import Running
from tests.web.tables.test_connections import Http, get, join


async def test_a_frozen_moment_stays_while_it_is_looked_at(web: Running, http: Http) -> None:
    await log_in(web, http)
    for nick in ("a", "b", "c"):
        join(web.chat, nick)
    first = await get(web, http, sort="nick", limit="2", freeze="1")
    for session in list(web.chat.sessions.values()):
        web.chat.hub.close(session, CloseReason.KICKED)
    query = {"sort": "nick", "limit": "2", "cursor": first["cursor"], "snapshot": first["snapshot"]}
    web.clock.skipped += FROZEN_SECONDS - 1
    second = await get(web, http, **query)
    assert [row["nick"] for row in first["connections"] + second["connections"]] == ["a", "b", "c"]
    assert (second["at"], second["total"]) == (first["at"], 3)
    assert (await get(web, http))["total"] == 0
    web.clock.skipped += FROZEN_SECONDS + 1
    assert (await get(web, http, status=410, **query))["error"]["code"] == "gone"


async def test_few_moments_are_kept(web: Running, http: Http) -> None:
    await log_in(web, http)
    names = [(await get(web, http, freeze="1"))["snapshot"] for _ in range(FROZEN + 1)]
    await get(web, http, status=410, snapshot=names[0])
    await get(web, http, snapshot=names[1])
