"""Real browsers and a real gateway. A page that breaks the security policy, or throws, fails its test."""

import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, StorageState, expect, sync_playwright

from tests.accounts.people import CHEAP, PASSWORD
from tests.fakes import PATIENCE
from tests.web.browser.browsers import Browsers
from tests.web.browser.chat.talking import stored
from tests.web.browser.running_gateway import RunningGateway

WATCH = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} refuses ${event.blockedURI || event.sample}`));
"""
ROOMS = count(1)
expect.set_options(timeout=1000 * PATIENCE)  # longer than the longest wait of a page before it tries again
Open = Callable[..., Page]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The browsers that a test runs in: Chromium, and Firefox too where it is marked so. `BROWSERS=firefox` in the
    environment runs all of them there."""
    if "browser" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("both_browsers") is not None
        names = os.environ.get("BROWSERS", "chromium firefox" if marked else "chromium").split()
        metafunc.parametrize("browser", names, indirect=True, scope="module")


# Not per session: while it runs, Playwright's loop is the running one, and the tests of other folders run their own.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Playwright."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browsers(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsers]:
    """Chromium and Firefox, for those that want both."""
    browsers = Browsers(playwright, tmp_path_factory.mktemp("browsers"))
    yield browsers
    browsers.close()


@pytest.fixture(scope="module")
def browser(browsers: Browsers, request: pytest.FixtureRequest) -> Browser:
    """The browser that the test runs in."""
    return browsers.named(request.param)


@pytest.fixture(scope="package")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningGateway]]:
    """A gateway for each browser: names stay reserved for people who may come back."""
    running: dict[str, RunningGateway] = {}
    people = f"ana:admin:{CHEAP} vic:viewer:{CHEAP}"
    settings = {"limits__messages_per_second": 100, "limits__burst": 20, "admin__accounts": people}

    def gateway(browser: str) -> RunningGateway:
        if browser not in running:
            running[browser] = RunningGateway(tmp_path_factory.mktemp("gateway"), **settings)
        return running[browser]

    yield gateway
    for gateway_of_one in running.values():
        gateway_of_one.close()


@pytest.fixture(scope="module")
def gateway(gateways: Callable[[str], RunningGateway], browser: Browser) -> RunningGateway:
    """A gateway that the tests share. Everybody may say 100 lines a second; ana is its admin, vic a viewer.

    Each test has a `room` of its own, and other names for its browsers: they are kept for who may come back.
    """
    return gateways(browser.browser_type.name)


@pytest.fixture(autouse=True)
def hang_up(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test nobody is left on the shared gateway."""
    gateway = request.getfixturevalue("gateway") if "gateway" in request.fixturenames else None
    yield
    if gateway is not None:
        gateway.hang_up()


@pytest.fixture
def room() -> str:
    """A room that nobody has been in."""
    return f"room{next(ROOMS)}"


@pytest.fixture(scope="module")
def operator(gateway: RunningGateway, playwright: Playwright) -> StorageState:
    """The cookie of ana, an admin."""
    return logged_in(gateway, playwright, "ana")


@pytest.fixture(scope="module")
def viewer(gateway: RunningGateway, playwright: Playwright) -> StorageState:
    """The cookie of vic, a viewer."""
    return logged_in(gateway, playwright, "vic")


def logged_in(gateway: RunningGateway, playwright: Playwright, name: str) -> StorageState:
    """The cookie of somebody with a password."""
    context = playwright.request.new_context()
    answer = context.post(f"{gateway.web}/admin/login", data={"name": name, "password": PASSWORD})
    assert answer.ok, answer.text()
    cookies = context.storage_state()
    context.dispose()
    return cookies


class Complaints(list[str]):
    """What pages threw, refused or logged as an error; `expected` words excuse one."""

    def __init__(self) -> None:
        super().__init__()
        self.expected: list[str] = []

    def watch(self, page: Page) -> None:
        """Hear what the page complains about."""
        page.on("pageerror", lambda error: self.append(f"{page.url}: threw {error}"))
        page.on("console", lambda line: self.extend([f"{page.url}: {line.text}"] if line.type == "error" else []))

    @property
    def serious(self) -> list[str]:
        """Those that are not expected."""
        return [line for line in self if not any(words in line for words in self.expected)]


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Fails the test in the end when a page complained. A server that is away is no complaint."""
    found = Complaints()
    found.expected += ["WebSocket connection to", "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET"]
    found.expected += ["establish a connection to the server", "interrupted while the page was loading"]
    yield found
    assert found.serious == []


@pytest.fixture
def open_page(browser: Browser, complaints: Complaints) -> Iterator[Open]:
    """Opens an address in a browser profile of its own, and closes it after the test. `name` is the nick that this
    browser remembers, `script` runs before the page's own, other arguments are Playwright's for a context."""
    contexts: list[BrowserContext] = []

    def open_page(address: str, name: str | None = None, script: str = "", **options: object) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 720}} | options))  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        context.add_init_script(WATCH + script)
        if name is not None:
            context.add_init_script(stored("localStorage", nick=name))
        page = context.new_page()
        complaints.watch(page)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
