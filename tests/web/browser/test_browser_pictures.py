"""The pictures of the README, made anew by `python3 tests --pictures`: never part of a test run."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.bridge.gateways import ROOT
from tests.web.browser.chat.talking import connected, say, stored
from tests.web.browser.running_gateway import RunningGateway, Terminal

pytestmark = pytest.mark.pictures

FOLDER = ROOT / ".github" / "pictures"
SIZE: ViewportSize = {"width": 1200, "height": 720}
COLOURS = 64
MOST_BYTES = 60_000
SECONDS = 12
TERMINAL_SIZE: ViewportSize = {"width": 960, "height": 460}
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
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway where nobody has been yet."""
    gateway = RunningGateway(tmp_path)
    yield gateway
    gateway.close()


@pytest.fixture
def people(gateway: RunningGateway) -> Terminal:
    """Some who talk in the room, from every door; the terminal of one of them."""
    nina, teo = gateway.terminal(), gateway.terminal("telnet")
    nina.say("/nick nina", f"/join {ROOM}")
    nina.wait_for(f"#{ROOM}")
    teo.say("/nick teo", f"/join {ROOM}", "/topic version 2.4 goes out today")
    nina.wait_for("version 2.4")
    teo.say("who is watching the error rate?")
    nina.wait_for("error rate?")
    nina.say("me, and it is flat")
    gateway.curl("-d", "build 1734 is green, 412 tests", f"/r/{ROOM}?nick=ci")
    nina.wait_for("1734")
    teo.say("/me opens the gates")
    nina.wait_for("opens the gates")
    return nina


@pytest.fixture
def page(browser: Browser, gateway: RunningGateway, scheme: str) -> Iterator[Page]:
    """A page of the pictures' size, of somebody who has logged in."""
    context = browser.new_context(
        viewport=SIZE,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    context.add_init_script(stored("localStorage", nick="rosa"))
    page = context.new_page()
    page.goto(gateway.login_link)
    page.get_by_role("button", name="Open the dashboard").click()
    page.wait_for_url(f"{gateway.web}/admin")
    yield page
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
    sensors = [gateway.terminal("tcp" if number % 3 else "telnet") for number in range(8)]
    for number, sensor in enumerate(sensors):
        sensor.say(f"/nick sensor-{number}", f"/join {ROOM}")
    page.goto(f"{gateway.web}/admin")
    expect(page.locator("#rows")).to_contain_text("sensor-7")
    for second in range(SECONDS):  # so that the figures over time have some
        for sensor in sensors[: 1 + second * 3 % 8]:
            sensor.say(f"{20 + second / 10} °C")
        page.wait_for_timeout(1000)
    keep(page, f"dashboard-{scheme}")


def test_the_terminal(gateway: RunningGateway, people: Terminal, page: Page, scheme: str) -> None:
    bob = gateway.terminal()
    shown, screen = bob.wait_for("/help"), "$ nc 127.0.0.1 9999\n"
    screen += shown
    for line, answer in (
        ("/nick bob", "you are bob"),
        (f"/join {ROOM}", "opens the gates\n"),
        ("thanks, all of you", "nothing but nc\n"),
    ):
        bob.say(line)
        if line.startswith("thanks"):
            people.wait_for(line)
            people.say("and you came with nothing but nc")
        before, shown = shown, bob.wait_for(answer)
        screen += f"{line}\n{shown[len(before) :]}"
    screen = re.sub(r"(nc 127\.0\.0\.1) \d+", r"\1 9999", re.sub(r"(//127\.0\.0\.1):\d+", r"\1:8080", screen))
    page.set_viewport_size(TERMINAL_SIZE)
    page.goto("about:blank")
    page.set_content(TERMINAL.format(**PAPERS[scheme]))
    page.evaluate("(text) => { document.querySelector('pre').textContent = text; }", screen)
    keep(page, f"terminal-{scheme}")
