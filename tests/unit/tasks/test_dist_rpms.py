"""What a dist repo takes of a tag, and how it fails."""

from types import SimpleNamespace

import koji
import pytest

from koji_adjutant.tasks.create_dist_repo import write_tree
from koji_adjutant.tasks.dist_rpms import DistRpms

OPTS = {
    "event": 5,
    "latest": True,
    "inherit": True,
    "skip_missing_signatures": False,
    "allow_missing_signatures": False,
}
BUILD = {"id": 1, "name": "hello", "version": "1", "release": "2", "nvr": "hello-1-2", "volume_name": "DEFAULT"}


def rpm(rpm_id, name, arch, sigkey, build=BUILD):
    return {
        "id": rpm_id,
        "name": name,
        "version": "1",
        "release": "2",
        "arch": arch,
        "build_id": build["id"],
        "sigkey": sigkey,
    }


class Logs(dict):
    """Keeps the logs that are written."""

    def write(self, name, log, text):
        self[log] = text()


@pytest.fixture
def topdir(tmp_path):
    """Package hello is signed by beef, hello-doc is not."""
    build = tmp_path / "packages/hello/1/2"
    for place in ("x86_64/hello-1-2.x86_64.rpm", "data/signed/beef/x86_64/hello-1-2.x86_64.rpm"):
        (build / place).parent.mkdir(parents=True, exist_ok=True)
        (build / place).touch()
    (build / "noarch").mkdir()
    (build / "noarch/hello-doc-1-2.noarch.rpm").touch()
    return tmp_path


def find(topdir, keys, builds=(BUILD,), arch="x86_64", **opts):
    """Ask for the packages of a tag; return them and the logs."""
    rows = {
        "x86_64": [rpm(1, "hello", "x86_64", ""), rpm(1, "hello", "x86_64", "beef")],
        "noarch": [rpm(2, "hello-doc", "noarch", "")],
    }
    session = SimpleNamespace(
        listTaggedRPMS=lambda tag, *, arch, **_: [rows.get(arch, []), list(builds) if arch in rows else []]
    )
    logs = Logs()
    task = SimpleNamespace(session=session, options=SimpleNamespace(topdir=str(topdir)))
    return DistRpms(task, logs, keys, {**OPTS, **opts}).find("tag", arch), logs


def test_signed_and_primary_copies(topdir):
    """The signed copy where there is one; allowed, the primary one of the others, and a log of them."""
    packages, logs = find(topdir, ["BEEF"], allow_missing_signatures=True)
    paths = {name: row["_pkgpath"] for name, row in packages.items()}
    assert paths == {
        "hello-1-2.x86_64.rpm": f"{topdir}/packages/hello/1/2/data/signed/beef/x86_64/hello-1-2.x86_64.rpm",
        "hello-doc-1-2.noarch.rpm": f"{topdir}/packages/hello/1/2/noarch/hello-doc-1-2.noarch.rpm",
    }
    assert {row["sigkey"] for row in packages.values()} == {"beef", None}
    assert list(logs) == ["missing_signatures.log"]


def test_unsigned_are_skipped(topdir):
    """They are left out and named."""
    packages, logs = find(topdir, ["beef"], skip_missing_signatures=True)
    assert list(packages) == ["hello-1-2.x86_64.rpm"]
    assert "hello-doc-1-2.noarch" in logs["missing_signatures.log"]


def test_unsigned_are_refused(topdir):
    """Without either option the task fails in kojid's words."""
    with pytest.raises(koji.GenericError, match=r"^Unsigned packages found\. See missing_signatures\.log$"):
        find(topdir, ["beef"])


def test_missing_copies(topdir):
    """A signed copy that nobody has written is named with its path."""
    (topdir / "packages/hello/1/2/data/signed/beef/x86_64/hello-1-2.x86_64.rpm").unlink()
    with pytest.raises(koji.GenericError, match=r"^Packages missing from the filesystem\. See missing_files\.log\.$"):
        find(topdir, ["beef"], skip_missing_signatures=True)


def test_drafts_are_refused(topdir):
    """A draft build is no part of a dist repo."""
    with pytest.raises(koji.BuildError, match=r"^Draft build: hello-1-2 is not allowed$"):
        find(topdir, ["beef"], builds=[{**BUILD, "draft": True}])


def test_unknown_arch(topdir):
    """An arch without a table is named, where kojid raises KeyError."""
    with pytest.raises(koji.GenericError, match="arch vax"):
        find(topdir, [], arch="vax")


def test_tree(tmp_path):
    """Links by first letter, debuginfo listed apart, and the same again after a first attempt."""
    packages = {
        "Hello-1-2.x86_64.rpm": {"name": "Hello", "_pkgpath": "/t/Hello-1-2.x86_64.rpm"},
        "Hello-debuginfo-1-2.x86_64.rpm": {"name": "Hello-debuginfo", "_pkgpath": "/t/d"},
    }
    tree = tmp_path / "repo"
    for _ in range(2):
        assert write_tree(tree, packages, split_debuginfo=True) == ["debug"]
    assert (tree / "pkglist").read_text() == "Packages/h/Hello-1-2.x86_64.rpm\n"
    assert (tree / "debug/pkglist").read_text() == "../Packages/h/Hello-debuginfo-1-2.x86_64.rpm\n"
    assert (tree / "Packages/h/Hello-1-2.x86_64.rpm").readlink().as_posix() == "/t/Hello-1-2.x86_64.rpm"
    assert write_tree(tree, {"a.rpm": {"name": "a", "_pkgpath": "/t/a"}}, split_debuginfo=True) == []
