"""Repos of the embedded hub, as a builder reads them."""

import gzip
import json
import shutil
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
import requests

from koji_adjutant.errors import HubError

pytestmark = [
    pytest.mark.distro,
    pytest.mark.skipif(shutil.which("mergerepo_c") is None, reason="needs createrepo_c"),
]
NAMES = {"repo": "{http://linux.duke.edu/metadata/repo}", "common": "{http://linux.duke.edu/metadata/common}"}


@pytest.fixture
def tag(minihub):
    """A tag with groups."""
    minihub.add_tag("t-build", "x86_64", groups={"build": ["bash"], "srpm-build": ["bash", "rpm-build"]})
    return "t-build"


def metadata(minihub, tag, repo, kind):
    """Content of one kind of repodata, over HTTP; None when the repo has none of it."""
    base = f"{minihub.topurl}/repos/{tag}/{repo}/x86_64"
    repomd = fromstring(requests.get(f"{base}/repodata/repomd.xml", timeout=120).content)
    for data in repomd.iter(NAMES["repo"] + "data"):
        if data.get("type") == kind:
            href = data.find(NAMES["repo"] + "location").get("href")
            content = requests.get(f"{base}/{href}", timeout=120).content
            return gzip.decompress(content) if href.endswith(".gz") else content
    return None


def packages(minihub, tag, repo):
    """Name -> base URL and path of every package."""
    found = {}
    for package in fromstring(metadata(minihub, tag, repo, "primary")):
        location = package.find(NAMES["common"] + "location")
        base = location.get("{http://www.w3.org/XML/1998/namespace}base")
        found[package.find(NAMES["common"] + "name").text] = (base, location.get("href"))
    return found


def groups(content):
    return {
        group.find("id").text: {entry.text for entry in group.iter("packagereq")}
        for group in fromstring(content).iter("group")
    }


def test_external_repo_by_path(minihub, tag, distro):
    """Packages point at where they are, origins name the external repo, groups are the tag's."""
    minihub.add_external_repo("distro", str(distro.repo), tag=tag)
    repo = minihub.add_repo(tag)
    (external,) = minihub.call("getExternalRepoList", tag)
    found = packages(minihub, tag, repo)
    base, href = found["bash"]
    assert requests.head(base.rstrip("/") + "/" + href, timeout=120).status_code == 200
    assert base.rstrip("/") == external["url"].rstrip("/")
    origins = metadata(minihub, tag, repo, "origin").decode().splitlines()
    assert len(origins) == len(found)
    assert {line.split("\t")[1].rstrip("/") for line in origins} == {external["url"].rstrip("/")}
    assert groups(metadata(minihub, tag, repo, "group")) == {"build": {"bash"}, "srpm-build": {"bash", "rpm-build"}}
    rows = requests.get(f"{minihub.topurl}/repos/{tag}/{repo}/x86_64/rpmlist.jsonl", timeout=120)
    assert (rows.status_code, rows.content) == (200, b"")


def test_external_repo_by_url(minihub, distro, repo_server):
    """The same over HTTP; a tag without groups has those of the external repo."""
    minihub.add_tag("u-build", "x86_64")
    minihub.add_external_repo("distro", repo_server.url, tag="u-build")
    repo = minihub.add_repo("u-build")
    assert packages(minihub, "u-build", repo)["bash"][0].rstrip("/") == repo_server.url.rstrip("/")
    assert "build" in groups(metadata(minihub, "u-build", repo, "group"))


def test_groups_from_a_file(minihub, tag, distro, tmp_path):
    """A comps file takes the place of the tag's groups."""
    comps = tmp_path / "comps.xml"
    comps.write_text(
        "<comps><group><id>build</id><name>build</name><packagelist>"
        "<packagereq type='mandatory'>sed</packagereq></packagelist></group></comps>"
    )
    minihub.add_external_repo("distro", str(distro.repo), tag=tag)
    repo = minihub.add_repo(tag, comps=comps)
    assert groups(metadata(minihub, tag, repo, "group"))["build"] == {"sed"}


def own_rpm(distro):
    return next(Path(distro.repo).rglob("bash-*.x86_64.rpm"))


def test_own_packages(minihub, tag, distro):
    """A package of the tag itself is listed with its id and hash, and comes from topdir."""
    rpm_id = minihub.add_rpm(tag, own_rpm(distro))
    repo = minihub.add_repo(tag)
    base = f"{minihub.topurl}/repos/{tag}/{repo}/x86_64"
    (line,) = requests.get(f"{base}/rpmlist.jsonl", timeout=120).text.splitlines()
    row = json.loads(line)
    assert (row["id"], row["name"]) == (rpm_id, "bash")
    assert len(row["payloadhash"]) == 32
    assert [found["id"] for found in minihub.call("listTaggedRPMS", tag)[0]] == [rpm_id]
    where, href = packages(minihub, tag, repo)["bash"]
    assert where is None
    assert requests.get(f"{base}/{href}", timeout=120).content == own_rpm(distro).read_bytes()


def test_own_packages_come_first(minihub, tag, distro):
    """Of the same package in the tag and in an external repo, the tag's own stands in the repo."""
    minihub.add_rpm(tag, own_rpm(distro))
    minihub.add_external_repo("distro", str(distro.repo), tag=tag)
    repo = minihub.add_repo(tag)
    found = packages(minihub, tag, repo)
    assert found["bash"][0] is None
    assert found["sed"][0] is not None
    origins = dict(line.split("\t") for line in metadata(minihub, tag, repo, "origin").decode().splitlines())
    own = [url for nevra, url in origins.items() if "bash-" in nevra and url.endswith(f"repo_{repo}_premerge/")]
    assert len(own) == 1


def test_own_package_in_a_buildroot(minihub, tag, distro, builder_of):
    """The hub knows it by id and by name."""
    rpm_id = minihub.add_rpm(tag, own_rpm(distro))
    repo = minihub.add_repo(tag)
    builder = builder_of(minihub)
    (row,) = minihub.call("listTaggedRPMS", tag)[0]
    for entry in ({"id": rpm_id}, {name: row[name] for name in ("name", "version", "release", "arch", "epoch")}):
        root = builder.session.host.newBuildRoot(repo, "x86_64", task_id=builder.open_task())
        builder.session.host.setBuildRootList(root, [entry])
        assert [listed["rpm_id"] for listed in minihub.call("getBuildrootListing", root)] == [rpm_id]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/nothing", "file:///nonexistent/repo", "gopher://x/", "/nonexistent"]
)
def test_external_repo_that_is_not_there(minihub, tag, url):
    """The error names the repo, and no half repo is left."""
    minihub.add_external_repo("ext", url, tag=tag)
    (external,) = minihub.call("getExternalRepoList", tag)
    with pytest.raises(HubError) as caught:
        minihub.add_repo(tag)
    assert caught.value.brief.startswith(f"External repo {external['url']} cannot be used: ")
    assert "repodata/" in caught.value.resolution
    assert minihub.call("getRepo", tag) is None


def test_external_repo_that_is_a_web_page(minihub, tag, tmp_path):
    """Something else at that address is told as that."""
    (tmp_path / "web" / "repodata").mkdir(parents=True)
    (tmp_path / "web" / "repodata" / "repomd.xml").write_text("<html>welcome</html>")
    minihub.add_external_repo("ext", str(tmp_path / "web"), tag=tag)
    with pytest.raises(HubError, match="is no yum repository"):
        minihub.add_repo(tag)


def test_broken_metadata(minihub, tag, tmp_path):
    """A repo whose metadata is missing fails with the tool's own words."""
    (tmp_path / "web" / "repodata").mkdir(parents=True)
    (tmp_path / "web" / "repodata" / "repomd.xml").write_text(
        '<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="primary">'
        '<checksum type="sha256">00</checksum><location href="repodata/gone.xml.gz"/></data></repomd>'
    )
    minihub.add_external_repo("ext", str(tmp_path / "web"), tag=tag)
    with pytest.raises(HubError, match="mergerepo_c failed with status") as caught:
        minihub.add_repo(tag)
    assert "/kojifiles/external/ext" in caught.value.details
