"""Promises about companions (a container on the root of another) and committed images."""

from __future__ import annotations

import contextlib
import io
import uuid

import pytest

from koji_adjutant.container.interface import LABEL_TASK, ContainerStatus, MountKind, VolumeMount
from koji_adjutant.errors import ContainerError, ContainerLost, ExecError
from tests.conformance import scripts
from tests.conformance.runtime import PATIENCE


def test_companion_sees_the_root(runtime):
    """What either writes, the other sees at once, owned by the same root."""
    first, companion = runtime.pair()
    runtime.output(companion, scripts.write_file("/buildroot/work/by-companion", "1"))
    runtime.output(first, scripts.write_file("/work/by-first", "2"))
    assert runtime.output(first, scripts.read_file("/work/by-companion")) == b"1"
    assert runtime.output(companion, scripts.read_file("/buildroot/work/by-first")) == b"2"
    assert runtime.output(first, scripts.look("/work/by-companion")).endswith(b" 0:0")
    assert runtime.output(companion, scripts.look("/buildroot/work/by-first")).endswith(b" 0:0")


def test_companion_shares_the_ids(runtime):
    """Both are the same user to the host."""
    first, companion = runtime.pair()
    assert runtime.manager.host_ids(first) == runtime.manager.host_ids(companion)


def test_companion_has_its_own_root(runtime):
    """The companion's own root is not the other's."""
    first, companion = runtime.pair()
    runtime.output(companion, scripts.write_file("/work/own", "x"))
    assert runtime.manager.exec(first, scripts.read_file("/work/own")).exit_code == 1


def test_devices_and_proc_below_the_root(runtime):
    """A minimal /dev and a proc file system can be mounted below the companion's root."""
    mounts = [
        VolumeMount("/buildroot/dev", kind=MountKind.DEVICES),
        VolumeMount("/buildroot/proc", kind=MountKind.PROC),
    ]
    _, companion = runtime.pair(mounts=mounts)
    assert runtime.output(companion, scripts.devices("/buildroot/dev")) == b"/proc/self/fd"
    assert runtime.output(companion, scripts.proc_there("/buildroot/proc")) == b"proc"


def test_companion_is_removed_with_the_first(runtime):
    """Removing the first removes its companion."""
    first, companion = runtime.pair()
    runtime.manager.remove(first)
    assert runtime.manager.state(companion).status is ContainerStatus.MISSING
    assert runtime.left() == []


def test_companion_can_go_first(runtime):
    """Removing the companion leaves the first running."""
    first, companion = runtime.pair()
    runtime.manager.remove(companion)
    assert runtime.manager.state(first).status is ContainerStatus.RUNNING
    assert runtime.output(first, scripts.read_file("/bin/busybox"), stdout=len) == b""


def test_companion_of_a_dead_container(runtime):
    """A companion joins only what runs."""
    companion = runtime.spec()
    first = runtime.running(command=scripts.read_file("/work/go"), companions=[companion])
    runtime.manager.wait(first, PATIENCE)
    with pytest.raises(ContainerLost):
        runtime.joined(companion, first)


def test_companion_answers_after_the_end_of_the_first(runtime):
    """A companion still answers, and sees the root, when PID 1 of the first has died."""
    first, companion = runtime.pair()
    runtime.output(first, scripts.write_file("/work/before", "x"))
    with contextlib.suppress(ExecError):
        runtime.manager.exec(first, scripts.kill_pid_1())
    runtime.manager.wait(first, PATIENCE)
    assert runtime.output(companion, scripts.read_file("/buildroot/work/before")) == b"x"


def test_make_image(runtime):
    """An image can be made of a few files, and carries the labels given."""
    reference = _reference()
    labels = {"io.koji.adjutant.made": reference}
    try:
        image = runtime.manager.make_image(reference, {"/etc/hello": b"hello"}, labels)
        assert [found.id for found in runtime.manager.list_images(labels)] == [image.id]
        handle = runtime.created(image=reference)
        target = io.BytesIO()
        runtime.manager.copy_from(handle, "/etc/hello", target, max_bytes=100)
        assert target.getvalue() == b"hello"
        runtime.manager.remove(handle)
    finally:
        runtime.manager.remove_image(reference)


def test_making_an_image_again_replaces_the_name(runtime):
    """Making an image again under a name leaves one image of that name: its maker may have lost the first answer."""
    reference = _reference()
    labels = {"io.koji.adjutant.made": reference}
    try:
        runtime.manager.make_image(reference, {"/etc/hello": b"hello"}, labels)
        image = runtime.manager.make_image(reference, {"/etc/hello": b"hello again"}, labels)
        assert [found.id for found in runtime.manager.list_images(labels)] == [image.id]
    finally:
        runtime.manager.remove_image(reference)


def test_commit_keeps_files_and_modes(runtime):
    """A committed image has the files of the container's root with their modes, and none of its mounts."""
    mount = VolumeMount("/mnt", str(runtime.small_disk), read_only=False)
    handle = runtime.running(mounts=[mount], labels={LABEL_TASK: "7"})
    runtime.manager.copy_to(handle, b"kept", "/work/kept", mode=0o4711)
    runtime.output(handle, scripts.write_file("/mnt/mounted", "x"))
    reference = _reference()
    labels = {"io.koji.adjutant.prepared": reference}
    try:
        image = runtime.manager.commit(handle, reference, labels)
        assert image.digest.startswith("sha256:")
        assert [found.id for found in runtime.manager.list_images(labels)] == [image.id]
        copy = runtime.running(image=reference, labels={})
        assert runtime.output(copy, scripts.look("/work/kept")) == b"4711 0:0"
        assert runtime.output(copy, scripts.read_file("/work/kept")) == b"kept"
        assert runtime.manager.exec(copy, scripts.read_file("/mnt/mounted")).exit_code == 1
        assert LABEL_TASK not in next(i.labels for i in runtime.manager.list_managed({}) if i.handle == copy)
        assert runtime.manager.remove_image(reference) is False
        runtime.manager.remove(copy)
    finally:
        removed = runtime.manager.remove_image(reference)
    assert removed is True
    assert runtime.manager.remove_image(reference) is True
    assert runtime.manager.list_images(labels) == []


def test_commit_replaces_the_name(runtime):
    """Committing again under a name leaves one image of that name, the new one."""
    handle = runtime.running()
    reference = _reference()
    labels = {"io.koji.adjutant.prepared": reference}
    try:
        runtime.manager.commit(handle, reference, labels)
        runtime.output(handle, scripts.write_file("/work/second", "x"))
        image = runtime.manager.commit(handle, reference, labels)
        assert [found.id for found in runtime.manager.list_images(labels)] == [image.id]
    finally:
        runtime.manager.remove_image(reference)


def test_commit_of_a_missing_container(runtime):
    """A container that is gone cannot be committed."""
    handle = runtime.created()
    runtime.manager.remove(handle)
    with pytest.raises(ContainerError):
        runtime.manager.commit(handle, _reference(), {})


def _reference():
    return f"localhost/koji-adjutant-conformance-commit:{uuid.uuid4().hex[:12]}"
