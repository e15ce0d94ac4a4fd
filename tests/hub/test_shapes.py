"""Answers have the fields of a real hub's answers: shapes.json was recorded at one (Koji 1.35.3).

`{"getBuild": ["build_id", ...]}`: the keys of each answer; those of a list are its first entry's, inner ones have a path.
"""

import json
import shutil
from pathlib import Path

import koji
import pytest

RECORD = Path(__file__).with_name("shapes.json")
pytestmark = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
LINK = {"priority": 0, "maxdepth": None, "intransitive": False, "noconfig": False, "pkg_filter": ""}


def keys(value, path=""):
    """Every key of an answer."""
    if isinstance(value, (list, tuple)):
        return keys(value[0], path) if value else set()
    if not isinstance(value, dict) or not value:
        return {path}
    return set().union(*(keys(inner, f"{path}.{name}".lstrip(".")) for name, inner in value.items()))


class Scene:
    """One of everything: a tagged build, a repo of a tag that inherits, a buildroot, a request, tasks."""

    def __init__(self, desk, hub):
        self.desk, self.admin, self.hub = desk, desk.admin, hub
        self.made = desk.build(source="x")
        self.tag, self.dest, self.package = desk.build_tag, desk.dest, self.made.package.name
        self.admin.setInheritanceData(self.tag, [LINK | {"parent_id": self.admin.getTagID(self.dest)}])
        self.admin.groupListAdd(self.tag, "build")
        self.admin.groupPackageListAdd(self.tag, "build", "bash")
        self.external = self.admin.createExternalRepo(self.tag, "http://127.0.0.1/nothing/")["id"]
        self.admin.addExternalRepoToTag(self.tag, self.external, 5)
        desk.tagged(self.dest, self.made)
        self.task = desk.task()
        desk.builder.subtask(self.task)
        self.repo, self.event = desk.host.repoInit(self.tag, task_id=self.task)
        self.root = desk.host.newBuildRoot(self.repo, "x86_64", task_id=self.task)
        self.rpm = self.admin.listRPMs(buildID=self.made.id, arches="x86_64")[0]
        desk.host.setBuildRootList(self.root, [self.rpm])
        self.request = self.admin.repo.request(self.tag, min_event="last")
        self.file = int(self.made.paths["rpm"].split("/")[2]), self.made.package.rpm.name


CALLS = {
    "getBuild": lambda s: s.admin.getBuild(s.made.id),
    "listBuilds": lambda s: s.admin.listBuilds(taskID=s.made.task),
    "getBuildLogs": lambda s: s.admin.getBuildLogs(s.made.id),
    "getChangelogEntries": lambda s: s.admin.getChangelogEntries(s.made.id),
    "listTagged": lambda s: s.admin.listTagged(s.dest),
    "listTagged(extra)": lambda s: s.admin.listTagged(s.dest, extra=True),
    "listTaggedRPMS.rpms": lambda s: s.admin.listTaggedRPMS(s.dest)[0],
    "listTaggedRPMS.rpms(rpmsigs)": lambda s: s.admin.listTaggedRPMS(s.dest, rpmsigs=True, extra=False)[0],
    "listTaggedRPMS.builds": lambda s: s.admin.listTaggedRPMS(s.dest)[1],
    "getLatestBuilds": lambda s: s.admin.getLatestBuilds(s.dest),
    "listRPMs": lambda s: s.admin.listRPMs(buildID=s.made.id),
    "listRPMs(component)": lambda s: s.admin.listRPMs(componentBuildrootID=s.root),
    "getRPM": lambda s: s.admin.getRPM(s.rpm["id"]),
    "queryRPMSigs": lambda s: s.admin.queryRPMSigs(rpm_id=s.rpm["id"]),
    "getPackageConfig": lambda s: s.admin.getPackageConfig(s.dest, s.package),
    "listPackages": lambda s: s.admin.listPackages(),
    "listPackages(tag)": lambda s: s.admin.listPackages(tagID=s.dest),
    "getPackage": lambda s: s.admin.getPackage(s.package),
    "repoInfo": lambda s: s.admin.repoInfo(s.repo),
    "getActiveRepos": lambda s: s.admin.getActiveRepos(),
    "repo.request": lambda s: s.request,
    "repo.checkRequest": lambda s: s.admin.repo.checkRequest(s.request["request"]["id"]),
    "repo.queryQueue": lambda s: s.admin.repo.queryQueue(),
    "repo.queryQueue(**)": lambda s: s.admin.repo.queryQueue(fields="**"),
    "repo.query": lambda s: s.admin.repo.query([["id", s.repo]]),
    "repo.query(**)": lambda s: s.admin.repo.query([["id", s.repo]], "**"),
    "repo.references": lambda s: s.admin.repo.references(s.repo),
    "getTag": lambda s: s.admin.getTag(s.tag),
    "getTag(event)": lambda s: s.admin.getTag(s.tag, event=s.event),
    "getBuildConfig": lambda s: s.admin.getBuildConfig(s.tag, event=s.event),
    "listTags(build)": lambda s: s.admin.listTags(build=s.made.id),
    "listTags(package)": lambda s: s.admin.listTags(package=s.package, perms=False),
    "getTagGroups": lambda s: s.admin.getTagGroups(s.tag),
    "getFullInheritance": lambda s: s.admin.getFullInheritance(s.tag),
    "getFullInheritance(reverse)": lambda s: s.admin.getFullInheritance(s.dest, reverse=True),
    "getInheritanceData": lambda s: s.admin.getInheritanceData(s.tag),
    "getExternalRepoList": lambda s: s.admin.getExternalRepoList(s.tag),
    "getTagExternalRepos": lambda s: s.admin.getTagExternalRepos(s.tag),
    "getExternalRepo": lambda s: s.admin.getExternalRepo(s.external),
    "getBuildTarget": lambda s: s.admin.getBuildTarget(s.desk.target),
    "getTaskInfo": lambda s: s.admin.getTaskInfo(s.task),
    "getTaskChildren": lambda s: s.admin.getTaskChildren(s.task, request=True),
    "listTasks": lambda s: s.admin.listTasks({"parent": s.task}),
    "listBuildroots": lambda s: s.admin.listBuildroots(taskID=s.task),
    "getBuildroot": lambda s: s.admin.getBuildroot(s.root),
    "getBuildrootListing": lambda s: s.admin.getBuildrootListing(s.root),
    "listTaskOutput": lambda s: s.admin.listTaskOutput(s.file[0], stat=True, all_volumes=True)[s.file[1]],
    "getUser": lambda s: s.admin.getUser(s.hub.admin_credentials.user),
    "getHost": lambda s: s.admin.getHost(s.desk.builder.name),
    "getChannel": lambda s: s.admin.getChannel("default"),
    "getEvent": lambda s: s.admin.getEvent(s.event),
    "queryHistory": lambda s: s.admin.queryHistory(tables=["tag_listing"], tag=s.dest, afterEvent=1),
    "getArchiveType": lambda s: s.admin.getArchiveType("a.jar"),
    "host.getHostTasks": lambda s: s.desk.host.getHostTasks(),
}  # fmt: skip


def test_shapes(desk, hub):
    """Nothing is missing, and nothing is there that a real hub would not say."""
    scene = Scene(desk, hub)
    found = {name: sorted(keys(call(scene))) for name, call in CALLS.items()}
    desk.answer_requests()
    assert found == json.loads(RECORD.read_text())


def test_shapes_of_archives(desk, hub):
    """The same for what is no rpm."""
    if not desk.admin.mavenEnabled():
        pytest.skip("not here: that hub has no Maven")
    record = json.loads(RECORD.with_name("shapes-archives.json").read_text())
    task = int(desk.builder.open_task("maven", ["git://x#1", desk.target, {}]))
    info = {"group_id": "a", "artifact_id": "b", "version": "1"}
    build = desk.host.initMavenBuild(task, {"name": desk.package().name, "version": "1.0", "epoch": None}, info)
    directory = f"{koji.pathinfo.taskrelpath(task)}/a/b/1"
    desk.builder.session.rawUpload(b"jar", 0, path=directory, name="b-1.jar", overwrite=True)
    results = {"task_id": task, "buildroot_id": None, "logs": [], "files": {"a/b/1": ["b-1.jar"]}}
    desk.host.completeMavenBuild(task, build["id"], results, None)
    desk.host.tagBuild(task, desk.dest, build["id"])
    rows = desk.admin.listArchives(buildID=build["id"], type="maven")
    answers = {
        "host.initMavenBuild": build,
        "getBuildType": desk.admin.getBuildType(build["id"]),
        "getMavenBuild": desk.admin.getMavenBuild(build["id"]),
        "listArchives": desk.admin.listArchives(buildID=build["id"]),
        "listArchives(maven)": rows,
        "getArchive": desk.admin.getArchive(rows[0]["id"]),
        "getLatestMavenArchives": desk.admin.getLatestMavenArchives(desk.dest),
    }
    assert {name: sorted(keys(answer)) for name, answer in answers.items()} == record
