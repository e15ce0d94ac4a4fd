"""Builds in tags: who may put them there, what is listed, and what was at an event."""

import shutil

import koji
import pytest

pytestmark = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")


def event(desk):
    return desk.admin.getLastEvent()["id"]


def test_tagged(desk):
    """Builds and packages are listed, newest first; `latest` keeps one of each."""
    first = desk.build()
    second = desk.build(desk.package(name=first.package.name, release="2"))
    for made in (first, second):
        desk.tagged(desk.dest, made)
    assert desk.names(desk.dest) == [second.package.nvr, first.package.nvr]
    assert desk.names(desk.dest, latest=True) == [second.package.nvr]
    rpms, builds = desk.admin.listTaggedRPMS(desk.dest, latest=True, arch="x86_64")
    assert [(row["name"], row["release"], row["build_id"]) for row in rpms] == [(first.package.name, "2", second.id)]
    assert [row["build_id"] for row in builds] == [second.id]
    assert [tag["name"] for tag in desk.admin.listTags(build=first.id)] == [desk.dest]


def test_at_an_event(desk):
    """A build is there from its tagging to its untagging."""
    made = desk.build()
    before = event(desk)
    desk.tagged(desk.dest, made)
    between = event(desk)
    desk.admin.untagBuild(desk.dest, made.id)
    assert [desk.names(desk.dest, event=at) for at in (before, between, None)] == [[], [made.package.nvr], []]
    (row,) = desk.admin.queryHistory(tables=["tag_listing"], tag=desk.dest)["tag_listing"]
    assert (row["build_id"], row["active"], row["revoker_name"]) == (made.id, None, desk.hub.admin_credentials.user)


def test_inherited(desk):
    """A tag has what its parents have, as far as it lists the packages."""
    made = desk.build()
    desk.tagged(desk.dest, made)
    child = desk.tag(parent=desk.dest)
    assert desk.names(child) == []
    assert desk.names(child, inherit=True) == [made.package.nvr]
    assert [row["nvr"] for row in desk.admin.getLatestBuilds(child)] == [made.package.nvr]
    desk.admin.packageListBlock(child, made.package.name)
    assert desk.names(child, inherit=True) == []


def test_tagged_twice(desk):
    """An error, unless an administrator forces it: then the build is the newest."""
    first = desk.build()
    second = desk.build(desk.package(name=first.package.name, release="2"))
    for made in (first, second):
        desk.tagged(desk.dest, made)
    with pytest.raises(koji.TagError, match=rf"build {first.package.nvr} already tagged \({desk.dest}\)"):
        desk.tagged(desk.dest, first)
    desk.host.tagBuild(first.task, desk.dest, first.id, force=True)
    assert desk.names(desk.dest)[0] == first.package.nvr


def test_not_complete(desk):
    """A build that is being made can be in no tag."""
    made, task = desk.package(), desk.task()
    build_id = desk.begin(made, task)
    for call in (
        lambda: desk.host.tagBuild(task, desk.dest, build_id),
        lambda: desk.admin.tagBuild(desk.dest, build_id),
    ):
        with pytest.raises(koji.TagError, match=f"build {made.nvr} not complete: state BUILDING"):
            call()


def test_package_that_is_not_listed(desk):
    """A tag takes what its list allows."""
    made, tag = desk.build(), desk.tag()
    match = f"Package {made.package.name} not in list for {tag}"
    for call in (lambda: desk.tagged(tag, made), lambda: desk.admin.tagBuild(tag, made.id)):
        with pytest.raises(koji.TagError, match=match):
            call()
    desk.admin.packageListBlock(desk.dest, made.package.name)
    with pytest.raises(koji.TagError, match=f"Package {made.package.name} blocked in {desk.dest}"):
        desk.admin.tagBuild(desk.dest, made.id)


def test_locked(desk):
    """Nobody tags there, but an administrator with force."""
    made = desk.build()
    desk.admin.editTag2(desk.dest, locked=True)
    with pytest.raises(koji.ActionNotAllowed, match="tag is locked"):
        desk.tagged(desk.dest, made)
    desk.host.tagBuild(made.task, desk.dest, made.id, force=True)
    assert desk.names(desk.dest) == [made.package.nvr]


def test_moved(desk):
    """From one tag to another in one call; not from where it is not."""
    made, tag = desk.build(), desk.tag()
    desk.admin.packageListAdd(tag, made.package.name, owner=desk.hub.admin_credentials.user)
    with pytest.raises(koji.TagError, match=f"build {made.package.nvr} not in tag {desk.dest}"):
        desk.host.tagBuild(made.task, tag, made.id, fromtag=desk.dest)
    desk.tagged(desk.dest, made)
    desk.host.tagBuild(made.task, tag, made.id, fromtag=desk.dest)
    assert (desk.names(desk.dest), desk.names(tag)) == ([], [made.package.nvr])


def test_untagged_twice(desk):
    """An error for who insists."""
    made = desk.build()
    with pytest.raises(koji.TagError, match=f"build {made.package.nvr} not in tag {desk.dest}"):
        desk.admin.untagBuild(desk.dest, made.id)
    desk.admin.untagBuild(desk.dest, made.id, strict=False)


def test_task_of_a_tagging(desk, hub):
    """People get a task of high priority, with ids."""
    made = desk.build()
    task = desk.admin.tagBuild(desk.dest, made.id)
    hub.tasks.append(task)
    info = desk.admin.getTaskInfo(task, request=True)
    assert (info["method"], info["priority"]) == ("tagBuild", 10)
    assert info["request"] == [desk.admin.getTagID(desk.dest), made.id, False, None]


def test_bypass(desk, hub):
    """Permission `tag` tags at once; nobody else does."""
    made = desk.build()
    with pytest.raises(koji.ActionNotAllowed, match="tag permission required"):
        hub.session(hub.user()).tagBuildBypass(desk.dest, made.id)
    desk.admin.tagBuildBypass(desk.dest, made.id)
    assert desk.names(desk.dest) == [made.package.nvr]
    desk.admin.untagBuildBypass(desk.dest, made.id)
    assert desk.names(desk.dest) == []


def test_package_list(desk, hub):
    """Owner, arches and blocks of a package, inherited ones too."""
    name, child = desk.package().name, desk.tag(parent=desk.dest)
    owner = hub.user().user
    desk.admin.packageListSetOwner(desk.dest, name, owner)
    desk.admin.packageListSetArches(desk.dest, name, "i686")
    found = desk.admin.getPackageConfig(child, name)
    assert (found["owner_name"], found["extra_arches"], found["tag_name"]) == (owner, "i686", desk.dest)
    desk.admin.packageListBlock(child, name)
    assert desk.admin.getPackageConfig(child, name)["blocked"] is True
    assert desk.admin.checkTagPackage(child, name) is False
    with pytest.raises(koji.GenericError, match=f"package {name} is blocked in tag {child}"):
        desk.admin.packageListAdd(child, name, owner, block=False)
    desk.admin.packageListUnblock(child, name)
    assert desk.admin.checkTagPackage(child, name) is True
    assert [row["package_name"] for row in desk.admin.listPackages(tagID=desk.dest)] == [name]
    desk.admin.packageListRemove(desk.dest, name)
    assert desk.admin.getPackageConfig(desk.dest, name) is None


def test_package_list_of_others(desk, hub):
    """People without permission are told the policy."""
    with pytest.raises(koji.ActionNotAllowed, match=r"policy violation \(package_list\): Only admin/tag can do this"):
        hub.session(hub.user()).packageListAdd(desk.dest, "anything", owner=hub.admin_credentials.user)
    with pytest.raises(koji.GenericError, match="owner not specified"):
        desk.admin.packageListAdd(desk.dest, "anything")


def test_inheritance_with_limits(desk):
    """`intransitive` and `maxdepth` end it, a filter lets some packages through, `noconfig` keeps settings out."""
    top, middle, tag = desk.tag(extra={"a": 1}), desk.tag(extra={"b": 2}), desk.tag()
    link = {"priority": 0, "maxdepth": None, "intransitive": False, "noconfig": False, "pkg_filter": ""}

    def inherit(child, parent, **limits):
        desk.admin.setInheritanceData(child, [link | {"parent_id": desk.admin.getTagID(parent)} | limits], clear=True)

    def order():
        return [entry["name"] for entry in desk.admin.getFullInheritance(tag)]

    inherit(middle, top)
    inherit(tag, middle)
    assert order() == [middle, top]
    assert desk.admin.getBuildConfig(tag)["extra"] == {"a": 1, "b": 2}
    inherit(tag, middle, maxdepth=0)
    assert order() == [middle]
    inherit(tag, middle)
    inherit(middle, top, intransitive=True)
    assert order() == [middle]
    inherit(middle, top, noconfig=True)
    assert (order(), desk.admin.getBuildConfig(tag)["extra"]) == ([middle, top], {"b": 2})
    inherit(middle, top)
    inherit(tag, middle, pkg_filter="^x")
    name = desk.package().name
    desk.admin.packageListAdd(top, name, owner=desk.hub.admin_credentials.user)
    assert desk.admin.getPackageConfig(tag, name) is None
    assert desk.admin.getPackageConfig(middle, name)["tag_name"] == top


def test_change_events(desk):
    """A tag knows when it, or what it inherits, was changed last."""
    child = desk.tag(parent=desk.dest)
    born = desk.admin.tagFirstChangeEvent(child)
    before = event(desk)
    assert desk.admin.tagFirstChangeEvent(child, after=before) is None
    name = desk.package().name
    changed = desk.admin.tagLastChangeEvent(child)
    assert born <= before < changed
    assert desk.admin.tagFirstChangeEvent(child, after=before) == changed
    assert desk.admin.tagLastChangeEvent(child, before=changed) <= before
    assert desk.admin.tagChangedSinceEvent(before, [desk.admin.getTagID(desk.dest)]) is True
    assert desk.admin.tagChangedSinceEvent(changed, [desk.admin.getTagID(desk.dest)]) is False
    assert name


def test_all_builds_of_a_package(desk, hub):
    """One task after another, each waiting for the one before."""
    first = desk.build()
    second = desk.build(desk.package(name=first.package.name, release="2"))
    for made in (first, second):
        desk.tagged(desk.dest, made)
    target = desk.tag()
    with pytest.raises(koji.TagError, match=f"Package {first.package.name} not in list for tag {target}"):
        desk.admin.moveAllBuilds(desk.dest, target, first.package.name)
    desk.admin.packageListAdd(target, first.package.name, owner=hub.admin_credentials.user)
    tasks = desk.admin.moveAllBuilds(desk.dest, target, first.package.name)
    hub.tasks.extend(tasks)
    ids = [desk.admin.getTagID(name) for name in (target, desk.dest)]
    requests = [desk.admin.getTaskRequest(task) for task in tasks]
    moves = [["tagBuild", [ids[0], made.id, False, ids[1]], {"priority": 15}] for made in (first, second)]
    assert requests == [[[], [moves[0]]], [[tasks[0]], [moves[1]]]]
