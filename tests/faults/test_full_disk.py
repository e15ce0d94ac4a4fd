"""The disk of the state directory fills up: under a step, under a build, or before a task is taken."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from xmlrpc.client import Fault

import pytest

from koji_adjutant.container.steps import StepEnd
from koji_adjutant.errors import DiskFull
from tests.support.farm_fixtures import MakeFarm, MakeSource, spec_text
from tests.support.steps import Recorder, step_rig


def _mounted(size_mb: int) -> Iterator[Path]:
    """Make a file system of its own, gone afterwards: ext4 in a file; in memory where there is no loop device."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with tempfile.TemporaryDirectory(prefix="adjutant-disk-", dir="/var/tmp") as directory:
        image, place = Path(directory) / "image", Path(directory) / "d"
        place.mkdir()
        with image.open("wb") as stream:
            stream.truncate(size_mb << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", "8192", image], check=True)
        if subprocess.run(["mount", "-o", "loop", image, place], check=False).returncode:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 400 MB; named before `make_farm`, so that it goes after the farm's containers."""
    yield from _mounted(400)


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    """A file system of 16 MB."""
    yield from _mounted(16)


def _fill(place: Path) -> Path:
    """Leave no block free."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as stream:
        for size in (1 << 20, 4096, 1, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    stream.write(b"x" * size)
            # Only what is on the disk is sure to have taken its space.
            with contextlib.suppress(OSError):
                os.fsync(stream.fileno())
    return filler


@pytest.mark.parametrize("kind", ["exec", "host"])
def test_step_on_a_full_disk(tiny_disk: Path, podman_socket: Path, empty_image: str, kind: str) -> None:
    """A step under which the disk fills up ends with status and last words; the next is refused until there is room."""
    with step_rig(podman_socket, empty_image, kind, parent=str(tiny_disk)) as rig:
        spec = rig.spec("until [ -e /tmp/full ]; do sleep 0.1; done; echo words; head -c 400000 /dev/zero; exit 5")
        rig.steps.start(rig.task, spec)
        filler = _fill(tiny_disk)
        rig.shell("mkdir -p /tmp; : > /tmp/full")
        out = Recorder()
        status = rig.steps.follow(rig.task, spec.name, out)
        assert (status.end, status.exit_code) == (StepEnd.EXITED, 5)
        assert out.data.startswith(b"words\n")
        assert out.size == status.out_bytes >= 65536
        assert status.out_bytes + status.dropped_bytes == 400_006
        assert "the log could not be written: No space left on device" in status.message
        _fill(tiny_disk)
        spec = rig.spec("echo begun")
        with pytest.raises(DiskFull, match="cannot start step"):
            rig.run_spec(spec)
        filler.unlink()
        assert rig.run_spec(spec).out == b"begun\n"


BESIDE = """n=0
until [ -e /builddir/enough ]; do
    n=$((n + 1))
    echo "beside: tick $n"
    sleep 1
done
echo "beside: end after $n"
"""
"""A build that takes as long as it is wanted."""


def test_build_that_fills_the_disk(
    small_disk: Path, make_farm: MakeFarm, make_source: MakeSource, samples: Mapping[str, Path]
) -> None:
    """It fails and says why, its root goes, a build beside it and the next one end well, and the daemon lives."""
    farm = make_farm(config={"state_dir": str(small_disk / "s")})
    daemon = farm.start()
    fill = "echo greedy: begin\nsleep 2\ndd if=/dev/zero of=big bs=1M count=2000"
    greedy = make_source("greedy", spec_text("greedy", fill))
    beside = farm.build_arch(make_source("beside", spec_text("beside", BESIDE)))
    farm.until(lambda: "beside: tick 1\n" in farm.text(beside, "build.log"), "the build beside it")
    task = farm.build_arch(greedy)
    assert farm.ended(task) == "FAILED", farm.log_tail()
    with pytest.raises(Fault) as raised:
        farm.result(task)
    assert raised.value.faultCode == 1005
    assert raised.value.faultString.startswith("error building package (arch x86_64), mock exited with status 1; see ")
    assert f"\nno space left on {small_disk}: 0 MB free, " in raised.value.faultString
    log = farm.text(task, "build.log")
    assert "greedy: begin\n" in log
    assert "No space left on device" in log
    assert f"build: no space left on {small_disk}" in log
    assert {row["state"] for row in farm.buildroots(task)} == {3}
    farm.until(lambda: not list(small_disk.glob(f"s/*/tasks/{task}")), "the end of the root that filled the disk")
    assert farm.state(beside) == "OPEN", "nothing was beside it"
    (root,) = small_disk.glob(f"s/*/tasks/{beside}/root-1")
    (root / "builddir" / "enough").touch()
    farm.closed(beside)
    ticks = [line for line in farm.text(beside, "build.log").splitlines() if line.startswith("beside: ")]
    assert ticks == [
        *(f"beside: tick {number}" for number in range(1, len(ticks))),
        f"beside: end after {len(ticks) - 1}",
    ]
    again = farm.build_arch(samples["noarch-data"])
    farm.closed(again)
    assert daemon.poll() is None


def test_disk_that_is_full_before(small_disk: Path, make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """A daemon that finds the disk full says so and takes nothing; with room it goes on by itself."""
    farm = make_farm(config={"state_dir": str(small_disk / "s")})
    (small_disk / "s").mkdir()
    filler = _fill(small_disk)
    daemon = farm.start()
    reason = f"Insufficient disk space at {small_disk / 's'}: 0 MB, 1 MB required"
    farm.until(lambda: reason in farm.log_tail(), "the reason why nothing is taken")
    task = farm.build_arch(samples["noarch-data"])
    farm.until(lambda: not farm.hub.call("listHosts", ready=True), "the host that is not ready")
    assert farm.state(task) == "FREE"
    filler.unlink()
    farm.closed(task)
    assert daemon.poll() is None
