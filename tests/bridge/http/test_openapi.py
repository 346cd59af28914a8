"""`/openapi.json` against a running gateway: every operation answers and refuses as the document says."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import Answer, Browser, Json, Terminal, post, request
from tests.fakes import until

TOKEN = {name: f"{name}-token" for name in ("admin", "operator", "viewer")}
ENDLESS = {("GET", "/r/{room}/raw"), ("GET", "/r/{room}/events"), ("GET", "/ws")}
WATCH = ("GET", "/admin/api/connections/{id}/watch")
OF_THIS_MACHINE = {"/admin/backup", "/admin/new-epoch", "/admin/login-link"}
"""Asked by commands, with the key in the data folder."""
OPEN_SHAPES = {"Series"}
"""Whose fields are not all named."""
ANA = "ana"
READS = {
    "/r/{room}/messages": "/r/lobby/messages?around=1&limit=2",
    "/r/{room}/paste/{seq}": "/r/lobby/paste/6",
    "/r/{room}/log.txt": "/r/lobby/log.txt?since=1h",
    "/admin/api/series": "/admin/api/series?span=1h",
    "/admin/api/connections": "/admin/api/connections?state=any&q=lag<1g&sort=nick&limit=5&freeze=1",
    "/admin/api/rooms": "/admin/api/rooms?q=people>0&sort=-rate",
    "/admin/api/audit": "/admin/api/audit?q=action:ban&limit=3",
    "/admin/api/events": "/admin/api/events?after=0&limit=3",
}
"""What is asked where the path alone would not show much."""
WRITES: list[tuple[str, str, Json | None]] = [
    ("POST", "/r/{room}", {"text": "hi", "nick": "ci", "id": "c1"}),
    ("POST", "/admin/api/connections/{id}/message", {"text": "hello"}),
    ("POST", "/admin/api/bans", {"nick": "eve", "reason": "spam", "seconds": 60}),
    ("POST", "/admin/api/mutes", {"address": "203.0.113.9"}),
    ("POST", "/admin/api/announce", {"text": "lunch", "room": "lobby"}),
    ("POST", "/admin/api/campaigns", {"action": "message", "q": "nick:nobody", "expected": 0, "text": "x"}),
    ("POST", "/admin/api/drain", {"door": "telnet"}),
    ("DELETE", "/admin/api/drain", None),
    ("POST", "/admin/api/maintenance", {"on": False}),
    ("POST", "/admin/api/log-level", {"level": "info", "seconds": 5}),
    ("DELETE", "/admin/api/connections/{id}", {"reason": "enough"}),
]


class Described:
    """The document, and whether answers are as it says."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.document = request(gateway.web, "GET", "/openapi.json").json
        self.components = self.document["components"]
        for name, schema in self.components["schemas"].items():
            if schema.get("type") == "object" and name not in OPEN_SHAPES:
                schema["additionalProperties"] = False

    @property
    def operations(self) -> list[tuple[str, str]]:
        """(method, path) of all."""
        return [(method.upper(), path) for path, item in self.document["paths"].items() for method in item]

    def security(self, method: str, path: str) -> list[dict[str, Any]]:
        """The ways to authenticate; empty: none."""
        found: list[dict[str, Any]] = self.document["paths"][path][method.lower()].get("security", [])
        return found

    def ask(self, method: str, path: str, address: str, body: Json | None = None, token: str = "admin") -> Answer:
        """Ask at the address of a described path; the answer is as described."""
        is_for_operators = path.startswith("/admin") or method == "DELETE"
        bearer = TOKEN.get(token, token)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer and is_for_operators else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = request(self.gateway.web, method, address, json.dumps(body) if body is not None else None, headers)
        self.check(method, path, answer)
        return answer

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Status, media type and shape."""
        responses = self.document["paths"][path][method.lower()]["responses"]
        said = responses.get(str(answer.status)) or responses["default"]
        assert str(answer.status) in responses or answer.status >= 400, (answer.status, answer.body)
        media = answer.headers["Content-Type"].partition(";")[0]
        assert media in said["content"], (answer.status, media)
        if answer.status in (429, 503):
            assert int(answer.headers["Retry-After"]) >= 1
        if media == "application/json":
            schema = {**said["content"][media]["schema"], "components": self.components}
            Draft202012Validator(schema).validate(answer.json)


@pytest.fixture(scope="module")
def described(start_shared: Start) -> Iterator[Described]:
    """A gateway with a person at each door, a ban, a mute and a history."""
    tokens = [f"{role}:{role}:{hashlib.sha256(token.encode()).hexdigest()}" for role, token in TOKEN.items()]
    gateway = start_shared("--admin.tokens", ",".join(tokens))
    described = Described(gateway)
    for number in range(5):
        assert post(gateway.web, "lobby", f"m{number}", "ci").status == 201
    assert post(gateway.web, "lobby", "a paste\n" * 600, "ci").status == 201
    with Terminal(gateway.tcp).named(ANA), Browser(gateway.web, nick="bob"):
        yield described


def connection(described: Described, q: str) -> str:
    """The id of the first connection that matches."""
    answer = described.ask("GET", "/admin/api/connections", f"/admin/api/connections?q={q}")
    return str(answer.json["connections"][0]["id"])


def test_every_read_answers_what_is_written(described: Described) -> None:
    ids = {
        "/admin/api/connections/{id}": connection(described, f"nick:{ANA}"),
        "/admin/api/campaigns/{id}": begin_campaign(described),
    }
    for method, path in described.operations:
        if method != "GET" or (method, path) in ENDLESS or (method, path) == WATCH or path in OF_THIS_MACHINE:
            continue
        address = READS.get(path, path).replace("{id}", ids.get(path, ""))
        assert described.ask(method, path, address).status == 200, path


def begin_campaign(described: Described) -> str:
    """The id of a campaign that has begun."""
    order: Json = {"action": "message", "q": "nick:nobody", "expected": 0, "text": "x"}
    answer = described.ask("POST", "/admin/api/campaigns", "/admin/api/campaigns", order)
    return str(answer.json["id"])


def test_every_write_answers_what_is_written(described: Described) -> None:
    with Terminal(described.gateway.tcp).named("carl") as carl:
        for method, path, body in WRITES:
            id = connection(described, "nick:carl") if "{id}" in path else ""
            answer = described.ask(method, path, path.replace("{id}", id).replace("{room}", "ops"), body)
            assert answer.status in (200, 201, 202), (path, answer.body)
        carl.until("^!! kicked: enough")
    for kind in ("bans", "mutes"):
        path, held = f"/admin/api/{kind}/{{id}}", described.ask("GET", f"/admin/api/{kind}", f"/admin/api/{kind}").json
        assert described.ask("DELETE", path, f"/admin/api/{kind}/{held[kind][0]['id']}").status == 200


def test_every_operation_is_driven(described: Described) -> None:
    """What the tables above leave out is a log-in, a log-out, and what needs something of its own to end or stop."""
    reads = {each for each in described.operations if each[0] == "GET"}
    writes = {(method, path) for method, path, _ in WRITES}
    lifted = {("DELETE", f"/admin/api/{kind}/{{id}}") for kind in ("bans", "mutes")}
    left = {path.split("/")[-1].strip("{}") for _, path in set(described.operations) - reads - writes - lifted}

    assert left == {"id", "seq", "login", "logout", "login-link", "backup", "new-epoch"}


def test_the_commands_of_this_machine(described: Described, tmp_path: Path) -> None:
    folder = described.gateway.folder / "data"
    key = json.loads((folder / "running.json").read_text())["secret"]
    file = tmp_path / "copy.sqlite3"

    def ask(method: str, path: str, body: Json | None = None) -> Answer:
        return described.ask(method, path, path, body, token=key)

    assert ask("POST", "/admin/backup", {"file": str(file)}).status == 202
    until(lambda: ask("GET", "/admin/backup").json["state"] == "complete", "the backup")
    assert file.exists()
    assert ask("DELETE", "/admin/backup").status == 400  # it is complete
    assert ask("POST", "/admin/new-epoch", {"room": "lobby"}).status == 200
    assert ask("GET", "/admin/backup").status == 200
    assert described.ask("GET", "/admin/backup", "/admin/backup?sicne=5", token=key).status == 400


def test_login_and_logout(described: Described) -> None:
    link = until(lambda: [each for each in described.gateway.stdout.split() if "token=" in each], "the link")[0]
    token = link.partition("token=")[2]
    answer = described.ask("POST", "/admin/login", "/admin/login", {"token": token}, token="")
    assert answer.status == 200
    headers = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    listed = request(described.gateway.web, "GET", "/admin/api/sessions", headers=headers)
    described.check("GET", "/admin/api/sessions", listed)
    (mine,) = [each for each in listed.json["sessions"] if each["current"]]
    headers["X-CSRF-Token"] = answer.json["csrf"]
    ended = request(described.gateway.web, "DELETE", f"/admin/api/sessions/{mine['id']}", headers=headers)
    described.check("DELETE", "/admin/api/sessions/{id}", ended)
    assert ended.status == 200


def test_what_asks_for_a_role_is_closed_to_strangers_and_too_small_roles(described: Described) -> None:
    for method, path in described.operations:
        ways = described.security(method, path)
        address = path.replace("{id}", "1").replace("{room}", "lobby").replace("{seq}", "1")
        if ways and {} not in ways and path not in OF_THIS_MACHINE:
            assert described.ask(method, path, address, token="").status == 401, path
            if method != "GET" and path not in ("/admin/logout", "/admin/api/sessions/{id}"):
                body = next((body for *what, body in WRITES if what == [method, path]), None)
                assert described.ask(method, path, address, body, token="viewer").status == 403, path


def test_a_misspelt_question_is_refused_everywhere(described: Described) -> None:
    for method, path in described.operations:
        if method == "GET" and path not in (
            "/healthz",
            "/readyz",
            "/metrics",
            "/openapi.json",
            "/admin/grafana.json",
            "/ws",
            *OF_THIS_MACHINE,
        ):
            address = path.replace("{id}", connection(described, f"nick:{ANA}")).replace("{room}", "lobby")
            address = address.replace("{seq}", "6")
            if path not in (WATCH[1], "/admin/api/connections/{id}", "/admin/api/campaigns/{id}"):
                answer = described.ask(method, path, f"{address}?sicne=5")
                assert (answer.status, answer.json["error"]["code"]) == (400, "bad_message"), path


@pytest.mark.parametrize(
    ("method", "path", "address", "status"),
    [
        ("GET", "/r/{room}/messages", "/r/lobby/messages?epoch=another1", 409),
        ("GET", "/r/{room}/messages", "/r/unheard-of/messages", 404),
        ("GET", "/r/{room}/messages", "/r/-/messages", 400),
        ("GET", "/r/{room}/raw", "/r/lobby/raw?after=AAAAAAAA:1", 409),
        ("GET", "/r/{room}/events", "/r/lobby/events?after=x", 400),
        ("GET", "/ws", "/ws", 426),
        ("GET", "/admin/api/connections", "/admin/api/connections?q=idle>x", 400),
        ("GET", "/admin/api/connections", "/admin/api/connections?snapshot=gone", 410),
        ("GET", "/admin/api/connections/{id}", "/admin/api/connections/fffff", 404),
        ("GET", "/admin/api/connections/{id}/watch", "/admin/api/connections/fffff/watch", 403),
        ("POST", "/r/{room}", "/r/lobby", 400),
        ("POST", "/admin/login-link", "/admin/login-link", 401),
        ("DELETE", "/admin/api/bans/{id}", "/admin/api/bans/none", 404),
    ],
)  # fmt: skip
def test_a_refusal_is_as_written(described: Described, method: str, path: str, address: str, status: int) -> None:
    assert described.ask(method, path, address).status == status
