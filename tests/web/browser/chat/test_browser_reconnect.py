"""Pages whose gateway goes away and comes back: nothing is lost, nothing is shown twice."""

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.fakes import until
from tests.web.browser.chat.talking import connected, has, say, texts
from tests.web.browser.chat.test_browser_page import AWAY
from tests.web.browser.conftest import Open
from tests.web.browser.running_gateway import RunningGateway

LINE = """
const Real = WebSocket;
window.WebSocket = class extends Real {
  constructor(url, protocol) {
    super(window.away ? `${url}-nowhere` : url, protocol);
    window.cut = () => this.close();
    window.deaf = () => { this.onmessage = null; };
    window.dumb = () => { this.send = () => {}; };
  }
};"""
"""Puts the page's connection into the test's hands."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway for one test, which may end it."""
    running = RunningGateway(tmp_path, admin__tokens=f"robot:admin:{sha256(TOKEN.encode()).hexdigest()}")
    yield running
    running.close()


@pytest.fixture
def ana(gateway: RunningGateway, open_page: Open) -> Page:
    """Ana's page, whose connection can be cut."""
    page = open_page("about:blank", "ana")
    page.context.add_init_script(LINE)
    page.goto(gateway.web)
    connected(page)
    return page


TOKEN = "a token of this test"


def order(gateway: RunningGateway, path: str, body: str) -> str:
    """What a script of the operators does."""
    who = f"Authorization: Bearer {TOKEN}"
    return gateway.curl("-H", who, "-d", body, f"/admin/api/{path}")


def offline(page: Page) -> None:
    """The page has noticed that the gateway is away."""
    expect(page.locator("#status")).to_have_attribute("data-state", "waiting")


def nothing_waits(page: Page) -> None:
    """No line is on its way or unsure."""
    expect(page.locator("#outbox > li")).to_have_count(0)


@pytest.mark.both_browsers
def test_a_killed_gateway_that_is_started_again(gateway: RunningGateway, ana: Page, open_page: Open) -> None:
    bo = open_page(gateway.web, "bo")
    connected(bo)
    say(ana, "before")
    has(bo, "before")

    gateway.kill()
    offline(ana)
    offline(bo)
    expect(ana.locator("#banner")).to_contain_text("What you send is kept.")
    say(ana, "while away")
    expect(ana.locator("#outbox > li")).to_contain_text("unsent")
    gateway.start()
    ana.get_by_text("Try now").dispatch_event("click")  # the page may be back by itself, and the button out of sight
    gateway.curl("-d", "from curl", "/r/lobby?nick=ci")
    connected(ana)
    connected(bo)

    for page in (ana, bo):
        expect(page.get_by_text("while away")).to_be_visible()
        expect(page.get_by_text("from curl")).to_be_visible()
        expect(page.locator("#log > .msg")).to_have_count(3)
        expect(page.locator(".hole")).to_have_count(0)
    assert texts(ana) == texts(bo)
    expect(ana.locator("#my-nick")).to_have_text("ana")
    nothing_waits(ana)


@pytest.mark.both_browsers
def test_a_gateway_that_stops_politely_says_when_to_come_back(gateway: RunningGateway, ana: Page) -> None:
    say(ana, "before")
    has(ana, "before")

    gateway.ask_to_stop()
    expect(ana.locator("#banner")).to_contain_text("The server is restarting. Retrying in")
    assert gateway.wait() == 0
    gateway.start()
    connected(ana)

    has(ana, "before")
    say(ana, "after")
    has(ana, "before", "after")


def test_after_a_short_cut_the_missed_messages_come_in_order(gateway: RunningGateway, ana: Page) -> None:
    nina = gateway.terminal()
    nina.say("/nick nina", "one")
    has(ana, "one")

    ana.evaluate("cut()")
    nina.say("two", "three")
    offline(ana)
    connected(ana)

    has(ana, "one", "two", "three")
    expect(ana.locator(".hole")).to_have_count(0)


def test_a_line_whose_answer_was_lost_is_not_sent_again(gateway: RunningGateway, ana: Page, open_page: Open) -> None:
    bo = open_page(gateway.web, "bo")
    connected(bo)

    ana.evaluate("deaf()")
    say(ana, "did this arrive?")
    has(bo, "did this arrive?")
    ana.evaluate("cut()")
    offline(ana)
    connected(ana)

    has(ana, "did this arrive?")
    nothing_waits(ana)
    say(ana, "yes")
    has(bo, "did this arrive?", "yes")


@pytest.mark.parametrize("how", ["by itself", "by a reload"])
def test_a_line_that_was_lost_on_its_way_is_sent_again(ana: Page, how: str) -> None:
    ana.evaluate("dumb()")
    say(ana, "hello")
    expect(ana.locator("#outbox > li")).to_have_attribute("data-state", "sending")
    if how == "by a reload":
        ana.reload()
    else:
        ana.evaluate("cut()")
        offline(ana)
    connected(ana)

    has(ana, "hello")
    nothing_waits(ana)


def test_what_was_missed_is_there_also_when_it_is_long_and_the_gateway_began_anew(
    gateway: RunningGateway, ana: Page
) -> None:
    say(ana, "first")
    has(ana, "first")

    ana.evaluate("window.away = true; cut()")
    lines = [f"line {number}" for number in range(60)]
    tom = gateway.terminal()
    tom.say("/nick tom", *lines, "/quit")
    tom.read_out()
    gateway.kill()
    gateway.start()  # its memory begins with the last 50
    ana.evaluate("window.away = false")

    expect(ana.locator("#log > .msg")).to_have_count(61)
    has(ana, "first", *lines)
    expect(ana.locator(".hole")).to_have_count(0)


def test_a_connection_that_died_in_its_sleep_is_given_up_within_seconds(
    gateway: RunningGateway, open_page: Open
) -> None:
    sides: list[WebSocketRoute] = []

    def carry(page_side: WebSocketRoute) -> None:
        """Carry both ways, but nothing more on a connection that is marked as dead."""
        server_side = page_side.connect_to_server()
        page_side.on_message(lambda text: None if page_side in dead else server_side.send(text))
        server_side.on_message(lambda text: None if page_side in dead else page_side.send(text))
        sides.append(page_side)

    dead: list[WebSocketRoute] = []
    page = open_page("about:blank", "ana")
    page.clock.install()
    page.route_web_socket("**/ws", carry)
    page.goto(gateway.web)
    connected(page)
    dead += sides
    page.clock.pause_at(page.evaluate("Date.now()") + 60_000)
    gateway.curl("-d", "meanwhile", "/r/lobby?nick=ci")
    page.clock.run_for(5_100)
    offline(page)
    page.clock.resume()

    connected(page)
    has(page, "meanwhile")
    assert len(sides) == 2


def test_a_hole_in_the_log_is_shown_and_can_be_filled(gateway: RunningGateway, open_page: Open) -> None:
    def lose_some(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        lost = re.compile('{"type":"msg".*"lost')
        server_side.on_message(lambda frame: None if lost.match(str(frame)) else page_side.send(frame))

    page = open_page("about:blank", "ana")
    page.route_web_socket("**/ws", lose_some)
    page.goto(gateway.web)
    connected(page)

    tom = gateway.terminal()
    tom.say("/nick tom", "first", "lost 1", "lost 2", "last")
    expect(page.locator(".hole")).to_contain_text(re.compile("messages 2.3 were not sent to you"))
    page.get_by_role("button", name="load", exact=True).click()

    has(page, "first", "lost 1", "lost 2", "last")
    expect(page.locator(".hole")).to_have_count(0)


@pytest.mark.both_browsers
def test_what_was_not_sent_survives_a_reload(gateway: RunningGateway, ana: Page) -> None:
    ana.keyboard.press("Control+k")
    expect(ana.get_by_role("combobox")).to_be_focused()  # its script is here, and with it that of /msg
    ana.keyboard.press("Escape")
    gateway.kill()
    offline(ana)
    say(ana, "kept", "/msg nina psst")
    expect(ana).to_have_title("nina · gateway")
    ana.locator("#rooms a", has_text="#lobby").click()
    ana.fill("#message", "half a thou")

    gateway.start()
    nina = gateway.terminal()
    nina.say("/nick nina")
    nina.wait_for("you are nina")
    ana.reload()
    connected(ana)

    has(ana, "kept")
    expect(ana.locator("#message")).to_have_value("half a thou")
    nina.wait_for("[ana -> you] psst")


def test_a_page_that_comes_back_during_maintenance_reads_why_and_waits(gateway: RunningGateway, ana: Page) -> None:
    assert '"on":true' in order(gateway, "maintenance", '{"on":true,"text":"back at nine"}')
    say(ana, "still here")
    has(ana, "still here")
    ana.evaluate("cut()")
    expect(ana.locator("#banner")).to_contain_text("Not now: back at nine. Retrying in")
    order(gateway, "maintenance", '{"on":false}')
    ana.get_by_role("button", name="Try now").click()
    connected(ana)


def test_a_page_whose_door_is_drained_comes_back_when_it_opens(gateway: RunningGateway, ana: Page) -> None:
    order(gateway, "drain", '{"door":"web"}')
    expect(ana.locator("#banner")).to_contain_text("The server is restarting. Retrying in")
    gateway.curl("-H", f"Authorization: Bearer {TOKEN}", "-X", "DELETE", "/admin/api/drain")
    connected(ana)
    say(ana, "again")
    has(ana, "again")


def test_where_reading_stopped_is_marked_until_it_has_been_looked_at(gateway: RunningGateway, ana: Page) -> None:
    """The line stands behind the last message that was seen, through focus, reload, reconnect and a new tab."""
    nina, line = gateway.terminal(), ana.locator(".unread + .msg > .text")
    ana.evaluate(AWAY)
    nina.say("/nick nina", "seen")
    has(ana, "seen")
    ana.evaluate("leave(true)")
    nina.say(*(f"away {number}" for number in range(40)))
    expect(ana).to_have_title("(40) lobby · gateway")
    ana.evaluate("leave(false)")
    expect(ana).to_have_title("lobby · gateway")
    expect(ana.locator("#jump")).to_have_text("↑ 40 new")
    ana.reload()
    connected(ana)
    expect(line).to_have_text("away 0")
    expect(ana.locator("#jump")).to_have_text("↑ 40 new")
    ana.locator("#jump").click()
    expect(ana.locator("#jump")).to_be_hidden()
    expect(line).to_be_in_viewport()
    expect(line).to_have_count(0)  # it was in view for three seconds

    ana.locator("#scroller").evaluate("(scroller) => { scroller.scrollTop = scroller.scrollHeight; }")
    expect(ana.locator("#newest")).to_be_hidden()
    ana.evaluate("window.away = true; cut()")
    nina.say(*(f"cut {number}" for number in range(33)))
    nina.wait_for("-- ana left")
    ana.evaluate("window.away = false; dispatchEvent(new Event('online'))")
    expect(ana.locator("#jump")).to_have_text("↑ 33 new")
    expect(line).to_have_text("cut 0")
    expect(ana).to_have_title("lobby · gateway")
    ana.keyboard.press("Escape")
    expect(line).to_have_count(0)

    another = ana.context.new_page()
    ana.close()
    nina.say("later")
    another.goto(gateway.web)
    connected(another)
    expect(another.locator(".unread + .msg > .text")).to_have_text("later")


def test_what_was_read_in_another_tab_is_not_new_after_a_reconnect(gateway: RunningGateway, ana: Page) -> None:
    nina, sent = gateway.terminal(), list[str]()
    another = ana.context.new_page()
    another.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    another.goto(gateway.web)
    connected(another)
    ana.evaluate(AWAY)
    ana.evaluate("leave(true)")
    nina.say("/nick nina", "one")
    expect(ana).to_have_title("(1) lobby · gateway")
    ana.evaluate("window.away = true; cut()")
    offline(ana)
    another.evaluate(AWAY)
    another.evaluate("leave(false)")
    nina.say("two", "three")
    has(another, "one", "two", "three")
    until(lambda: another.title() and any('"read"' in frame and '"seq":3' in frame for frame in sent), "it is read")
    another.evaluate("leave(true)")
    nina.say("four")
    has(another, "one", "two", "three", "four")

    ana.evaluate("window.away = false; dispatchEvent(new Event('online'))")
    expect(ana.locator(".unread + .msg > .text")).to_have_text("four")
    expect(ana).to_have_title("(1) lobby · gateway")
