"""Builds from initBuild to packages/, and everything that is refused on the way (contract 7.3, 7.4)."""

import json
import shutil
from pathlib import Path

import koji
import pytest
import requests

STATES = koji.BUILD_STATES

pytestmark = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")


def state(desk, build_id):
    return STATES[desk.admin.getBuild(build_id)["state"]]


def test_complete_build(desk, hub):
    """Packages and logs are where people look for them, the entry names task, owner and source."""
    made = desk.build(source="git://x#1", extra={"source": {"original_url": "git://x"}})
    build = desk.admin.getBuild(made.package.nvr)
    assert (build["id"], build["state"], build["task_id"]) == (made.id, STATES["COMPLETE"], made.task)
    assert (build["owner_name"], build["source"]) == (hub.admin_credentials.user, "git://x#1")
    assert build["extra"] == {"source": {"original_url": "git://x"}}
    assert build["completion_ts"] >= build["start_ts"]
    rpms = {row["arch"]: row for row in desk.admin.listBuildRPMs(made.id)}
    assert set(rpms) == {"src", "x86_64"}
    assert rpms["x86_64"]["size"] == made.package.rpm.stat().st_size
    base = f"{hub.topurl}/packages/{made.package.name}/1.0/1"
    assert requests.get(f"{base}/x86_64/{made.package.rpm.name}", timeout=120).content == made.package.rpm.read_bytes()
    assert requests.get(f"{base}/src/{made.package.srpm.name}", timeout=120).status_code == 200
    (log,) = desk.admin.getBuildLogs(made.id)
    assert (log["name"], log["dir"]) == ("build.log", "x86_64")
    assert requests.get(f"{hub.topurl}/{log['path']}", timeout=120).status_code == 200


def test_result_of_complete_build(desk):
    """CompleteBuild answers with the build."""
    made = desk.package()
    task = desk.task()
    build_id = desk.begin(made, task)
    srpm, rpm = (desk.upload(task, path) for path in (made.srpm, made.rpm))
    found = desk.host.completeBuild(task, build_id, srpm, [rpm], {}, logs={})
    assert (found["nvr"], STATES[found["state"]]) == (made.nvr, "COMPLETE")
    assert found == desk.admin.getBuild(build_id)


def test_what_is_left_of_the_upload(desk, hub):
    """A link stays in the task's directory, so the task's results can still be had."""
    made = desk.build()
    content = requests.get(f"{hub.topurl}/work/{made.paths['rpm']}", timeout=120).content
    assert content == made.package.rpm.read_bytes()


def test_begun_twice(desk):
    """The task that began a build may begin it again; another may not, nor after the end."""
    made, task, other = desk.package(), desk.task(), desk.task()
    build_id = desk.begin(made, task)
    assert desk.begin(made, task) == build_id
    with pytest.raises(koji.GenericError, match=rf"Build already in progress \(task {task}\)"):
        desk.begin(made, other)
    srpm, rpm = (desk.upload(task, path) for path in (made.srpm, made.rpm))
    desk.host.completeBuild(task, build_id, srpm, [rpm], {}, logs={})
    with pytest.raises(koji.GenericError, match=rf"Build already exists \(id={build_id}, state=COMPLETE\)"):
        desk.begin(made, other)


def test_failed_and_begun_again(desk):
    """A failed build's entry is used again."""
    made, task, other = desk.package(), desk.task(), desk.task()
    build_id = desk.begin(made, task)
    desk.host.failBuild(task, build_id)
    assert state(desk, build_id) == "FAILED"
    with pytest.raises(koji.GenericError, match=f"cannot update build {build_id}, state: FAILED"):
        desk.host.failBuild(task, build_id)
    assert desk.begin(made, other) == build_id
    assert (state(desk, build_id), desk.admin.getBuild(build_id)["task_id"]) == ("BUILDING", other)


def test_cancelled_with_its_task(desk):
    """A task takes its build with it, and a build its task."""
    for cancel in (
        lambda task, _build: desk.admin.cancelTask(task),
        lambda _task, build: desk.admin.cancelBuild(build),
    ):
        task = desk.task()
        build_id = desk.begin(desk.package(), task)
        cancel(task, build_id)
        assert state(desk, build_id) == "CANCELED"
        assert koji.TASK_STATES[desk.admin.getTaskInfo(task)["state"]] == "CANCELED"


def test_not_the_owner(desk, hub):
    """Somebody else's build cannot be cancelled."""
    task = desk.task()
    build_id = desk.begin(desk.package(), task)
    with pytest.raises(koji.ActionNotAllowed, match="Cannot cancel build, not owner"):
        hub.session(hub.user()).cancelBuild(build_id)


def test_task_of_another_host(desk, other):
    """Only the host that holds the task may begin, end or move its build."""
    made, task = desk.package(), desk.task()
    build_id = desk.begin(made, task)
    session = other.session
    calls = (
        lambda: session.host.initBuild(made.build | {"task_id": task}),
        lambda: session.host.completeBuild(task, build_id, "x", [], {}, logs={}),
        lambda: session.host.moveBuildToScratch(task, "x", [], logs={}),
        lambda: session.host.failBuild(task, build_id),
        lambda: session.host.tagBuild(task, desk.dest, build_id),
    )
    for call in calls:
        with pytest.raises(koji.ActionNotAllowed, match=f"host {other.id} does not own task {task}"):
            call()


def test_missing_parts_of_an_entry(desk):
    """Each is named."""
    task = desk.task()
    for name in ("version", "release", "epoch"):
        data = {key: value for key, value in desk.package().build.items() if key != name}
        with pytest.raises(koji.GenericError, match=f"No {name} value for build"):
            desk.host.initBuild(data | {"task_id": task})


@pytest.fixture
def begun(desk):
    """A package, its task, its build and its uploaded files."""
    made, task = desk.package(), desk.task()
    return made, task, desk.begin(made, task), desk.upload(task, made.srpm), desk.upload(task, made.rpm)


def refused(desk, begun, match, *, srpm=None, rpms=None, brmap=None, logs=None, error=koji.GenericError):
    """CompleteBuild says so, and the build goes on as if nothing had been said."""
    _made, task, build_id, first, rpm = begun
    with pytest.raises(error, match=match):
        desk.host.completeBuild(
            task, build_id, srpm or first, [rpm] if rpms is None else rpms, brmap or {}, logs=logs or {}
        )
    assert state(desk, build_id) == "BUILDING"
    assert desk.admin.listBuildRPMs(build_id) == []


def test_file_that_is_not_there(desk, begun):
    """7.3.1."""
    refused(desk, begun, r"No such file: .*/work/tasks/1/1/no\.rpm", rpms=["tasks/1/1/no.rpm"])


def test_unknown_buildroot(desk, begun):
    """7.3.3."""
    refused(desk, begun, "no buildroot with ID: 999999", brmap={begun[4]: 999999})


def test_binary_as_source(desk, begun):
    """7.3.4."""
    refused(desk, begun, "not a source package: ", srpm=begun[4])


def test_other_release_than_begun(desk, begun):
    """7.3.5."""
    made, task = begun[:2]
    later = desk.package(name=made.name, release="2")
    refused(
        desk,
        begun,
        r"Unable to complete build: release mismatch \(build: 1, rpm: 2\)",
        srpm=desk.upload(task, later.srpm),
    )


def test_wrong_file_name(desk, begun):
    """7.3.7."""
    made, task = begun[:2]
    path = desk.upload(task, made.rpm, "other-1.0-1.x86_64.rpm")
    refused(desk, begun, rf"bad filename: other-1.0-1.x86_64.rpm \(expected {made.rpm.name}\)", rpms=[path])


def test_package_of_another_source(desk, begun):
    """7.3.8."""
    made, task = begun[:2]
    stranger = desk.package()
    path = desk.upload(task, stranger.rpm)
    match = rf"srpm mismatch for .*: {stranger.srpm.name} \(expected {made.srpm.name}\)"
    refused(desk, begun, match, rpms=[path])


def test_log_that_is_not_there(desk, begun):
    """7.3.9; what was moved before is moved, as in the real hub, so the state is all that is looked at."""
    _made, task, build_id, srpm, rpm = begun
    with pytest.raises(koji.GenericError, match=r"Error importing build log\. .* is not a regular file"):
        desk.host.completeBuild(task, build_id, srpm, [rpm], {}, logs={"x86_64": ["tasks/1/1/no.log"]})
    assert state(desk, build_id) == "BUILDING"


def test_same_log_twice(desk, begun):
    """7.3.9."""
    _made, task, build_id, srpm, rpm = begun
    log = desk.upload(task, Path("build.log"), data=b"x")
    with pytest.raises(koji.GenericError, match=r"Error importing build log. .*/build.log already exists"):
        desk.host.completeBuild(task, build_id, srpm, [rpm], {}, logs={"x86_64": [log, log]})


def test_completed_twice(desk):
    """7.3.6."""
    made = desk.build()
    with pytest.raises(koji.GenericError, match="Unable to complete build: state is COMPLETE"):
        desk.host.completeBuild(made.task, made.id, made.paths["srpm"], [made.paths["rpm"]], {}, logs={})


def noarch_of_two(desk, first, second, hashes):
    """Complete a build with one noarch package from two arches."""
    task = desk.task()
    build_id = desk.begin(first, task)
    rpms, logs = [], {}
    for made, arch, digest in zip((first, second), ("x86_64", "aarch64"), hashes, strict=True):
        child = desk.child(task, arch)
        rpms.append(desk.upload(child, made.rpm))
        if digest:
            data = json.dumps({str(child): {made.rpm.name: digest}}).encode()
            logs[arch] = [desk.upload(child, Path("noarch_rpmdiff.json"), data=data)]
    srpm = desk.upload(task, first.srpm)
    desk.host.completeBuild(task, build_id, srpm, rpms, {}, logs=logs)
    return build_id


def test_noarch_with_the_same_hash(desk):
    """One is kept."""
    made = desk.package(noarch=True)
    build_id = noarch_of_two(desk, made, made, ("a", "a"))
    assert sorted(row["arch"] for row in desk.admin.listBuildRPMs(build_id)) == ["noarch", "src"]


def test_noarch_without_hashes(desk):
    """The packages themselves are compared."""
    made = desk.package(noarch=True)
    assert noarch_of_two(desk, made, made, ("", ""))


def test_noarch_that_differs(desk):
    """7.3.2."""
    made = desk.package(noarch=True)
    different = desk.package(name=made.name, noarch=True, description="Something.")
    with pytest.raises(koji.BuildError, match="noarch package built differently on different architectures"):
        noarch_of_two(desk, made, different, ("a", "b"))


def test_scratch(desk, hub):
    """Files go below scratch/, links stay, and there is no build."""
    made, task = desk.package(), desk.task(scratch=True)
    srpm, rpm = desk.upload(task, made.srpm), desk.upload(task, made.rpm)
    log = desk.upload(task, Path("build.log"), data=b"x")
    desk.host.moveBuildToScratch(task, srpm, [rpm], logs={"x86_64": [log]})
    base = f"{hub.topurl}/scratch/{hub.admin_credentials.user}/task_{task}"
    for name in (made.srpm.name, made.rpm.name, "logs/x86_64/build.log"):
        assert requests.get(f"{base}/{name}", timeout=120).status_code == 200
    assert requests.get(f"{hub.topurl}/work/{rpm}", timeout=120).content == made.rpm.read_bytes()
    assert desk.admin.getBuild(made.nvr) is None


def test_scratch_without_a_file(desk):
    """Named, as for a build."""
    task = desk.task(scratch=True)
    with pytest.raises(koji.GenericError, match=r"No such file: .*/work/tasks/1/1/no\.src\.rpm"):
        desk.host.moveBuildToScratch(task, "tasks/1/1/no.src.rpm", [], logs={})


def test_draft(desk):
    """The release of a draft says so, the packages do not; promoted, it is a build like another."""
    made = desk.build(draft=True)
    draft = desk.admin.getBuild(made.id)
    assert (draft["draft"], draft["release"]) == (True, f"1,draft_{made.id}")
    assert {row["draft"] for row in desk.admin.listBuildRPMs(made.id)} == {True}
    promoted = desk.admin.promoteBuild(made.id)
    assert (promoted["id"], promoted["nvr"], promoted["draft"]) == (made.id, made.package.nvr, False)
    with pytest.raises(koji.GenericError, match="Not a draft build"):
        desk.admin.promoteBuild(made.id)


def test_draft_of_what_is_there(desk):
    """There can be no draft of a release that was built."""
    made = desk.build()
    with pytest.raises(koji.GenericError, match=f"Target build already exists: {made.package.nvr}"):
        desk.begin(made.package, desk.task(), draft=True)


def test_list_builds(desk):
    """By task, package, state and name."""
    made = desk.build()
    for filters in ({"taskID": made.task}, {"packageID": made.package.name}, {"prefix": made.package.name}):
        assert [row["build_id"] for row in desk.admin.listBuilds(**filters)] == [made.id]
    assert desk.admin.listBuilds(packageID=made.package.name, state=STATES["FAILED"]) == []
    assert desk.admin.listBuilds(packageID=made.package.name, queryOpts={"countOnly": True}) == 1


def test_unknown_build(desk):
    """None, or an error for those who insist."""
    assert desk.admin.getBuild("no-such-1") is None
    with pytest.raises(koji.GenericError, match="No such build: 'no-such-1'"):
        desk.admin.getBuild("no-such-1", strict=True)
    with pytest.raises(koji.GenericError, match="No such build: 999999"):
        desk.admin.getBuild(999999, strict=True)


def test_next_release(desk):
    """Counted up from the newest build."""
    made = desk.build(desk.package(release="7.t1"))
    assert desk.admin.getNextRelease({"name": made.package.name, "version": "1.0"}) == "8.t1"
    assert desk.admin.getNextRelease({"name": made.package.name, "version": "2.0"}) == "1"


def test_average_duration(desk):
    """Of builds that tasks made."""
    made = desk.build()
    assert desk.admin.getAverageBuildDuration(made.package.name, age=6) >= 0
    assert desk.admin.getAverageBuildDuration("no-such-package") is None


def test_changelog_and_headers(desk):
    """Read from the source package of a build, or a file of a task."""
    made = desk.build()
    for where in (
        {"buildID": made.id},
        {"taskID": int(made.paths["srpm"].split("/")[2]), "filepath": made.package.srpm.name},
    ):
        (entry,) = desk.admin.getChangelogEntries(**where)
        assert entry["author"] == "Adjutant Tests <tests@example.com> - 1.0-1"
        assert entry["text"] == "- First build"
    (rpm,) = desk.admin.listRPMs(buildID=made.id, arches="x86_64")
    headers = desk.admin.getRPMHeaders(rpmID=rpm["id"], headers=["name", "license", "sourcerpm"])
    assert headers == {"name": made.package.name, "license": "MIT", "sourcerpm": made.package.srpm.name}
