"""The page and the dashboard over TLS."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.accounts.people import CHEAP, PASSWORD
from tests.tls_peers import Certificates
from tests.web.browser.chat.talking import connected, has, say
from tests.web.browser.conftest import Open
from tests.web.browser.running_gateway import RunningGateway


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[str]:
    """The address of a gateway that speaks TLS."""
    cert, key = certificates.pair
    settings = {"tls-cert": cert, "tls-key": key, "admin__accounts": f"ana:admin:{CHEAP}"}
    running = RunningGateway(tmp_path_factory.mktemp("tls"), **settings)
    yield running.web.replace("http://127.0.0.1", "https://localhost")
    running.close()


def test_people_chat_over_tls_and_the_dashboard_shows_it(site: str, browser: Browser, open_page: Open) -> None:
    ana, bob = (open_page(f"{site}/", ignore_https_errors=True) for _ in range(2))
    for page in (ana, bob):
        connected(page)
    say(ana, "hello over TLS")
    has(bob, "hello over TLS")

    ana.goto(f"{site}/admin")
    ana.fill("[name=name]", "ana")
    ana.fill("[name=password]", PASSWORD)
    ana.press("[name=password]", "Enter")
    ana.wait_for_url(f"{site}/admin")
    (cookie,) = ana.context.cookies()
    assert (cookie["name"], cookie["secure"], cookie["sameSite"]) == ("__Host-gateway", True, "Strict")
    ana.goto(f"{site}/admin?q=tls:yes")
    expect(ana.locator("#rows tr")).to_have_count(1)
