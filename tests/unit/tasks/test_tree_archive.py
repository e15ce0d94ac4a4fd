"""The archive of a failed root: its script, run here on a directory, and the filters on what comes out."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from koji_adjutant.tasks.tree_archive import NO_DIRECTORY, ArchiveSieve, archive_script


def sifted(data: bytes, filters: list[str], piece: int) -> list[str]:
    """Names of what a sieve lets through, fed in pieces."""
    out = io.BytesIO()
    sieve = ArchiveSieve(out.write, filters)
    for start in range(0, len(data), piece):
        sieve.feed(data[start : start + piece])
    assert sieve.complete
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        return [
            f"{member.name}={len(tar.extractfile(member).read())}" if member.isreg() else member.name for member in tar
        ]


@pytest.fixture(scope="module")
def archive() -> bytes:
    """A GNU tar with short, long and odd names, links, and a file of odd size."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("r/tmp", "r/etc"):
            tar.addfile(directory(name))
        for name, data in (
            ("r/tmp/krb5cc", b"secret"),
            ("r/tmp/" + "long" * 40, b"x" * 700),
            ("r/etc/host.keytab", b"secret"),
            ("r/etc/new\nline", b""),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("r/link")
        link.type, link.linkname = tarfile.SYMTYPE, "t" * 150
        tar.addfile(link)
    return out.getvalue()


def directory(name: str) -> tarfile.TarInfo:
    """A directory entry."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


@pytest.mark.parametrize("piece", [1, 511, 512, 4096, 1 << 20])
def test_sieve(archive: bytes, piece: int) -> None:
    """What a filter matches is gone, all else is as it was, however the pieces fall."""
    long = f"r/tmp/{'long' * 40}=700"
    assert sifted(archive, ["*/tmp/krb5cc", "*.keytab"], piece) == [
        "r/tmp",
        "r/etc",
        long,
        "r/etc/new\nline=0",
        "r/link",
    ]
    assert sifted(archive, ["r/tmp"], piece) == ["r/etc", "r/etc/host.keytab=6", "r/etc/new\nline=0", "r/link"]


def test_no_archive() -> None:
    """Something else is refused."""
    with pytest.raises(ValueError, match="invalid literal"):
        ArchiveSieve(lambda _: None, []).feed(b"no tar at all" * 100)


def run(script: bytes, root: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a script with `root` in the place of /."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox on this machine")
    text = (
        script.decode().replace("ln -s / ", f"ln -s {root} ").replace("/run/adjutant/tree", f"{root}/run/adjutant/tree")
    )
    text = text.replace("/run/adjutant/bin/busybox", busybox)
    return subprocess.run([busybox, "sh", "-s"], input=text.encode(), capture_output=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small root."""
    for name in ("builddir/build", "proc/1", "run/lock", "run/adjutant/steps", "etc", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "builddir/build/it's a file").write_text("data")
    (tmp_path / "etc/passwd").write_text("root:x:0:0")
    os.symlink("nowhere", tmp_path / "dangling")
    return tmp_path


def names(script: bytes, root: Path) -> set[str]:
    """Names of the archive that a script makes, without those of directories below."""
    ended = run(script, root)
    assert ended.returncode == 0, ended.stderr
    with tarfile.open(fileobj=io.BytesIO(ended.stdout)) as tar:
        return set(tar.getnames())


def test_names_are_those_of_mock(root: Path) -> None:
    """The builddir alone by default, with the path that it has on a builder with mock."""
    top = "var/lib/mock/f-1-2/root/builddir"
    assert names(archive_script("/var/lib/mock", "f-1-2", full=False), root) == {
        top,
        f"{top}/build",
        f"{top}/build/it's a file",
    }


def test_whole_root(root: Path) -> None:
    """Everything but what the runtime has put there."""
    found = names(archive_script("/var/lib/mock/", "f-1-2", full=True), root)
    top = "var/lib/mock/f-1-2/root"
    assert {f"{top}/etc/passwd", f"{top}/.hidden", f"{top}/dangling", f"{top}/run/lock"} <= found
    assert not [name for name in found if "proc" in name or "adjutant" in name]


def test_no_builddir(root: Path) -> None:
    """A status of its own."""
    shutil.rmtree(root / "builddir")
    assert run(archive_script("/var/lib/mock", "f-1-2", full=False), root).returncode == NO_DIRECTORY
