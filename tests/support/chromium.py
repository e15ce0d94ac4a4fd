"""Chromium of this machine without a window, driven by Playwright."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, Page, sync_playwright

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Playwright adds `--headless` and an empty `--user-data-dir`; tests run as root, so without a sandbox."""


class NoChromium(Exception):
    """There is no browser here, or it does not start."""


def until(page: Page, expression: str, timeout: float = 10.0) -> None:
    """Wait for an expression to hold. Playwright's own waiting evaluates texts in the page, which the policy forbids."""
    deadline = time.monotonic() + timeout
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"{expression} did not come true in {timeout:g} s"
        time.sleep(0.02)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser as long as the context lasts."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise NoChromium("no chromium on this machine: packaging/system-packages/install tests")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=False, args=FLAGS)
        except Error as error:
            raise NoChromium(f"{program} does not start: {error}") from error
        try:
            yield browser
        finally:
            browser.close()
