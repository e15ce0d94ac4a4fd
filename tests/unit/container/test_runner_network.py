"""A step that must be offline where there is a network: it gets an empty one of its own. As a process of this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.container.step_request import encode_request
from koji_adjutant.container.steps import StepSpec
from tests.support.runner_calls import RUNNER, needs_root, needs_runner

pytestmark = [needs_runner, needs_root]

UNPRIVILEGED = ("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
"""Root as in a container: it may not make namespaces by itself."""
HAS_NETWORK = len(Path("/proc/net/dev").read_text().splitlines()) > 3


def ran(directory: Path, *prefix: str, script: str, uid: int = 4321) -> tuple[dict[str, object], list[str]]:
    """Status and lines of output of an offline step."""
    spec = StepSpec("s", ["/bin/sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, uid=uid, gid=uid, offline=True)
    request = encode_request(spec)
    step = directory / "s"
    argv = [*prefix, RUNNER, "run", str(step), str(len(request)), str(zlib.crc32(request))]
    subprocess.run(argv, input=request, check=True, capture_output=True)
    deadline = time.monotonic() + 30
    while not (step / "status").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    status = json.loads((step / "status").read_text())
    if "no network of its own" in status["message"]:
        pytest.skip(f"not here: {status['message']}")
    return status, (step / "out").read_text().splitlines()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="adjutant-network-", dir="/var/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(params=["privileged", "as in a container"])
def prefix(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """How the runner is started."""
    if request.param == "privileged":
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv: install util-linux")
    return UNPRIVILEGED


@pytest.mark.skipif(not HAS_NETWORK, reason="not here: this machine has no network to leave")
def test_only_lo_is_left(tmp_path: Path, prefix: tuple[str, ...]) -> None:
    """The step sees lo alone, with a default route, and nothing is complained of."""
    status, out = ran(
        tmp_path, *prefix, script="tail -n +3 /proc/net/dev | cut -d: -f1; wc -l </proc/net/route; exit 3"
    )
    assert (status["end"], status["exit_code"], status["message"]) == ("exited", 3, "")
    assert [line.strip() for line in out] == ["lo", "2"]


@pytest.mark.skipif(not HAS_NETWORK, reason="not here: this machine has no network to leave")
def test_ids_mean_what_they_meant(open_directory: Path, prefix: tuple[str, ...]) -> None:
    """Users keep their ids, files of others their owners, and no capability comes with the step's own network."""
    (open_directory / "file").write_text("x")
    shutil.chown(open_directory / "file", 1234, 5678)
    bounding = subprocess.run(
        [*prefix, "grep", "CapBnd", "/proc/self/status"], check=True, capture_output=True, text=True
    ).stdout.strip()
    script = f"id -u; stat -c %u:%g {open_directory}/file /etc/passwd; grep -E 'CapBnd|CapEff' /proc/self/status"
    for number, uid in enumerate((4321, 0)):
        directory = open_directory / str(number)
        directory.mkdir()
        _, out = ran(directory, *prefix, script=script, uid=uid)
        assert out[:3] == [str(uid), "1234:5678", "0:0"]
        assert out[-1] == bounding
        assert (int(out[-2].split()[1], 16) == 0) == (uid != 0)
