"""A connection that becomes another person: /resume CODE and /login, on pages and terminals."""

import pytest

from gateway.core.doors.sign_in import log_out
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from tests.core.world import Peer, World


def code_of(peer: Peer) -> str:
    """A resume code, asked for at a terminal."""
    peer.says("/resume")
    return peer.lines[-1].split()[2]


def member(world: World, name: str = "heidi") -> None:
    """There is an account of a member with that name, and its password is `right horse`."""
    world.hub.identities.reserve([name])
    world.passwords.roles[name] = Role.MEMBER


def test_a_page_becomes_the_person_of_a_terminal() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    bob.says("/join ops")
    code = code_of(bob)
    page = world.browser("zoe")
    old_token = page.told("welcome")[0]["token"]
    world.later(4)
    eve.forget()
    page.forget()
    page.asks(type="say", room="lobby", text=f"/resume {code}", id="r1")
    told = page.objects
    kinds = [each["type"] for each in told if each["type"] != "history"]
    assert kinds == ["notice", "welcome", "joined"]
    assert (told[0]["id"], told[0]["nick"]) == ("r1", "bob")
    assert (told[1]["nick"], told[2]["room"]) == ("bob", "ops")
    assert told[1]["token"] != old_token
    assert world.hub.rooms["ops"].count == 1
    world.later(4)
    assert eve.lines == ["-- zoe left"]
    assert world.browser(token=str(told[1]["token"])).session.nick == "bob"


def test_a_session_that_resumes_frees_what_it_was_before() -> None:
    world = World()
    code = code_of(world.terminal("bob"))
    page, eve = world.browser("zoe"), world.terminal("eve")
    page.asks(type="say", room="lobby", text=f"/resume {code}")
    eve.says("/nick zoe")
    assert eve.session.nick == "zoe"


def test_what_another_tab_still_is_is_not_gone() -> None:
    world = World()
    code = code_of(world.terminal("bob"))
    page, eve = world.browser("zoe"), world.terminal("eve")
    tab = world.browser(token=str(page.told("welcome")[0]["token"]))
    page.asks(type="say", room="lobby", text=f"/resume {code}")
    eve.says("/nick zoe")
    assert (tab.session.nick, page.session.nick, eve.session.nick) == ("zoe", "bob", "eve")


def test_a_code_works_once() -> None:
    world = World()
    bob = world.terminal("bob")
    code = code_of(bob)
    page, eve = world.browser("zoe"), world.terminal("eve")
    page.asks(type="say", room="lobby", text=f"/resume {code}")
    eve.says(f"/resume {code}")
    assert eve.lines[0].startswith("!! token_invalid: ")
    assert code_of(bob) != code


def test_a_page_has_a_code_too() -> None:
    world = World()
    page, phone = world.browser("ana"), world.terminal()
    page.forget()
    page.asks(type="say", room="lobby", text="/resume", id="c")
    code = page.told("notice")[0]["text"].split()[1]
    phone.says(f"/resume {code}")
    assert phone.session.nick == "ana"


def test_each_connection_has_a_code_of_its_own() -> None:
    world = World()
    first, second = world.terminal("ana"), world.terminal()
    second.says(f"/resume {code_of(first)}")
    second.forget()
    codes = code_of(first), code_of(second)
    assert codes[0] != codes[1]
    for peer in (first, second):
        world.hub.disconnect(peer.session, CloseReason.LEFT)
    for code in codes:
        back = world.terminal()
        back.says(f"/resume {code}")
        assert back.session.nick == "ana"


def test_wrong_codes_are_counted_like_wrong_passwords() -> None:
    world = World()
    page = world.browser("ana")
    page.forget()
    page.asks(type="say", room="lobby", text="/resume AAAA-AA", id="c")
    assert [(each["id"], each["code"]) for each in page.told("error")] == [("c", "token_invalid")]
    assert world.passwords.guesses == [("code", "127.0.0.1", False)]
    assert page.session.held


def test_a_right_code_is_not_used_up_when_there_were_too_many_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    code = code_of(world.terminal("bob"))
    page = world.browser("ana")

    def refuse(what: str, address: str, right: bool) -> None:
        raise Refusal(Code.RATE_LIMITED, "too many", 1000)

    with monkeypatch.context() as patch:
        patch.setattr(world.passwords, "guessed", refuse)
        page.asks(type="say", room="lobby", text=f"/resume {code}")
    assert page.session.nick == "ana"
    world.later(2)
    page.asks(type="say", room="lobby", text=f"/resume {code}")
    assert page.session.nick == "bob"


def test_a_member_gets_the_name_and_the_holder_becomes_a_guest() -> None:
    world = World()
    heidi = world.browser("heidi")
    member(world)
    page = world.browser("zoe")
    heidi.forget()
    page.forget()
    page.asks(type="say", room="lobby", text="/login heidi right horse", id="l")
    assert page.session.nick == "heidi"
    assert page.session.operator is None
    assert [each["type"] for each in page.objects if each["type"] != "history"] == ["notice", "welcome", "joined"]
    assert heidi.session.nick.startswith("guest-")
    (told,) = heidi.told("notice")
    assert told["nick"] == heidi.session.nick
    assert "belongs to an account" in told["text"]


def test_a_members_welcome_says_so() -> None:
    world = World()
    member(world)
    page = world.browser("zoe")
    page.forget()
    page.asks(type="say", room="lobby", text="/login heidi right horse")
    assert page.told("welcome")[0]["standing"]["role"] == "member"


def test_a_member_is_one_person_on_all_devices() -> None:
    world = World()
    member(world)
    page, phone = world.browser("zoe"), world.terminal("kim")
    page.asks(type="say", room="lobby", text="/login heidi right horse")
    phone.says("/login heidi right horse")
    assert page.session.identity is phone.session.identity is not None
    assert world.hub.rooms["lobby"].count == 1
    page.asks(type="nick", nick="hey")
    assert phone.session.nick == "hey"


def test_the_name_of_an_account_is_nobody_elses() -> None:
    world = World()
    member(world)
    eve = world.terminal("eve")
    eve.says("/nick heidi", "/nick HEIDI")
    assert [line.partition(":")[0] for line in eve.lines] == ["!! nick_taken"] * 2
    assert eve.session.nick == "eve"


def test_a_members_place_outlives_every_token() -> None:
    world = World()
    member(world)
    bob, page = world.terminal("bob"), world.browser("zoe")
    bob.says("one", "two")
    page.asks(type="say", room="lobby", text="/login heidi right horse")
    page.asks(type="read", room="lobby", epoch=world.hub.rooms["lobby"].epoch, seq=2)
    world.hub.disconnect(page.session, CloseReason.LEFT)
    world.later(700)
    other = world.browser("kim")
    other.forget()
    other.asks(type="say", room="lobby", text="/login heidi right horse")
    assert other.told("joined")[0]["read"] == 2


def test_a_terminal_stays_in_its_room_when_it_logs_in() -> None:
    world = World()
    member(world)
    bob, heidi = world.terminal("bob"), world.terminal("kim")
    heidi.says("/join ops")
    bob.says("/join ops")
    heidi.says("/login heidi right horse")
    heidi.forget()
    bob.says("hello heidi")
    heidi.says("hello bob")
    assert (heidi.session.nick, heidi.lines) == ("heidi", ["bob: hello heidi"])
    assert world.hub.rooms["ops"].count == 2


def test_an_account_that_is_removed_lets_its_name_go() -> None:
    world = World()
    member(world)
    page = world.browser("zoe")
    page.asks(type="say", room="lobby", text="/login heidi right horse")
    world.hub.identities.reserve([])
    world.hub.disconnect(page.session, CloseReason.LEFT)
    world.later(130)
    eve = world.terminal("eve")
    eve.says("/nick heidi")
    assert eve.session.nick == "heidi"


def test_a_wrong_password_gives_no_name() -> None:
    world = World()
    member(world)
    page = world.browser("zoe")
    page.forget()
    page.asks(type="say", room="lobby", text="/login heidi wrong", id="l")
    assert [(each["id"], each["code"]) for each in page.told("error")] == [("l", "forbidden")]
    assert page.session.nick == "zoe"


def test_an_operator_gets_rights_on_this_connection_only() -> None:
    world = World()
    world.hub.identities.reserve(["otto"])
    page = world.browser("zoe")
    page.asks(type="say", room="lobby", text="/login otto right horse")
    assert page.session.operator == Operator("otto", Role.OPERATOR, "web 127.0.0.1")
    token = world.hub.identities.identities.token(page.session.identity)  # type: ignore[arg-type]
    again = world.browser(token=token)
    assert (again.session.nick, again.session.operator) == ("otto", None)


def test_a_changed_account_logs_its_owner_out_everywhere() -> None:
    world = World()
    member(world)
    page, phone, eve = world.browser("zoe"), world.terminal("kim"), world.terminal("eve")
    page.asks(type="say", room="lobby", text="/login heidi right horse")
    token = page.told("welcome")[-1]["token"]
    page.asks(type="read", room="lobby", epoch=world.hub.rooms["lobby"].epoch, seq=0)
    phone.says("/login heidi right horse")
    page.forget()
    log_out(world.hub, {"heidi"})
    world.run()
    assert [peer.session.nick.startswith("guest-") for peer in (page, phone)] == [True, True]
    assert page.session.identity is not phone.session.identity
    assert page.told("welcome")[0]["token"] != token
    assert world.browser(token=str(token)).told("error")[0]["code"] == "token_invalid"
    eve.says("/nick heidi")
    assert eve.session.nick == "eve"
    phone.says("/login heidi right horse")
    assert phone.session.nick == "heidi"


def test_an_absent_owner_of_a_changed_account_keeps_the_name_reserved() -> None:
    world = World()
    member(world)
    page, bob = world.browser("zoe"), world.terminal("bob")
    page.asks(type="say", room="lobby", text="/login heidi right horse")
    world.hub.disconnect(page.session, CloseReason.LEFT)
    log_out(world.hub, {"heidi"})
    world.later(700)
    bob.says("/login heidi right horse")
    assert bob.session.nick == "heidi"
