"""Real Chromium and a real gateway. A page that breaks the security policy, or throws, fails its test."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from tests.accounts.people import CHEAP, PASSWORD
from tests.programs import PROGRAMS, in_ci
from tests.web.browser.running_gateway import RunningGateway
from tests.web.browser.talking import stored

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WATCH = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} refuses ${event.blockedURI || event.sample}`));
"""
ROOMS = count(1)
expect.set_options(timeout=45_000)  # longer than the longest wait between two tries of a page to come back
Open = Callable[..., Page]


# Not per session: while it runs, Playwright's loop is the running one, and the tests of other folders run their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium."""
    path = PROGRAMS["chromium"].path
    if path is None:
        (pytest.fail if in_ci() else pytest.skip)("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that the tests share. Everybody may say 100 lines a second; ana is its admin, vic a viewer.

    Each test has a `room` of its own, and other names for its browsers: they are kept for who may come back.
    """
    people = f"ana:admin:{CHEAP} vic:viewer:{CHEAP}"
    running = RunningGateway(
        tmp_path_factory.mktemp("gateway"), limits__messages_per_second=100, limits__burst=20, admin__accounts=people
    )
    yield running
    running.close()


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


@pytest.fixture(scope="package")
def operator(gateway: RunningGateway, browser: Browser) -> StorageState:
    """The cookie of ana, who may do everything."""
    return logged_in(gateway, browser, "ana")


@pytest.fixture(scope="package")
def viewer(gateway: RunningGateway, browser: Browser) -> StorageState:
    """The cookie of vic, who may look."""
    return logged_in(gateway, browser, "vic")


def logged_in(gateway: RunningGateway, browser: Browser, name: str) -> StorageState:
    """The cookie of somebody with a password."""
    context = browser.new_context()
    answer = context.request.post(f"{gateway.web}/admin/login", data={"name": name, "password": PASSWORD})
    assert answer.ok, answer.text()
    cookies = context.storage_state()
    context.close()
    return cookies


class Complaints(list[str]):
    """What pages threw, refused or logged as an error; `expected` words excuse one."""

    def __init__(self) -> None:
        super().__init__()
        self.expected: list[str] = []

    def watch(self, page: Page) -> None:
        """Hear what the page complains about."""
        page.on("pageerror", lambda error: self.append(f"{page.url}: threw {error}"))
        page.on("console", lambda line: line.type == "error" and self.append(f"{page.url}: {line.text}"))

    @property
    def serious(self) -> list[str]:
        """Those that are not expected."""
        return [line for line in self if not any(words in line for words in self.expected)]


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Fails the test in the end when a page complained. A server that is away is no complaint."""
    found = Complaints()
    found.expected += ["WebSocket connection to", "ERR_CONNECTION_REFUSED"]
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
        context.set_default_timeout(15_000)
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
