"""The documentation page: its examples for pages, and the links to it."""

import re

from playwright.sync_api import StorageState, expect

from tests.fakes import until
from tests.web.browser.conftest import Open
from tests.web.browser.running_gateway import RunningGateway


def test_the_javascript_example_follows_a_room(gateway: RunningGateway, open_page: Open) -> None:
    page = open_page(f"{gateway.web}/docs")
    words: list[str] = []
    page.on("console", lambda line: words.append(line.text))
    example = page.locator('[data-example="javascript"]').text_content() or ""
    page.evaluate(f"(async () => {{ {example} }})()")

    def heard() -> bool:
        gateway.curl("-d", "hello again", "/r/lobby?nick=otto")
        page.wait_for_timeout(200)
        return any(re.fullmatch("otto: hello again", word) for word in words)

    until(heard, "the example to hear")
    assert "hello from a page" in gateway.curl("/r/lobby/messages")


def test_the_chat_and_the_dashboard_lead_to_it(
    gateway: RunningGateway, open_page: Open, operator: StorageState
) -> None:
    page = open_page(gateway.web, "dora", storage_state=operator)
    for path in ("/", "/admin"):
        page.goto(gateway.web + path)
        expect(page.locator('a[href="/docs"]').first).to_be_attached()
