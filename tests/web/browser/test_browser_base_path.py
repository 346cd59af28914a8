"""The page and the dashboard below a path of a real nginx, which takes the path off or leaves it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.accounts.people import CHEAP, PASSWORD
from tests.bridge.proxies.proxy_programs import free_ports, location, nginx
from tests.suite.programs import PROGRAMS, in_ci
from tests.web.browser.chat.talking import connected, has, say
from tests.web.browser.conftest import Complaints, Open
from tests.web.browser.running_gateway import RunningGateway

KEYS = "Object.keys(localStorage).concat(Object.keys(sessionStorage))"


@pytest.fixture(scope="module", params=["", "/"], ids=["kept", "taken off"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a gateway below /chat of an nginx."""
    if PROGRAMS["nginx"].path is None:
        (pytest.fail if in_ci() else pytest.skip)("nginx is not installed")
    folder = tmp_path_factory.mktemp("below")
    running = RunningGateway(folder, web__base_path="/chat", admin__accounts=f"ana:admin:{CHEAP}")
    (port,) = free_ports(1)
    with nginx(
        folder, port, f"server {{ listen 127.0.0.1:{port}; {location('/chat/', running.web + request.param)} }}"
    ):
        yield f"http://127.0.0.1:{port}/chat"
    running.close()


def test_pc_27_people_chat_below_a_path(site: str, open_page: Open) -> None:
    ana, bob = open_page(f"{site}/"), open_page(f"{site}/")
    for page in (ana, bob):
        connected(page)
    say(ana, "hello below")
    has(bob, "hello below")
    say(ana, "/join ops")
    ana.wait_for_url(f"{site}/r/ops")
    ana.reload()
    connected(ana)
    expect(ana.locator("#page-link")).to_have_text(f"{site}/r/ops")
    keys = ana.evaluate(KEYS)
    assert keys and all(key.startswith("chat-gateway/chat:") for key in keys)


def test_pc_27_the_dashboard_works_below_a_path(site: str, open_page: Open, complaints: Complaints) -> None:
    complaints.expected.append("status of 401")  # what the page asks while it is being logged out
    page = open_page(f"{site}/admin")
    page.fill("[name=name]", "ana")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{site}/admin")
    visitor = open_page(f"{site}/")
    connected(visitor)
    row = page.locator("#rows tr").filter(has_text="web")
    expect(row).to_have_count(1)
    page.fill("#q", "door:web")
    page.wait_for_url(f"{site}/admin?*q=door*")
    with page.expect_navigation():
        page.locator("nav.ways a", has_text="Rooms").click()
    assert page.url == f"{site}/admin/rooms"
    with page.expect_navigation():
        page.locator("tbody [data-field=room] a").first.click()
    assert page.url.startswith(f"{site}/admin?q=room:")
    expect(row).to_have_count(1)
    page.locator("header form button", has_text="Log out").click()
    page.wait_for_url(f"{site}/admin/login")
