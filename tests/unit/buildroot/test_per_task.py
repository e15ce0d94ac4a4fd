"""What each task writes into its root: tried on a directory with the shell's own tools."""

import os
import shutil
import stat
import subprocess
from dataclasses import replace

import pytest

from koji_adjutant.buildroot.per_task import (
    LOCALHOST,
    NameResolution,
    RootFile,
    per_task_files,
    setup_script,
)

ONLINE = NameResolution(hosts=b"10.0.0.1 hub\n", resolv_conf=b"nameserver 10.0.0.2\n")


@pytest.fixture
def root(tmp_path):
    """A root with an old build user, a symlinked resolv.conf and a file without final newline."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text("root:x:0:0::/root:/bin/sh\nmockbuild:x:99:99::/old:/bin/sh\ndaemon:x:1:1::/:/bin/sh")
    (etc / "group").write_text("root:x:0:\nmock:x:99:\nmockery:x:98:\n")
    (etc / "shadow").write_text("root:*:::::::\n")
    (etc / "passwd").chmod(0o640)
    (etc / "outside").write_text("untouched")
    (etc / "resolv.conf").symlink_to("outside")
    return tmp_path


def run(root, files):
    """Run the script with every absolute path of it below `root`."""
    busybox = shutil.which("busybox")
    script = setup_script(
        [replace(file, path=f"{root}{file.path}", uid=os.getuid(), gid=os.getgid()) for file in files],
        directories=[f"{root}/builddir/build/SPECS"],
        busybox=busybox or "",
    ).decode()
    for path in ("/etc/", "/var/lib/dbus", "/builddir"):
        script = script.replace(f" {path}", f" {root}{path}")
    script = script.replace(f"{root}{root}", str(root)).replace("1000:135", f"{os.getuid()}:{os.getgid()}")
    subprocess.run(["sh", "-s"], input=script.encode(), check=True)


def test_users_replace_older_ones_and_nothing_else(root, settings_of):
    """Same names as under mock; other lines, mode and a missing final newline are respected; twice is fine."""
    for _ in range(2):
        run(root, per_task_files(settings_of(), machine_id="0" * 32))
    passwd = (root / "etc/passwd").read_text().splitlines()
    assert [line.split(":")[0] for line in passwd] == ["root", "daemon", "mockbuild"]
    assert (root / "etc/group").read_text().splitlines()[:2] == ["root:x:0:", "mockery:x:98:"]
    assert "mockbuild:!!:" in (root / "etc/shadow").read_text()
    assert stat.S_IMODE((root / "etc/passwd").stat().st_mode) == 0o640
    assert not (root / "etc/gshadow").exists()


def test_an_offline_root_knows_localhost_only(root, settings_of):
    """resolv.conf is an empty file, even where an image has a link; the link's target is left alone."""
    run(root, per_task_files(settings_of(), machine_id="a" * 32, resolution=ONLINE))
    assert (root / "etc/hosts").read_bytes() == LOCALHOST
    assert (root / "etc/resolv.conf").read_bytes() == b""
    assert not (root / "etc/resolv.conf").is_symlink()
    assert (root / "etc/outside").read_text() == "untouched"
    assert (root / "etc/machine-id").read_text() == "a" * 32 + "\n"


def test_a_root_with_a_network_gets_the_hosts_names(settings_of):
    """As kojid's setup_dns does it."""
    files = {
        file.path: file for file in per_task_files(settings_of(network=True), machine_id="0" * 32, resolution=ONLINE)
    }
    assert files["/etc/hosts"].data == ONLINE.hosts
    assert files["/etc/resolv.conf"].data == ONLINE.resolv_conf


def test_the_macro_file_belongs_to_the_build_user(settings_of):
    """And holds the tag's macros byte for byte."""
    files = per_task_files(settings_of({"rpm.macro.q": "it's $HOME \\ %{x}"}), machine_id="0" * 32)
    macros = next(file for file in files if file.path == "/builddir/.rpmmacros")
    assert (macros.uid, macros.gid) == (1000, 135)
    assert b"%q it's $HOME \\ %{x}\n" in macros.data


def test_contents_of_any_kind_arrive(root):
    """Binary data, quotes and half a megabyte."""
    data = bytes(range(256)) * 2048
    run(root, [RootFile("/etc/odd ' \" $x name", data, 0o600)])
    written = root / "etc/odd ' \" $x name"
    assert written.read_bytes() == data
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
