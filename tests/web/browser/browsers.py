"""Chromium and Firefox for the tests of the pages, both driven by Playwright."""

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, StorageState

from tests.suite.programs import PROGRAMS, in_ci

CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--renderer-process-limit=1",
]  # fmt: skip
FIREFOX_SETTINGS: dict[str, str | float | bool] = {
    "accessibility.force_disabled": 1,
    "browser.ml.enable": False,
    "browser.pagethumbnails.capturing_disabled": True,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.sessionstore.interval": 3_600_000,
    "browser.translations.enable": False,
    "dom.ipc.processCount": 1,
    "dom.ipc.processPrelaunch.enabled": False,
    "extensions.webextensions.remote": False,
    "fission.autostart": False,
    "network.captive-portal-service.enabled": False,
    "places.history.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.cosmeticAnimations.enabled": False,
    "toolkit.telemetry.enabled": False,
}
"""What a browser does beside showing pages, and processes that it keeps ready: a quarter of its processor time."""
RELAY = Path(__file__).with_name("firefox_relay.py")


class Browsers:
    """Each is started when a test first asks for it, and stays for the tests that follow."""

    def __init__(self, playwright: Playwright, folder: Path) -> None:
        self._playwright = playwright
        self._folder = folder
        self._running: dict[str, Browser] = {}

    def named(self, name: str) -> Browser:
        """The browser "chromium" or "firefox". Where it is not installed the test is skipped, in CI it fails."""
        if name not in self._running:
            path = PROGRAMS[name].path
            if path is None:
                (pytest.fail if in_ci() else pytest.skip)(f"{name} is not installed")
            start = {"chromium": self._chromium, "firefox": self._firefox}[name]
            self._running[name] = start(path)
        return self._running[name]

    def close(self) -> None:
        """End those that run."""
        while self._running:
            self._running.popitem()[1].close()

    def _chromium(self, path: str) -> Browser:
        return self._playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)

    def _firefox(self, path: str) -> Browser:
        """Playwright's usual Firefox is a build of its own; the channel makes it speak WebDriver BiDi to any."""
        relay = self._folder / "firefox"
        relay.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{RELAY}' '{path}' \"$@\"\n")
        relay.chmod(0o755)
        return self._playwright.firefox.launch(
            executable_path=relay,
            channel="moz-firefox",
            downloads_path=self._folder / "downloads",
            firefox_user_prefs=FIREFOX_SETTINGS,
        )


def without_script(browser: Browser, storage_state: StorageState | None = None) -> BrowserContext:
    """A profile whose pages run no script. Only Chromium: Playwright cannot switch it off by WebDriver BiDi."""
    if browser.browser_type.name == "firefox":
        pytest.skip("a page's script cannot be switched off in this Firefox")
    return browser.new_context(java_script_enabled=False, storage_state=storage_state)
