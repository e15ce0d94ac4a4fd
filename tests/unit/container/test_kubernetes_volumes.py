"""Mounts of specs as volumes of a pod: what is shared, what is filled, what is refused."""

from dataclasses import replace

import pytest

from koji_adjutant.container.interface import ContainerSpec, MountKind, VolumeMount
from koji_adjutant.container.kubernetes_plan import plan_pod
from koji_adjutant.container.kubernetes_sources import is_below, volume_name
from koji_adjutant.container.kubernetes_volumes import Fill, pod_volumes
from koji_adjutant.errors import CapabilityMissing, ContainerError
from tests.golden.kubernetes.cases import NEWEST, PAIR, STATE, STATIC, TOOLS, TOPDIR, WORK, site

OURS = {"/run/adjutant/bin", "/usr/lib/sysimage/rpm", "/var/lib/rpm"}


def planned(*mounts, where=None, **options):
    """The volumes of a container with these mounts."""
    where = where or site()
    return pod_volumes(plan_pod(ContainerSpec("c", "i", mounts=mounts, **options), where), where, {"a": "b"})


def seen(volumes, container="task"):
    """The mounts of a container by target, without those that every one has."""
    return {mount["mountPath"]: mount for mount in volumes.mounts[container] if mount["mountPath"] not in OURS}


def names(volumes):
    """The volumes by name, without that of the static programs."""
    return {volume["name"]: volume for volume in volumes.volumes if volume["name"] != "static"}


def test_one_source_is_one_volume():
    """The same directory in two containers is the same volume, however it is written."""
    tools = replace(TOOLS, mounts=(VolumeMount("/elsewhere", f"{WORK}/./steps/", read_only=False),))
    spec = ContainerSpec("c", "i", mounts=(VolumeMount("/steps", f"{WORK}/steps"),), companions=(tools,))
    volumes = pod_volumes(plan_pod(spec, site()), site(), {})
    assert seen(volumes)["/steps"]["name"] == seen(volumes, "tools")["/elsewhere"]["name"]
    assert seen(volumes)["/steps"]["readOnly"] is True
    assert volumes.fills == (Fill("tools", "/elsewhere", f"{WORK}/steps"),)


def test_directories_of_one_name_are_two_volumes():
    """Directories are told apart by their whole path."""
    volumes = planned(
        VolumeMount("/a", f"{STATE}/1/work", read_only=False), VolumeMount("/b", f"{STATE}/2/work", read_only=False)
    )
    assert seen(volumes)["/a"]["name"] != seen(volumes)["/b"]["name"]


@pytest.mark.parametrize("storage_class", [None, "fast"])
def test_a_directory_inside_of_another(storage_class):
    """A source below another one is a part of that one's volume."""
    where = site(storage_class=storage_class)
    volumes = planned(
        VolumeMount("/in", f"{STATE}/a/b/c", read_only=False),
        VolumeMount("/out", f"{STATE}/a", read_only=False),
        where=where,
    )
    out, inside = seen(volumes)["/out"], seen(volumes)["/in"]
    assert out["name"] == inside["name"]
    assert inside["subPath"] == "/".join(part for part in (out.get("subPath"), "b/c") if part)
    assert [fill.source for fill in volumes.fills] == [f"{STATE}/a"]


def test_what_is_only_read_is_filled_through_its_mount():
    """A directory that no container writes is mounted writable once, for the daemon to put its content there."""
    volumes = planned(VolumeMount("/cheetah", "/usr/lib/python3/Cheetah"))
    assert "readOnly" not in seen(volumes)["/cheetah"]
    assert volumes.fills == (Fill("task", "/cheetah", "/usr/lib/python3/Cheetah"),)


def test_size_of_a_directory():
    """A bound of a mount is the bound of its volume."""
    volumes = planned(VolumeMount("/a", f"{STATE}/a", read_only=False, size_bytes=1 << 20))
    assert names(volumes)[volume_name(f"{STATE}/a")]["emptyDir"] == {"sizeLimit": "1048576"}


def test_memory():
    """Memory file systems are volumes of one container each; a mode that emptyDir does not have is set later."""
    volumes = planned(
        VolumeMount("/a/b", kind=MountKind.TMPFS, mode=0o777), VolumeMount("/a-b", kind=MountKind.TMPFS, mode=0o700)
    )
    assert len(names(volumes)) == 2
    assert all(volume["emptyDir"]["medium"] == "Memory" for volume in names(volumes).values())
    assert volumes.fills == (Fill("task", "/a-b", None, 0o700),)


def test_companion_sees_the_root_as_it_is():
    """What a companion wants in the root stands there already: devices, proc, and the directories of `task`."""
    volumes = pod_volumes(plan_pod(PAIR, site()), site(), {})
    assert set(seen(volumes, "tools")) == {"/run/adjutant/steps", "/run/adjutant/proxy"}


@pytest.mark.parametrize(
    "mount",
    [
        VolumeMount("/buildroot/secret", f"{WORK}/secret"),
        VolumeMount("/buildroot/builddir", f"{WORK}/other", read_only=False),
        VolumeMount("/buildroot/run", kind=MountKind.TMPFS),
    ],
)
def test_companion_wants_more_in_the_root(mount):
    """What `task` has not in its root, no companion can have there."""
    spec = replace(PAIR, companions=(replace(TOOLS, mounts=(mount,)),))
    with pytest.raises(CapabilityMissing, match=f"wants .* at {mount.target}, which adjutant-7-task has not"):
        pod_volumes(plan_pod(spec, site()), site(), {})


def test_rpmdb_is_one_for_both():
    """Both containers have one volume at both places of the rpm database; a container alone has none."""
    volumes = pod_volumes(plan_pod(PAIR, site()), site(), {})
    for container in ("task", "tools"):
        places = {mount["mountPath"] for mount in volumes.mounts[container] if mount["name"] == "rpmdb"}
        assert places == {"/usr/lib/sysimage/rpm", "/var/lib/rpm"}
    assert "rpmdb" not in names(planned())


@pytest.mark.parametrize("mode", ["upload", "dynamic"])
def test_no_topdir(mode):
    """Without shared storage a mount of topdir is refused; the setting is named."""
    with pytest.raises(CapabilityMissing) as caught:
        planned(VolumeMount("/mnt/koji", TOPDIR), where=site(storage={"mode": mode}))
    assert caught.value.brief.endswith(f"kubernetes.storage.mode is {mode}")


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        (VolumeMount("/mnt/koji", f"{TOPDIR}/work", read_only=False), "pods only read topdir"),
        (VolumeMount("/x", "/etc", read_only=False), "wants to write to /etc, which no pod can reach"),
        (VolumeMount("/x", f"{STATE}-other", read_only=False), "which no pod can reach"),
        (VolumeMount("/x", f"{STATE}/../x", read_only=False), "which no pod can reach"),
        *(
            (VolumeMount("/x", path), "of which no pod can be given a copy")
            for path in ("/", "/mnt", "/var/lib", STATE)
        ),
        (VolumeMount("/x/proc", kind=MountKind.PROC), "wants proc at /x/proc, which no pod can mount"),
        (VolumeMount("/x/dev", kind=MountKind.DEVICES), "wants devices at /x/dev"),
    ],
)
def test_refused(mount, said):
    """What no pod can be given is refused with the path."""
    with pytest.raises(CapabilityMissing, match=said):
        planned(mount, where=site(storage={"mode": "hostPath"}))


@pytest.mark.parametrize("targets", [("/a", "/a"), ("/a:b",), ("a",)])
def test_bad_targets(targets):
    """Two mounts on one path, a colon, a path that is not absolute."""
    with pytest.raises(ContainerError) as caught:
        planned(*(VolumeMount(target, f"{STATE}/x") for target in targets))
    assert caught.value.reason == "plan"


def test_topdir_resolved():
    """A topdir that is a link is known by either name."""
    where = replace(site(storage={"mode": "hostPath"}), topdirs=(TOPDIR, "/srv/koji"))
    volumes = planned(VolumeMount("/r", "/srv/koji/repos"), VolumeMount("/k", TOPDIR), where=where)
    assert seen(volumes)["/r"]["subPath"] == "repos"
    assert "subPath" not in seen(volumes)["/k"]
    assert volumes.needs_storage


def test_affinity_only_for_who_reads_topdir():
    """A pod without a mount of topdir runs on any node."""
    assert not planned(where=site(storage={"mode": "hostPath"})).needs_storage


def test_static_programs_everywhere():
    """Every container has the static programs, read-only, whatever it mounts there; another place gets them too."""
    volumes = planned(VolumeMount("/run/adjutant/bin", "/elsewhere"), VolumeMount("/programs", STATIC))
    assert {"name": "static", "mountPath": "/run/adjutant/bin", "readOnly": True} in volumes.mounts["task"]
    assert seen(volumes)["/programs"] == {"name": "static", "mountPath": "/programs", "readOnly": True}
    image = planned(where=site(NEWEST))
    assert image.volumes[0]["image"]["reference"] == "registry.example.com/koji-adjutant:1.0"
    assert image.mounts["task"][0]["subPath"] == "usr/lib/koji-adjutant/static"


def test_claim_of_a_task():
    """A claim is named and labelled as the pod; a pod that writes nothing needs none."""
    where = site(storage_class="fast")
    claim = planned(VolumeMount("/a", f"{STATE}/a"), where=where).claims[0]
    assert claim["metadata"] == {
        "name": plan_pod(ContainerSpec("c", "i"), where).name,
        "namespace": "builds",
        "labels": {"a": "b"},
    }
    assert claim["spec"]["storageClassName"] == "fast"
    assert planned(where=where).claims == []
    assert "work" not in names(planned(where=where))


@pytest.mark.parametrize(
    ("path", "inside"), [("/a", True), ("/a/b", True), ("/ab", False), ("/a/../b", False), ("/", False)]
)
def test_is_below(path, inside):
    """A path is below a directory by whole names."""
    assert is_below(path, "/a") is inside
