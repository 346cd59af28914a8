"""What real browsers and their storage do to the page: cases reported of systems like it."""

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.fakes import until
from tests.web.browser.chat.talking import connected, has, say, stored
from tests.web.browser.conftest import Complaints, Open
from tests.web.browser.running_gateway import RunningGateway

ENTER_OF_AN_INPUT_METHOD = """(selector) => document.querySelector(selector).dispatchEvent(
  new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, which: 229, bubbles: true, cancelable: true }))"""
HOSTILE = [
    """
    localStorage.settings = 'dark';
    localStorage.ignored = 'true';
    localStorage.nick = '[]';
    localStorage.left = '{"a": 1}';
    sessionStorage.rooms = '{"a":1}';
    sessionStorage['outbox:lobby'] = 'x';
    sessionStorage['unread:lobby'] = '[]';
    sessionStorage.token = 'a\\nb';
    """,
    """
    localStorage.settings = '{"enter":[1],"__proto__":{"clock":"12"},"clock":"13"}';
    localStorage.ignored = '[1, null]';
    localStorage.nick = 'n'.repeat(9_000);
    localStorage.theme = '{"m":1}';
    sessionStorage.rooms = '["<b>", "../x", ""]';
    sessionStorage['outbox:lobby'] = '[{"text":5}]';
    sessionStorage['draft:lobby'] = '{}';
    sessionStorage.token = 't'.repeat(9_000);
    """,
]
WITHOUT_STORAGE = """
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("refused", "SecurityError"); } });
}
"""
FULL_STORAGE = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
OLDER = """
delete URL.canParse;
delete AbortSignal.timeout;
delete Element.prototype.checkVisibility;
delete crypto.randomUUID;
delete globalThis.structuredClone;
for (const name of Object.getOwnPropertyNames(Element.prototype)) {
  if (/^aria[A-Z]/.test(name)) delete Element.prototype[name];
}
const Wanted = RegExp;
globalThis.RegExp = new Proxy(Wanted, {
  construct(target, [source, flags]) {
    const tooNew = String(source.source ?? source).includes("(?<!") || String(flags).includes("v");
    if (tooNew) throw new SyntaxError("too new");
    return new target(source, flags);
  },
});
"""
"""Takes away what phones that end at iOS 16, and Firefox before 119, do not have."""


def test_pc_19_enter_that_ends_a_composition_sends_nothing(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "hana")
    connected(page)
    page.fill("#message", "かんじ")
    page.evaluate(ENTER_OF_AN_INPUT_METHOD, "#message")
    expect(page.locator("#message")).to_have_value("かんじ")

    page.press("#message", "Enter")

    has(page, "かんじ")


def test_pc_19_nor_does_it_choose_in_the_palette_or_from_the_suggestions(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "hanako")
    connected(page)
    page.locator("#message").press_sequentially("/wh")
    expect(page.locator("#suggestions li").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.evaluate(ENTER_OF_AN_INPUT_METHOD, "#message")

    expect(page.locator("#message")).to_have_value("/wh")

    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Go to").fill("settings")
    page.evaluate(ENTER_OF_AN_INPUT_METHOD, "dialog input")
    expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()


def test_pc_19_nor_does_it_take_a_name(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page(f"{gateway.web}/r/{room}")
    connected(page)
    page.fill("#nick", "はな")
    assert page.evaluate(ENTER_OF_AN_INPUT_METHOD, "#nick") is False  # the form is not submitted by the browser either

    page.press("#nick", "Enter")

    expect(page.locator("#my-nick")).to_have_text("はな")


@pytest.mark.parametrize("script", HOSTILE, ids=["words", "objects"])
def test_pc_20_what_another_project_left_in_the_storage_is_not_believed(
    gateway: RunningGateway, open_page: Open, script: str
) -> None:
    page = open_page(gateway.web, script=f"if (origin !== 'null') {{ {script} }}")
    connected(page)

    say(page, f"sent in spite of {len(script)}")

    expect(page.locator("#log > .msg").last).to_contain_text(f"sent in spite of {len(script)}")


@pytest.mark.parametrize("value", ["x", "[]", "{}", "null", "7", '{"a":{}}', '"\\u0000"'])
def test_pc_20_nor_is_what_stands_under_the_pages_own_keys(
    gateway: RunningGateway, open_page: Open, operator: StorageState, value: str
) -> None:
    names = "settings ignored rooms outbox:lobby unread:lobby draft:lobby token left nick theme every charts keys span"
    keys = [f"chat-gateway:{name}" for name in (*names.split(), "columns open")]
    script = f"if (origin !== 'null') for (const key of {keys}) localStorage[key] = sessionStorage[key] = {value!r};"
    page = open_page(gateway.web, script=script)
    connected(page)
    say(page, f"in spite of {value}")
    expect(page.locator("#log > .msg").last).to_contain_text(f"in spite of {value}")

    desk = open_page(f"{gateway.web}/admin", script=script, storage_state=operator)

    expect(desk.locator("#rows tr").first).to_be_visible()
    assert desk.locator("#every").input_value() == "2"


@pytest.mark.parametrize("script", [WITHOUT_STORAGE, FULL_STORAGE], ids=["refused", "full"])
def test_pc_20_a_browser_without_storage_chats_and_watches(
    gateway: RunningGateway, room: str, open_page: Open, operator: StorageState, script: str
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", script=script)
    connected(page)
    say(page, "without storage")
    has(page, "without storage")
    page.locator("#settings-button").click()
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    desk = open_page(f"{gateway.web}/admin", script=script, storage_state=operator)

    desk.locator("#theme").select_option("dark")
    expect(desk.locator("html")).to_have_attribute("data-theme", "dark")
    expect(desk.locator("#rows tr").first).to_be_visible()


def test_pc_22_a_phone_that_ends_at_ios_16_shows_every_message(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    gateway.terminal(room=room).say("/nick otto", "see https://example.com/a now", "next, pia")
    page = open_page(f"{gateway.web}/r/{room}", "pia", script=OLDER)
    connected(page)

    has(page, "see https://example.com/a now", "next, pia")
    expect(page.locator("#log .text a")).to_have_attribute("href", "https://example.com/a")
    expect(page.locator("#log b")).to_have_text("pia")
    expect(page.locator("#people-button")).to_have_attribute("aria-expanded", "true")

    def goes_round_to_people() -> bool:  # the page's keys come right after the page
        page.keyboard.press("F6")
        return page.locator("#people :focus").is_visible()

    until(goes_round_to_people)


def test_pc_22_and_the_dashboard_too(gateway: RunningGateway, open_page: Open, operator: StorageState) -> None:
    gateway.terminal().say("/nick quinn")
    desk = open_page(f"{gateway.web}/admin?q=nick:quinn", script=OLDER, storage_state=operator)

    desk.locator("#freeze").click()

    expect(desk.locator("#freeze")).to_have_attribute("aria-pressed", "true")
    expect(desk.locator("#rows tr")).to_contain_text("quinn")


def test_pc_24_the_policy_of_an_ipv6_address_is_one_that_browsers_take(
    tmp_path_factory: pytest.TempPathFactory, open_page: Open, complaints: Complaints
) -> None:
    six = RunningGateway(tmp_path_factory.mktemp("six"), host="::1")
    try:
        complaints.expected.clear()
        page: Page = open_page("about:blank", "rita", script=stored("localStorage", clock="24"))
        lines: list[str] = []
        page.on("console", lambda line: lines.append(line.text))
        page.goto(six.web)
        connected(page)
        say(page, "over six")
        has(page, "over six")
        page.goto(f"{six.web}/admin/login")
        expect(page.get_by_role("heading").first).to_be_visible()
    finally:
        page.close()
        six.close()
    assert lines == []


def test_pc_28_a_page_that_was_frozen_has_all_that_was_said_meanwhile_once(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "fay")
    connected(page)
    page.evaluate("window.told = []; window.Notification = class { constructor(title) { told.push(title); } }; 0")
    state = page.context.new_cdp_session(page)
    state.send("Page.setWebLifecycleState", {"state": "frozen"})
    said = [f"while frozen {number}" for number in range(5)]
    for text in said:
        gateway.curl("-d", text, f"/r/{room}?nick=ci")
    state.send("Page.setWebLifecycleState", {"state": "active"})

    connected(page)
    has(page, *said)
    say(page, "awake")
    has(page, *said, "awake")
    assert page.evaluate("told") == []


def test_an_address_that_ends_in_anything_shows_the_room(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page(f"{gateway.web}/r/{room}#%E0%A4%A", "gabi")
    connected(page)
    for number, fragment in enumerate(("#@%E0%A4", "#%40%", "#@__proto__", "#99999999999999999999", "#a:b:c")):
        page.goto(f"{gateway.web}/r/{room}{fragment}")
        page.reload()
        connected(page)
        say(page, str(number))
        expect(page.locator("#log > .msg > .text").last).to_have_text(str(number))


GIVE_FILE = """([kind, name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  const about = { bubbles: true, cancelable: true, [kind === "paste" ? "clipboardData" : "dataTransfer"]: data };
  const event = kind === "paste" ? new ClipboardEvent(kind, about) : new DragEvent(kind, about);
  return !document.querySelector("#message").dispatchEvent(event);
}"""


def test_a_dropped_text_goes_into_the_box_and_a_picture_is_refused_with_words(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "gina")
    connected(page)
    until(
        lambda: page.evaluate(GIVE_FILE, ["dragover", "a.log", ""]), "the browser not to open it in place of the chat"
    )
    assert page.evaluate(GIVE_FILE, ["drop", "a.log", "one\r\ntwo\r\n"])
    expect(page.locator("#message")).to_have_value("one\ntwo")
    assert page.evaluate(GIVE_FILE, ["paste", "picture.png", "\x89PNG\0"])
    expect(page.locator("#answer")).to_have_text("picture.png is not text, and only text can be sent")
    assert page.evaluate(GIVE_FILE, ["drop", "long.log", "x" * 70_000])
    expect(page.locator("#answer")).to_have_text("long.log is too long: 65,536 bytes at most")
    expect(page.locator("#message")).to_have_value("one\ntwo")


def test_a_browser_that_allows_no_websocket_is_told_offline(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    refuse = "window.WebSocket = class { constructor() { throw new DOMException('blocked', 'SecurityError'); } };"
    page = open_page(f"{gateway.web}/r/{room}", "gert", script=refuse)
    expect(page.locator("#banner")).to_contain_text("Offline")


def test_the_servers_words_about_a_name_that_is_read_from_the_right_stay_in_their_order(
    gateway: RunningGateway, room: str, open_page: Open
) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "gisa")
    connected(page)
    gateway.terminal(room=room).say("/nick שרה", "שלום", "/topic בדיקה")
    expect(page.locator("#log > .msg > .text")).to_have_css("direction", "rtl")
    expect(page.locator("#log > .notice > .text")).to_have_text("שרה set the topic: בדיקה")
    expect(page.locator("#log > .notice > .text")).to_have_css("direction", "ltr")


def test_a_dark_page_is_printed_dark_on_white(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "gudrun", color_scheme="dark")
    connected(page)
    say(page, "hello")
    has(page, "hello")
    expect(page.locator("#log .text").last).to_have_css("color", "rgb(230, 232, 234)")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("#log .text").last).to_have_css("color", "rgb(27, 29, 31)")
    expect(page.locator("#composer")).to_be_hidden()


def test_a_link_in_quotation_marks_ends_before_them(gateway: RunningGateway, room: str, open_page: Open) -> None:
    page = open_page(f"{gateway.web}/r/{room}", "gitta")
    connected(page)
    say(page, "«http://t.example/a» “http://t.example/b” http://t.example/(c)")
    expect(page.locator("#log .text a")).to_have_text(
        ["http://t.example/a", "http://t.example/b", "http://t.example/(c)"]
    )
