"""Two real gateways with one real Redis are one house: bans, people and nicks are the same at both."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.bridge.gateways import NO_PACE, Gateway, starter
from tests.bridge.peers import Browser, Terminal, post, post_json, request
from tests.fakes import until
from tests.redis.servers import RedisServer

TOKEN = "a token of this test"
ROBOT = f"robot:admin:{hashlib.sha256(TOKEN.encode()).hexdigest()}"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    made = RedisServer("--appendonly", "yes", "--appendfsync", "always")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def pair(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """Two nodes for all tests of the file."""
    flags = ("--redis", server.url, *NO_PACE, "--admin.tokens", ROBOT)
    with starter(tmp_path_factory.mktemp("nodes")) as start:
        yield start(*flags, data="a"), start(*flags, data="b")


def api(gateway: Gateway, method: str, path: str, **body: Any) -> Any:
    """One request of a script; its JSON."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return request(gateway.web, method, f"/admin/api/{path}", json.dumps(body) if body else None, headers).json


def counts(gateway: Gateway, room: str, count: int) -> bool:
    """Whether its list of rooms says so many."""
    rooms = request(gateway.web, "GET", "/rooms").json
    return [each["count"] for each in rooms if each["room"] == room] == [count]


def hello(gateway: Gateway, token: str) -> Browser:
    """A page that comes back; it has been welcomed."""
    page = Browser(gateway.web, hello=False)
    page.send(type="hello", token=token)
    page.welcome = page.next("welcome")
    return page


def test_a_ban_and_a_mute_act_at_the_other_node_and_end_there(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Terminal(there.tcp).named("bob") as bob, Browser(there.web, nick="dan") as dan:
        api(here, "POST", "mutes", nick="dan", reason="caps")
        ban = api(here, "POST", "bans", nick="bob", reason="spam", seconds=3600)["ban"]
        bob.until("!! banned: until .*, spam")
        assert dan.next("standing")["muted"]
        assert dan.say("HELLO")["code"] == "muted"
        dan.send(type="nick", nick="innocent")
        dan.until(lambda each: each.get("nick") == "innocent")
        assert dan.say("HELLO")["code"] == "muted"
        mute = api(there, "GET", "mutes")["mutes"][0]
        api(there, "DELETE", f"mutes/{mute['id']}")
        until(lambda: api(here, "GET", "mutes")["mutes"] == [], "the mute has ended")
        assert dan.say("hello")["type"] == "ack"
    with Terminal(there.tcp) as again:
        assert again.answer("/nick bob", "^(-- you are|!!)").startswith("!! banned")
    api(here, "DELETE", f"bans/{ban['id']}")
    until(lambda: api(there, "GET", "bans")["bans"] == [], "the ban has ended")
    entries = api(there, "GET", "audit")["entries"]
    assert [each["action"] for each in entries[:4]] == ["unban", "unmute", "ban", "mute"]
    assert [each["number"] for each in entries] == sorted((each["number"] for each in entries), reverse=True)


def test_a_person_is_the_same_at_both_nodes(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Browser(here.web, "lobby", "ops", nick="ana") as page:
        token = page.welcome["token"]
        with hello(there, token) as other:
            assert (other.welcome["token"], other.nick) == (token, "ana")
            other.send(type="nick", nick="anna")
            assert page.until(lambda each: each.get("nick") == "anna")
            assert post_json(here.web, "ops", token=token, text="as myself").status == 201
    with hello(there, token) as again:
        assert again.nick == "anna"
        assert {again.next("joined")["room"], again.next("joined")["room"]} == {"lobby", "ops"}


def test_a_code_from_one_node_works_once_at_the_other(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Terminal(here.tcp).named("carl") as carl, Terminal(there.tcp) as phone, Terminal(here.tcp) as thief:
        code = carl.answer("/resume", "-- /resume").split()[2]
        phone.send(f"/resume {code}")
        phone.until("carl")
        assert thief.answer(f"/resume {code}", "^!!").startswith("!! token_invalid")


def test_a_nick_has_one_owner_over_both_nodes(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Terminal(here.tcp).named("paul") as paul, Terminal(there.tcp) as other:
        assert other.answer("/nick Paul", "^(-- you are|!!)").startswith("!! nick_taken")
        assert post(there.web, "lobby", "hi", "paul").status == 409
        paul.send("/nick peter")
        paul.until("-- you are peter")
        until(lambda: other.answer("/nick paul", "^(-- you are|!!)") == "-- you are paul", "the nick is free there")


def test_who_is_there_is_known_at_both_nodes(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Browser(here.web, "tea", nick="uma") as uma, Terminal(there.tcp).named("vic") as vic:
        vic.answer("/join tea", "-- ")
        comes = {"nick": "vic", "door": "tcp"}
        assert uma.until(lambda each: each["type"] == "presence" and comes in each["joined"])[-1]["count"] == 2

        def who() -> bool:
            vic.send("/who")
            rows = vic.until("vic")
            return [row.split()[1] for row in rows[-2:]] == ["uma", "vic"] and "2 people" in rows[-3]

        until(who, "both are listed")
        for gateway in pair:
            until(partial(counts, gateway, "tea", 2), "both are counted")
        with Browser(there.web, "tea") as page:
            assert {each["nick"] for each in page.joined["tea"]["members"]} >= {"uma", "vic"}
        vic.send("/quit")
        assert uma.until(lambda each: each["type"] == "presence" and "vic" in each["left"])


def test_people_write_to_each_other_and_operators_reach_everybody(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    with Terminal(here.tcp).named("xena") as xena, Terminal(there.tcp).named("yann") as yann:
        xena.send("/msg yann psst")
        yann.until(r"\[xena -> you\] psst")
        yann.send("/reply what?")
        xena.until(r"\[yann -> you\] what\?")
        assert xena.answer("/msg nobody psst", "^!!").startswith("!! no_such_user")
        assert api(here, "POST", "announce", text="tea at five")["connections"] >= 1
        for each in (xena, yann):
            each.until("tea at five")
        api(here, "POST", "maintenance", on=True, text="back at noon")
        until(lambda: api(there, "GET", "maintenance")["text"] == "back at noon", "the other node knows")
        api(there, "POST", "maintenance", on=False)
        until(lambda: not api(here, "GET", "maintenance")["on"], "it is over at both")


def test_the_names_of_a_killed_node_are_free_and_its_people_come_back(server: RedisServer, tmp_path: Any) -> None:
    with starter(tmp_path) as start:
        here, there = (start("--redis", server.url, *NO_PACE, data=name) for name in ("a", "b"))
        with Terminal(here.tcp).named("quin"), Browser(here.web, nick="rose") as rose, Terminal(there.tcp) as other:
            assert other.answer("/nick quin", "^(-- you are|!!)").startswith("!! nick_taken")
            other.until("rose joined")
            here.kill()
            other.until("rose left")
            until(lambda: other.answer("/nick quin", "^(-- you are|!!)") == "-- you are quin", "the lease has ended")
            assert other.answer("/nick rose", "^(-- you are|!!)").startswith("!! nick_taken")
            with hello(there, rose.welcome["token"]) as again:
                assert again.nick == "rose"


def test_after_redis_has_forgotten_everything_nicks_have_one_owner(start_redis: Any, tmp_path: Any) -> None:
    server = start_redis()
    with starter(tmp_path) as start:
        flags = ("--redis", server.url, *NO_PACE, "--admin.tokens", ROBOT)
        here, there = (start(*flags, data=name) for name in ("a", "b"))
        with Terminal(here.tcp).named("sven"), Terminal(there.tcp) as other:
            ban = api(here, "POST", "bans", nick="eve", reason="spam", seconds=3600)["ban"]
            until(lambda: api(there, "GET", "bans")["bans"], "the ban is known there")
            server.cli("FLUSHALL")
            until(lambda: server.cli("EXISTS", "gw:nick:sven"), "the node says again who is here")
            assert other.answer("/nick sven", "^(-- you are sven|!!)").startswith("!! nick_taken")
            until(lambda: server.cli("HEXISTS", "gw:bans", ban["id"]), "the nodes say again who is banned")
            assert other.answer("/nick eve", "^(-- you are eve|!!)").startswith("!! banned")
            assert [[each["id"] for each in api(node, "GET", "bans")["bans"]] for node in (here, there)] == [
                [ban["id"]]
            ] * 2


def test_a_login_to_the_dashboard_is_good_at_both_nodes(pair: tuple[Gateway, Gateway], tmp_path: Any) -> None:
    here, there = pair
    link = next(each for each in there.stdout.split() if "token=" in each)  # made when both ran
    body = f"token={link.partition('token=')[2]}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    page = f"/admin/login?{body}"
    until(lambda: request(here.web, "GET", page).status == 200, "the link is known at the other node")
    answer = request(here.web, "POST", "/admin/login", body, headers)
    until(lambda: request(there.web, "POST", "/admin/login", body, headers).status == 403, "the link has been used")
    cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}

    until(lambda: request(there.web, "GET", "/admin/api/summary", None, cookie).status == 200, "it is known there")
    csrf = {**cookie, "X-CSRF-Token": answer.json["csrf"]}
    assert request(there.web, "POST", "/admin/logout", "", csrf).status == 303
    until(lambda: request(here.web, "GET", "/admin/api/summary", None, cookie).status == 401, "it has ended here")
