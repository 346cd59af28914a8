"""What people do on a chat page, and what it shows."""

import json

from playwright.sync_api import Page, expect


def stored(area: str, **values: object) -> str:
    """A script that stores these for the page before its own scripts run, unless it has stored something itself."""
    keep = "".join(
        f"{area}[{json.dumps(f'chat-gateway:{name}')}] ??= {json.dumps(json.dumps(value))};"
        for name, value in values.items()
    )
    return f"if (origin !== 'null') {{ {keep} }}"


def connected(page: Page) -> None:
    """The page is in the room, and what it missed is there."""
    expect(page.locator("#status")).to_have_attribute("data-state", "connected")
    expect(page.locator("#skeleton")).to_be_hidden()


def say(page: Page, *lines: str) -> None:
    """Type lines into the message box, one message each."""
    for line in lines:
        page.fill("#message", line)
        page.press("#message", "Enter")


def say_at_once(page: Page, lines: list[str]) -> None:
    """The same, faster than anybody types."""
    page.evaluate(
        """(lines) => {
          for (const line of lines) {
            document.getElementById("message").value = line;
            document.getElementById("composer").requestSubmit();
          }
        }""",
        lines,
    )


def texts(page: Page) -> list[str]:
    """The texts of the messages of the room, from the first to the last."""
    return page.locator("#log > .msg:not(.private) > .text").all_text_contents()


def has(page: Page, *lines: str) -> None:
    """Wait until the room has these messages and no others, in that order."""
    expect(page.locator("#log > .msg:not(.private) > .text")).to_have_text(list(lines))
