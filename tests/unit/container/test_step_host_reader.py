"""Reading a step's files directly: what a hostile root can put there gets it nothing."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from koji_adjutant.container.step_host_reader import HostReader

RUN = "0123456789abcdef" * 2
STATUS = {
    "run_id": RUN, "end": "exited", "exit_code": 0, "signal": None, "started_at": 1, "ended_at": 2, "out_bytes": 3,
    "err_bytes": 0, "dropped_bytes": 0, "oom_kills": 0, "peak_memory": 0, "message": "",
}  # fmt: skip


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def step(tmp_path: Path) -> Path:
    """A started step with some output."""
    directory = tmp_path / "s"
    directory.mkdir()
    (directory / "run-id").write_text(RUN)
    (directory / "out").write_bytes(b"abc")
    (directory / "touched").touch()
    return directory


@pytest.fixture
def living(step: Path) -> Iterator[None]:
    """Its runner lives: somebody holds the lock."""
    with (step / "run-id").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(tmp_path: Path, clock: Clock) -> HostReader:
    """A reader over the volume."""
    return HostReader(tmp_path, clock=clock, sleep=clock.sleep)


def test_output_from_an_offset(reader: HostReader, step: Path, living: None) -> None:
    """Bytes behind the offset, the total, and that the runner lives."""
    frame = reader.read("s", 1, None, 5.0)
    assert (frame.run_id, frame.alive, frame.status) == (RUN, True, None)
    assert (frame.out.offset, frame.out.data, frame.out.total) == (1, b"bc", 3)


def test_silence_is_waited_out(reader: HostReader, step: Path, living: None, clock: Clock) -> None:
    """Without news the read takes its whole time."""
    assert reader.read("s", 3, None, 5.0).out.data == b""
    assert clock.now >= 5.0


def test_status_ends_the_wait(reader: HostReader, step: Path, living: None, clock: Clock) -> None:
    """A status is returned at once, both logs with it."""
    (step / "status").write_text(json.dumps(STATUS))
    (step / "err").write_bytes(b"e")
    frame = reader.read("s", 3, 0, 5.0)
    assert frame.status is not None
    assert frame.err is not None
    assert (frame.err.data, frame.at_end, clock.now) == (b"e", True, 0.0)


def test_dead_runner_ends_the_wait(reader: HostReader, step: Path, clock: Clock) -> None:
    """An unheld lock is a runner that lives no more."""
    frame = reader.read("s", 3, None, 5.0)
    assert (frame.alive, frame.status, clock.now) == (False, None, 0.0)


def test_step_that_was_never_started(reader: HostReader) -> None:
    """No directory: no run."""
    assert reader.read("never", 0, None, 5.0).run_id is None
    reader.cancel("never")


def test_reading_touches_the_step(reader: HostReader, step: Path) -> None:
    """The orphan clock starts anew with each read."""
    os.utime(step / "touched", (1, 1))
    reader.read("s", 0, None, 0.0)
    assert (step / "touched").stat().st_mtime > 1


def test_cancel_leaves_the_wish(reader: HostReader, step: Path) -> None:
    """The runner looks for this file; twice is fine."""
    reader.cancel("s")
    reader.cancel("s")
    assert (step / "cancel").exists()


@pytest.mark.parametrize("name", ["out", "status", "run-id", "memory", "touched"])
def test_links_pipes_and_directories_are_not_opened(reader: HostReader, step: Path, tmp_path: Path, name: str) -> None:
    """Nothing is read or touched through them, and nothing blocks."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    os.utime(secret, (1, 1))
    makers: tuple[Callable[[], None], ...] = (
        lambda: (step / name).symlink_to(secret),
        lambda: os.mkfifo(step / name),
        (step / name).mkdir,
    )
    for make in makers:
        path = step / name
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        make()
        frame = reader.read("s", 0, None, 0.0)
        assert b"secret" not in frame.out.data
        assert frame.status is None
    assert secret.stat().st_mtime == 1


def test_link_in_place_of_the_step_is_refused(reader: HostReader, tmp_path: Path) -> None:
    """A directory reached by a link is not a step."""
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    with pytest.raises(Exception, match="link"):
        reader.read("link", 0, None, 0.0)


def test_huge_status_is_not_read(reader: HostReader, step: Path) -> None:
    """A status beyond its cap is none."""
    (step / "status").write_text(json.dumps(STATUS | {"message": "x" * 100_000}))
    assert reader.read("s", 0, None, 0.0).status is None
