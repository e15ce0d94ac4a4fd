"""What became of tasks is remembered over restarts, whatever the disk does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import koji
import koji.tasks

from koji_adjutant.manager.history import MAX_REASON, TaskHistory, TaskRecord, shortened
from tests.support.manager_fakes import WORKER, FakeHub

Start = Callable[..., Any]
Make = Callable[..., type[koji.tasks.BaseTaskHandler]]


def record(task_id: int, **known: Any) -> TaskRecord:
    """A task that ended at its id's second."""
    return TaskRecord(task_id, "buildArch", "a.src.rpm, x86_64", "closed", 1.0, float(task_id), **known)


def test_records_outlive_the_daemon(tmp_path: Path) -> None:
    """A new history reads what the last one wrote, whole."""
    full = record(7, reason="it broke\nbadly", phases=(("start", 1.0), ("root", 2.5)), image="i", adopted=True)
    TaskHistory(tmp_path / "h").add(full)
    assert TaskHistory(tmp_path / "h").last(5) == [full]
    assert TaskHistory(tmp_path / "h").of(7) == full
    assert (tmp_path / "h").stat().st_mode & 0o777 == 0o600


def test_the_latest_come_first_and_in_pages(tmp_path: Path) -> None:
    """`before` goes on where a page ended."""
    history = TaskHistory(tmp_path / "h")
    for number in range(1, 6):
        history.add(record(number))
    assert [found.task_id for found in history.last(2)] == [5, 4]
    assert [found.task_id for found in history.last(2, before=4.0)] == [3, 2]


def test_the_file_stays_small(tmp_path: Path) -> None:
    """It never holds more than twice what is remembered."""
    history = TaskHistory(tmp_path / "h", keep=3)
    for number in range(20):
        history.add(record(number))
        assert len((tmp_path / "h").read_text().splitlines()) <= 6
    assert [found.task_id for found in TaskHistory(tmp_path / "h", keep=3).last(9)] == [19, 18, 17]


def test_a_line_cut_short_takes_no_other_with_it(tmp_path: Path) -> None:
    """A daemon killed while it wrote leaves half a line; the records before and after it are read."""
    TaskHistory(tmp_path / "h").add(record(1))
    with (tmp_path / "h").open("ab") as file:
        file.write(b'{"task_id":2,"met')
    TaskHistory(tmp_path / "h").add(record(3))
    assert [found.task_id for found in TaskHistory(tmp_path / "h").last(9)] == [3, 1]


def test_a_disk_that_takes_nothing_fails_nothing(tmp_path: Path) -> None:
    """The record is there as long as the daemon lives."""
    (tmp_path / "file").touch()
    history = TaskHistory(tmp_path / "file" / "h")
    history.add(record(1))
    assert [found.task_id for found in history.last(9)] == [1]


def test_a_reason_is_bounded_and_tells_no_secret() -> None:
    """Texts of errors may hold a whole log, and URLs with passwords."""
    assert shortened("cannot read https://me:secret@host/x") == "cannot read https://***@host/x"
    assert shortened("x" * (MAX_REASON + 5)).endswith("... [5 more characters]")


def test_a_task_that_fails_is_remembered_with_its_reason(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """The daemon writes the end of each task; the next daemon shows it."""

    def breaks(handler: Any) -> None:
        handler.context.progress.enter("root")
        raise koji.BuildError("no such package")

    bench = start(make_handler("breaks", breaks), make_handler("works", lambda _: 1))
    for method in ("breaks", "works"):
        task = hub.add_task(method)
        bench.one_pass()
        bench.finish(task)
    works, failed = start().parts.history.last(5)
    assert (works.result, works.reason) == ("closed", "")
    assert (failed.method, failed.result, failed.reason) == ("breaks", "failed", "no such package")
    assert [name for name, _ in failed.phases] == ["start", "root"]
    assert bench.config.state_dir.joinpath(WORKER, "history.jsonl").exists()


def test_a_cancelled_task_is_remembered_as_that(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """Its reason is the hub's word."""
    bench = start(make_handler("waits", lambda handler: handler.context.interruption.sleep(10)))
    task = hub.add_task("waits")
    bench.one_pass()
    hub.cancel(task)
    bench.later()
    bench.finish(task)
    (found,) = bench.parts.history.last(5)
    assert (found.result, "canceled" in found.reason) == ("cancelled", True)
