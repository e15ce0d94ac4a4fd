"""Dist repos, signatures and wrapper rpms: what else is made of the packages of builds."""

import base64
import json
import shutil
from pathlib import Path

import koji
import pytest
import requests

pytestmark = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")


@pytest.fixture
def made(desk):
    """A tagged build."""
    build = desk.build()
    desk.tagged(desk.dest, build)
    return build


@pytest.fixture
def dist(desk, hub):
    """An open task distRepo; its id and its repo's."""
    task = desk.admin.distRepo(desk.dest, [], arch=["x86_64"])
    hub.tasks.append(task)
    assert desk.host.openTask(task)
    return task, desk.admin.getTaskRequest(task)[1]


def packages(desk, build):
    """What a builder says of a package: file name -> entry."""
    (rpm,) = desk.admin.listTaggedRPMS(desk.dest, arch="x86_64", rpmsigs=True)[0]
    assert rpm["build_id"] == build.id
    return {build.package.rpm.name: rpm}


def upload(desk, task, entries, files=("repodata/repomd.xml",)):
    """What createdistrepo leaves in its directory."""
    directory = koji.pathinfo.taskrelpath(task)
    for name in files:
        desk.builder.session.rawUpload(
            b"<repomd/>", 0, path=f"{directory}/{Path(name).parent}", name=Path(name).name, overwrite=True
        )
    desk.upload(task, Path("repo_manifest"), data=json.dumps(list(files)).encode())
    desk.upload(task, Path("kojipkgs"), data=json.dumps(entries).encode())
    return directory


def test_dist_repo(desk, hub, made, dist):
    """From the call to a repo with links to the packages."""
    task, repo = dist
    request = desk.admin.getTaskRequest(task)
    assert (request[0], request[2], request[3]["arch"]) == (desk.dest, [], ["x86_64"])
    assert request[3]["event"] <= desk.admin.getLastEvent()["id"]
    info = desk.admin.repoInfo(repo)
    assert (koji.REPO_STATES[info["state"]], info["dist"]) == ("INIT", True)
    desk.host.distRepoMove(repo, upload(desk, task, packages(desk, made)), "x86_64")
    desk.host.repoDone(repo, {})
    assert desk.admin.getRepo(desk.dest, dist=True)["id"] == repo
    assert desk.admin.getRepo(desk.dest) is None
    name = made.package.rpm.name
    for where in (repo, "latest"):
        base = f"{hub.topurl}/repos-dist/{desk.dest}/{where}/x86_64"
        assert requests.get(f"{base}/repodata/repomd.xml", timeout=120).status_code == 200
        content = requests.get(f"{base}/Packages/{name[0]}/{name}", timeout=120).content
        assert content == made.package.rpm.read_bytes()


@pytest.mark.parametrize("name", ["name", "release", "epoch", "size", "payloadhash", "build_id"])
def test_package_that_is_another(desk, made, dist, name):
    """What a builder says of a package must be what is on record."""
    task, repo = dist
    entries = packages(desk, made)
    (entry,) = entries.values()
    entry[name] = 7
    match = f"kojipkgs entry does not match db: file {made.package.rpm.name}, key {name}"
    with pytest.raises(koji.GenericError, match=match):
        desk.host.distRepoMove(repo, upload(desk, task, entries), "x86_64")


def test_what_is_missing(desk, dist):
    """Each is named."""
    task, repo = dist
    directory = koji.pathinfo.taskrelpath(task)
    with pytest.raises(koji.GenericError, match="Missing repo manifest"):
        desk.host.distRepoMove(repo, directory, "x86_64")
    desk.upload(task, Path("repo_manifest"), data=b'["gone"]')
    with pytest.raises(koji.GenericError, match="Missing kojipkgs file"):
        desk.host.distRepoMove(repo, directory, "x86_64")
    desk.upload(task, Path("kojipkgs"), data=b"{}")
    with pytest.raises(koji.GenericError, match=r"uploaded file missing: .*/gone"):
        desk.host.distRepoMove(repo, directory, "x86_64")
    with pytest.raises(koji.GenericError, match=r"Repo arch directory missing: .*/s390x"):
        desk.host.distRepoMove(repo, directory, "s390x")


def test_signed_copy(desk, made):
    """An unsigned package has the signature header of none; of a key there is nothing to write."""
    (rpm,) = desk.admin.listRPMs(buildID=made.id, arches="x86_64")
    (row,) = desk.admin.queryRPMSigs(rpm_id=rpm["id"])
    assert row["sigkey"] == ""
    with pytest.raises(koji.GenericError, match=r"No cached signature for package .*, key 1234abcd"):
        desk.host.writeSignedRPM(rpm["id"], "1234ABCD")


def test_signature_of_another_package(desk, made):
    """It is refused."""
    other = desk.package()
    (rpm,) = desk.admin.listRPMs(buildID=made.id, arches="x86_64")
    header = base64.b64encode(koji.rip_rpm_sighdr(str(other.rpm))).decode()
    with pytest.raises(koji.GenericError, match="wrong md5 for "):
        desk.admin.addRPMSig(rpm["id"], header)


def wrapper(desk, build_id, task):
    """ImportWrapperRPMs with a package of another source."""
    made = desk.package()
    names = [made.srpm, made.rpm]
    for path in names:
        desk.upload(task, path)
    desk.upload(task, Path("build.log"), data=b"x")
    root = {"buildroot_id": None, "srpm": made.srpm.name, "rpms": [made.rpm.name], "logs": ["build.log"]}
    desk.host.importWrapperRPMs(task, build_id, root)
    return made


def test_wrapper_rpms(desk, hub):
    """Into a complete build without rpms, once; of any source package."""
    if not desk.admin.mavenEnabled():
        pytest.skip("not here: that hub has no Maven")
    name = desk.package().name
    build_id = desk.admin.createEmptyBuild(name, "1.0", "1", None)
    task = hub.admin.wrapperRPM(build_id, "git://x#1", desk.target)
    hub.tasks.append(task)
    info = hub.admin.getTaskInfo(task, request=True)
    assert info["request"][:2] == ["git://x#1", hub.admin.getBuildTarget(desk.target)]
    assert (info["request"][2]["id"], info["request"][3:]) == (build_id, [None, {}])
    assert desk.host.openTask(task)
    made = wrapper(desk, build_id, task)
    assert {row["name"] for row in desk.admin.listRPMs(buildID=build_id)} == {made.name}
    assert [log["dir"] for log in desk.admin.getBuildLogs(build_id)] == ["noarch"]
    with pytest.raises(koji.GenericError, match=r"wrapper rpms for .* have already been imported"):
        desk.host.importWrapperRPMs(task, build_id, {})
    with pytest.raises(koji.PreBuildError, match=r"wrapper rpms for .* have already been built"):
        hub.admin.wrapperRPM(build_id, "git://x#1", desk.target)


def test_wrapper_of_a_running_build(desk):
    """Not before it is complete."""
    if not desk.admin.mavenEnabled():
        pytest.skip("not here: that hub has no Maven")
    task = desk.task()
    build_id = desk.begin(desk.package(), task)
    with pytest.raises(koji.GenericError, match=r"build state is building, not complete"):
        wrapper(desk, build_id, task)
