"""People on chat pages, with nc and with curl, in one room."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.accounts.people import PASSWORD
from tests.web.browser.chat.talking import connected, has, say, say_at_once, texts
from tests.web.browser.conftest import Open
from tests.web.browser.running_gateway import RunningGateway


@pytest.mark.both_browsers
def test_pages_netcat_and_curl_see_one_order(
    gateway: RunningGateway, room: str, open_page: Open, program: Callable[[str], str]
) -> None:
    ana, bo = open_page(f"{gateway.web}/r/{room}", "ada"), open_page(f"{gateway.web}/r/{room}", "bo")
    connected(ana)
    connected(bo)
    nina = gateway.terminal(room=room)
    nina.say("/nick nina", "hello from netcat")
    expect(bo.get_by_text("hello from netcat")).to_be_visible()

    say(ana, "hello from ana")
    expect(bo.get_by_text("hello from ana")).to_be_visible()
    gateway.netcat(program("nc.openbsd"), f"/join {room}\none line of a script\n")
    expect(bo.get_by_text("one line of a script")).to_be_visible()
    gateway.curl("-d", "hello from curl", f"/r/{room}?nick=ci")
    nina.wait_for("ci: hello from curl")
    say_at_once(bo, [f"b{number}" for number in range(20)])
    say_at_once(ana, [f"a{number}" for number in range(20)])
    expect(ana.locator("#log > .msg")).to_have_count(44)
    expect(bo.locator("#log > .msg")).to_have_count(44)

    assert texts(ana) == texts(bo)
    assert texts(ana)[:4] == ["hello from netcat", "hello from ana", "one line of a script", "hello from curl"]
    assert [text for text in texts(ana) if text.startswith("b")] == [f"b{number}" for number in range(20)]
    said = [line for line in nina.wait_for("ada: a19").splitlines() if re.match("(ada|bo):", line)]
    seen_by_nina = [line.split(": ", 1)[1] for line in said]
    assert seen_by_nina == [text for text in texts(ana) if re.match(r"[ab]\d|hello from ana", text)]
    expect(ana.locator("#outbox > li")).to_have_count(0)


def test_what_terminals_and_pages_write_looks_right_on_the_other_side(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    cleo = open_page(f"{gateway.web}/r/{room}", "cleo")
    connected(cleo)
    nina = gateway.terminal(room=room)
    nina.say("/nick nina", "/me waves", "see https://example.org/a?b=1. <b>not bold</b>", "\x1b[31mred\x1b[0m")
    expect(cleo.locator(".action")).to_contain_text("waves")
    link = cleo.get_by_role("link", name="https://example.org/a?b=1")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(cleo.get_by_text("<b>not bold</b>")).to_be_visible()
    expect(cleo.locator("#log .text", has_text=re.compile("^red$"))).to_be_visible()

    say(cleo, "```python\nfor i in range(3):\n    print(i)\n```")
    nina.wait_for("cleo|     print(i)\n")
    say(cleo, "/me bows", "/msg nina lunch?")
    nina.wait_for("* cleo bows\n")
    nina.wait_for("[cleo -> you] lunch?\n")
    nina.say("/msg cleo yes")
    expect(cleo.locator("#log > .private > .text")).to_have_text(["lunch?", "yes"])
    cleo.locator("#rooms a").first.click()
    expect(cleo.locator("#log .code code")).to_have_text("for i in range(3):\n    print(i)")
    cleo.locator("#log .code").get_by_role("button", name="copy").click()
    expect(cleo.locator("#log .code button")).to_have_text("copied")


@pytest.mark.both_browsers
def test_a_taken_name_is_offered_with_a_number(gateway: RunningGateway, room: str, open_page: Open) -> None:
    connected(open_page(f"{gateway.web}/r/{room}", "dora"))
    other = open_page(f"{gateway.web}/r/{room}")
    connected(other)

    other.fill("#nick", "Dora")
    other.get_by_role("button", name="Join").click()
    expect(other.locator("#entry-hint")).to_have_text("Dora is taken.")
    other.get_by_role("button", name="Take Dora2").click()

    expect(other.locator("#my-nick")).to_have_text("Dora2")
    expect(other.locator("#entry")).to_be_hidden()
    other.reload()
    connected(other)
    expect(other.locator("#my-nick")).to_have_text("Dora2")


@pytest.mark.both_browsers
def test_a_guest_stays_a_guest_after_a_reload_and_is_never_refused(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    guest = open_page(f"{gateway.web}/r/{room}")
    connected(guest)
    expect(guest.locator("#my-nick")).to_contain_text("guest-")

    guest.reload()
    connected(guest)

    expect(guest.locator("#my-nick")).to_contain_text("guest-")
    expect(guest.locator("#entry-hint")).to_contain_text("or just write: you are guest-")
    expect(guest.locator("#log .error")).to_have_count(0)


def test_commands_are_answered_and_leave_nothing_on_its_way(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    emma, finn = open_page(f"{gateway.web}/r/{room}", "emma"), open_page(f"{gateway.web}/r/{room}", "finn")
    connected(emma)
    connected(finn)

    say(
        emma,
        "first",
        "/topic release day",
        "/history 5",
        "/since 0",
        f"/join {room}",
        "/me waves",
        "/who",
        "/nick anna",
    )
    expect(finn.locator("#topic")).to_have_text("release day")
    expect(emma.locator("#topic")).to_have_text("release day")
    expect(emma.locator("#my-nick")).to_have_text("anna")
    expect(finn.locator("#members")).to_contain_text("anna")
    expect(emma.locator("#outbox > li")).to_have_count(0)
    has(emma, "first", "waves")

    say(emma, "/topc x")
    expect(emma.locator("#answer")).to_contain_text("did you mean /topic?")
    expect(emma.locator("#message")).to_have_value("/topc x")
    expect(emma.locator("#outbox > li")).to_have_count(0)
    emma.press("#message", "Backspace")
    expect(emma.locator("#answer")).to_be_hidden()
    say(emma, "/login emma correct-horse")
    expect(emma.locator("#answer")).not_to_be_empty()
    emma.press("#message", "ArrowUp")
    expect(emma.locator("#message")).to_have_value("/topc x")
    assert "horse" not in emma.content() + emma.evaluate("JSON.stringify([localStorage, sessionStorage])")


@pytest.mark.both_browsers
def test_joining_a_room_by_command_leads_to_its_page(gateway: RunningGateway, room: str, open_page: Open) -> None:
    eva = open_page(f"{gateway.web}/r/{room}", "eva")
    connected(eva)

    say(eva, f"/join #Ops-{room}")
    eva.wait_for_url(f"**/r/ops-{room}")
    connected(eva)

    expect(eva.locator("#my-nick")).to_have_text("eva")
    expect(eva.get_by_text("You are the first here.")).to_be_visible()
    expect(eva.locator("#empty")).to_contain_text(f"and then /join ops-{room}")
    eva.go_back()
    connected(eva)
    expect(eva.locator("#outbox > li")).to_have_count(0)


def test_a_person_who_left_is_not_reconnected_unasked(gateway: RunningGateway, room: str, open_page: Open) -> None:
    gail = open_page(f"{gateway.web}/r/{room}", "gail")
    connected(gail)

    say(gail, "/quit")
    expect(gail.locator("#banner")).to_contain_text("You have left.")
    expect(gail.locator("#outbox > li")).to_have_count(0)
    gail.get_by_role("button", name="Come back").click()

    connected(gail)
    expect(gail.locator("#my-nick")).to_have_text("gail")


@pytest.mark.both_browsers
def test_older_messages_are_loaded_above_without_moving_the_view(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    lines = [f"line {number}" for number in range(180)]
    tom = gateway.terminal(room=room)
    tom.say("/nick tom", *lines, "/quit")
    tom.read_out()
    hugo = open_page(f"{gateway.web}/r/{room}", "hugo")
    expect(hugo.get_by_text("line 179", exact=True)).to_be_visible()
    has(hugo, *lines[130:])

    for held in (lines[30:], lines):
        hugo.locator("#scroller").evaluate("(scroller) => { scroller.scrollTop = 0; }")
        has(hugo, *held)
        expect(hugo.get_by_text(f"line {30 if held is lines else 130}", exact=True)).to_be_in_viewport()
    expect(hugo.get_by_role("button", name="load older")).to_be_hidden()


def test_typing_too_fast_only_takes_longer(gateway: RunningGateway, room: str, open_page: Open) -> None:
    ida = open_page(f"{gateway.web}/r/{room}", "ida")
    connected(ida)
    lines = [f"line {number}" for number in range(60)]  # the burst is 20

    say_at_once(ida, lines)

    has(ida, *lines)
    expect(ida.locator("#outbox > li")).to_have_count(0)


def test_all_tabs_of_a_browser_are_one_person(gateway: RunningGateway, room: str, open_page: Open) -> None:
    first = open_page("about:blank")
    first.goto(f"{gateway.web}/r/{room}")
    connected(first)
    first.fill("#nick", "walt")
    first.press("#nick", "Enter")
    expect(first.locator("#my-nick")).to_have_text("walt")
    second = first.context.new_page()
    second.goto(first.url)
    connected(second)

    expect(second.locator("#my-nick")).to_have_text("walt")
    expect(second.locator("#count")).to_have_text("1 here")
    say(second, "from the second")
    has(first, "from the second")
    say(second, "/nick walter")
    expect(first.locator("#my-nick")).to_have_text("walter")
    expect(first.locator("#members li")).to_have_text("walteryou (web)")
    first.close()
    expect(second.locator("#status")).to_have_attribute("data-state", "connected")
    third = second.context.new_page()
    third.goto(second.url)
    second.close()
    connected(third)
    expect(third.locator("#my-nick")).to_have_text("walter")


def test_a_long_text_is_folded_opened_and_vanishes_for_everybody_when_it_is_taken_back(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    ana, bo = open_page(f"{gateway.web}/r/{room}", "ana"), open_page(f"{gateway.web}/r/{room}", "bo")
    connected(ana)
    connected(bo)
    trace = "\n".join(f"line {number} of a trace" for number in range(2400))
    say_at_once(ana, ["before", trace, "after"])
    shown = bo.locator("#log .text", has_text="line 0 of a trace")
    expect(shown).to_contain_text("… 2,392 more lines by itself")
    expect(shown).not_to_contain_text("line 8 of a trace")
    expect(ana.locator("#outbox > li")).to_have_count(0)
    shown.get_by_role("button", name="2,392 more lines").click()
    expect(shown).to_contain_text("line 2399 of a trace")
    whole = shown.get_by_role("link", name="by itself").get_attribute("href")
    assert whole == f"/r/{room}/paste/2"
    assert gateway.curl(whole) == trace

    say(ana, "/delete 2")
    for page in (ana, bo):
        expect(page.locator("#log .text.removed")).to_have_count(1)
        expect(page.locator("#log")).not_to_contain_text("of a trace")
    bo.reload()
    connected(bo)
    expect(bo.locator("#log .text.removed")).to_have_count(1)
    assert texts(bo)[0] == "before" and texts(bo)[2] == "after"
    assert "no_such_message" in gateway.curl(whole)


def test_a_page_becomes_the_person_of_a_terminal(gateway: RunningGateway, room: str, open_page: Open) -> None:
    nora = gateway.terminal(room=room)
    nora.say("/nick nora", "/resume")
    code = re.findall(r"/resume (\S+) makes", nora.wait_for("makes another device"))[0]
    page = open_page(gateway.web, "olga")
    connected(page)
    tab = page.context.new_page()
    tab.goto(gateway.web)
    connected(tab)

    say(page, f"/resume {code}")
    expect(page.locator("#my-nick")).to_have_text("nora")
    expect(page.locator("#room-name")).to_have_text(room)
    say(page, "from the page")
    nora.wait_for("nora: from the page")
    expect(page.locator("#outbox > li")).to_have_count(0)
    expect(tab.locator("#my-nick")).to_have_text("olga")
    tab.reload()
    expect(tab.locator("#my-nick")).to_have_text("nora")


def test_comings_and_goings_are_one_line_until_something_is_said(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "emma")
    connected(page)
    nina, otto = gateway.terminal(room=room), gateway.terminal(room=room)
    nina.say("/nick nina")
    otto.say("/nick otto")
    news = page.locator("#log .presence")
    expect(news.last).to_contain_text("nina")
    expect(news.last).to_contain_text("otto")
    otto.say("/quit")
    expect(news.last).not_to_contain_text("otto")
    expect(news).to_have_count(1)

    nina.say("hello")
    has(page, "hello")
    nina.say("/nick mona")
    expect(news).to_have_count(2)
    expect(news.last.locator(".text")).to_have_text("nina is now mona")


def test_in_a_room_of_more_people_than_are_listed_the_page_also_tells_of_names_it_was_not_given(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    nina, zoe = gateway.terminal(room=room), gateway.terminal(room=room)
    nina.say("/nick nina")
    nina.wait_for("you are nina")
    zoe.say("/nick zoe")
    nina.wait_for("zoe joined")  # before that, whoever takes another name joins under it

    def without_zoe(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def hand_on(frame: str | bytes) -> None:
            event = json.loads(frame)
            for names in {"members", "joined"} & event.keys():
                event[names] = [each for each in event[names] if each["nick"] != "zoe"]
            socket.send(json.dumps(event))

        server.on_message(hand_on)

    page = open_page("about:blank", "emil")
    page.route_web_socket("**/ws", without_zoe)
    page.goto(f"{gateway.web}/r/{room}")
    connected(page)
    zoe.say("/nick zora")
    expect(page.locator("#log .presence .text")).to_contain_text("zoe is now zora")


def test_an_announcement_stays_above_the_log_until_it_is_closed(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "emmy")
    connected(page)
    operator = gateway.terminal()
    operator.say(f"/login ana {PASSWORD}", *(f"/wall number {number}" for number in range(4)))
    strips = page.locator(".announced .text")
    expect(strips).to_have_text(["number 1", "number 2", "number 3"])
    page.reload()
    expect(strips).to_have_text(["number 1", "number 2", "number 3"])
    page.get_by_role("region", name="Announcement").nth(1).get_by_role("button").click()
    page.reload()
    expect(strips).to_have_text(["number 1", "number 3"])


def test_the_palette_begins_with_where_one_is_not(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "emil")
    connected(page)
    page.locator("#rooms-button").click()
    choices = page.get_by_role("listbox").get_by_role("option")
    expect(choices.filter(has_text="#lobby")).to_be_visible()
    expect(choices.first).not_to_contain_text(room)
    expect(choices.filter(has_text=f"#{room}")).to_be_visible()


def test_a_topic_that_is_cut_is_reached_and_unfolded_by_keyboard(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "emma")
    connected(page)
    topic = page.locator("#topic")
    assert topic.get_attribute("tabindex") != "0", "an empty one is not stepped on"
    say(page, f"/topic {'a topic of many words ' * 12}")
    expect(topic).to_contain_text("a topic of many words")
    folded = topic.evaluate("node => node.clientHeight")

    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.id") == "topic":
            break
    expect(topic).to_be_focused()
    assert topic.evaluate("node => node.clientHeight") > folded
