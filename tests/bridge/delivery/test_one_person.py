"""One person in two pages and at a terminal, through kill -9 and a restart; and the member of an account."""

from tests.accounts.people import CHEAP, PASSWORD
from tests.bridge.gateways import NO_PACE, Start
from tests.bridge.peers import Browser, Terminal, request


def with_token(port: int, token: str) -> Browser:
    """A page that comes with a token."""
    page = Browser(port, hello=False)
    page.send(type="hello", token=token, rooms=[{"room": "lobby"}])
    page.welcome = page.next("welcome")
    page.joined["lobby"] = page.next("joined")
    return page


def test_two_pages_and_netcat_stay_one_person_through_a_crash(start: Start) -> None:
    gateway = start(*NO_PACE)
    page = Browser(gateway.web, nick="ana")
    token = page.welcome["token"]
    tab = with_token(gateway.web, token)
    netcat = Terminal(gateway.tcp)
    code = page.say("/resume")["text"].split()[1]
    assert netcat.answer(f"/resume {code}", "welcome back") == "-- welcome back, ana"
    bob = Terminal(gateway.tcp).named("bob")
    assert "-- 2 people in #lobby" in bob.answer("/who", "in #lobby")

    assert bob.answer("/msg ana psst", "psst") == "[you -> ana] psst"
    assert netcat.until("psst")[-1] == "[bob -> you] psst"
    assert [each.next("private")["text"] for each in (page, tab)] == ["psst", "psst"]
    seq = tab.say("from the tab")["seq"]
    assert netcat.until("from the tab")[-1] == "ana: from the tab"
    page.send(type="read", room="lobby", epoch=page.joined["lobby"]["epoch"], seq=seq)
    assert tab.next("read")["seq"] == seq
    later = netcat.answer("/resume", "makes another device").split()[2]

    gateway.kill()
    gateway.start()

    page, tab = with_token(gateway.web, token), with_token(gateway.web, token)
    assert (page.nick, tab.nick, page.welcome["token"]) == ("ana", "ana", token)
    assert page.joined["lobby"]["read"] == seq
    netcat, bob = Terminal(gateway.tcp), Terminal(gateway.tcp).named("ben")
    assert netcat.answer(f"/resume {code}", "^!!").startswith("!! token_invalid: ")  # used before the crash
    assert netcat.answer(f"/resume {later}", "welcome back") == "-- welcome back, ana"
    assert "-- 2 people in #lobby" in bob.answer("/who", "in #lobby")
    assert bob.answer("/nick ana", "^!!").startswith("!! nick_taken: ")
    page.close()
    tab.close()
    netcat.sock.close()
    bob.until("ana left")
    assert "left" in bob.answer("/msg ana there?", "^!!")
    bob.sock.close()


def test_a_member_owns_the_name_and_their_place_across_restarts(start: Start) -> None:
    gateway = start(*NO_PACE, "--admin.accounts", f"heidi:member:{CHEAP}")
    page = Browser(gateway.web, nick="eve")
    assert page.say("/nick heidi")["code"] == "nick_taken"
    page.say("one")
    assert "nobody else can be" in page.say(f"/login heidi {PASSWORD}")["text"]
    welcome, joined = page.next("welcome"), page.next("joined")
    assert (welcome["nick"], welcome["standing"]["role"]) == ("heidi", "member")
    phone = with_token(gateway.web, welcome["token"])
    page.send(type="read", room="lobby", epoch=joined["epoch"], seq=1)
    assert phone.next("read")["seq"] == 1
    body = f'{{"name":"heidi","password":"{PASSWORD}"}}'
    refused = request(gateway.web, "POST", "/admin/login", body, {"Content-Type": "application/json"})
    assert (refused.status, refused.json["error"]["code"]) == (403, "forbidden")
    page.close()
    phone.close()

    gateway.restart()

    terminal, other = Terminal(gateway.tcp).named("bob"), Browser(gateway.web, nick="zoe")
    assert "left" in terminal.answer("/whois heidi", "^!!")
    other.say(f"/login heidi {PASSWORD}")
    assert other.next("joined")["read"] == 1
    assert PASSWORD not in gateway.stderr
    terminal.sock.close()
    other.close()
