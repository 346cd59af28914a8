"""The dashboard of two nodes in a browser: whose connection each is, acting on it, and a node that stands still."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.bridge.gateways import Gateway, starter
from tests.bridge.peers import Terminal
from tests.fakes import until
from tests.redis.servers import RedisServer
from tests.web.browser.conftest import Open


@pytest.fixture
def pair(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    redis_server.cli("FLUSHALL")
    with starter(tmp_path_factory.mktemp("pair")) as start:
        yield [start("--redis", redis_server.url, data=name) for name in "ab"]


def test_two_nodes_are_one_table(pair: list[Gateway], open_page: Open, browser: Browser) -> None:
    here, there = pair
    link = until(lambda: re.search(r"http\S+token=\S+", here.stdout), "the link")
    with Terminal(here.tcp).named("ana"), Terminal(there.tcp).named("bob") as bob:
        page = open_page(link.group())
        page.locator("form button").first.click()
        rows = page.locator("#rows tr:not(.gone)")
        expect(rows).to_have_count(2)
        entry = page.locator("#nodes li", has_text=f":{there.web}")
        expect(entry).to_contain_text("1 · ok")
        entry.get_by_role("link").click()
        expect(rows).to_have_count(1)
        expect(rows.locator("[data-field=node]")).to_contain_text(f":{there.web}")

        rows.locator("[data-open]").click()
        expect(page.locator("#fields [data-field=node]")).to_contain_text(f":{there.web}")
        page.locator("#drawer-close").click()
        rows.get_by_text("kick").first.click()
        rows.get_by_placeholder("reason").fill("from the other node")
        rows.get_by_role("button", name="Kick", exact=True).click()
        bob.until("!! kicked: from the other node")

        page.goto(f"http://127.0.0.1:{here.web}/admin?q=nod:x")  # a wrong word is told, not a failure of the page
        expect(page.locator("#q-problem")).to_contain_text("nod")
        page.goto(f"http://127.0.0.1:{here.web}/admin/rooms")
        expect(page.locator("td[data-field=room]")).to_have_text(["lobby"])
        expect(page.locator("td[data-field=nodes]")).to_contain_text(f":{there.web}")
        page.goto(f"http://127.0.0.1:{here.web}/admin")
        there.freeze()
        try:
            expect(page.locator("#missing")).to_contain_text(f":{there.web} does not answer")
            expect(entry).to_contain_text("no answer")
            expect(page.locator("#rows tr")).to_have_count(1)  # those of the other are unknown, not gone
        finally:
            there.thaw()
        expect(page.locator("#missing")).to_be_hidden()
        expect(entry).to_contain_text("· ok")
