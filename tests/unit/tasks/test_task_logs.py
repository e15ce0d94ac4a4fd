"""The logs of a task that is done wait for the hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.start_notes import say
from koji_adjutant.errors import DaemonStopping, HubError
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.tasks import task_logs
from koji_adjutant.tasks.context import Interruption
from koji_adjutant.tasks.journal import Journal
from koji_adjutant.tasks.progress import Progress
from koji_adjutant.tasks.task_logs import START_LOG, TaskLogs
from tests.support.xmlrpc_hub import TinyHub, UploadArea

DIRECTORY = "tasks/7/7"
AWAY = Fault(koji.GenericError.faultCode, "away")


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    tiny = TinyHub()
    yield tiny
    tiny.stop()


@pytest.fixture
def area(hub: TinyHub) -> UploadArea:
    return UploadArea(hub)


@pytest.fixture
def context(hub: TinyHub, tmp_path: Path) -> Any:
    """As much of a task's context as its logs need."""
    interruption = Interruption()

    def new_session() -> AdjutantSession:
        session = AdjutantSession(
            hub.url,
            {"user": "builder", "password": "pw", "timeout": 20},
            interrupt=interruption.event,
            interrupted=interruption.error,
        )
        session.login()
        return session

    return SimpleNamespace(
        directory=tmp_path,
        config=AdjutantConfig.model_validate({"build": {"log_cap": 1 << 20}}),
        options=SimpleNamespace(log_timestamps=False),
        journal=Journal.create(tmp_path / "journal.jsonl", task_id=7),
        interruption=interruption,
        new_session=new_session,
        upload_dir=DIRECTORY,
    )


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, str], None]], None]:
    """Return a function that sets what happens at each warning; it is told its number and text. Nobody waits long."""
    monkeypatch.setattr(task_logs, "FINISH_SECONDS", 0.1)

    def at_warnings(act: Callable[[int, str], None]) -> None:
        texts: list[str] = []

        def warning(event: str, **values: Any) -> None:
            texts.append(values["error"])
            act(len(texts), texts[-1])

        monkeypatch.setattr(task_logs, "log", SimpleNamespace(warning=warning))

    return at_warnings


def test_work_that_is_done_outlasts_a_hub_that_is_away(context: Any, area: UploadArea, warned: Any) -> None:
    """Each deadline that passes is a warning with the logs' names; the task ends as soon as the hub is back."""
    area.refuse = AWAY
    texts: list[str] = []

    def back(number: int, text: str) -> None:
        texts.append(text)
        if number == 3:
            area.refuse = None

    warned(back)
    with TaskLogs(context) as logs:
        assert logs.finish() == [f"{DIRECTORY}/build.log"]
    assert area.files[DIRECTORY, "build.log"].startswith(b"koji-adjutant ")
    assert len(texts) >= 3
    assert all("build.log" in text for text in texts)


def test_an_interruption_ends_the_wait(context: Any, area: UploadArea, warned: Any) -> None:
    """A daemon that stops leaves the logs to the next one."""
    area.refuse = AWAY
    warned(lambda number, text: context.interruption.stop())
    with pytest.raises(DaemonStopping), TaskLogs(context) as logs:
        logs.finish()


def test_the_logs_of_a_failure_have_one_deadline(context: Any, area: UploadArea, warned: Any) -> None:
    """A task that fails does not wait for ever for its logs."""
    area.refuse = AWAY
    warned(lambda number, text: None)
    with pytest.raises(HubError, match=r"build\.log"), TaskLogs(context):
        raise koji.BuildError("failed")


def test_lines_on_stdout_only_if_asked_for(context: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """With `monitoring.task_logs: stdout` the lines of the logs are on stdout too; without it nothing is."""
    context.task_id, context.method = 7, "buildArch"
    with task_logs.TaskLogs(context, build_log=False) as logs:
        logs.write("one", "state.log", lambda: "not copied\n")
    context.config = AdjutantConfig.model_validate({"monitoring": {"task_logs": "stdout"}})
    with task_logs.TaskLogs(context, build_log=False) as logs:
        logs.write("two", "state.log", lambda: "copied\n")
        logs.write("three", "state.log", lambda: "without its end")
    out = capsys.readouterr().out.splitlines()  # structlog is not set up here and writes there too
    records = [json.loads(line) for line in out if line.startswith("{")]
    assert [(record["log"], record["line"]) for record in records] == [
        ("state.log", "copied"),
        ("state.log", "without its end"),
    ]


def test_what_a_start_waits_for_is_told_once(context: Any) -> None:
    """In a log of its own that is there for it only, and on the page until it is over; nobody hears it after the task."""
    context.progress = Progress(0.0, lambda _, make: make())
    with TaskLogs(context) as logs:
        for _ in range(2):
            say("waits for the quota few")
        assert context.progress.look().doing == "waits for the quota few"
        say("")
        assert context.progress.look().doing == ""
        assert logs.tail(START_LOG, 1000).decode().count("waits for the quota few\n") == 1
    say("later")
    assert context.progress.look().doing == ""


def test_a_task_whose_containers_start_has_no_log_of_that(context: Any) -> None:
    """So nothing is different from a task under kojid."""
    context.progress = Progress(0.0, lambda _, make: make())
    with TaskLogs(context) as logs:
        say("")
        assert not logs.tail(START_LOG, 1000)
