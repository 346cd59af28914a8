"""The pictures of the README, made anew by `python3 tests --pictures`: never part of a test run."""

from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.web.browser.running_gateway import ROOT, RunningGateway, Terminal, wait_for
from tests.web.browser.talking import connected, say

pytestmark = pytest.mark.pictures

FOLDER = ROOT / ".github" / "pictures"
SIZE = {"width": 1200, "height": 720}
COLOURS = 64
MOST_BYTES = 60_000
ROOM = "release"
TERMINAL = """
<style>
  body {{ margin: 0; padding: 24px 28px; background: {paper}; color: {ink}; }}
  pre {{ margin: 0; font: 17px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; }}
</style>
<pre></pre>
"""
PAPERS = {"light": {"paper": "#fbfbfa", "ink": "#1b1d1f"}, "dark": {"paper": "#121518", "ink": "#e6e8ea"}}


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    """The theme of the picture."""
    return str(request.param)


@pytest.fixture
def people(gateway: RunningGateway) -> Iterator[Terminal]:
    """Some who talk in the room, from every door; the terminal of one of them."""
    nina, teo = gateway.terminal(), gateway.terminal("telnet")
    nina.say("/nick nina", f"/join {ROOM}")
    teo.say("/nick teo", f"/join {ROOM}")
    nina.wait_for(f"#{ROOM}")
    teo.say("/topic version 2.4 goes out today")
    nina.wait_for("version 2.4")
    teo.say("who is watching the error rate?")
    nina.wait_for("error rate?")
    nina.say("me, and it is flat")
    gateway.curl("-d", "build 1734 is green, 412 tests", f"/r/{ROOM}?nick=ci")
    nina.wait_for("1734")
    teo.say("/me opens the gates")
    nina.wait_for("opens the gates")
    yield nina


@pytest.fixture
def page(browser: Browser, operator: StorageState, scheme: str) -> Iterator[Page]:
    """A page of the pictures' size, of somebody who has logged in."""
    context = browser.new_context(
        viewport=SIZE,  # type: ignore[arg-type]
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        storage_state=operator,
    )
    context.add_init_script(f"if (origin !== 'null') localStorage.nick ??= 'rosa-{scheme}'")
    yield context.new_page()
    context.close()


def keep(page: Page, name: str) -> None:
    """Keep what the page shows as a small picture."""
    shot = Image.open(BytesIO(page.screenshot()))
    path = FOLDER / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size <= MOST_BYTES


def test_the_chat(gateway: RunningGateway, people: Terminal, page: Page, scheme: str) -> None:
    page.goto(f"{gateway.web}/r/{ROOM}")
    connected(page)
    say(page, "shipping it, watch `/healthz`")
    people.wait_for("shipping it")
    people.say("looks good from here, with nothing but nc")
    expect(page.locator("#live")).to_contain_text("nothing but nc")
    keep(page, f"chat-{scheme}")


def test_the_dashboard(gateway: RunningGateway, people: Terminal, page: Page, scheme: str) -> None:
    for number in range(8):
        gateway.terminal("tcp" if number % 3 else "telnet").say(f"/nick sensor-{number}", f"/join {ROOM}", "21.5 °C")
    page.goto(f"{gateway.web}/admin")
    expect(page.locator("#rows")).to_contain_text("sensor-7")
    page.wait_for_timeout(5000)  # so that the figures over time have some
    keep(page, f"dashboard-{scheme}")


def test_the_terminal(gateway: RunningGateway, people: Terminal, page: Page, scheme: str) -> None:
    here = gateway.terminal()
    here.say("/nick bob", f"/join {ROOM}")
    shown = ""

    def history() -> bool:
        nonlocal shown
        shown = here.wait_for("opens the gates")
        return True

    wait_for("the room's last messages", history)
    here.say("/who", "thanks, all of you")
    shown = here.wait_for("nina") and here.wait_for("(tcp)" if "(tcp)" in shown else "here")
    typed = ["$ nc chat.example.org 9999", *shown.splitlines()]
    page.set_content(TERMINAL.format(**PAPERS[scheme]))
    page.evaluate("(text) => { document.querySelector('pre').textContent = text; }", "\n".join(typed))
    keep(page, f"terminal-{scheme}")
