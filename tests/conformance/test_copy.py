"""Promises of `copy_to`, `copy_from` and `list_files`."""

from __future__ import annotations

import io
import os

import pytest

from koji_adjutant.container.interface import MountKind, VolumeMount
from koji_adjutant.errors import ContainerNotFound, CopyError
from tests.conformance import scripts
from tests.conformance.runtime import PATIENCE

ODD_NAMES = ["a b", "$x", "q'\"", "new\nline", "ünï☃", "-dash", "%41", "a&b=c", "\udcff\udcfe", "x" * 200]


def _fetch(runtime, handle, path, max_bytes=1 << 26):
    target = io.BytesIO()
    size = runtime.manager.copy_from(handle, path, target, max_bytes=max_bytes)
    assert size == len(target.getvalue())
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 20_000_000])
def test_file_there_and_back(box, size):
    """Empty, small and large files go in and come out unchanged."""
    runtime, handle = box
    data = os.urandom(size)
    runtime.manager.copy_to(handle, data, "/work/file")
    assert _fetch(runtime, handle, "/work/file") == data


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_odd_names(box, name):
    """Names in any bytes work, both ways and in lists."""
    runtime, handle = box
    runtime.manager.copy_to(handle, b"odd", f"/work/{name}")
    assert _fetch(runtime, handle, f"/work/{name}") == b"odd"
    assert name in [each.name for each in runtime.manager.list_files(handle, "/work")]


def test_mode_and_owner(box):
    """A file gets the mode asked for and belongs to the container's root."""
    runtime, handle = box
    runtime.manager.copy_to(handle, b"x", "/work/secret", mode=0o640)
    assert runtime.output(handle, scripts.look("/work/secret")) == b"640 0:0"


def test_path_as_source(box, tmp_path):
    """A file of the daemon can be the source."""
    runtime, handle = box
    source = tmp_path / "source"
    source.write_bytes(b"content")
    runtime.manager.copy_to(handle, source, "/work/from-path", mode=0o600)
    assert _fetch(runtime, handle, "/work/from-path") == b"content"


def test_overwrites(box):
    """A file that is there is replaced."""
    runtime, handle = box
    runtime.manager.copy_to(handle, b"old and long", "/work/twice")
    runtime.manager.copy_to(handle, b"new", "/work/twice")
    assert _fetch(runtime, handle, "/work/twice") == b"new"


def test_tree_with_modes_and_links(box, tmp_path):
    """A tree goes in with modes and links; links are neither followed nor resolved."""
    runtime, handle = box
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub").chmod(0o750)
    (tree / "sub" / "run").write_bytes(b"#!")
    (tree / "sub" / "run").chmod(0o4755)
    (tree / "link").symlink_to("../../etc/passwd")
    runtime.manager.copy_to(handle, tree, "/work/tree")
    found = [runtime.output(handle, scripts.look(f"/work/tree/{name}")) for name in ("sub", "sub/run", "link")]
    assert found == [b"750 0:0", b"4755 0:0", b"../../etc/passwd"]


def test_into_a_created_container(runtime):
    """Files can be put before the start, and are there after it."""
    handle = runtime.created()
    runtime.manager.copy_to(handle, b"early", "/work/early")
    runtime.manager.start(handle)
    assert runtime.output(handle, scripts.read_file("/work/early")) == b"early"


def test_out_of_a_dead_container(runtime):
    """Files can be fetched after the end."""
    handle = runtime.running(command=scripts.write_file("/work/result", "late"))
    runtime.manager.wait(handle, PATIENCE)
    assert _fetch(runtime, handle, "/work/result") == b"late"


def test_bind_mount_is_seen(runtime):
    """Files of a mounted directory are copied like others."""
    mount = VolumeMount("/mnt", str(runtime.small_disk), read_only=False)
    handle = runtime.running(mounts=[mount])
    runtime.manager.copy_to(handle, b"mounted", "/mnt/file")
    assert _fetch(runtime, handle, "/mnt/file") == b"mounted"


def test_too_large(box):
    """A file above `max_bytes` is refused with its size, before anything is written."""
    runtime, handle = box
    runtime.manager.copy_to(handle, b"12345", "/work/large")
    target = io.BytesIO()
    with pytest.raises(CopyError) as caught:
        runtime.manager.copy_from(handle, "/work/large", target, max_bytes=4)
    assert (caught.value.reason, target.getvalue()) == ("too-large", b"")


def test_missing_file(box):
    """A file that is not there is named."""
    runtime, handle = box
    with pytest.raises(CopyError) as caught:
        _fetch(runtime, handle, "/work/nosuch")
    assert caught.value.reason == "missing"
    assert "/work/nosuch" in caught.value.brief


def test_directory_is_no_file(box):
    """A directory is not copied out."""
    runtime, handle = box
    with pytest.raises(CopyError) as caught:
        _fetch(runtime, handle, "/work")
    assert caught.value.reason == "not-regular"


def test_pipe_is_no_file(box):
    """A named pipe is refused, and nobody waits for a writer."""
    runtime, handle = box
    runtime.output(handle, scripts.make_pipe("/work/pipe"))
    with pytest.raises(CopyError) as caught:
        _fetch(runtime, handle, "/work/pipe")
    assert caught.value.reason == "not-regular"


@pytest.mark.parametrize("target", ["/etc/shadow", "../../../etc/shadow", "file"])
def test_link_is_not_followed(box, target):
    """A link is refused, wherever it leads."""
    runtime, handle = box
    runtime.manager.copy_to(handle, b"x", "/work/file")
    runtime.output(handle, scripts.make_link(target, "/work/link"))
    with pytest.raises(CopyError) as caught:
        _fetch(runtime, handle, "/work/link")
    assert caught.value.reason == "link-outside"


def test_link_in_the_path_is_not_followed(box):
    """A link among the directories of a path is refused."""
    runtime, handle = box
    runtime.output(handle, scripts.make_link("/", "/work/root"))
    with pytest.raises(CopyError) as caught:
        _fetch(runtime, handle, "/work/root/bin/busybox")
    assert caught.value.reason == "link-outside"
    with pytest.raises(CopyError) as caught:
        runtime.manager.list_files(handle, "/work/root")
    assert caught.value.reason == "link-outside"
    with pytest.raises(CopyError) as caught:
        runtime.manager.copy_to(handle, b"x", "/work/root/made")
    assert caught.value.reason == "link-outside"


def test_no_such_directory(box):
    """Directories are not made by a copy."""
    runtime, handle = box
    with pytest.raises(CopyError) as caught:
        runtime.manager.copy_to(handle, b"x", "/nosuch/file")
    assert caught.value.reason == "missing"
    with pytest.raises(CopyError) as caught:
        runtime.manager.list_files(handle, "/nosuch")
    assert caught.value.reason == "missing"


def test_full_disk(runtime):
    """A full file system is `disk-full`, naming the file."""
    directory, too_much, mounts = runtime.small
    handle = runtime.running(mounts=mounts)
    with pytest.raises(CopyError) as caught:
        runtime.manager.copy_to(handle, bytes(too_much), f"{directory}/big")
    assert caught.value.reason == "disk-full"
    assert f"{directory}/big" in caught.value.brief


def test_list_is_not_recursive(box):
    """A list has files, links and directories of one level, with sizes."""
    runtime, handle = box
    runtime.output(handle, scripts.make_directory("/work/listed/sub"))
    runtime.manager.copy_to(handle, b"12345", "/work/listed/file")
    runtime.manager.copy_to(handle, b"x", "/work/listed/sub/deep")
    runtime.output(handle, scripts.make_link("file", "/work/listed/link"))
    found = {each.name: (each.is_regular, each.size if each.is_regular else 0) for each in _list(runtime, handle)}
    assert found == {"file": (True, 5), "link": (False, 0), "sub": (False, 0)}


def test_list_is_bounded(box):
    """A directory with too many entries is an error."""
    runtime, handle = box
    runtime.output(handle, scripts.make_directory("/work/many"))
    runtime.output(handle, scripts.make_files("/work/many", "20"))
    assert len(runtime.manager.list_files(handle, "/work/many", max_entries=20)) == 20
    with pytest.raises(CopyError) as caught:
        runtime.manager.list_files(handle, "/work/many", max_entries=19)
    assert caught.value.reason == "too-large"


def test_copies_with_a_missing_container(runtime):
    """A container that is gone is `ContainerNotFound` for copies as well."""
    handle = runtime.created()
    runtime.manager.remove(handle)
    for call in (
        lambda: runtime.manager.copy_to(handle, b"x", "/work/file"),
        lambda: _fetch(runtime, handle, "/work/file"),
        lambda: runtime.manager.list_files(handle, "/work"),
    ):
        with pytest.raises(ContainerNotFound) as caught:
            call()
        assert handle.name in caught.value.brief


def test_memory_file_system_bounds(runtime):
    """A memory file system has its size: a command that writes more fails, and its mode is as asked."""
    mount = VolumeMount("/mnt", kind=MountKind.TMPFS, size_bytes=65536, mode=0o1777)
    handle = runtime.running(mounts=[mount])
    assert runtime.manager.exec(handle, scripts.write_file("/mnt/big", "x" * 100_000)).exit_code != 0


def _list(runtime, handle):
    return runtime.manager.list_files(handle, "/work/listed")
