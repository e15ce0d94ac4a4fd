"""The status page of a daemon that builds for real: phases, log, history, images, over a death of the daemon."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.farm import Farm
from tests.support.farm_fixtures import MakeFarm


class Page:
    """The JSON API of a farm's daemon."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def ask(self, path: str) -> Any:
        return self._session.get(f"{self._address}/api/{path}", timeout=10).json()

    def running(self, task: int) -> dict[str, Any]:
        """The task as it runs; empty while nobody serves, or it does not run."""
        try:
            tasks = self.ask("status")["tasks"]
        except requests.ConnectionError:
            return {}
        return next((found for found in tasks if found["task_id"] == task), {})


@pytest.fixture
def seen(make_farm: MakeFarm) -> Any:
    """A farm whose daemon serves its page, and the page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    farm = make_farm(config={"monitoring": {"listen": f"127.0.0.1:{port}"}}, extra={"rpm.macro.ticks": "6"})
    farm.start()
    page = Page(port)
    yield farm, page
    page.close()


def test_a_build_is_seen_to_its_end(seen: tuple[Farm, Page], samples: Mapping[str, Path]) -> None:
    """What runs, where and since when; the same after the daemon was killed; what became of it; the image it left."""
    farm, page = seen
    task = farm.build_arch(samples["slow"])
    farm.until(lambda: page.running(task).get("phase") == "build", "the phase build")
    before = page.running(task)
    assert [name for name, _ in before["phases"] if name != "work"] == ["start", "root", "requires", "build"]
    assert before["label"] == f"{samples['slow'].name}, x86_64"
    farm.until(lambda: page.running(task)["doing"] == f"rpmbuild {samples['slow'].name}", "rpmbuild")
    assert before["container"] in {info.handle.name for info in farm.containers()}
    assert before["digest"].startswith("sha256:")
    assert "build.log" in {log["name"] for log in page.ask(f"tasks/{task}")["logs"]}
    assert "Executing" in page.ask(f"tasks/{task}/logs/build.log/text")["text"]
    farm.kill()
    farm.start()
    farm.until(lambda: page.running(task).get("phase") == "build", "the phase build again")
    after = page.running(task)
    assert (after["adopted"], after["phases"], after["container"]) == (True, before["phases"], before["container"])
    farm.closed(task)
    farm.until(lambda: page.ask("history")["tasks"], "the record of the task")
    (record,) = page.ask("history")["tasks"]
    assert (record["task_id"], record["result"], record["reason"]) == (task, "closed", "")
    assert [name for name, _ in record["phases"]][-1] == "results"
    farm.prepared()
    again = farm.build_arch(samples["noarch-data"])
    farm.closed(again)
    farm.until(lambda: page.ask("history")["tasks"][0]["task_id"] == again, "the record of the second task")
    assert page.ask("history")["tasks"][0]["prepared"].startswith("localhost/koji-adjutant/prepared:")


def test_a_failure_is_remembered_with_its_reason(seen: tuple[Farm, Page], samples: Mapping[str, Path]) -> None:
    """The sentence that the hub has."""
    farm, page = seen
    task = farm.build_arch(samples["fails-check"])
    assert farm.ended(task) == "FAILED"
    farm.until(lambda: page.ask("history")["tasks"], "the record of the task")
    (record,) = page.ask("history")["tasks"]
    assert record["result"] == "failed"
    assert record["reason"] in farm.fault(task)
