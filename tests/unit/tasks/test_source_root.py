"""What is taken out of a root in which a source package was written."""

import io
import struct
from types import SimpleNamespace

import koji
import pytest

from koji_adjutant.buildroot import commands
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.interface import CopiedFile
from koji_adjutant.tasks import source_root
from koji_adjutant.tasks.rebuild_srpm import RebuildSRPM
from tests.support.task_scene import Scene


def package(name="hello", version="1", release="2"):
    """Bytes of a source package."""

    def header(entries):
        index, data = b"", b""
        for tag, kind, value in entries:
            data += b"\0" * (-len(data) % 4)
            index += struct.pack(">IIII", tag, kind, len(data), 1)
            data += value
        return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", len(entries), len(data)) + index + data

    texts = [(1000, name), (1001, version), (1002, release), (1022, "noarch")]
    main = [(tag, 6, text.encode() + b"\0") for tag, text in texts] + [(1106, 4, struct.pack(">I", 1))]
    signature = header([(1000, 4, struct.pack(">I", 1))])
    return b"\xed\xab\xee\xdb" + b"\0" * 92 + signature + b"\0" * (-len(signature) % 8) + header(main) + b"payload"


class Root:
    """Directories with files."""

    def __init__(self, files):
        self.files = files

    def list_files(self, directory, **_):
        names = self.files.get(directory, {})
        return [CopiedFile(name, len(data), is_regular=True) for name, data in names.items()]

    def copy_from(self, path, target: io.BytesIO, *, max_bytes):
        directory, _, name = path.rpartition("/")
        target.write(self.files[directory][name])


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A task that keeps what it uploads in `stored`."""
    task = Scene(tmp_path, RebuildSRPM, None, "cli-build/hello-1-2.src.rpm", 2, {"repo_id": 9}).task()
    task.context.config = AdjutantConfig.model_validate({})
    task.stored = []

    def put(local, name):
        assert local.read_bytes().startswith(b"\xed\xab\xee\xdb")
        task.stored.append(name)
        return f"tasks/40/40/{name}"

    monkeypatch.setattr(source_root, "artifact_store", lambda _: SimpleNamespace(put=put))
    return task


def srpms(**files):
    return Root({commands.SRPMS: {name.replace("_", "-") + ".src.rpm": data for name, data in files.items()}})


def test_the_package_is_uploaded(task, tmp_path):
    """Its name is that of its header; nothing stays on this machine."""
    assert task._take(srpms(hello_1_2=package()), "here") == "tasks/40/40/hello-1-2.src.rpm"
    assert task.stored == ["hello-1-2.src.rpm"]
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "No srpms found in here"),
        ({"a_1_1": b"", "b_1_1": b""}, "Multiple srpms found in here: a-1-1.src.rpm, b-1-1.src.rpm"),
        ({"other_1_2": package()}, "srpm name mismatch: hello-1-2.src.rpm != other-1-2.src.rpm"),
    ],
)
def test_what_is_no_result(task, files, text):
    """In kojid's words; nothing is uploaded."""
    with pytest.raises(koji.BuildError, match=f"^{text}$"):
        task._take(srpms(**files), "here")
    assert task.stored == []


def test_nosrc_package_is_none(task):
    """As under kojid, which looks for `*.src.rpm`."""
    root = Root({commands.SRPMS: {"hello-1-2.nosrc.rpm": package()}})
    with pytest.raises(koji.BuildError, match="No srpms found"):
        task._take(root, "here")


def specs(*names):
    return SimpleNamespace(root=Root({commands.SPECS: dict.fromkeys(names, b"")}))


def test_the_spec_of_an_unpacked_package(task):
    """There is one; hidden files and other names do not count."""
    assert task._spec(specs("hello.spec", ".x.spec", "notes.txt")) == f"{commands.SPECS}/hello.spec"


@pytest.mark.parametrize(
    ("names", "text"), [((), "No spec file found"), (("a.spec", "b.spec"), "Multiple spec files found: ")]
)
def test_no_spec_or_several(task, names, text):
    """In kojid's words."""
    with pytest.raises(koji.BuildError, match=f"^{text}"):
        task._spec(specs(*names))


def test_repo_is_mandatory(task):
    """A source package is not written in a root of nothing."""
    with pytest.raises(koji.BuildError, match=r"^A repo id must be provided$"):
        task.handler("x", 2, {})


@pytest.mark.parametrize(
    ("tag", "host", "fits"),
    [("x86_64 i686", "i386", True), ("aarch64", "x86_64", False), ("", "x86_64", True), ("x86_64", None, False)],
)
def test_host_check(task, tag, host, fits):
    """An arch of the build tag must be one of the host's."""
    task.session.hub = SimpleNamespace(getBuildConfig=lambda _: {"arches": tag})
    assert task.checkHost({"arches": host}) is fits
