"""The rules of every page: it fits, everybody can use it, it is small, and it obeys the security policy."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, StorageState, expect

from tests.bridge.gateways import ROOT
from tests.web.browser.browsers import without_script
from tests.web.browser.chat.talking import connected, say
from tests.web.browser.conftest import Complaints, Open
from tests.web.browser.running_gateway import RunningGateway

SOURCES = [*sorted((ROOT / "templates").glob("*.html")), *sorted((ROOT / "gateway/web/static").rglob("*.[jc]s*"))]
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:"
    r"|<[^>]*\s(?:style|on[a-z]+)=|<style\b|<script(?![^>]*\bsrc=)"
)
CHAT_BYTES, CHAT_REQUESTS = 25_000, 6
DASHBOARD_BYTES = 50_000
OWN_BYTES = 27_000
"""Scripts and styles of the dashboard that are loaded at first, without the drawing of its charts."""
CODE = "```\nfor line in lines_of_a_program_that_is_wider_than_a_telephone(): print(line, end='', flush=True)\n```"
SIZES = [(1280, 720), (390, 844), (320, 568)]
SCHEMES: list[tuple[Literal["light", "dark"], tuple[int, int]]] = [("light", SIZES[0]), ("dark", SIZES[1])]
"""In which colours everybody can use the page, each at a size of its own: neither changes what the other does."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_in_the_pages_needs_a_weaker_policy(path: Path) -> None:
    assert FORBIDDEN.findall(path.read_text()) == []


def chat(gateway: RunningGateway, page: Page) -> None:
    """A room with everything in it."""
    nina = gateway.terminal(room="busy")
    nina.say("/nick nina", "hello", "/me waves", "see https://example.org/" + "long" * 40, "w" * 400)
    nina.say("/topic a topic that is rather long, so that it has to be cut where the page is narrow")
    nina.wait_for("set the topic")
    page.goto(f"{gateway.web}/r/busy")
    connected(page)
    say(page, CODE, "two\nlines with `code`", "/msg nina hello", "/who", "/nope")
    expect(page.locator("#answer")).to_be_visible()
    page.locator("#me").dispatch_event("click")
    expect(page.locator("#nick")).to_be_focused()


def empty_room(gateway: RunningGateway, page: Page) -> None:
    """A room in which nothing has been said."""
    page.goto(f"{gateway.web}/r/empty")
    expect(page.locator("#empty")).to_be_visible()


def dashboard(gateway: RunningGateway, page: Page) -> None:
    """The dashboard with the form of a kick, and with its charts."""
    gateway.terminal().say("/nick nina")
    page.goto(f"{gateway.web}/admin")
    page.locator(".legend li").first.wait_for()
    page.locator("#rows summary").first.click()


def drawer(gateway: RunningGateway, page: Page) -> None:
    """The details of a connection with the form of a ban."""
    gateway.terminal().say("/nick nina")
    page.goto(f"{gateway.web}/admin?q=nick:nina")
    page.locator("[data-open]").first.click()
    page.locator("#drawer-orders").get_by_role("button", name="Ban").click()


def lists(gateway: RunningGateway, page: Page) -> None:
    """One of the lists, with the bar that a slow refresh shows."""
    page.goto(f"{gateway.web}/admin/audit")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.locator("#loading").evaluate("(bar) => (bar.hidden = false)")


def login(gateway: RunningGateway, page: Page) -> None:
    """The way in, with a link nobody knows."""
    page.goto(f"{gateway.web}/admin/login?token=unknown")


def docs(gateway: RunningGateway, page: Page) -> None:
    """How to use it."""
    page.goto(f"{gateway.web}/docs")


def error(gateway: RunningGateway, page: Page) -> None:
    """A page that is not there."""
    page.goto(f"{gateway.web}/nothing/here")


PAGES = [chat, empty_room, dashboard, drawer, lists, login, docs, error]


@pytest.mark.parametrize("visit", PAGES, ids=lambda visit: visit.__name__)
def test_everybody_can_use_the_page_in_every_width(
    gateway: RunningGateway,
    open_page: Open,
    operator: StorageState,
    complaints: Complaints,
    visit: Callable[[RunningGateway, Page], None],
) -> None:
    complaints.expected += ["status of 403", "status of 404"]
    page = open_page(
        "about:blank",
        f"vera-{visit.__name__.replace('_', '-')}",
        reduced_motion="reduce",
        storage_state=operator,
    )
    visit(gateway, page)

    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} px"
    for scheme, (width, height) in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": height})
        found = Axe().run(page)
        assert found.violations_count == 0, f"{scheme}: {found.generate_report()}"


def test_the_chat_page_is_small(gateway: RunningGateway, open_page: Open) -> None:
    sizes = transferred(open_page("about:blank"), gateway.web)

    assert len(sizes) <= CHAT_REQUESTS, sizes
    assert (total := sum(sizes.values())) <= CHAT_BYTES, (total, sizes)


def test_the_dashboard_is_small(gateway: RunningGateway, open_page: Open, operator: StorageState) -> None:
    page = open_page("about:blank", storage_state=operator)
    sizes = transferred(page, f"{gateway.web}/admin", ".legend li")

    static = {path.rpartition("/")[2]: size for path, size in sizes.items() if "/static/" in path}
    drawing = static.pop("uPlot.js")
    assert sum(static.values()) <= OWN_BYTES, static
    assert sum(static.values()) + drawing <= DASHBOARD_BYTES, static


def transferred(page: Page, address: str, last: str = "body") -> dict[str, int]:
    """What loading the page fetches until `last` is there, and how many bytes each has as gzip. What it fetches once it
    is drawn does not count."""
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    page.goto(address)
    page.locator(last).first.wait_for()
    at_first = [answer for answer in responses if "/later/" not in answer.url]
    for answer in at_first:
        if "/static/" in answer.url:
            assert answer.header_value("content-encoding") == "gzip"
            assert "immutable" in (answer.header_value("cache-control") or "")
    return {answer.url: len(gzip.compress(answer.body(), 9)) for answer in at_first}


def test_without_script_the_chat_page_says_how_to_come_otherwise(gateway: RunningGateway, browser: Browser) -> None:
    context = without_script(browser)
    page = context.new_page()
    page.goto(f"{gateway.web}/r/ops")

    note = page.locator(".note")
    expect(note).to_be_visible()
    assert "This page needs JavaScript" in note.inner_text()
    assert re.search(r"nc 127\.0\.0\.1 \d+", note.inner_text())
    assert "/join ops" in note.inner_text()
    expect(page.locator("#composer")).to_be_hidden()
    context.close()
