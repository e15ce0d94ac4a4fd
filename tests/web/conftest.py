"""A headless Chromium, and the page of a made-up daemon in it.

`--screenshots DIR` writes the pictures of docs/status-page.md: `python -m pytest tests/web --screenshots docs/images`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.chromium import NoChromium, chromium
from tests.support.made_up_daemon import MadeUpDaemon
from tests.support.served_page import served
from tests.web.scene import furnished

Open = Callable[..., Page]
DESKTOP = {"width": 1100, "height": 900}
PHONE = {"width": 360, "height": 740}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to leave pictures."""
    parser.addoption("--screenshots", type=Path, help="directory for screenshots of the status page")


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Page, str], Path]:
    """Take a picture of what the window shows."""
    directory = request.config.getoption("--screenshots") or tmp_path
    directory.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> Path:
        path = directory / f"{name}.png"
        page.screenshot(path=path, animations="disabled")
        return path

    return take


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each gets a profile of its own."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(chromium())
        except NoChromium as error:
            pytest.skip(str(error))
        yield found


@pytest.fixture
def daemon(tmp_path: Path) -> MadeUpDaemon:
    """A daemon with tasks, history, images and problems."""
    return furnished(tmp_path / "state")


@pytest.fixture
def address(daemon: MadeUpDaemon) -> Iterator[str]:
    """Where its page is."""
    with served(daemon) as found:
        yield found


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open an address in a profile of its own; errors of the page, and whatever it loads from elsewhere, fail the test."""
    wrong: list[str] = []
    with ExitStack() as stack:

        def visit_it(url: str, *, patient: bool = False, **profile: Any) -> Page:
            context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **profile})
            stack.callback(context.close)
            page = context.new_page()
            origin = "/".join(url.split("/")[:3])
            page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
            page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
            page.on(
                "request", lambda request: wrong.append(request.url) if not request.url.startswith(origin) else None
            )
            if not patient:
                page.on("console", lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None)
            page.goto(url)
            return page

        yield visit_it
    assert wrong == []
