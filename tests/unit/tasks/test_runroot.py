"""runroot: the plugin's configuration, the mounts that it allows, the command's words and its end."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import koji
import pytest

from koji_adjutant.buildroot.pair import PairRequest, _task_spec
from koji_adjutant.container.interface import MountKind
from koji_adjutant.container.steps import StepEnd, StepStatus
from koji_adjutant.tasks.runroot_command import command_error, log_paths, program_name, shell_command
from koji_adjutant.tasks.runroot_config import PathSection, RunrootConfig, read_runroot_config
from koji_adjutant.tasks.runroot_mounts import (
    OF_ROOT,
    HostMount,
    Wanted,
    container_mounts,
    mounts_log,
    parse_mountinfo,
    wanted_mounts,
)

CONF = """
[runroot]
internal_dev_setup = true
[paths]
default_mounts = /mnt/archive,/mnt/workdir
safe_roots = /mnt/workdir/tmp
path_subs =
    /mnt/workdir/tmp/old/,/mnt/workdir/tmp/new/

[path10]
mountpoint = /mnt/archive
path = archive.example.com:/vol/archive
fstype = nfs
options = ro,hard

[path2]
mountpoint = /mnt/workdir
path = {path}
fstype = bind
options = ro,bind
"""


@pytest.fixture
def config(tmp_path: Path) -> RunrootConfig:
    """The configuration above, its bind section a directory of the test's own."""
    (tmp_path / "work" / "tmp" / "new" / "deep").mkdir(parents=True)
    (tmp_path / "runroot.conf").write_text(CONF.format(path=tmp_path / "work"))
    return read_runroot_config(tmp_path)


def test_configuration(config: RunrootConfig) -> None:
    """All keys are read, path sections in the order of their numbers."""
    assert config.default_mounts == ("/mnt/archive", "/mnt/workdir")
    assert config.path_subs == (("/mnt/workdir/tmp/old/", "/mnt/workdir/tmp/new/"),)
    assert config.internal_dev_setup
    assert [section.mountpoint for section in config.paths] == ["/mnt/workdir", "/mnt/archive"]
    assert config.paths[1].options == ("ro", "hard")


def test_no_configuration(tmp_path: Path) -> None:
    """Without a file nothing of the host is allowed."""
    assert read_runroot_config(tmp_path) == RunrootConfig()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[paths]\nsafe_roots = mnt", "needs to be absolute: mnt"),
        ("[paths]\npath_subs = /a,/b,/c", "bad runroot substitution: .'/a', '/b', '/c'."),
        ("[path0]\nmountpoint = /mnt", "bad config: missing options in path0 section"),
        ("no section", "bad config: .*runroot.conf"),
    ],
)
def test_bad_configuration(tmp_path: Path, text: str, complaint: str) -> None:
    """The plugin's words for what is wrong."""
    (tmp_path / "runroot.conf").write_text(text)
    with pytest.raises(koji.GenericError, match=complaint):
        read_runroot_config(tmp_path)


def test_mounts(config: RunrootConfig, tmp_path: Path) -> None:
    """Default mounts are read-only, a task's own ones writable, substituted, and found on the host by their source."""
    archive = tmp_path / "archive"
    archive.mkdir()
    host = (HostMount("archive.example.com:/vol", str(tmp_path)),)
    wanted = wanted_mounts(config, ["/mnt/workdir/tmp/../tmp/old/deep"])
    first, second, third = container_mounts(wanted, host)
    assert (first.source, first.target, first.read_only) == (str(archive), "/mnt/archive", True)
    assert (second.target, second.read_only) == ("/mnt/workdir", True)
    assert (third.target, third.read_only) == ("/mnt/workdir/tmp/new/deep", False)
    assert third.source == str(tmp_path / "work/tmp/new/deep")
    assert mounts_log(wanted, [first]).splitlines()[0] == f"{archive} on /mnt/archive (ro)"


@pytest.mark.parametrize(
    "path", ["/mnt/workdir", "/mnt/workdir/tmp2", "/mnt/workdir/tmp/../../x", "/etc", "mnt/workdir/tmp"]
)
def test_mount_outside_of_safe_roots(config: RunrootConfig, path: str) -> None:
    """What a task may mount is below a safe root, by whole components."""
    with pytest.raises(koji.GenericError, match="read-write mount point is not safe"):
        wanted_mounts(config, [path])


def test_mount_through_a_link(config: RunrootConfig, tmp_path: Path) -> None:
    """A link that somebody left on a shared volume does not lead to the rest of the host."""
    (tmp_path / "work" / "tmp" / "out").symlink_to("/")
    wanted = wanted_mounts(config, ["/mnt/workdir/tmp/out/etc"])
    with pytest.raises(koji.GenericError, match=r"is not safe: .* is a link that leads out of"):
        container_mounts(wanted[2:], ())


def test_mount_without_a_section() -> None:
    """The plugin's words."""
    with pytest.raises(koji.GenericError, match="bad config: missing corresponding mountpoint"):
        wanted_mounts(RunrootConfig(default_mounts=("/mnt/x",)), [])


def test_file_system_that_the_host_has_not_mounted(config: RunrootConfig) -> None:
    """Nothing is mounted on the host; the refusal says what to do."""
    with pytest.raises(koji.GenericError, match=r"Unable to mount /mnt/archive: .*options = bind,ro"):
        container_mounts(wanted_mounts(config, []), (HostMount("other.example.com:/vol", "/other"),))


def test_missing_directory(config: RunrootConfig) -> None:
    """The plugin's words."""
    with pytest.raises(koji.GenericError, match=r"No such directory or mount: .*/new/none"):
        container_mounts(wanted_mounts(config, ["/mnt/workdir/tmp/new/none"])[2:], ())


def test_own_and_memory_mounts() -> None:
    """The container keeps its own /dev; a tmpfs is one."""
    paths = (PathSection("/dev", "/dev", "bind", ("bind",)), PathSection("/scratch", "tmpfs", "tmpfs", ("rw",)))
    wanted = wanted_mounts(RunrootConfig(default_mounts=("/dev", "/scratch"), paths=paths), [])
    (mount,) = mounts = container_mounts(wanted, ())
    assert (mount.target, mount.kind) == ("/scratch", MountKind.TMPFS)
    assert "/dev: the container has its own" in mounts_log(wanted, mounts)


def test_two_mounts_of_one_target(config: RunrootConfig) -> None:
    """What the task asks for lies over the default mount of the same place."""
    default = replace(config, default_mounts=("/mnt/workdir/tmp/new", "/mnt/workdir//tmp/new/"))
    (mount,) = container_mounts(wanted_mounts(default, ["/mnt/workdir/tmp/new"]), ())
    assert (mount.target, mount.read_only) == ("/mnt/workdir/tmp/new", False)


def test_place_that_the_root_has_itself(tmp_path: Path) -> None:
    """Every mount of a task's container is refused by name, however it is written."""
    request = PairRequest("n", tmp_path, tmp_path, "root", "tools", lambda _: {}, chroot_tmpdir="/scratch")
    own = [mount.target for mount in _task_spec(request).mounts]
    assert {"/tmp", "/var/tmp", "/builddir", "/dev/shm", "/scratch"} <= set(own)
    for target in own:
        wanted = Wanted(str(tmp_path), f"/{target}/", str(tmp_path), "bind", ("bind",))
        with pytest.raises(koji.GenericError, match=f"invalid mount point: {target}: the root has"):
            container_mounts([wanted], (), (*OF_ROOT, "/scratch"))


def test_mountinfo() -> None:
    """Whole file systems with their sources; names are unescaped."""
    text = (
        "36 35 98:0 / /mnt/my\\040disk rw,noatime master:1 - nfs4 server:/vol rw\n"
        "37 35 98:0 /sub /mnt/sub rw - ext4 /dev/root rw\n"
    )
    assert parse_mountinfo(text) == (HostMount("server:/vol", "/mnt/my disk"),)


def test_words_of_a_command() -> None:
    """A list keeps its words through the shell, a text is the shell's."""
    assert shell_command(["echo", "a b", "it's"])[-1] == "( 'echo' 'a b' 'it'\\''s'; ) < /dev/null 2>&1; exit $?"
    assert shell_command("a | b")[-1] == "( a | b; ) < /dev/null 2>&1; exit $?"


@pytest.mark.parametrize(
    ("text", "code", "output"),
    [("echo a; exit 3; echo b", 3, b"a\n"), ("sh -c 'kill -9 $$'", 137, b""), ("kill -9 $$", -9, b""), ("cat", 0, b"")],
)
def test_shell_tells_the_end(text: str, code: int, output: bytes) -> None:
    """The text's own status, a signal of one of its commands as shells say it, and a signal of the shell itself."""
    ended = subprocess.run(shell_command(text), stdout=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stdout) == (code, output)


@pytest.mark.parametrize(
    ("command", "name"),
    [("X=1 /usr/bin/make all", "make"), (["/bin/ls", "-l"], "ls"), ([], "(none)"), ("A=b", "(none)")],
)
def test_name_of_a_command(command: str | list[str], name: str) -> None:
    """The first word that is no assignment."""
    assert program_name(command) == name


def test_log_paths() -> None:
    """Paths are inside the root, however they are written, each once."""
    given = ["/var/log/x.log", "var/log/x.log", "//var/log/../log/x.log", "../../etc/passwd", "builddir/runroot.log"]
    assert log_paths(given) == ("/var/log/x.log", "/etc/passwd")
    assert log_paths(None) == ()


def status(**changed: object) -> StepStatus:
    """A step that ended with status 7 unless told otherwise."""
    known = {"run_id": "r", "end": StepEnd.EXITED, "exit_code": 7, "signal": None, "started_at": 1.0, "ended_at": 2.0}
    return StepStatus(**{**known, "out_bytes": 0, **changed})  # type: ignore[arg-type]  # keywords of the tests


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (status(), "make exited with status 7"),
        (status(exit_code=None, signal=9), "make exited with status 247"),
        (status(end=StepEnd.TIMEOUT, exit_code=None), "make was ended: timeout"),
        (status(oom_kills=2, peak_memory=5), "make exited with status 7\nout of memory: limit 4 bytes, peak 5 bytes"),
    ],
)
def test_end_of_a_command(end: StepStatus, text: str) -> None:
    """Mock's way to tell a signal of its shell, and the memory limit by name."""
    assert str(command_error("make", end, 4)).startswith(text)
