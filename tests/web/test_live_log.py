"""A live log in a browser: it follows, comes back, keeps up, and nothing in it does anything."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.chromium import until
from tests.support.made_up_daemon import MadeUpDaemon
from tests.support.served_page import served
from tests.web.conftest import Open
from tests.web.test_page import Picture

TEXT = "#log-text"


def text_of(page: Page) -> str:
    """All that the log shows."""
    return page.locator(TEXT).text_content() or ""


def append(log: Path, data: bytes) -> None:
    """Write at the end, as the daemon does."""
    with log.open("ab") as file:
        file.write(data)


def test_a_log_is_followed_to_the_end_of_its_task(
    address: str, daemon: MadeUpDaemon, visit: Open, picture: Picture
) -> None:
    """From the card to the last line and the result; the log named best is opened."""
    log = daemon.directory / "1204/logs/build.log"
    page = visit(address)
    page.locator("a[href='#log/1204']").click()
    expect(page.locator("#log-title")).to_contain_text("build.log")
    expect(page.locator(TEXT)).to_contain_text("make -O")
    append(log, b"gcc -c hello.c\n")
    expect(page.locator(TEXT)).to_contain_text("gcc -c hello.c")
    expect(page.locator("#log-state")).to_contain_text("following")
    picture(page, "live-log")
    append(log, b"+ exit 0")
    daemon.end(1204, "failed", "it broke")
    expect(page.locator(TEXT)).to_contain_text("+ exit 0")
    expect(page.locator("#log-state")).to_have_text("the task has ended: failed")


def test_the_newest_lines_are_in_sight_until_somebody_scrolls(address: str, daemon: MadeUpDaemon, visit: Open) -> None:
    """Scrolling up stops following, the box begins it again."""
    log = daemon.directory / "1204/logs/build.log"
    append(log, b"".join(b"line %d\n" % number for number in range(500)))
    page = visit(f"{address}/#log/1204/build.log")
    expect(page.locator(TEXT)).to_contain_text("line 499")
    box = f"document.querySelector('{TEXT}')"
    below = f"{box}.scrollHeight - {box}.scrollTop - {box}.clientHeight"
    until(page, f"{below} < 4")
    page.locator(TEXT).hover()
    page.mouse.wheel(0, -3000)
    expect(page.get_by_label("Follow")).not_to_be_checked()
    append(log, b"and more\n")
    expect(page.locator(TEXT)).to_contain_text("and more")
    assert page.evaluate(f"{below} > 60")


def test_a_follower_comes_back(daemon: MadeUpDaemon, visit: Open) -> None:
    """The daemon is restarted, the log grows meanwhile: no line is lost, none is twice."""
    log = daemon.directory / "1204/logs/build.log"
    log.write_bytes(b"")
    written = 0

    def write(count: int) -> None:
        nonlocal written
        append(log, b"".join(b"line %d.\n" % number for number in range(written, written + count)))
        written += count

    with served(daemon) as address:
        write(100)
        page = visit(f"{address}/#log/1204/build.log", patient=True)
        expect(page.locator(TEXT)).to_contain_text("line 99.")
    write(100)
    expect(page.locator("#log-state")).to_have_text("connecting again")
    with served(daemon, port=int(address.rpartition(":")[2])):
        expect(page.locator(TEXT)).to_contain_text("line 199.", timeout=20_000)
        write(1)
        expect(page.locator(TEXT)).to_contain_text("line 200.")
        assert text_of(page) == "".join(f"line {number}.\n" for number in range(written))


def test_a_log_of_100_mb_is_there_at_once(address: str, daemon: MadeUpDaemon, visit: Open) -> None:
    """Its end first; earlier lines on request, each once."""
    log = daemon.directory / "1204/logs/build.log"
    with log.open("wb") as file:
        for start in range(0, 6_000_000, 100_000):
            file.write(b"".join(b"line %010d\n" % number for number in range(start, start + 100_000)))
    assert log.stat().st_size > 90 << 20
    began = time.monotonic()
    page = visit(f"{address}/#log/1204/build.log")
    expect(page.locator(TEXT)).to_contain_text("line 0005999999")
    assert time.monotonic() - began < 5
    page.get_by_role("button", name="Show earlier lines").click()
    until(page, f"document.querySelector('{TEXT}').textContent.length > 300000")
    lines = text_of(page).splitlines()
    assert lines == [f"line {number:010d}" for number in range(6_000_000 - len(lines), 6_000_000)]


def test_a_megabyte_a_second_does_not_fall_behind(address: str, daemon: MadeUpDaemon, visit: Open) -> None:
    """Five seconds of it: what is written last is seen within a second, and the page holds no more than it must."""
    log = daemon.directory / "1204/logs/build.log"
    page = visit(f"{address}/#log/1204/build.log")
    expect(page.locator(TEXT)).to_contain_text("make -O")
    line = b"x" * 99 + b"\n"
    stop = threading.Event()

    def write() -> None:
        for _ in range(50):
            append(log, line * 1024)
            if stop.wait(0.1):
                return
        append(log, b"the last line\n")

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    began = time.monotonic()
    expect(page.locator(TEXT)).to_contain_text("the last line")
    assert time.monotonic() - began < 2
    assert "passed too quickly" not in text_of(page)
    assert len(text_of(page)) < 1_000_000


def test_nothing_hostile_in_a_log_does_anything(address: str, daemon: MadeUpDaemon, visit: Open) -> None:
    """Markup, terminal escapes, invalid UTF-8, direction marks and a line of 20 MB are shown, and harmless."""
    log = daemon.directory / "1204/logs/build.log"
    log.write_bytes(b"")
    page = visit(f"{address}/#log/1204/build.log")
    expect(page.locator("#log-state")).to_contain_text("following")
    append(log, b"<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\n")
    append(log, b"\x1b]0;owned\x07\x1b[2J\x1b[31mred\r\x00\xff\xfe\xe2\x80\xae\n")
    append(log, b"data: x\n\nevent: end\ndata: {}\n\n")
    expect(page.locator(TEXT)).to_contain_text("data: {}")
    for _ in range(20):
        append(log, b"y" * (1 << 20))
    append(log, b"\nthe line after it\n")
    expect(page.locator(TEXT)).to_contain_text("the line after it", timeout=20_000)
    text = text_of(page)
    assert "<script>window.pwned=1</script>" in text
    assert "␛]0;owned␇␛[2J␛[31mred\n␀" in text
    assert "\ufffd\ufffd<U+202E>" in text
    assert len(text) < 20_000
    assert page.evaluate("window.pwned") is None
    assert page.locator(f"{TEXT} img, {TEXT} script").count() == 0
    assert page.title().startswith("busy")


def test_a_log_that_is_not_there_is_said(address: str, daemon: MadeUpDaemon, visit: Open) -> None:
    """An ended task shows why it ended; one nobody knows is called that; one without a log says so."""
    page = visit(f"{address}/#log/1190", patient=True)
    expect(page.locator("#log-state")).to_contain_text("the task has ended: failed")
    expect(page.locator(TEXT)).to_contain_text("Bad exit status")
    page.goto(f"{address}/#log/4")
    expect(page.locator("#log-state")).to_contain_text("neither runs here nor is in the history")
    page.goto(f"{address}/#log/1206")
    expect(page.locator("#log-state")).to_contain_text("has written no log yet")
