"""The JSON API and the followed log over a real socket."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from koji_adjutant.buildroot.prepared import PreparedImage
from koji_adjutant.monitoring.log_events import BEHIND, FIRST
from koji_adjutant.monitoring.problems import Problem
from tests.support.made_up_daemon import MadeUpDaemon
from tests.support.served_page import served

Get = Callable[..., requests.Response]


@pytest.fixture
def daemon(tmp_path: Path) -> MadeUpDaemon:
    return MadeUpDaemon(tmp_path)


@pytest.fixture
def get(daemon: MadeUpDaemon) -> Iterator[Get]:
    """Ask the page of `daemon`."""
    with served(daemon) as address, requests.Session() as session:
        session.trust_env = False

        def ask(path: str, **more: Any) -> requests.Response:
            return session.get(address + path, timeout=10, **more)

        yield ask


class Events:
    """What a follower hears: kind, offset and data of each event, in order."""

    def __init__(self, answer: requests.Response) -> None:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        self._answer = answer
        self._lines = answer.iter_lines(chunk_size=1, decode_unicode=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()

    def __iter__(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        kind, offset = "", 0
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                offset = int(value)
            elif name == "data":
                yield kind, offset, json.loads(value)

    def text_until(self, offset: int) -> str:
        """What is shown until that offset."""
        shown = ""
        for kind, at, data in self:
            shown += data["text"] if kind == "text" else ""
            if at >= offset:
                return shown
        raise AssertionError("the stream ended before")


def follow(get: Get, log: str = "build.log", **more: Any) -> Events:
    """Follow a log of task 7."""
    return Events(get(f"/api/tasks/7/logs/{log}/events", stream=True, **more))


def test_a_task_is_told_with_its_logs(daemon: MadeUpDaemon, get: Get) -> None:
    """While it runs, and what became of it afterwards."""
    (daemon.run(7) / "build.log").write_bytes(b"12345")
    found = get("/api/tasks/7").json()
    assert (found["running"]["phase"], found["ended"], found["logs"]) == (
        "build",
        None,
        [{"name": "build.log", "size": 5}],
    )
    daemon.end(7, "failed", "no such thing")
    found = get("/api/tasks/7").json()
    assert (found["running"], found["ended"]["reason"], found["logs"]) == (None, "no such thing", [])
    assert get("/api/tasks/8").status_code == 404


def test_the_history_comes_in_pages(daemon: MadeUpDaemon, get: Get) -> None:
    """`limit` and `before`; numbers that are none are named."""
    for number in range(5):
        daemon.remember(number, ago=100.0 - number, took=10.0)
    page = get("/api/history?limit=2").json()["tasks"]
    assert [task["task_id"] for task in page] == [4, 3]
    rest = get("/api/history", params={"before": page[-1]["ended"]}).json()["tasks"]
    assert [task["task_id"] for task in rest] == [2, 1, 0]
    for query in ("limit=-1", "limit=x", "before=nan", "before=x"):
        answer = get(f"/api/history?{query}")
        assert (answer.status_code, "error" in answer.json()) == (400, True)


def test_images_problems_and_configuration(daemon: MadeUpDaemon, get: Get) -> None:
    """As the daemon has them."""
    daemon.found_images = [PreparedImage("prepared:1", 5, 1.0, 2.0, hits=3, tag="f43-build", repo_id="12")]
    daemon.found_problems = [Problem(1.0, "warning", "hub.away", "try later", times=2)]
    assert get("/api/images").json()["images"][0]["hits"] == 3
    assert get("/api/problems").json()["problems"][0]["times"] == 2
    assert get("/api/config").json()["kojid"]["password"] == "***"


def test_a_log_is_served_whole_from_any_offset(daemon: MadeUpDaemon, get: Get) -> None:
    """Byte for byte, as a type that nothing is made of."""
    content = b"<script>\x1b[31m\xff" * 50_000
    (daemon.run(7) / "build.log").write_bytes(content)
    answer = get("/api/tasks/7/logs/build.log?offset=10")
    assert answer.content == content[10:]
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["..%2f..%2fsecret.log", "none.log", "%2fetc%2fpasswd", "build.log%00"])
def test_nothing_but_logs_is_served(daemon: MadeUpDaemon, get: Get, name: str) -> None:
    """Whatever a name says."""
    daemon.run(7)
    for path in (f"/api/tasks/7/logs/{name}", f"/api/tasks/7/logs/{name}/text", f"/api/tasks/7/logs/{name}/events"):
        assert get(path).status_code == 404


def test_earlier_lines_are_asked_for(daemon: MadeUpDaemon, get: Get) -> None:
    """Before an offset, from the beginning of a line on."""
    (daemon.run(7) / "build.log").write_bytes(b"one\ntwo\nthree\n")
    assert get("/api/tasks/7/logs/build.log/text?before=8&size=5").json() == {"start": 4, "end": 8, "text": "two\n"}


def test_a_log_is_followed_to_its_end(daemon: MadeUpDaemon, get: Get) -> None:
    """What is there, what comes, what the task wrote last, and how it ended."""
    log = daemon.run(7) / "build.log"
    log.write_bytes(b"first\n")
    with follow(get) as events:
        assert events.text_until(6) == "first\n"
        with log.open("ab") as file:
            file.write(b"second\n")
        assert events.text_until(13) == "second\n"
        with log.open("ab") as file:
            file.write(b"last")
        daemon.end(7, "failed", "it broke")
        assert events.text_until(17) == "last"
        assert list(events) == [("end", 17, {"result": "failed", "reason": "it broke"})]


def test_a_follower_goes_on_where_it_was(daemon: MadeUpDaemon, get: Get) -> None:
    """By `Last-Event-ID`, as a browser sends it, or by `offset`; not a byte twice or lost."""
    (daemon.run(7) / "build.log").write_bytes("0123456🙂89".encode())
    with follow(get, headers={"Last-Event-ID": "5"}) as events:
        assert events.text_until(13) == "56🙂89"
    answer = Events(get("/api/tasks/7/logs/build.log/events?offset=11", stream=True))
    with answer as events:
        assert events.text_until(13) == "89"


def test_a_long_log_is_followed_from_its_end(daemon: MadeUpDaemon, get: Get) -> None:
    """100 MB are not sent to somebody who wants to see what happens now."""
    log = daemon.run(7) / "build.log"
    with log.open("wb") as file:
        file.truncate(100 << 20)
        file.seek(0, 2)
        file.write(b"\nend\n")
    with follow(get) as events:
        kind, offset, _ = next(iter(events))
        assert (kind, (100 << 20) - offset <= FIRST) == ("begin", True)
        assert events.text_until((100 << 20) + 5).endswith("\nend\n")


def test_who_is_far_behind_is_taken_to_the_end(daemon: MadeUpDaemon, get: Get) -> None:
    """With a word on what was left out."""
    (daemon.run(7) / "build.log").write_bytes(b"0123456789abcde\n" * ((BEHIND >> 4) + 100_000))
    with Events(get("/api/tasks/7/logs/build.log/events?offset=0", stream=True)) as events:
        begin, skip = islice(events, 2)
    assert (begin[0], skip[0]) == ("begin", "skip")
    assert skip[2]["bytes"] == skip[1] > BEHIND


def test_a_hostile_log_is_one_event_a_piece(daemon: MadeUpDaemon, get: Get) -> None:
    """Ends of lines and fields of the protocol inside a log end no event."""
    log = daemon.run(7) / "build.log"
    log.write_bytes(b"a\n\nevent: end\ndata: {}\r\rid: 99\n\n\x1b]0;x\x07\xff")
    with follow(get) as events:
        kinds = [(kind, data) for kind, _, data in islice(events, 2)]
    assert [kind for kind, _ in kinds] == ["begin", "text"]
    assert kinds[1][1]["text"] == "a\n\nevent: end\ndata: {}\nid: 99\n\n␛]0;x␇\ufffd"


def test_a_server_that_stops_waits_for_no_follower(daemon: MadeUpDaemon) -> None:
    """What is followed ends at once."""
    (daemon.run(7) / "build.log").write_bytes(b"x")
    ended = threading.Event()

    def hear(answer: requests.Response) -> None:
        list(Events(answer))
        ended.set()

    with served(daemon) as address, requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{address}/api/tasks/7/logs/build.log/events", stream=True, timeout=10)
        threading.Thread(target=hear, args=(answer,), daemon=True).start()
    assert ended.wait(10)


def test_the_page_loads_nothing_from_elsewhere(get: Get) -> None:
    """Everything it names is served here, in less than 100 KB."""
    page = get("/")
    names = set(re.findall(r'(?:href|src)="(static/[^"]+)"', page.text))
    sources = {name: get(f"/{name}") for name in names}
    for name in [*names]:
        for inner in re.findall(r'from "\./(\w+\.js)"', sources[name].text):
            assert f"static/{inner}" in names
    assert {answer.status_code for answer in sources.values()} == {200}
    texts = [page.text, *(answer.text for answer in sources.values())]
    assert not [
        found for text in texts for found in re.findall(r"(?:https?:)?//[a-z]\w*\.\w+", text) if "www.w3" not in found
    ]
    assert len(page.content) + sum(len(answer.content) for answer in sources.values()) < 100_000


def test_files_are_asked_for_once(get: Get) -> None:
    """The second time a browser hears that nothing has changed."""
    first = get("/static/app.js")
    assert get("/static/app.js", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert get("/static/login.html").status_code == 404
    assert get("/static/..%2fapp.py").status_code == 404
