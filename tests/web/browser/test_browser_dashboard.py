"""The dashboard of a gateway with people at every door."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from tests.web.browser.conftest import Complaints, Open
from tests.web.browser.running_gateway import RunningGateway, wait_for
from tests.web.browser.talking import connected


@pytest.fixture
def dashboard(gateway: RunningGateway, open_page: Open, operator: StorageState) -> Page:
    """The dashboard of who has logged in."""
    return open_page(f"{gateway.web}/admin", storage_state=operator)


def row(dashboard: Page, nick: str) -> Locator:
    """The row of one person."""
    return dashboard.locator("#rows tr").filter(has=dashboard.get_by_text(nick, exact=True))


def nicks(dashboard: Page) -> list[str]:
    """The nicks from the first row to the last."""
    return dashboard.locator("#rows tr:not(.gone) bdi").all_text_contents()


def test_a_link_opens_the_dashboard_once_and_logging_out_ends_it(
    gateway: RunningGateway, open_page: Open, complaints: Complaints
) -> None:
    complaints.expected += ["status of 403", "status of 401"]
    link = gateway.fresh_login_link()
    dashboard = open_page(link)
    dashboard.get_by_role("button", name="Open the dashboard").click()
    expect(dashboard.locator("#health")).to_have_text("OK")
    expect(dashboard.locator("#empty")).to_contain_text("Nobody is connected")
    stranger = open_page(link)
    expect(stranger.get_by_role("alert")).to_contain_text("has been used already")
    stranger.goto(f"{gateway.web}/admin")
    assert stranger.url.endswith("/admin/login")

    elsewhere = dashboard.context.new_page()
    elsewhere.goto(f"{gateway.web}/admin")
    elsewhere.get_by_role("button", name="Log out").click()
    elsewhere.wait_for_url("**/admin/login")

    expect(dashboard.locator("#banner")).to_contain_text("Your session is over.")
    assert dashboard.context.request.get(f"{gateway.web}/admin/api/summary").status == 401
    elsewhere.goto(f"{gateway.web}/admin")
    assert elsewhere.url.endswith("/admin/login")


def test_every_door_has_its_rows_and_its_count(gateway: RunningGateway, dashboard: Page, open_page: Open) -> None:
    connected(open_page(f"{gateway.web}/", "rosa"))
    nina, teo = gateway.terminal(), gateway.terminal("telnet")
    nina.say("/nick nina", "hello")
    teo.say("/nick teo")

    for nick, door in (("rosa", "web"), ("nina", "tcp"), ("teo", "telnet")):
        expect(row(dashboard, nick).locator("[data-value=door]")).to_have_text(re.compile(rf"\s*{door}\s*"))
        expect(row(dashboard, nick).locator("[data-value=room]")).to_have_text("lobby")
    expect(row(dashboard, "nina").locator("[data-value=messages_in]")).to_have_text("1")
    expect(dashboard.locator("#tiles")).to_contain_text(re.compile(r"tcp 1\s+telnet 1\s+web 1"))
    expect(dashboard.locator("#listeners")).to_contain_text(re.compile(r"web 127\.0\.0\.1:\d+ ready"))
    expect(dashboard).to_have_title("3 connected · gateway")


def test_sorting_and_paging_show_everybody_once(gateway: RunningGateway, dashboard: Page) -> None:
    people = [gateway.terminal(("tcp", "telnet")[number % 2]) for number in range(120)]
    for number, person in enumerate(people):
        person.say(f"/nick p{number:03}", *["hello"] * (number == 77))
    expect(dashboard.locator("#matching")).to_have_text("50 of 120")

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
    dashboard.get_by_role("link", name="Msgs in").click()
    expect(dashboard.locator("#rows bdi").first).to_have_text("p077")
    dashboard.go_back()
    expect(dashboard.locator("#rows bdi").first).to_have_text("p100")


def test_a_kicked_browser_is_told_why_and_may_come_back(
    gateway: RunningGateway, dashboard: Page, open_page: Open
) -> None:
    sven = open_page(gateway.web, "sven")
    connected(sven)

    row(dashboard, "sven").get_by_text("kick", exact=True).click()
    row(dashboard, "sven").get_by_label("Reason").fill("be nice")
    row(dashboard, "sven").get_by_role("button", name="Kick").click()

    expect(sven.locator("#banner")).to_contain_text("You were kicked: be nice.")
    expect(dashboard.locator("#toasts")).to_contain_text("sven is kicked")
    sven.get_by_role("button", name="Rejoin").click()
    connected(sven)
    expect(sven.locator("#my-nick")).to_have_text("sven")


def test_kicking_a_terminal_works_without_script(gateway: RunningGateway, dashboard: Page, browser: Browser) -> None:
    nina = gateway.terminal()
    nina.say("/nick nina")
    nina.wait_for("you are nina")
    plain = browser.new_context(java_script_enabled=False, storage_state=dashboard.context.storage_state())
    page = plain.new_page()
    page.goto(f"{gateway.web}/admin")

    row(page, "nina").get_by_text("kick", exact=True).click()
    row(page, "nina").get_by_label("Reason").fill("good night")
    row(page, "nina").get_by_role("button", name="Kick").click()

    page.wait_for_url("**/admin?result=done")
    expect(page.get_by_text("Kicked.")).to_be_visible()
    assert nina.read_out().endswith("!! kicked: good night\n")
    expect(row(page, "nina")).to_have_count(0)
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
    wait_for("bob's row", lambda: nicks(dashboard) == ["bob"])


def test_a_gateway_that_is_away_is_said_so_and_asks_for_a_new_login(
    tmp_path: Path, open_page: Open, complaints: Complaints
) -> None:
    complaints.expected.append("status of 401")
    gateway = RunningGateway(tmp_path)
    try:
        dashboard = open_page(gateway.login_link)
        dashboard.get_by_role("button", name="Open the dashboard").click()
        expect(dashboard.locator("#health")).to_have_text("OK")

        gateway.kill()
        expect(dashboard.locator("#banner")).to_contain_text(re.compile(r"Not live since [\d:]+, retry in \d+ s"))
        gateway.start()
        dashboard.get_by_role("button", name="Retry now").click()

        expect(dashboard.locator("#banner")).to_contain_text("Your session is over.")
    finally:
        gateway.close()
