"""People on chat pages, with nc and with curl, in one room."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.browser.conftest import Open
from tests.web.browser.running_gateway import RunningGateway
from tests.web.browser.talking import connected, has, say, say_at_once, texts


def test_pages_netcat_and_curl_see_one_order(
    gateway: RunningGateway, room: str, open_page: Open, program: Callable[[str], str]
) -> None:
    ana, bo = open_page(f"{gateway.web}/r/{room}", "ana"), open_page(f"{gateway.web}/r/{room}", "bo")
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
    said = [line for line in nina.wait_for("ana: a19").splitlines() if re.match("(ana|bo):", line)]
    seen_by_nina = [line.split(": ", 1)[1] for line in said]
    assert seen_by_nina == [text for text in texts(ana) if re.match(r"[ab]\d|hello from ana", text)]
    expect(ana.locator("#outbox > li")).to_have_count(0)


def test_what_terminals_and_pages_write_looks_right_on_the_other_side(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    ana = open_page(f"{gateway.web}/r/{room}", "ana")
    connected(ana)
    nina = gateway.terminal(room=room)
    nina.say("/nick nina", "/me waves", "see https://example.org/a?b=1. <b>not bold</b>", "\x1b[31mred\x1b[0m")
    expect(ana.locator(".action")).to_contain_text("waves")
    link = ana.get_by_role("link", name="https://example.org/a?b=1")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(ana.get_by_text("<b>not bold</b>")).to_be_visible()
    expect(ana.locator("#log .text", has_text=re.compile("^red$"))).to_be_visible()

    say(ana, "```python\nfor i in range(3):\n    print(i)\n```")
    nina.wait_for("ana|     print(i)\n")
    say(ana, "/me bows", "/msg nina lunch?")
    nina.wait_for("* ana bows\n")
    nina.wait_for("[ana -> you] lunch?\n")
    nina.say("/msg ana yes")
    expect(ana.locator(".private")).to_have_count(2)
    expect(ana.locator("#log .code code")).to_have_text("for i in range(3):\n    print(i)")


def test_a_taken_name_is_offered_with_a_number(gateway: RunningGateway, room: str, open_page: Open) -> None:
    connected(open_page(f"{gateway.web}/r/{room}", "ana"))
    other = open_page(f"{gateway.web}/r/{room}")
    connected(other)

    other.fill("#nick", "Ana")
    other.get_by_role("button", name="Join").click()
    expect(other.locator("#entry-hint")).to_have_text("Ana is taken.")
    other.get_by_role("button", name="Take Ana2").click()

    expect(other.locator("#my-nick")).to_have_text("Ana2")
    expect(other.locator("#entry")).to_be_hidden()
    other.reload()
    connected(other)
    expect(other.locator("#my-nick")).to_have_text("Ana2")


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
    ana, bo = open_page(f"{gateway.web}/r/{room}", "ana"), open_page(f"{gateway.web}/r/{room}", "bo")
    connected(ana)
    connected(bo)

    say(
        ana, "first", "/topic release day", "/history 5", "/since 0", f"/join {room}", "/me waves", "/who", "/nick anna"
    )
    expect(bo.locator("#topic")).to_have_text("release day")
    expect(ana.locator("#topic")).to_have_text("release day")
    expect(ana.locator("#my-nick")).to_have_text("anna")
    expect(bo.locator("#members")).to_contain_text("anna")
    expect(ana.locator("#outbox > li")).to_have_count(0)
    has(ana, "first", "waves")

    say(ana, "/topc x")
    expect(ana.locator("#outbox > li")).to_contain_text("did you mean /topic?")
    ana.get_by_role("button", name="edit").click()
    expect(ana.locator("#message")).to_have_value("/topc x")
    expect(ana.locator("#outbox > li")).to_have_count(0)


def test_joining_a_room_by_command_leads_to_its_page(gateway: RunningGateway, room: str, open_page: Open) -> None:
    ana = open_page(f"{gateway.web}/r/{room}", "ana")
    connected(ana)

    say(ana, f"/join #Ops-{room}")
    ana.wait_for_url(f"**/r/ops-{room}")
    connected(ana)

    expect(ana.locator("#my-nick")).to_have_text("ana")
    expect(ana.get_by_text("You are the first here.")).to_be_visible()
    expect(ana.locator("#empty")).to_contain_text(f"and then /join ops-{room}")
    ana.go_back()
    connected(ana)
    expect(ana.locator("#outbox > li")).to_have_count(0)


def test_who_leaves_is_not_brought_back_before_he_wants_to(gateway: RunningGateway, room: str, open_page: Open) -> None:
    ana = open_page(f"{gateway.web}/r/{room}", "ana")
    connected(ana)

    say(ana, "/quit")
    expect(ana.locator("#banner")).to_contain_text("You have left.")
    expect(ana.locator("#outbox > li")).to_have_count(0)
    ana.get_by_role("button", name="Come back").click()

    connected(ana)
    expect(ana.locator("#my-nick")).to_have_text("ana")


def test_older_messages_are_loaded_above_without_moving_the_view(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    lines = [f"line {number}" for number in range(180)]
    tom = gateway.terminal(room=room)
    tom.say("/nick tom", *lines, "/quit")
    tom.read_out()
    ana = open_page(f"{gateway.web}/r/{room}", "ana")
    expect(ana.get_by_text("line 179", exact=True)).to_be_visible()
    has(ana, *lines[130:])

    older = ana.get_by_role("button", name="load older")
    older.scroll_into_view_if_needed()
    first = ana.get_by_text("line 130", exact=True)
    stood_at = first.bounding_box()
    assert stood_at is not None
    older.dispatch_event("click")  # a real click may scroll before
    has(ana, *lines[30:])
    stands_at = first.bounding_box()
    assert stands_at is not None and abs(stands_at["y"] - stood_at["y"]) < 1
    older.click()
    has(ana, *lines)
    expect(older).to_be_hidden()


def test_typing_too_fast_only_takes_longer(gateway: RunningGateway, room: str, open_page: Open) -> None:
    ana = open_page(f"{gateway.web}/r/{room}", "ana")
    connected(ana)
    lines = [f"line {number}" for number in range(60)]  # the burst is 20

    say_at_once(ana, lines)

    has(ana, *lines)
    expect(ana.locator("#outbox > li")).to_have_count(0)
