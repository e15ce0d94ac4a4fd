"""How quick the status page is: first paint with 50 running tasks, a scrape after 500 tasks, a live log of 1 MB/s.

`python -m tests.bench.page`; medians of several, in one run, on loopback.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests
from playwright.sync_api import Browser

from koji_adjutant.manager.task_thread import RESULTS
from koji_adjutant.metrics import HUB_CALL_SECONDS, PHASE_SECONDS, QUEUE_SECONDS, REGISTRY, TASK_SECONDS, TASKS
from koji_adjutant.monitoring.collector import DaemonCollector
from tests.support.chromium import chromium, until
from tests.support.made_up_daemon import MadeUpDaemon
from tests.support.served_page import served

RUNNING, ENDED = 50, 500
METHODS = ("buildArch", "build", "buildSRPMFromSCM", "createrepo", "newRepo", "tagBuild")
PHASES = ("root", "work", "results")
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
ALL_SHOWN = "performance.getEntriesByName('painted')[0]?.startTime"
LOG_SECONDS = 5


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="adjutant-bench-page-") as scratch:
        daemon = busy_daemon(Path(scratch))
        count_tasks()
        REGISTRY.register(DaemonCollector(daemon.view))
        with served(daemon, registry=REGISTRY) as address, chromium() as browser:
            paints = [paint(browser, address) for _ in range(runs + 1)][1:]
            print(f"first paint, {RUNNING} tasks run: {statistics.median(first for first, _ in paints):.0f} ms")
            print(f"all of them shown: {statistics.median(shown for _, shown in paints):.0f} ms")
            print(f"bytes of page, styles and scripts: {weight(address)}")
            times, series = scrape(address, 20)
            print(f"scrape, {RUNNING} tasks run and {ENDED} have: {statistics.median(times):.1f} ms, {series} series")
            for what, path in (
                ("the page itself", "/"),
                ("its styles", "/static/page.css"),
                ("status as JSON", "/api/status"),
            ):
                print(f"{what}, the server's part: {statistics.median(ask(address + path, 20)):.1f} ms")
            behind = follow(browser, address, daemon)
            print(f"live log of 1 MB/s for {LOG_SECONDS} s: last line seen {behind:.0f} ms after it was written")
    return 0


def busy_daemon(directory: Path) -> MadeUpDaemon:
    """A daemon with tasks that run and tasks that did."""
    daemon = MadeUpDaemon(directory)
    for number in range(RUNNING):
        daemon.run(1000 + number, age=20.0 + number)
    for number in range(ENDED):
        daemon.remember(100 + number, ago=60.0 * number, took=40.0 + number % 50)
    return daemon


def count_tasks() -> None:
    """Count what the daemon counts for so many tasks."""
    results = sorted(set(RESULTS.values()))
    for number in range(ENDED):
        method = METHODS[number % len(METHODS)]
        TASKS.labels(method, results[number % len(results)]).inc()
        TASK_SECONDS.labels(method).observe(number)
        QUEUE_SECONDS.labels(method).observe(number / 10)
        for phase in PHASES:
            PHASE_SECONDS.labels(method, phase).observe(number / 20)
        for call in range(40):
            HUB_CALL_SECONDS.labels(f"call{call}").observe(0.01)


def paint(browser: Browser, address: str) -> tuple[float, float]:
    """Open the page in a fresh profile; return milliseconds from its address to the first paint and to all tasks.

    The browser runs already: its start is nobody's page.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    until(page, ALL_SHOWN)
    until(page, FIRST_PAINT)
    found = float(page.evaluate(FIRST_PAINT)), float(page.evaluate(ALL_SHOWN))
    assert page.locator("#tasks article").count() == RUNNING
    context.close()
    return found


def weight(address: str) -> int:
    """Bytes of everything that the page is made of, without what it asks for."""
    directory = Path(__file__).parents[2] / "koji_adjutant/monitoring/static"
    names = [f"/static/{path.name}" for path in directory.iterdir() if path.suffix != ".html"]
    return sum(len(get(address + name).content) for name in ["/", *names])


def scrape(address: str, count: int) -> tuple[list[float], int]:
    """Return milliseconds of some scrapes, and how many series there are."""
    lines = get(address + "/metrics").text.splitlines()
    return ask(address + "/metrics", count), sum(1 for line in lines if line and not line.startswith("#"))


def ask(url: str, count: int) -> list[float]:
    """Ask one after the other over one connection; return the milliseconds of each."""
    times = []
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(count):
            began = time.perf_counter()
            session.get(url, timeout=30).raise_for_status()
            times.append((time.perf_counter() - began) * 1000)
    return times


def get(url: str) -> requests.Response:
    """Ask once, past any proxy."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=30)


def follow(browser: Browser, address: str, daemon: MadeUpDaemon) -> float:
    """Write a log at 1 MB/s; return milliseconds from the last line's writing to its sight."""
    log = daemon.directory / "1000/logs/build.log"
    log.write_bytes(b"the first line\n")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/#log/1000/build.log")
    page.get_by_text("the first line").wait_for()
    written: list[float] = []
    writer = threading.Thread(target=_write, args=(log, written))
    writer.start()
    until(page, "document.getElementById('log-text').textContent.includes('the last line')", 60.0)
    seen = time.time()
    writer.join()
    context.close()
    return (seen - written[0]) * 1000


def _write(log: Path, written: list[float]) -> None:
    piece = (b"x" * 99 + b"\n") * 1000
    began = time.monotonic()
    with log.open("ab", buffering=0) as file:
        for number in range(LOG_SECONDS * 10):
            file.write(piece)
            time.sleep(max(0.0, began + (number + 1) / 10 - time.monotonic()))
        file.write(b"the last line\n")
        written.append(time.time())


if __name__ == "__main__":
    sys.exit(main())
