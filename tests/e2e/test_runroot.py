"""`runroot` and `saveFailedTree` on real Podman: commands in a root, mounts that the configuration allows, a root's tree."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.client import Fault

import pytest

from tests.support.farm import TAG, Farm
from tests.support.farm_fixtures import MakeFarm, MakeSource, spec_text

pytestmark = [pytest.mark.podman, pytest.mark.distro]

CONF = """
[paths]
default_mounts = /mnt/shared
safe_roots = /mnt/shared/scratch
path_subs =
    /mnt/shared/scratch/,/mnt/shared/real/

[path0]
mountpoint = /mnt/shared
path = {shared}
fstype = bind
options = ro,bind
"""


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory of the host that the configuration allows to be mounted."""
    (tmp_path / "shared" / "real" / "out").mkdir(parents=True)
    (tmp_path / "shared" / "hello").write_text("hello from the host\n")
    (tmp_path / "shared" / "real" / "way-out").symlink_to("/etc")
    tmp_path.chmod(0o755)
    return tmp_path / "shared"


@pytest.fixture
def farm(make_farm: MakeFarm, tmp_path: Path, shared: Path) -> Iterator[Farm]:
    """A farm with the plugins' configuration."""
    conf = tmp_path / "plugins"
    conf.mkdir()
    (conf / "runroot.conf").write_text(CONF.format(shared=shared))
    (conf / "save_failed_tree.conf").write_text("[filters]\npaths = */BUILD/*/secret */etc/*.keytab\n")
    made = make_farm(config={"plugin_conf_dir": str(conf)})
    made.start()
    return made


def runroot(farm: Farm, command: str | list[str], **options: object) -> int:
    """Make a runroot task."""
    keywords = {"__starstar": True, "repo_id": farm.repo_id, **options}
    return farm.hub.make_task("runroot", [TAG, "x86_64", command, keywords], arch="x86_64")


def test_runroot_and_the_tree_of_a_failed_build(farm: Farm, shared: Path, make_source: MakeSource) -> None:
    """Commands run with the mounts that are allowed and end as the plugin's do; a failed build's tree can be had."""
    (shared / "real" / "out" / "input").write_text("for the root\n")
    good = runroot(
        farm,
        ["sh", "-c", "id -u; cat /mnt/shared/hello; echo kept > /mnt/shared/real/out/made; cp /etc/passwd /root/x.log"],
        mounts=["/mnt/shared/scratch/out"],
        upload_logs=["root/x.log"],
    )
    failing = farm.build_arch(
        make_source("fails", spec_text("fails", "mkdir -p a; echo 1 > a/secret; echo 2 > a/kept; exit 1"))
    )
    link = runroot(farm, "true", mounts=["/mnt/shared/scratch/way-out"])
    farm.closed(good)
    assert farm.result(good) == "sh completed successfully"
    assert farm.output(good, "runroot.log") == b"0\nhello from the host\n"
    assert b"mockbuild:x:" in farm.output(good, "x.log")
    assert (shared / "real" / "out" / "made").read_text() == "kept\n"
    bad = runroot(farm, "echo 'it fails'; touch /mnt/shared/no; exit 7", upload_logs=["/etc/shadow.log"])
    failed(farm, link, "mount point is not safe")
    failed(farm, failing, "error building package")
    saved(farm, failing)
    failed(farm, bad, "echo exited with status 7")
    assert "Read-only file system" in farm.text(bad, "runroot.log")


def failed(farm: Farm, task: int, text: str) -> None:
    """Wait for a task that fails with this text."""
    assert farm.ended(task) == "FAILED"
    with pytest.raises(Fault, match=text):
        farm.result(task)


def saved(farm: Farm, task: int) -> None:
    """The tree of a failed build, without what the filters name."""
    (row,) = farm.buildroots(task)
    tree = farm.hub.make_task("saveFailedTree", [row["id"]])
    farm.closed(tree)
    data = farm.output(tree, f"broot-{row['id']}.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
    top = f"var/lib/mock/{TAG}-{row['id']}-{farm.repo_id}/root/builddir"
    assert f"{top}/build/SPECS/fails.spec" in names
    assert [name for name in names if name.endswith("a/kept")]
    assert not [name for name in names if name.endswith("secret")]
