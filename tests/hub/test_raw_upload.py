"""Uploads into a task's directory and elsewhere, with the hub's checks (contract 6.2)."""

import base64
import hashlib
import zlib
from pathlib import Path

import koji
import pytest


@pytest.fixture
def task(builder):
    """An OPEN task."""
    return builder.open_task()


def stored(hub, task, name):
    """Content of a task's file, by the API."""
    return base64.b64decode(hub.admin.callMethod("downloadTaskOutput", task, name))


def directory(task):
    return koji.pathinfo.taskrelpath(task)


def test_answer(builder, task):
    """Size, offset and checksum of the chunk."""
    data = b"line\n" * 1000
    answer = builder.upload(task, "build.log", data)
    digest = f"{zlib.adler32(data):08x}"
    assert answer == {"size": 5000, "fileverify": "adler32", "offset": 0, "hexdigest": digest}


def test_growing_log(hub, builder, task):
    """New bytes are appended by offset; a repeated piece truncates at its offset."""
    builder.upload(task, "build.log", b"one\n")
    builder.upload(task, "build.log", b"two\n", 4)
    assert stored(hub, task, "build.log") == b"one\ntwo\n"
    builder.upload(task, "build.log", b"TWO\n", 4)
    assert stored(hub, task, "build.log") == b"one\nTWO\n"
    builder.upload(task, "build.log", b"again\n", 0)
    assert stored(hub, task, "build.log") == b"again\n"


def test_empty_file(hub, builder, task):
    """An empty chunk makes an empty file."""
    assert builder.upload(task, "empty.log", b"")["size"] == 0
    assert builder.session.checkUpload(directory(task), "empty.log")["size"] == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # koji leaves the file to the collector
def test_whole_file_by_the_client(hub, builder, task, tmp_path):
    """The uploader of koji itself is content: chunks, checksums, checkUpload."""
    path = tmp_path / "a-1-1.x86_64.rpm"
    path.write_bytes(bytes(range(256)) * 10000)
    builder.session.uploadWrapper(str(path), directory(task), blocksize=65536)
    info = builder.session.checkUpload(directory(task), path.name, verify="sha256")
    assert info["size"] == info["sumlength"] == 2560000
    assert info["hexdigest"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_check_upload(builder, task):
    """Size, and the checksum of all or of the tail; None for nothing."""
    builder.upload(task, "a.log", b"0123456789")
    check = builder.session.checkUpload
    assert set(check(directory(task), "a.log")) == {"size", "mtime"}
    tail = check(directory(task), "a.log", verify="adler32", tail=3)
    assert (tail["sumlength"], tail["hexdigest"]) == (3, f"{zlib.adler32(b'789'):08x}")
    assert check(directory(task), "a.log", "md5")["hexdigest"] == hashlib.md5(b"0123456789").hexdigest()
    assert check(directory(task), "missing.log") is None
    with pytest.raises(koji.GenericError, match="Invalid tail value: -1"):
        check(directory(task), "a.log", verify="md5", tail=-1)
    with pytest.raises(koji.GenericError, match="Unsupported verify type: crc"):
        check(directory(task), "a.log", verify="crc")


@pytest.mark.parametrize("name", [".hidden", "../x.log", "a/b.log"])
def test_names(builder, task, name):
    """No hidden files, no directories in names."""
    with pytest.raises(koji.GenericError, match=r"Invalid upload filename: "):
        builder.upload(task, name, b"x")


@pytest.mark.parametrize("path", ["..", "../other", "tasks/../../x"])
def test_directories(builder, path):
    """Nothing outside work/."""
    with pytest.raises(koji.GenericError, match=r"Invalid upload directory: "):
        builder.session.rawUpload(b"x", 0, path=path, name="a.log", overwrite=True)


@pytest.mark.parametrize("path", ["tasks", "tasks/1", "tasks/1/x"])
def test_directories_of_tasks(builder, path):
    """A task's directory names the task."""
    with pytest.raises(koji.GenericError, match=rf"Invalid task upload directory: {path}"):
        builder.session.rawUpload(b"x", 0, path=path, name="a.log", overwrite=True)


def test_task_of_another(other, task):
    """Only the host that holds the task writes its files."""
    with pytest.raises(koji.ActionNotAllowed, match=f"host {other.id} does not own task {task}"):
        other.upload(task, "a.log", b"x")


def test_task_that_is_closed(builder, task):
    """After the end nothing is added."""
    builder.close(task)
    with pytest.raises(koji.ActionNotAllowed, match=f"host {builder.id} does not own task {task}"):
        builder.upload(task, "a.log", b"x")


def test_people_do_not_write_there(hub, task):
    """A person is no host."""
    with pytest.raises(koji.AuthError, match="is not a host"):
        hub.admin.rawUpload(b"x", 0, path=directory(task), name="a.log", overwrite=True)


def test_subsession_writes(builder, task):
    """A task's own session writes its files."""
    child = builder.session.subsession()
    assert child.rawUpload(b"abc", 0, path=directory(task), name="a.log", overwrite=True)["size"] == 3


def test_existing_file(builder, task):
    """Without overwrite an existing file is not begun again, and the end must be where it is said to be."""
    upload = builder.session.rawUpload
    upload(b"0123456789", 0, path=directory(task), name="a.rpm")
    with pytest.raises(koji.GenericError, match=r"upload path exists: .*/a\.rpm"):
        upload(b"x", 0, path=directory(task), name="a.rpm")
    with pytest.raises(koji.GenericError, match=r"Incorrect upload length for .*/a\.rpm - Expected 5, actual 10"):
        upload(b"x", 4, path=directory(task), name="a.rpm")
    assert upload(b"more", 10, path=directory(task), name="a.rpm")["offset"] == 10


def test_append(hub, builder, task):
    """Offset -1 is the end of the file."""
    builder.upload(task, "a.log", b"one")
    assert builder.upload(task, "a.log", b"two", -1)["offset"] == 3
    assert stored(hub, task, "a.log") == b"onetwo"


def test_other_directories_have_an_owner(hub):
    """The first user to write a directory owns it."""
    first, second = hub.session(hub.user()), hub.session(hub.user())
    path = f"cli-build/{hub.channel}"
    first.rawUpload(b"x", 0, path=path, name="a.src.rpm")
    first.rawUpload(b"y", 0, path=path, name="b.src.rpm")
    with pytest.raises(koji.GenericError, match=f"Invalid upload directory, not owner: {path}"):
        second.rawUpload(b"x", 0, path=path, name="c.src.rpm")


def test_uploads_need_a_login(hub):
    """Nobody else."""
    with pytest.raises(koji.ActionNotAllowed, match=r"you must be logged.in to upload"):
        hub.client(hub.admin_credentials).rawUpload(b"x", 0, path="cli-build/x", name="a.src.rpm")


def test_base64_upload(hub, builder, task):
    """The old call: chunks, then the last one with size and checksum of the whole."""

    def send(data, offset, size, digest):
        encoded = base64.b64encode(data).decode()
        return builder.session.uploadFile(directory(task), "old.log", size, ("sha256", digest), offset, encoded)

    first, second = b"hello ", b"world"
    assert send(first, 0, len(first), hashlib.sha256(b"other").hexdigest()) is False
    assert send(first, 0, len(first), hashlib.sha256(first).hexdigest()) is True
    whole = first + second
    assert send(second, -1, len(whole), hashlib.sha256(whole).hexdigest()) is True
    assert stored(hub, task, "old.log") == whole


def test_task_output(hub, builder, task):
    """What is listed and read back."""
    builder.upload(task, "build.log", b"0123456789")
    builder.upload(task, "root.log", b"r")
    assert sorted(hub.admin.listTaskOutput(task)) == ["build.log", "root.log"]
    assert hub.admin.listTaskOutput(task, all_volumes=True)["root.log"] == ["DEFAULT"]
    stat = hub.admin.listTaskOutput(task, stat=True)["build.log"]
    assert stat["st_size"] == "10"
    assert set(stat) == {"st_size", "st_atime", "st_mtime", "st_ctime"}
    assert set(hub.admin.listTaskOutput(task, stat=True, all_volumes=True)["build.log"]) == {"DEFAULT"}
    part = hub.admin.callMethod("downloadTaskOutput", task, "build.log", offset=3, size=4)
    assert base64.b64decode(part) == b"3456"
    with pytest.raises(koji.GenericError, match=f'no file "x.log" output by task {task}'):
        hub.admin.callMethod("downloadTaskOutput", task, "x.log")
    with pytest.raises(koji.GenericError, match=r"Invalid file name: \.\./a"):
        hub.admin.callMethod("downloadTaskOutput", task, "../a")
    assert hub.admin.listTaskOutput(10**9) == []
    with pytest.raises(koji.GenericError, match="Task doesn't exist"):
        hub.admin.listTaskOutput(10**9, strict=True)


def test_links_are_not_followed(minihub, builder_of, tmp_path):
    """A file that was moved into place is a link, and is not written through."""
    builder = builder_of(minihub)
    task = builder.open_task()
    builder.upload(task, "a.log", b"mine")
    target = tmp_path / "elsewhere"
    target.write_bytes(b"precious")
    path = Path(minihub.topdir) / "work" / directory(task) / "b.log"
    path.symlink_to(target)
    with pytest.raises(koji.GenericError, match=r"destination is a symlink: .*/b\.log"):
        builder.upload(task, "b.log", b"x")
    (path.parent / "c.log").mkdir()
    with pytest.raises(koji.GenericError, match=r"destination not a file: .*/c\.log"):
        builder.upload(task, "c.log", b"x")
    assert target.read_bytes() == b"precious"
