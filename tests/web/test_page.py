"""The status page in a browser: it paints, tells, links, and can be used by everybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from koji_adjutant.manager.readiness import DiskSpace
from tests.support.made_up_daemon import MadeUpDaemon
from tests.support.served_page import served
from tests.web.conftest import PHONE, Open

HOSTILE = (
    "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>\"'><svg onload=alert(1)>{{7*7}}${alert(1)}"
)
Picture = Callable[[Page, str], Path]


def shown(page: Page) -> None:
    """Wait until the page shows what it has asked for."""
    expect(page.locator("#history li").first).to_be_visible()
    expect(page.locator("#images tbody tr").first).to_be_attached()


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def findings(page: Page) -> list[str]:
    """What axe finds that is serious or critical."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html']} {node.get('failureSummary')}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def test_everything_is_shown(address: str, visit: Open, picture: Picture) -> None:
    """State, tasks with phases and places, history with results and reasons, images, host, problems."""
    page = visit(address)
    shown(page)
    expect(page.locator("#state")).to_contain_text("Ready for more; 4 tasks run here.")
    cards = page.locator("#tasks article")
    expect(cards).to_have_count(4)
    build = cards.filter(has_text="Task 1204 buildArch")
    expect(build).to_contain_text("Phase build")
    expect(build).to_contain_text("adjutant-builder1.0c9e4f11-1204-5d2c8f0a-1-task")
    expect(build).to_contain_text("sha256:9f86d081")
    expect(build.locator(".bar span")).to_have_count(4)
    expect(cards.filter(has_text="1203")).to_contain_text("Waits for")
    failed = page.locator("#history li").filter(has_text="1190")
    failed.locator("summary").click()
    expect(failed).to_contain_text("Bad exit status")
    expect(page.locator("#images tbody")).to_contain_text("f43-build, repo 5121")
    expect(page.locator("#machine")).to_contain_text("178 GiB free, 8.0 GiB needed")
    expect(page.locator("#problems li")).to_have_count(2)
    failed.locator("summary").click()
    page.evaluate("scrollTo(0, 0)")
    picture(page, "status-page")


def test_tasks_link_to_the_hub(address: str, visit: Open) -> None:
    """By id, to koji's own page."""
    page = visit(address)
    link = page.get_by_role("link", name="Task 1206", exact=True)
    expect(link).to_have_attribute("href", "https://koji.example.com/koji/taskinfo?taskID=1206")


def test_what_changes_is_seen(address: str, daemon: MadeUpDaemon, visit: Open) -> None:
    """A task that ends moves to the history; elapsed times go on; what has focus keeps it."""
    page = visit(address)
    shown(page)
    link = page.locator("#tasks a[href='#log/1206']")
    link.focus()
    before = page.locator("#tasks article").filter(has_text="1206").locator("time").first.text_content()
    daemon.end(1204, "failed", "it broke")
    expect(page.locator("#tasks article")).to_have_count(3, timeout=10_000)
    expect(page.locator("#history li").first).to_contain_text("it broke")
    expect(link).to_be_focused()
    expect(page.locator("#tasks article").filter(has_text="1206").locator("time").first).not_to_have_text(before or "")


def test_why_no_task_is_taken(address: str, daemon: MadeUpDaemon, visit: Open, picture: Picture) -> None:
    """Every reason with what to do about it."""
    daemon.changes = {
        "ready": False,
        "reason": "Insufficient disk space at /var/lib/koji-adjutant: 5120 MB, 8192 MB required",
        "reasons": (
            "Insufficient disk space at /var/lib/koji-adjutant: 5120 MB, 8192 MB required",
            "Container runtime: /run/podman/podman.sock: connection refused",
        ),
        "disks": (DiskSpace("/var/lib/koji-adjutant", 5120), DiskSpace("/gone", None)),
    }
    page = visit(address)
    expect(page.locator("#state .pill")).to_have_text("not ready")
    expect(page.locator("#why li")).to_have_count(2)
    expect(page.locator("#why")).to_contain_text("podman.socket")
    expect(page.locator("#machine")).to_contain_text("cannot be looked at")
    picture(page, "not-ready")


def test_idle_is_said(address: str, daemon: MadeUpDaemon, visit: Open) -> None:
    """An empty page says why it is."""
    daemon.tasks.clear()
    page = visit(address)
    expect(page.locator("#state")).to_contain_text("the hub has no task for this host just now")
    expect(page.locator("#tasks")).to_contain_text("No task runs here just now.")
    expect(page.locator("#why")).to_be_hidden()


def test_the_configuration_can_be_searched(address: str, visit: Open) -> None:
    """Secrets are hidden, settings found by name or value."""
    page = visit(address)
    page.locator("#config summary").click()
    expect(page.locator("#config dl")).to_contain_text("***")
    page.get_by_label("Only settings with").fill("maxjobs")
    expect(page.locator("#config dt")).to_have_count(1)


def test_a_phone_scrolls_one_way_only(address: str, visit: Open, picture: Picture) -> None:
    """On 360 pixels nothing is wider than the window."""
    page = visit(address, viewport=PHONE, has_touch=True, is_mobile=True)
    shown(page)
    assert overflow(page) == 0
    picture(page, "status-page-phone")
    page.goto(f"{address}/#log/1204/build.log")
    expect(page.locator("#log-text")).to_contain_text("make -O")
    assert overflow(page) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    address: str, daemon: MadeUpDaemon, visit: Open, picture: Picture, scheme: str
) -> None:
    """On the overview with reasons, on a log and on the form; in both colour schemes."""
    daemon.changes = {"ready": False, "reason": "Full queue", "reasons": ("Full queue",)}
    # The policy forbids what axe itself injects.
    page = visit(address, color_scheme=scheme, bypass_csp=True)
    shown(page)
    page.locator("#config summary").click()
    page.locator("#history summary").first.click()
    expect(page.locator("#config dt").first).to_be_visible()
    assert findings(page) == []
    page.goto(f"{address}/#log/1204/build.log")
    expect(page.locator("#log-text")).to_contain_text("make -O")
    assert findings(page) == []
    daemon.changes = {}
    if scheme == "dark":
        page.goto(f"{address}/#")
        expect(page.locator("#why")).to_be_hidden(timeout=10_000)
        page.evaluate("scrollTo(0, 0)")
        picture(page, "status-page-dark")


def test_the_keyboard_reaches_everything(address: str, visit: Open) -> None:
    """Skip link, sections, live log, and back; a view that opens has the focus."""
    page = visit(address)
    shown(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.locator("a[href='#log/1204']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#log-title")).to_be_focused()
    expect(page.locator("#log-title")).to_contain_text("build.log of Task 1204")
    page.locator("#log-text").focus()
    page.keyboard.press("Home")
    page.locator("a", has_text="Back to all tasks").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#overview")).to_be_visible()


def test_nothing_hostile_runs(address: str, daemon: MadeUpDaemon, visit: Open) -> None:
    """Labels, states, containers, reasons, problems, names of images and hosts are text wherever they come from."""
    daemon.run(1999, label=HOSTILE, doing=HOSTILE, container=HOSTILE, image=HOSTILE, method=HOSTILE)
    daemon.remember(1998, ago=1.0, took=1.0, label=HOSTILE, reason=HOSTILE, result="failed", phases=((HOSTILE, 1.0),))
    daemon.changes = {"reasons": (HOSTILE,), "reason": HOSTILE, "ready": False, "host": HOSTILE, "hub": HOSTILE}
    page = visit(address)
    shown(page)
    expect(page.locator("#tasks article").filter(has_text="1999")).to_contain_text(HOSTILE)
    expect(page.locator("#history li").first).to_contain_text("onerror")
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, #main script, #main svg").count() == 0


def test_a_lost_daemon_is_said(daemon: MadeUpDaemon, visit: Open) -> None:
    """What is old is called so, and the page goes on when the daemon is there again."""
    with served(daemon) as address:
        page = visit(address, patient=True)
        shown(page)
    expect(page.locator("#age")).to_contain_text("does not answer", timeout=10_000)
    with served(daemon, port=int(address.rpartition(":")[2])):
        expect(page.locator("#age")).to_be_empty(timeout=10_000)


def test_the_form_lets_in(daemon: MadeUpDaemon, visit: Open, picture: Picture) -> None:
    """A wrong token is told, the right one opens the page, logging out closes it; the cookie is no script's."""
    with served(daemon, token="right") as address:
        page = visit(address, bypass_csp=True, patient=True)
        expect(page).to_have_title("Log in: koji-adjutant")
        page.get_by_label("Token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("That is not the token.")
        assert findings(page) == []
        page.get_by_label("Token").fill("right")
        page.keyboard.press("Enter")
        shown(page)
        assert page.evaluate("document.cookie") == ""
        assert "right" not in page.url
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_title("Log in: koji-adjutant")
