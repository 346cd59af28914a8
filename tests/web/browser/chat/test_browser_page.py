"""What a person does on the chat page beside talking: several rooms, choosing from lists, settings, notifications."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, StorageState, expect

from tests.fakes import until
from tests.web.browser.chat.talking import connected, has, say
from tests.web.browser.conftest import Complaints, Open
from tests.web.browser.running_gateway import RunningGateway

AWAY = """
window.told = [];
window.Notification = class {
  static requestPermission() { return Promise.resolve("granted"); }
  constructor(title, { body }) { told.push(`${title}: ${body}`); }
};
window.leave = (away) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => away });
  document.hasFocus = () => !away;
  dispatchEvent(new Event(away ? "blur" : "focus"));
};"""
"""Lets the test leave the page, and hear its notifications."""
PASTE = """(text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  const paste = new ClipboardEvent("paste", { bubbles: true, cancelable: true });
  Object.defineProperty(paste, "clipboardData", { value: clipboardData }); // Firefox does not take it from the options
  document.getElementById("message").dispatchEvent(paste);
}"""
COPY = """() => {
  getSelection().selectAllChildren(document.getElementById("log"));
  const copy = new ClipboardEvent("copy", { bubbles: true, cancelable: true, clipboardData: new DataTransfer() });
  document.getElementById("log").dispatchEvent(copy);
  return copy.clipboardData.getData("text/plain");
}"""
ORDER = """async ([method, path, body]) => {
  const headers = {
    "X-CSRF-Token": document.querySelector("meta[name=csrf-token]").content,
    "Content-Type": "application/json",
  };
  return (await fetch(`/admin/api/${path}`, { method, headers, body: JSON.stringify(body) })).status;
}"""
LIFT_MUTES = """async () => {
  const headers = { "X-CSRF-Token": document.querySelector("meta[name=csrf-token]").content };
  const { mutes } = await (await fetch("/admin/api/mutes")).json();
  for (const { id } of mutes) await fetch(`/admin/api/mutes/${id}`, { method: "DELETE", headers });
}"""
HOLD_FRAMES = """() => {
  window.frame = requestAnimationFrame;
  window.held = [];
  window.requestAnimationFrame = (run) => window.held.push(run);
}"""
RELEASE_FRAMES = """() => {
  for (const each of window.held.splice(0)) each(0);
  window.requestAnimationFrame = window.frame;
}"""
FETCHED = "(end) => performance.getEntriesByType('resource').some(({ name }) => name.endsWith(end))"
HOSTILE = [
    form.format(f"window.hacked={number}")
    for number in range(20)
    for form in (
        "<script>{}</script>",
        "<img src=x onerror={}>",
        "<svg/onload={}>",
        "\"><iframe src='javascript:{}'>",
        "javascript:{0} https://x/<script>{0}</script>",
        "``` </code><script>{}</script> ```",
        "`<b onmouseover={}>`",
        "[a](javascript:{}) mailto:a@b?body=<script>",
        "{{{{constructor.constructor('{0}')()}}}} ${{{0}}}",
        "http://a:b@c/ data:text/html,<script>{}</script>",
    )
]
UGLY = ["w" * 3000, "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘" * 20, "مرحبا abc שלום", "﷽" * 40]


def test_several_rooms_are_open_at_once(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "olive")
    connected(page)
    other = f"{room}-b"
    say(page, "here", f"/join {other}", "there")
    has(page, "there")
    page.fill("#message", "half a thou")
    nina = gateway.terminal(room=room)
    nina.say("/nick nina", "one", "two")
    expect(page.locator("#rooms a", has_text=room).first).to_have_text(f"#{room} 2 new")
    expect(page).to_have_title(f"(2) {other} · gateway")

    page.keyboard.press("Alt+a")
    has(page, "here", "one", "two")
    expect(page).to_have_title(f"{room} · gateway")
    expect(page).to_have_url(f"{gateway.web}/r/{room}")
    expect(page.locator("#log .unread + .msg")).to_contain_text("one")
    expect(page.locator("#message")).to_have_value("")
    page.reload()
    connected(page)
    has(page, "here", "one", "two")
    expect(page.locator("#log .unread + .msg")).to_contain_text("one")
    page.go_back()
    has(page, "there")
    expect(page.locator("#message")).to_have_value("half a thou")
    page.get_by_role("button", name=f"Leave {other}").click()
    has(page, "here", "one", "two")
    expect(page.locator("#rooms")).to_be_hidden()


@pytest.mark.both_browsers
def test_names_commands_and_rooms_are_chosen_from_lists(gateway: RunningGateway, room: str, open_page: Open) -> None:
    nina, tom = gateway.terminal(room=room), gateway.terminal(room=room)
    nina.say("/nick nina", "hello")
    tom.say("/nick ned", "hello")
    page = open_page(f"{gateway.web}/r/{room}", "pia")
    connected(page)
    expect(page.locator("#members")).to_contain_text("nina")
    nina.say("again")
    expect(page.get_by_text("again", exact=True)).to_be_visible()
    box, options = page.locator("#message"), page.locator("#suggestions [role=option]")

    box.press_sequentially("@n")
    expect(options).to_have_text(["nina", "ned"])
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("ned: ")
    box.press_sequentially("and n")
    box.press("Tab")
    box.press("Tab")
    expect(box).to_have_value("ned: and ned ")
    box.press("Shift+Tab")
    expect(box).to_have_value("ned: and nina ")
    box.fill("")
    box.press_sequentially("/who")
    expect(options.first).to_contain_text("/who")
    options.nth(1).click()
    expect(box).to_have_value("/whois ")
    box.fill("")
    box.press_sequentially("done :tad")
    expect(options).to_have_text(["🎉tada"])
    box.press("Enter")
    expect(box).to_have_value("done 🎉 ")

    box.fill("")
    page.evaluate(PASTE, "\n".join("abcdef"))
    page.get_by_role("button", name="as a code block").click()
    expect(box).to_have_value("```\na\nb\nc\nd\ne\nf\n```\n")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Go to").fill("settings")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+/")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    box.press("Shift+F6")
    expect(page.locator("#scroller")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(page.locator("#log > li:focus")).to_contain_text("hello")


def test_links_and_names_stand_out_where_words_have_no_blanks_and_lines_are_copied_with_their_authors(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "王芳")
    connected(page)
    for text in (
        "请看https://example.com/a\uff0c然后告诉我\u3002",
        "(https://e.org/F_(b)) [https://e.org/c]",
        "王芳你好",
        "请看@王芳请看",
    ):
        gateway.curl("--data-binary", text, f"/r/{room}?nick=ci")
    say(page, "```\nx = 1\n```", "/me waves")
    expect(page.locator("#log .msg")).to_have_count(6)

    expect(page.locator("#log b")).to_have_text(["王芳", "王芳"])
    links = page.locator("#log a[target]").evaluate_all("(links) => links.map((link) => link.href)")
    assert links == ["https://example.com/a", "https://e.org/F_(b)", "https://e.org/c"]
    page.locator("#log").dispatch_event("selectstart")
    until(lambda: page.evaluate(COPY) != "", "the page copies")
    copied = re.sub(r"\[\d\d:\d\d\]", "[time]", page.evaluate(COPY)).splitlines()
    assert copied[2:] == [
        "[time] ci: 王芳你好",
        "[time] ci: 请看@王芳请看",
        "[time] 王芳: ```",
        "x = 1",
        "```",
        "[time] * 王芳 waves",
    ]


def open_menu(page: Page, words: str) -> None:
    """Open the menu of the message with these words, as somebody with a pointer does."""
    page.locator("#log > .msg", has_text=words).hover()
    page.locator(".msg > .more").click()


def may_be_removed(page: Page, words: str, whether: bool) -> None:
    """Whether the menu of that message offers it; without that it has three choices."""
    open_menu(page, words)
    if whether:
        expect(page.get_by_role("menuitem", name="Remove…")).to_be_visible()
    else:
        expect(page.get_by_role("menuitem")).to_have_count(3)
    page.keyboard.press("Escape")


def drawn(page: Page) -> None:
    """Wait until what has changed is on the screen."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.both_browsers
def test_a_message_is_linked_marked_quoted_and_taken_back(gateway: RunningGateway, room: str, open_page: Open) -> None:
    petra = gateway.terminal(room=room)
    petra.say("/nick petra", *(f"line {number}" for number in range(1, 121)))
    petra.say("/who")
    petra.wait_for("petra (you)")
    page = open_page("about:blank", "zoe")
    menus: list[Route] = []
    page.route("**/menu.js", lambda route: menus.append(route))
    page.goto(f"{gateway.web}/r/{room}")
    last = page.locator("#log > .msg", has_text="line 120")
    last.hover()
    page.wait_for_timeout(300)  # the browser tells once more what the pointer is over when the page has settled
    until(lambda: page.evaluate("1") and menus, "the menu is asked for").pop().continue_()
    expect(last.locator(".more")).to_be_visible()  # also on the first row that the pointer comes to
    page.unroute("**/menu.js")
    page.goto("about:blank")
    page.goto(f"{gateway.web}/r/{room}#7")
    expect(page.locator("#log > .target > .text")).to_have_text("line 7")
    expect(page.locator("#log > .target")).to_be_in_viewport()
    page.locator("#newest").click()
    expect(page.get_by_text("line 120", exact=True)).to_be_in_viewport()
    # A link is followed while a scroll to the end waits for its frame.
    page.evaluate(HOLD_FRAMES)
    petra.say("line 121")
    expect(page.locator("#log > .msg", has_text="line 121")).to_be_attached()
    until(lambda: page.evaluate("window.held.length"), "a scroll waits")
    page.evaluate("location.hash = '#9'")
    expect(page.locator("#log > .target > .text")).to_have_text("line 9")
    page.evaluate(RELEASE_FRAMES)
    drawn(page)
    expect(page.locator("#log > .target")).to_be_in_viewport()
    page.locator("#newest").click()
    expect(page.get_by_text("line 120", exact=True)).to_be_in_viewport()

    page.fill("#message", "a line\n" * 8)
    expect(page.get_by_text("line 120", exact=True)).to_be_in_viewport()
    page.press("#message", "x")  # the box is measured again, at the same height
    drawn(page)
    expect(page.get_by_text("line 120", exact=True)).to_be_in_viewport()
    expect(page.locator("#newest")).to_be_hidden()

    say(page, "the password is horse", "two\nlines")
    mine = page.locator("#log > .msg", has_text="horse")
    open_menu(page, "horse")
    page.get_by_role("menuitem", name="Remove…").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#log .removed")).to_have_text("removed")
    expect(mine).to_have_count(0)
    petra.wait_for("was removed")
    open_menu(page, "lines")
    expect(page.get_by_role("menuitem").first).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_have_value("> zoe: two\n> lines\n")

    petra.say("/nick petra2", "/who")
    petra.wait_for("petra2 (you)")
    say(page, "/nick petra")
    expect(page.locator("#my-nick")).to_have_text("petra")
    expect(page.get_by_text("petra is now petra2")).to_be_visible()  # told later, and not of this page
    expect(page.locator("#my-nick")).to_have_text("petra")
    expect(page.locator("#people")).to_contain_text("petra2")
    may_be_removed(page, "line 120", False)
    may_be_removed(page, "lines", True)  # said by this tab, under the name of before
    page.goto("about:blank")
    page.goto(f"{gateway.web}/r/{room}")
    connected(page)
    may_be_removed(page, "lines", True)
    may_be_removed(page, "line 120", False)  # said under the name that this page has now

    page.goto(f"{gateway.web}/r/{room}#7-{'x' * 12}")
    expect(page.locator("#log .error")).to_contain_text("earlier numbering")
    expect(page.locator("#log .removed")).to_have_text("removed")
    page.locator("#log .at").nth(-4).click()
    expect(page.locator("#log > .target > .text")).to_have_text("line 120")


@pytest.mark.both_browsers
def test_private_words_stand_in_a_tab_of_their_own_until_it_is_closed(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page, nina = open_page(f"{gateway.web}/r/{room}", "rita"), gateway.terminal(room=room)
    connected(page)
    nina.say("/nick alma", "/msg rita lunch?")
    tab = page.locator("#rooms a", has_text="@alma")
    expect(tab).to_have_text("@alma 1 new")
    expect(page).to_have_title(f"(1) {room} · gateway")
    has(page)

    tab.click()
    expect(page).to_have_title("alma · gateway")
    said = page.locator("#log > .msg > .text")
    expect(said).to_have_text("lunch?")
    say(page, "at one\nor two", "/whois alma")
    nina.wait_for("[rita -> you] at one")
    expect(said).to_have_text(["lunch?", "at one\nor two"])
    expect(page.locator("#log .notice")).to_contain_text("alma")
    page.fill("#message", "half a thou")
    page.reload()
    connected(page)
    expect(said).to_have_text(["lunch?", "at one\nor two"])
    expect(page.locator("#message")).to_have_value("half a thou")
    page.locator("#rooms a").first.click()
    expect(page.get_by_role("button", name=f"Leave {room}")).to_have_count(0)
    say(page, "/reply hm")
    expect(said).to_have_text(["lunch?", "at one\nor two", "hm"])

    page.locator("#rooms a", has_text="@alma").click()
    page.fill("#message", "and to")
    nina.say("/nick noemi")
    expect(page).to_have_title("noemi · gateway")
    expect(said).to_have_text(["lunch?", "at one\nor two", "hm"])
    expect(page.locator("#rooms .tab")).to_have_count(2)
    page.reload()
    connected(page)
    expect(page.locator("#message")).to_have_value("and to")
    say(page, "and tomorrow?")
    nina.wait_for("[rita -> you] and tomorrow?")
    page.get_by_role("button", name="Leave noemi").click()
    expect(page.locator("#rooms")).to_be_hidden()
    assert "lunch" not in page.evaluate("JSON.stringify(sessionStorage)")


def test_what_is_typed_before_a_script_has_come_is_not_posted_to_the_room(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page("about:blank", "yara")
    gateway.terminal(room=room).say("/nick nelly")
    held: list[Route] | None = []

    def arrive(route: Route) -> None:
        if held is None:
            route.continue_()
        else:
            held.append(route)

    def load(begin: Callable[[], object]) -> None:
        nonlocal held
        held = []
        begin()
        connected(page)

    def let_come() -> None:
        nonlocal held
        waiting, held = held or [], None
        for route in waiting:
            route.continue_()

    page.route("**/later/**", arrive)
    load(lambda: page.goto(f"{gateway.web}/r/{room}"))
    say(page, "/msg nelly psst", "between you and me")
    let_come()
    expect(page).to_have_title("nelly · gateway")
    said = page.locator("#log > .private > .text")
    expect(said).to_have_text(["psst", "between you and me"])

    load(page.reload)
    say(page, "still between us")
    let_come()
    expect(said).to_have_text(["psst", "between you and me", "still between us"])

    load(lambda: page.goto(f"{gateway.web}/r/{room}"))
    page.keyboard.press("Control+k")
    page.keyboard.type("lobby\n")
    let_come()
    expect(page.get_by_role("combobox")).to_be_focused()
    assert '"messages":[]' in gateway.curl(f"/r/{room}/messages")
    page.unroute_all(behavior="wait")


def test_nothing_that_is_typed_in_a_private_talk_reaches_the_room(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "wanja")
    connected(page)
    say(page, "said in the room")
    has(page, "said in the room")
    nina = gateway.terminal(room=room)
    nina.say("/nick nina", "/msg wanja psst")
    page.locator("#rooms").get_by_text("@nina").click()

    say(page, "/me nods")
    nina.wait_for("[wanja -> you] * wanja nods")
    say(page, "/etc/passwd is a path")
    nina.wait_for("[wanja -> you] /etc/passwd is a path")
    for command in ("/delete", "/topic of the room"):
        say(page, command)
        expect(page.locator("#answer")).to_contain_text("is for rooms, and this is a private talk")
        page.fill("#message", "")
    say(page, "/who", "/login nobody wrong")
    expect(page.locator("#answer")).to_contain_text("wrong", ignore_case=True)

    page.locator("#rooms").get_by_text(f"#{room}").click()
    has(page, "said in the room")
    expect(page.locator("#topic")).to_have_text("")


def test_private_words_keep_their_order_while_their_script_is_on_its_way(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page, vera = open_page("about:blank", "ruth"), gateway.terminal(room=room)
    asked: list[Route] = []
    page.route("**/private_talks.js", lambda route: asked.append(route))
    page.goto(f"{gateway.web}/r/{room}")
    connected(page)
    lines = [f"line {number}" for number in range(1, 21)]
    vera.say("/nick vera", *(f"/msg ruth {line}" for line in lines), "the last")
    expect(page.get_by_text("the last", exact=True)).to_be_visible()
    until(lambda: page.evaluate("1") and asked, "the script is asked for").pop().continue_()
    page.locator("#rooms a", has_text="@vera 20 new").click()
    expect(page.locator("#log > .msg > .text")).to_have_text(lines)


@pytest.mark.both_browsers
def test_too_long_is_told_in_characters_and_messages_are_found(
    gateway: RunningGateway, room: str, open_page: Open, complaints: Complaints
) -> None:
    complaints.expected.append("status of 400")
    page = open_page(f"{gateway.web}/r/{room}", "lena")
    connected(page)
    trace = "\n".join(f"at some.place(Line{number}.java)" for number in range(200))
    say(page, trace, trace * 3, "the deploy is green")
    expect(page.locator("#log .text > .more")).to_have_count(2)
    page.fill("#message", "é" * 40_000)
    expect(page.locator("#counter")).to_have_text("7,232 characters too long")
    expect(page.locator("#send")).to_be_disabled()

    page.fill("#message", "")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Go to").fill("deploy")
    page.keyboard.press("Enter")
    page.locator(".hits a", has_text="the deploy is green").click()
    expect(page.locator("#log > .target > .text")).to_have_text("the deploy is green")
    say(page, "/search since:never")
    expect(page.locator("dialog [role=status]")).to_contain_text("since:3d")
    page.keyboard.press("Escape")
    expect(page.locator("#log > .msg")).to_have_count(3)


@pytest.mark.both_browsers
def test_settings_are_kept_until_the_page_forgets(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page("about:blank")
    page.goto(f"{gateway.web}/r/{room}")
    connected(page)
    page.fill("#nick", "quinn")
    page.press("#nick", "Enter")
    expect(page.locator("#my-nick")).to_have_text("quinn")
    say(page, "/topic x", "hello")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Theme").select_option("dark")
    page.get_by_label("Times").select_option("12")
    page.get_by_label("Joins and leaves").select_option("hide")
    expect(page.locator("#log time").last).to_have_text(re.compile("[AP]M$"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the log as text").click()
    line = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d quinn: hello$"
    log = saved.value.path().read_text()
    assert re.search(line, log, re.MULTILINE)
    assert f"curl '{gateway.web}/r/{room}/log.txt'" in log

    page.reload()
    connected(page)
    expect(page.locator("html")).to_have_css("color-scheme", "dark")
    expect(page.locator("#log time").last).to_have_text(re.compile("[AP]M$"))
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Theme")).to_have_value("dark")
    page.get_by_role("button", name="Forget me").click()
    page.get_by_role("button", name="press again").click()
    expect(page.locator("#my-nick")).to_contain_text("guest-")
    expect(page.locator("html")).to_have_css("color-scheme", "light dark")


def test_an_absent_person_is_told_of_mentions_and_private_messages(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page("about:blank", "ruby")
    page.add_init_script(AWAY)
    page.goto(f"{gateway.web}/r/{room}")
    connected(page)
    page.get_by_role("button", name="Settings").click()
    page.locator("select[name=notify]").select_option("on")
    page.get_by_role("textbox", name="Keywords").fill("deploy, 发布")
    page.keyboard.press("Escape")
    nina, tom = gateway.terminal(room=room), gateway.terminal(room=room)
    nina.say("/nick nina", "ruby is here")
    tom.say("/nick tom")
    expect(page.get_by_text("is here")).to_be_visible()

    page.evaluate("leave(true)")
    nina.say("hello ruby", "ruby?", "rubyred")
    tom.say("/msg ruby lunch?")
    expect(page).to_have_title(f"(4) {room} · gateway")
    expect(page.locator("#log .unread + .msg")).to_contain_text("hello")
    page.reload()
    connected(page)
    page.evaluate("leave(true)")
    nina.say("ruby again")
    expect(page).to_have_title(f"(1) {room} · gateway")
    until(lambda: page.evaluate("told") == ["nina: ruby again"], "a notification")
    page.evaluate("leave(false)")
    expect(page).to_have_title(f"{room} · gateway")

    say(page, f"/join {room}b")
    tom.say(f"/join {room}", "the deployment is on", "今天发布")
    badge = page.locator("#rooms .tab b").first
    expect(badge).to_have_text("@2")
    page.locator("#rooms a").first.click()
    expect(page.locator("#log .msg b").last).to_have_text("发布")
    expect(badge).to_have_count(0)
    until(lambda: page.evaluate(FETCHED, "/events.js"), "the last of the scripts that come by themselves")
    late: list[Route] = []  # the letters go to the palette also where the way to the server is slow
    page.route("**/*.js*", lambda route: late.append(route))
    page.keyboard.press("Control+k")
    page.keyboard.type("mentions")
    page.keyboard.press("Enter")
    expect(page.locator(".hits .said")).to_have_count(4)
    expect(page.locator(".hits .said").first).to_have_text("ruby again")
    for route in late:
        route.continue_()
    page.unroute_all(behavior="wait")


def test_others_see_that_somebody_is_typing(gateway: RunningGateway, room: str, open_page: Open) -> None:
    uma, vito = (open_page(f"{gateway.web}/r/{room}", name) for name in ("uma", "vito"))
    for page in (uma, vito):
        connected(page)
    line = vito.locator(".typists")
    uma.locator("#message").press_sequentially("/me")
    uma.locator("#message").press_sequentially(" not a message yet")
    uma.fill("#message", "")
    uma.locator("#message").press_sequentially("hi")
    expect(line).to_have_text("uma is typing…")
    uma.press("#message", "Enter")
    expect(vito.locator("#log .text").last).to_have_text("hi")
    expect(line).to_be_hidden()


def test_texts_that_want_to_be_more_stay_texts(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page("about:blank", viewport={"width": 320, "height": 568})
    page.goto(f"{gateway.web}/r/{room}")
    connected(page)
    for text in UGLY:
        gateway.curl("--data-binary", text, f"/r/{room}?nick=mallory")
    nina = gateway.terminal(room=room)
    nina.say("/nick nina", "/topic <img src=x onerror=window.hacked=1>" + "w" * 200)
    nina.say(*HOSTILE, "the last")

    expect(page.get_by_text("the last", exact=True)).to_be_visible()
    expect(page.locator("#topic")).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert page.locator("#scroller").evaluate("(scroller) => scroller.scrollWidth === scroller.clientWidth")
    links = page.locator("#log a").evaluate_all("(links) => links.map((link) => link.protocol)")
    assert set(links) <= {"http:", "https:", "mailto:"}
    say(page, "/ignore nina")
    expect(page.get_by_text("the last", exact=True)).to_be_hidden()


def test_a_muted_or_kicked_person_reads_why_and_keeps_the_draft(
    gateway: RunningGateway, room: str, open_page: Open, operator: StorageState
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "sven")
    connected(page)
    desk = open_page(f"{gateway.web}/admin", storage_state=operator)

    assert desk.evaluate(ORDER, ["POST", "mutes", {"nick": "sven", "reason": "caps", "seconds": 600}]) == 201
    muted = re.compile(r"You are muted until ([\d-]+ )?\d\d:\d\d: caps")
    expect(page.locator("#closed")).to_contain_text(muted)  # at once: the server tells a change of standing
    page.get_by_role("button", name="Try again").click()
    say(page, "HELLO")
    expect(page.locator("#closed")).to_contain_text(muted)
    expect(page.locator("#message")).not_to_be_editable()
    desk.evaluate(LIFT_MUTES)
    expect(page.locator("#closed")).to_be_hidden()
    page.fill("#message", "half a thou")
    connection = desk.locator("tr[data-id]", has_text="sven").get_attribute("data-id")
    assert desk.evaluate(ORDER, ["DELETE", f"connections/{connection}", {"reason": "be kind"}]) == 200

    expect(page.locator("#banner")).to_contain_text("You were kicked: be kind.")
    expect(page.locator("#message")).to_have_value("half a thou")
    page.get_by_role("button", name="Rejoin").click()
    connected(page)
    expect(page.locator("#my-nick")).to_have_text("sven")
    gateway.curl("-d", "all can read this", f"/r/{room}?nick=ci")

    assert desk.evaluate(ORDER, ["POST", "bans", {"nick": "sven", "reason": "spam", "seconds": 600}]) == 201
    expect(page.locator("#banner")).to_contain_text(re.compile(r"You are banned until ([\d-]+ )?\d\d:\d\d: spam"))
    page.reload()
    expect(page.locator("#closed")).to_contain_text("You can go on reading.")
    expect(page.locator("#my-nick")).to_have_text("sven")
    expect(page.get_by_text("all can read this")).to_be_visible()
    expect(page.locator("#skeleton")).to_be_hidden()
