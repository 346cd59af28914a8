"""The dashboard of a gateway with people at every door."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from tests.accounts.people import PASSWORD
from tests.fakes import PATIENCE, until
from tests.web.browser.browsers import without_script
from tests.web.browser.chat.talking import connected, stored
from tests.web.browser.conftest import WATCH, Complaints, Open
from tests.web.browser.running_gateway import RunningGateway
from tests.web.tables.test_columns import AGENTS, VALUES

BRISK = stored("localStorage", every="1", charts=False)
"""A page that asks as often as it can, and draws no charts: those have their own tests."""


@pytest.fixture(scope="module")
def desk(browser: Browser, operator: StorageState) -> Iterator[tuple[Page, Complaints]]:
    """The page of an admin, which the tests share, and its console errors."""
    context = browser.new_context(storage_state=operator, viewport={"width": 1280, "height": 720})
    context.set_default_timeout(1000 * PATIENCE)
    context.add_init_script(WATCH + BRISK)
    page, heard = context.new_page(), Complaints()
    heard.watch(page)
    yield page, heard
    context.close()


@pytest.fixture
def dashboard(gateway: RunningGateway, desk: tuple[Page, Complaints], complaints: Complaints) -> Iterator[Page]:
    """The dashboard, as it comes when it is opened."""
    page, heard = desk
    page.mouse.move(2, 2)
    page.goto(f"{gateway.web}/admin")
    yield page
    page.goto("about:blank")
    complaints += heard
    heard.clear()


def row(dashboard: Page, nick: str) -> Locator:
    """The row of one person."""
    return dashboard.locator("#rows tr").filter(has=dashboard.get_by_text(nick, exact=True))


def cell(dashboard: Page, nick: str, field: str) -> Locator:
    """One field of one person."""
    return row(dashboard, nick).locator(f"[data-field={field}]")


def nicks(dashboard: Page) -> list[str]:
    """The nicks from the first row to the last."""
    return dashboard.locator("#rows tr:not(.gone) bdi").all_text_contents()


@pytest.mark.both_browsers
def test_a_password_opens_the_dashboard_and_logging_out_ends_it(
    gateway: RunningGateway, open_page: Open, complaints: Complaints
) -> None:
    complaints.expected += ["status of 403", "status of 401"]
    page = open_page(f"{gateway.web}/admin", script=BRISK)
    page.get_by_label("Name").fill("ana")
    for password in ("a wrong one", PASSWORD):
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
    expect(page.locator("#health")).to_contain_text("OK")
    expect(page.locator("#empty")).to_contain_text("Nobody is connected")

    elsewhere = page.context.new_page()
    elsewhere.goto(f"{gateway.web}/admin/sessions")
    elsewhere.get_by_role("button", name="Log out").click()
    elsewhere.wait_for_url("**/admin/login")

    over = page.get_by_role("dialog")
    expect(over).to_contain_text("Your session is over")
    assert page.context.request.get(f"{gateway.web}/admin/api/summary").status == 401
    over.get_by_label("Password").fill(PASSWORD)
    over.get_by_role("button", name="Log in", exact=True).click()
    expect(over).to_be_hidden()
    expect(page.locator("body")).not_to_have_class(re.compile("stale"))


def test_every_door_has_its_rows_and_its_count(gateway: RunningGateway, dashboard: Page, open_page: Open) -> None:
    connected(open_page(f"{gateway.web}/", "rosa"))
    nina, teo = gateway.terminal(), gateway.terminal("telnet")
    nina.say("/nick nina", "hello")
    teo.say("/nick teo")

    for nick, door in (("rosa", "web"), ("nina", "tcp"), ("teo", "telnet")):
        expect(cell(dashboard, nick, "door")).to_have_text(re.compile(rf"\s*{door}\s*"))
        expect(cell(dashboard, nick, "room")).to_have_text("lobby")
        expect(cell(dashboard, nick, "state")).to_have_text("ok")
    expect(dashboard.locator("#tiles")).to_contain_text(re.compile(r"tcp 1\s+telnet 1\s+web 1"))
    expect(dashboard.locator("#listeners")).to_contain_text(re.compile(r"web 127\.0\.0\.1:\d+ ready"))
    expect(dashboard).to_have_title("3 connected · gateway")
    expect(dashboard.locator("#events")).to_contain_text("nina")
    expect(dashboard.locator("#events")).to_contain_text(re.compile("connected (tcp|telnet|web)"))


def test_sorting_and_paging_show_everybody_once(gateway: RunningGateway, dashboard: Page) -> None:
    people = [gateway.terminal(("tcp", "telnet")[number % 2]) for number in range(120)]
    for number, person in enumerate(people):
        person.say(f"/nick p{number:03}")
    expect(dashboard.locator("#matching")).to_have_text("120 open")

    dashboard.get_by_role("link", name="Nick").click()
    expect(dashboard.get_by_role("columnheader", name="Nick")).to_have_attribute("aria-sort", "ascending")
    expect(dashboard.locator("#rows bdi").first).to_have_text("p000")
    seen = nicks(dashboard)
    for first in ("p050", "p100"):
        dashboard.locator("#next").click()
        expect(dashboard.locator("#rows bdi").first).to_have_text(first)
        seen += nicks(dashboard)
    assert seen == [f"p{number:03}" for number in range(120)]
    expect(dashboard.locator("#next")).to_be_hidden()

    dashboard.reload()
    assert nicks(dashboard)[0] == "p100"
    dashboard.get_by_role("link", name="Nick").click()
    expect(dashboard.locator("#rows bdi").first).to_have_text("p119")
    dashboard.go_back()
    expect(dashboard.locator("#rows bdi").first).to_have_text("p100")


def test_a_filter_is_checked_asked_for_and_taken_apart(
    gateway: RunningGateway, dashboard: Page, complaints: Complaints
) -> None:
    complaints.expected.append("status of 400")
    for nick, door in (("nina", "tcp"), ("teo", "telnet")):
        gateway.terminal(door).say(f"/nick {nick}")
    expect(row(dashboard, "teo")).to_be_visible()
    asked: list[str] = []
    dashboard.on("request", lambda request: asked.append(request.url))

    dashboard.keyboard.press("/")
    dashboard.keyboard.type("dor:tcp")
    expect(dashboard.locator("#under u")).to_have_text("dor:tcp")
    expect(dashboard.locator("#q-problem")).to_contain_text("unknown field “dor”; did you mean door?")
    assert not [url for url in asked if "dor" in url]

    dashboard.fill("#q", "door:tcp")
    expect(row(dashboard, "teo")).to_have_count(0)
    assert nicks(dashboard) == ["nina"]
    expect(dashboard).to_have_url(re.compile("q=door%3Atcp"))
    dashboard.fill("#q", "door:tcp nick:zoe")
    dashboard.get_by_role("link", name="without nick:zoe").click()
    until(lambda: nicks(dashboard) == ["nina"], "nina's row")
    dashboard.fill("#q", "idle>long")
    expect(dashboard.locator("#q-problem u")).to_have_text("idle>long")


def test_a_frozen_table_waits_while_the_figures_go_on(gateway: RunningGateway, dashboard: Page) -> None:
    gateway.terminal().say("/nick nina")
    expect(row(dashboard, "nina")).to_be_visible()

    dashboard.keyboard.press("f")
    expect(dashboard.locator("#frozen")).to_contain_text("Frozen at")
    gateway.terminal().say("/nick bob")
    expect(dashboard.locator("#tiles")).to_contain_text(re.compile(r"tcp 2\s"))
    assert nicks(dashboard) == ["nina"]

    dashboard.get_by_role("button", name="Back to live").click()
    expect(row(dashboard, "bob")).to_be_visible()


def test_a_kicked_terminal_is_told_why_and_stands_below_the_table(gateway: RunningGateway, dashboard: Page) -> None:
    nina = gateway.terminal()
    nina.say("/nick nina")
    row(dashboard, "nina").get_by_text("kick", exact=True).click()
    expect(row(dashboard, "nina").get_by_label("Ban by")).to_be_hidden()
    row(dashboard, "nina").get_by_label("and ban 10 min").check()
    expect(row(dashboard, "nina").get_by_label("Ban by")).to_be_visible()
    row(dashboard, "nina").get_by_label("and ban 10 min").uncheck()
    row(dashboard, "nina").get_by_label("Reason").fill("be nice")
    row(dashboard, "nina").get_by_role("button", name="Kick").click()

    expect(dashboard.locator("#toasts")).to_contain_text("nina is kicked")
    assert nina.read_out().endswith("!! kicked: be nice\n")
    expect(dashboard.locator("#closed")).to_contain_text("kicked be nice")


@pytest.mark.both_browsers
def test_a_ban_from_the_drawer_is_told_listed_audited_and_lifted(
    gateway: RunningGateway, dashboard: Page, open_page: Open
) -> None:
    sven = open_page(gateway.web, "sven")
    connected(sven)
    cell(dashboard, "sven", "agent").click()
    drawer = dashboard.locator("#drawer")
    expect(drawer.locator("#drawer-rooms")).to_contain_text("lobby")
    drawer.get_by_role("button", name="Ban").click()
    drawer.get_by_label("reason").fill("spam")
    drawer.get_by_role("button", name="Ban").last.click()

    expect(dashboard.locator("#toasts")).to_contain_text("sven is banned")
    expect(sven.locator("#banner")).to_contain_text("spam")
    expect(drawer.locator("#drawer-line")).to_contain_text("closed: banned")
    dashboard.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    dashboard.goto(f"{gateway.web}/admin?state=closed")
    expect(cell(dashboard, "sven", "reason")).to_have_text("banned")
    dashboard.goto(f"{gateway.web}/admin/audit?q=action:ban")
    expect(dashboard.get_by_role("row").filter(has_text="sven")).to_contain_text("done")
    dashboard.goto(f"{gateway.web}/admin/bans")
    dashboard.get_by_role("button", name=re.compile("Lift")).click()
    expect(dashboard.locator("#toasts")).to_contain_text("Lifted.")
    expect(dashboard.get_by_role("heading", name="Nobody is banned")).to_be_visible()


def test_the_ticked_are_told_together(gateway: RunningGateway, dashboard: Page) -> None:
    nina, bob = gateway.terminal(), gateway.terminal()
    nina.say("/nick nina")
    bob.say("/nick bob")
    for nick in ("nina", "bob"):
        expect(row(dashboard, nick)).to_be_visible()
    dashboard.get_by_label("Select all on this page").check()
    expect(dashboard.locator("#selected")).to_have_text("2")
    dashboard.locator("#selection").get_by_role("button", name="Message").click()
    dialog = dashboard.get_by_role("dialog")
    expect(dialog).to_contain_text("nina")
    dialog.get_by_label("message").fill("lunch is ready")
    dialog.get_by_role("button", name="Send").click()

    expect(dashboard.locator("#toasts")).to_contain_text("2 messaged")
    for person in (nina, bob):
        person.wait_for("-- [operator] lunch is ready")


def test_a_campaign_that_was_begun_elsewhere_is_shown_and_stopped(gateway: RunningGateway, dashboard: Page) -> None:
    for _ in range(30):
        gateway.terminal()
    expect(dashboard.locator("#matching")).to_have_text("30 open")
    token = dashboard.locator("meta[name=csrf-token]").get_attribute("content") or ""
    order = {"action": "kick", "q": "door:tcp", "expected": 30, "per_second": 1}
    dashboard.context.request.post(
        f"{gateway.web}/admin/api/campaigns", data=order, headers={"X-CSRF-Token": token}, fail_on_status_code=True
    )

    strip = dashboard.locator("#campaign-strip")
    expect(strip).to_contain_text(re.compile(r"door:tcp.: \d+ of 30, 1 per second, by ana"))
    strip.get_by_role("button", name="Stop").click()
    expect(dashboard.locator("#toasts")).to_contain_text(re.compile(r"\d+ kicked · stopped before the other \d+"))
    expect(strip).to_be_hidden()


def test_a_drain_is_begun_by_the_second_press_and_ended(gateway: RunningGateway, dashboard: Page) -> None:
    dashboard.get_by_text("More", exact=True).click()
    dashboard.get_by_role("button", name="Drain, maintenance, log …").click()
    dialog = dashboard.get_by_role("dialog")
    dialog.get_by_label("door").select_option("tcp")
    dialog.get_by_role("button", name="Drain", exact=True).click()
    expect(dialog.get_by_role("button", name="Drain tcp: sure?")).to_be_visible()
    dialog.get_by_label("door").select_option("telnet")
    dialog.get_by_role("button", name="Drain", exact=True).click()
    dialog.get_by_role("button", name="Drain telnet: sure?").click()
    expect(dialog.locator("#drain-doors")).to_contain_text(re.compile("tcp ready.*telnet (draining|closed)", re.DOTALL))
    expect(dialog.get_by_role("button", name="Drain", exact=True)).to_be_visible()

    dialog.get_by_role("button", name="Cancel the drain").click()
    expect(dialog.locator("#drain-doors")).to_contain_text("telnet ready")
    dialog.get_by_role("button", name="Close").click()


def test_only_what_somebody_asked_for_counts_as_use(gateway: RunningGateway, dashboard: Page) -> None:
    with dashboard.expect_request(lambda asked: "/admin/api/" in asked.url and asked.headers.get("x-poll") == "1"):
        pass
    with dashboard.expect_request(lambda asked: "/admin/api/" in asked.url and "x-poll" not in asked.headers):
        dashboard.keyboard.press("r")


def test_a_viewer_finds_no_actions_and_is_refused(
    gateway: RunningGateway, open_page: Open, viewer: StorageState, complaints: Complaints
) -> None:
    complaints.expected.append("status of 403")
    gateway.terminal().say("/nick nina")
    page = open_page(f"{gateway.web}/admin", script=BRISK, storage_state=viewer)
    expect(row(page, "nina")).to_be_visible()
    for words in ("kick", "Kick", "Ban", "Mute", "Announce …"):
        assert page.get_by_text(words, exact=True).count() == 0
    token = page.locator("meta[name=csrf-token]").get_attribute("content")
    page.evaluate(
        """(token) => {
          const form = document.createElement("form");
          form.method = "post";
          form.action = "/admin/kick";
          for (const [name, value] of [["csrf", token], ["id", "1"]]) {
            form.append(Object.assign(document.createElement("input"), { name, value }));
          }
          document.body.append(form);
          form.submit();
        }""",
        token,
    )
    expect(page.get_by_text("only operators can do that; you are vic (viewer)", exact=False)).to_be_visible()
    expect(page.get_by_role("link", name="Back to the dashboard")).to_be_visible()


def test_without_script_there_are_rows_a_filter_and_a_kick(
    gateway: RunningGateway, browser: Browser, operator: StorageState
) -> None:
    nina = gateway.terminal()
    nina.say("/nick nina")
    nina.wait_for("you are nina")
    plain = without_script(browser, storage_state=operator)
    page = plain.new_page()
    page.goto(f"{gateway.web}/admin")
    page.get_by_role("searchbox", name="Filter").fill("nick:nina")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin?*q=nick*")
    assert nicks(page) == ["nina"]

    row(page, "nina").get_by_text("kick", exact=True).click()
    row(page, "nina").get_by_label("Reason").fill("good night")
    row(page, "nina").get_by_role("button", name="Kick").click()

    page.wait_for_url("**/admin?*result=kicked")
    expect(page.get_by_text("Kicked.")).to_be_visible()
    assert nina.read_out().endswith("!! kicked: good night\n")
    assert page.get_by_role("searchbox", name="Filter").input_value() == "nick:nina"
    plain.close()


def test_rows_stay_while_somebody_points_at_them(gateway: RunningGateway, dashboard: Page) -> None:
    nina = gateway.terminal()
    nina.say("/nick nina")
    expect(row(dashboard, "nina")).to_be_visible()

    row(dashboard, "nina").hover()
    nina.close()
    expect(row(dashboard, "nina")).to_have_class("gone")
    bob = gateway.terminal()
    bob.say("/nick bob")
    expect(dashboard.locator("#held")).to_be_visible()
    assert nicks(dashboard) == []

    dashboard.mouse.move(2, 2)
    until(lambda: nicks(dashboard) == ["bob"], "bob's row")


@pytest.mark.both_browsers
def test_a_link_opens_once_and_whoever_came_by_it_stays_logged_in_over_a_crash(
    tmp_path: Path, open_page: Open, complaints: Complaints
) -> None:
    complaints.expected += ["net::ERR_"]
    gateway = RunningGateway(tmp_path)
    try:
        dashboard = open_page(gateway.login_link, script=BRISK)
        dashboard.get_by_label("Your name").fill("vera")
        dashboard.get_by_role("button", name="Open the dashboard").click()
        expect(dashboard.locator("#health")).to_contain_text("OK")
        opened = gateway.login_link.removeprefix(gateway.web)
        assert "has been used already" in gateway.curl("-H", "Accept: text/html", opened)

        gateway.kill()
        expect(dashboard.locator("#banner")).to_contain_text(re.compile(r"Not live since [\d:]+, retry in \d+ s"))
        gateway.start()
        dashboard.get_by_role("button", name="Retry now").click()

        expect(dashboard.locator("#banner")).to_be_hidden()
        dashboard.reload()
        expect(dashboard.locator(".user")).to_contain_text("link:vera (admin)")
    finally:
        gateway.close()


def test_the_script_writes_values_as_the_server_does(dashboard: Page) -> None:
    module = dashboard.locator("script[type=module]").get_attribute("src")
    cases = [[value, shown] for value, shown, _ in VALUES] + [[agent, "agent"] for agent, _ in AGENTS]
    words = dashboard.evaluate(
        "async ([module, cases]) => { const { $format: { written } } = await import(module); "
        "return cases.map(([value, shown]) => written(value, shown)); }",
        [module, cases],
    )
    assert words == [words for _, _, words in VALUES] + [name for _, name in AGENTS]


@pytest.mark.parametrize("path", ["sessions", "audit", "rooms"])
def test_on_a_phone_every_row_of_a_list_is_a_card_of_short_lines(
    gateway: RunningGateway, open_page: Open, operator: StorageState, path: str
) -> None:
    gateway.terminal(room="phones").say("/nick nadia", "/topic " + "a topic of many words " * 5, "hello")
    page = open_page("about:blank", storage_state=operator, viewport={"width": 390, "height": 844})
    page.goto(f"{gateway.web}/admin")
    page.evaluate(
        """(reason) => fetch("/admin/api/bans", { method: "POST",
          body: JSON.stringify({ nick: "long", seconds: 60, reason }), headers: { "Content-Type": "application/json",
                     "X-CSRF-Token": document.querySelector("meta[name=csrf-token]").content } })""",
        "a reason of many words " * 8,
    )
    page.goto(f"{gateway.web}/admin/{path}")

    row = page.locator(".rows tbody tr").first
    assert row.bounding_box()["height"] < 320  # type: ignore[index]
    first = row.locator("td").first
    assert first.bounding_box()["width"] > 300  # type: ignore[index]
    labels = row.locator("td[data-label]").evaluate_all(
        "(cells) => cells.slice(1).filter((cell) => cell.offsetParent)"
        ".map((cell) => getComputedStyle(cell, '::before').content)"
    )
    assert labels and all(len(label) > 3 for label in labels), labels
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    nav = page.locator(".ways").bounding_box()
    docs = page.locator(".ways").get_by_role("link", name="Docs").bounding_box()
    assert nav and docs and docs["x"] + docs["width"] <= 390


def test_when_it_is_not_live_neither_health_nor_title_pretend(
    gateway: RunningGateway, open_page: Open, operator: StorageState, complaints: Complaints
) -> None:
    complaints.expected.append("Failed to load resource")
    page = open_page(f"{gateway.web}/admin", storage_state=operator)
    expect(page.locator("#health b")).not_to_have_text("?")
    page.route("**/admin/api/**", lambda route: route.abort())

    expect(page.locator("#health b")).to_have_text("?")
    expect(page).to_have_title(re.compile(r"^\(not live\) "))
    page.unroute("**/admin/api/**")
    page.get_by_role("button", name="Retry now").click()

    expect(page.locator("#health b")).not_to_have_text("?")
    expect(page).not_to_have_title(re.compile("not live"))
