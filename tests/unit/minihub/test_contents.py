"""What Python puts into a hub, and what the API makes of it."""

import koji
import pytest

from koji_adjutant.errors import HubError
from koji_adjutant.minihub.context import apply_query_options, convert, isoformat


def test_tag_inherits(hub):
    """Arches, extra settings, groups and external repos come from the parent."""
    hub.add_tag("base", "x86_64 i686", extra={"mock.new_chroot": 0, "rpm.macro.dist": ".a"}, groups={"build": ["bash"]})
    hub.add_tag("child", None, parent="base", extra={"rpm.macro.dist": ".b"}, groups={"srpm-build": ["git"]})
    hub.add_external_repo("one", "http://localhost/one/$arch", tag="base")
    hub.add_external_repo("two", "http://localhost/two", tag="child")
    config = hub.call("getBuildConfig", "child", event=1)
    base = {"id": 1, "name": "base"}
    assert config["arches"] == "x86_64 i686"
    assert config["extra"] == {"mock.new_chroot": 0, "rpm.macro.dist": ".b"}
    assert config["config_inheritance"] == {"extra": {"mock.new_chroot": base}, "arches": base}
    assert config["query_event"] == 1
    groups = {
        group["name"]: [p["package"] for p in group["packagelist"]] for group in hub.call("getTagGroups", "child")
    }
    assert groups == {"srpm-build": ["git"], "build": ["bash"]}
    assert [row["external_repo_name"] for row in hub.call("getExternalRepoList", "child")] == ["two", "one"]


def test_changing_what_is_there(hub):
    """Adding twice changes, and does not double."""
    for arches in ("x86_64", "aarch64"):
        hub.add_tag("t", arches, groups={"build": [arches]})
        hub.add_external_repo("e", f"http://localhost/{arches}", tag="t")
        hub.add_host("h", arches, capacity=3.0)
        hub.add_target("target", "t", "t")
        hub.add_package("t", "pkg")
    assert hub.call("getTag", "t")["arches"] == "aarch64"
    assert [p["package"] for p in hub.call("getTagGroups", "t")[0]["packagelist"]] == ["aarch64"]
    assert [row["url"] for row in hub.call("getExternalRepoList", "t")] == ["http://localhost/aarch64"]
    assert hub.call("getHost", "h")["arches"] == "aarch64"
    assert hub.call("getBuildTarget", "target")["build_tag_name"] == "t"
    assert hub.call("getPackageConfig", "t", "pkg")["owner_name"] == "admin"
    assert hub.call("getPackageConfig", "t", "other") is None


def test_unknown_things(hub):
    """Each is named."""
    with pytest.raises(koji.GenericError, match="No such tagInfo: 'nope'"):
        hub.call("getBuildConfig", "nope")
    with pytest.raises(koji.GenericError, match="No such build target: nope"):
        hub.call("getBuildTarget", "nope", strict=True)
    with pytest.raises(koji.GenericError, match="No such user: 'nope'"):
        hub.call("getUser", "nope", strict=True)
    with pytest.raises(koji.GenericError, match="query returned no rows"):
        hub.call("repoInfo", 99, strict=True)


def test_external_repo_by_path_needs_a_port(hub, tmp_path):
    """Before the hub listens there is no URL to give."""
    hub.add_tag("t", "x86_64")
    with pytest.raises(HubError, match="needs a hub that has a port"):
        hub.add_external_repo("e", str(tmp_path), tag="t")


def test_passwords(hub):
    """The administrator's password is random and kept; the directory is closed to others."""
    assert len(hub.admin.password) > 20
    assert hub.directory.stat().st_mode & 0o077 == 0


def test_rpm_that_is_none(hub, tmp_path):
    """A file that is no rpm is named."""
    hub.add_tag("t", "x86_64")
    (tmp_path / "a.rpm").write_text("<html>")
    with pytest.raises(HubError, match=r"a\.rpm is not an rpm"):
        hub.add_rpm("t", tmp_path / "a.rpm")
    with pytest.raises(HubError, match=r"b\.rpm is not an rpm"):
        hub.add_rpm("t", tmp_path / "b.rpm")


def test_empty_repo(hub):
    """A tag without arches has a repo without directories for them, READY and the newest."""
    hub.add_tag("t", None, groups={"build": ["bash"]})
    hub.add_repo("t")
    repo = hub.add_repo("t")
    info = hub.call("getRepo", "t")
    assert (info["id"], info["state"], info["tag_name"]) == (repo, koji.REPO_STATES["READY"], "t")
    directory = hub.topdir / "repos" / "t"
    assert (directory / "latest").readlink().name == str(repo)
    assert "<packagereq" in (directory / str(repo) / "groups" / "comps.xml").read_text()
    assert hub.call("repo.request", "t")["repo"]["id"] == repo


def test_groups_file_that_is_missing(hub, tmp_path):
    """It is named, the repo is marked and nothing of it stays."""
    hub.add_tag("t", None)
    with pytest.raises(HubError, match=r"The groups file .*/comps\.xml cannot be read"):
        hub.add_repo("t", comps=tmp_path / "comps.xml")
    assert hub.call("getRepo", "t") is None
    assert not (hub.topdir / "repos" / "t" / "1").exists()


def test_query_options():
    """Order, offset, limit and count, with None last as the database has it."""
    rows = [{"id": 2, "a": None}, {"id": 1, "a": 5}, {"id": 3, "a": 5}]
    assert [row["id"] for row in apply_query_options(rows, {"order": "id"})] == [1, 2, 3]
    assert [row["id"] for row in apply_query_options(rows, {"order": "-id", "offset": 1, "limit": 1})] == [2]
    assert [row["id"] for row in apply_query_options(rows, {"order": "a,-id"})] == [3, 1, 2]
    assert apply_query_options(rows, {"countOnly": True}) == 3
    assert apply_query_options(rows, None) == rows


def test_conversions():
    """Values and times as the API has them."""
    assert convert("7", int) == 7
    assert convert(None, int, none_allowed=True) is None
    with pytest.raises(koji.ParameterError, match="Invalid type, expected type <class 'int'>"):
        convert(None, int)
    assert isoformat(0.5) == "1970-01-01 00:00:00.500000+00:00"
    assert isoformat(None) is None
