"""What every row of the table of endpoints promises: the role, the query, the body, and what is recorded."""

from typing import Any

import aiohttp
import pytest

from gateway.accounts.accounts import Accounts, Token, digest_of
from gateway.core.ports.ledger import AuditQuery
from gateway.core.roles import Role
from gateway.web.dispatch import Access, Endpoint
from gateway.web.endpoints import ENDPOINTS
from tests.web.admin.test_moderation import Desk
from tests.web.running_door import Running, Start

Http = aiohttp.ClientSession
Json = dict[str, Any]
TOKEN = "a-token"
OVER_VIEWER = [each for each in ENDPOINTS if each.access in (Access.OPERATOR, Access.ADMIN)]
STRICT = [
    each for each in ENDPOINTS if each.access is Access.VIEWER and each.method == "GET" and each.parameters is not None
]
ASKED = [each for each in STRICT if any(parameter.where == "query" for parameter in each.parameters or ())]


@pytest.fixture
async def desk(web: Running, http: Http) -> Desk:
    async with http.post(f"{web.url}/admin/login", json={"token": web.door.links.mint()}) as answer:
        return Desk(web, http, (await answer.json())["csrf"])


def path_of(endpoint: Endpoint) -> str:
    """Its path, with something in place of what it leaves open."""
    return endpoint.path.replace("{id}", "fff")


@pytest.mark.parametrize("endpoint", STRICT, ids=lambda each: each.path)
async def test_a_misspelt_parameter_is_named_with_those_there_are(desk: Desk, endpoint: Endpoint) -> None:
    async with desk.http.get(f"{desk.web.url}{path_of(endpoint)}?sicne=5") as answer:
        assert answer.status == 400
        text = (await answer.json())["error"]["text"]
    names = [each.name for each in endpoint.parameters or () if each.where == "query"]
    assert text == f"unknown query parameter 'sicne'; this address takes {', '.join(names) or 'none'}"


@pytest.mark.parametrize("endpoint", ASKED, ids=lambda each: each.path)
async def test_a_parameter_that_is_given_twice_is_refused(desk: Desk, endpoint: Endpoint) -> None:
    name = next(each.name for each in endpoint.parameters or () if each.where == "query")
    async with desk.http.get(f"{desk.web.url}{path_of(endpoint)}?{name}=5&{name}=6") as answer:
        assert answer.status == 400
        text = (await answer.json())["error"]["text"]
    assert text == f"query parameter '{name}' is given more than once: give it once"


@pytest.mark.parametrize("path", ["messages?limit=5&limit=6", "raw?after=a:1&after=a:2", "events?after=a:1&after=a:2"])
async def test_a_room_is_not_read_by_one_of_two_values(desk: Desk, path: str) -> None:
    await desk.web.chat.post("lobby", "hello")
    async with desk.http.get(f"{desk.web.url}/r/lobby/{path}") as answer:
        assert (answer.status, "is given more than once" in await answer.text()) == (400, True)


async def test_a_write_takes_no_parameter_either(desk: Desk) -> None:
    status, answer = await desk.ask("POST", "bans?now=1", nick="bob")
    assert (status, answer["error"]["text"]) == (400, "unknown query parameter 'now'; this address takes none")
    assert [entry["action"] for entry in await desk.audit()] == ["ban"]


@pytest.mark.parametrize("body", [b"", b"null", b" null\n", b"{}", b"\xef\xbb\xbf{}", b"\xef\xbb\xbfnull"])
async def test_pc40_a_body_that_nobody_gave_is_none(desk: Desk, body: bytes) -> None:
    session = desk.web.chat.join_nobody()
    headers = {"X-CSRF-Token": desk.csrf, "Content-Type": "application/json"}
    url = f"{desk.web.url}/admin/api/connections/{session.id}"
    async with desk.http.delete(url, data=body, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (200, {"id": session.id, "kicked": True, "ban": None})
    assert session.closed


@pytest.mark.parametrize("body", [b"null", b"", b"\xef\xbb\xbf"])
async def test_a_body_that_is_needed_may_not_be_missing(desk: Desk, body: bytes) -> None:
    headers = {"X-CSRF-Token": desk.csrf, "Content-Type": "application/json"}
    async with desk.http.post(f"{desk.web.url}/admin/api/bans", data=body, headers=headers) as answer:
        assert answer.status == 400


async def test_pc35_a_byte_order_mark_before_json_is_skipped(desk: Desk) -> None:
    headers = {"X-CSRF-Token": desk.csrf, "Content-Type": "application/json"}
    body = b'\xef\xbb\xbf{"nick":"eve"}'
    async with desk.http.post(f"{desk.web.url}/admin/api/bans", data=body, headers=headers) as answer:
        assert answer.status == 201
        assert (await answer.json())["ban"]["target"] == "eve"


PASTED = [
    (" 203.0.113.7\n", "203.0.113.7"), ("203.0.113.7:51234", "203.0.113.7"), ("[2001:db8::7]", "2001:db8::/64"),
    ("[2001:db8::7]:51234", "2001:db8::/64"),
]  # fmt: skip


@pytest.mark.parametrize("by", ["address", "nick"])
@pytest.mark.parametrize(("pasted", "target"), PASTED)
async def test_pc39_a_pasted_address_is_what_it_means(desk: Desk, pasted: str, target: str, by: str) -> None:
    status, made = await desk.ask("POST", "bans", **{by: pasted, "seconds": 60})
    assert (status, made["ban"]["kind"], made["ban"]["target"]) == (201, "address", target)
    form = {"csrf": desk.csrf, "by": by, "target": pasted, "seconds": "60"}
    async with desk.http.post(f"{desk.web.url}/admin/mutes", data=form, allow_redirects=False) as answer:
        assert answer.status == 303
    _, muted = await desk.ask("GET", "mutes")
    assert [(each["kind"], each["target"]) for each in muted["mutes"]] == [("address", target)]


@pytest.mark.parametrize("endpoint", OVER_VIEWER, ids=lambda each: f"{each.method} {each.path}")
async def test_a_role_below_the_row_is_refused_and_recorded(start: Start, http: Http, endpoint: Endpoint) -> None:
    role = endpoint.access.role
    assert role is not None
    below = Role(role - 1)
    web = await start(Accounts(tokens=[Token("t", below, digest_of(TOKEN))]))
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
    given: Json = {"data": {"id": "fff", "target": "eve"}} if endpoint.is_form else {"json": BODIES.get(endpoint.path)}
    async with http.request(endpoint.method, web.url + path_of(endpoint), headers=headers, **given) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (403, "forbidden")
    (entry,) = recorded(web)
    assert (entry.who, entry.action) == ("t", endpoint.action)
    assert entry.result == f"refused: only {role.word}s can do that; you are t ({below.word})"


BODIES: dict[str, Json] = {
    "/admin/api/connections/{id}/message": {"text": "x"},
    "/admin/api/bans": {"nick": "eve", "reason": "spam"},
    "/admin/api/mutes": {"nick": "eve"},
    "/admin/api/announce": {"text": "x"},
    "/admin/api/campaigns": {"action": "kick", "q": "", "expected": 0},
    "/admin/api/maintenance": {"on": True},
    "/admin/api/log-level": {"level": "info"},
}


async def test_what_a_low_role_wanted_is_recorded_with_its_words(start: Start, http: Http) -> None:
    web = await start(Accounts(tokens=[Token("t", Role.VIEWER, digest_of(TOKEN))]))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    order = {"nick": "eve", "reason": "spam"}
    async with http.post(f"{web.url}/admin/api/bans", headers=headers, json=order) as answer:
        assert answer.status == 403
    (entry,) = recorded(web)
    assert (entry.action, entry.target, entry.reason) == ("ban", "eve", "spam")


def recorded(web: Running) -> list[Any]:
    """The audit log, newest first."""
    pages: list[Any] = []
    web.chat.hub.journal.ledger.audit(AuditQuery()).then(pages.append)
    return list(pages[0].entries)
