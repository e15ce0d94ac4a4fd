"""A .deb's files onto a stage directory, with /bin, /sbin and /lib merged into /usr and documentation left out."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

from tests.distro.debian import Deb, DistroError, Entry

_MERGED = re.compile(r"^/(bin|sbin|lib|lib32|lib64|libx32)(/|$)")
_PROGRAM = re.compile(r"^/s?bin/")
_LEFT_OUT = re.compile(
    r"^/usr/share/(doc|man|info|locale|lintian|bug|doc-base|gcc|bash-completion|menu|gtk-doc|polkit-1|apport|reportbug|zsh"
    r"|fish|initramfs-tools)(/|$)|^/usr/lib/systemd/|^/var/lib/dpkg|^/usr/share/gdb/auto-load"
    r"|^/etc/(cron|logrotate|init\.d|apparmor|alternatives)|^/var/(run|lock)(/|$)|^/run(/|$)",
)
_INTERPRETERS = {"/bin/sh", "/bin/bash", "/usr/bin/perl", "/usr/bin/python3"}


def filesystem_paths(spec: Path) -> frozenset[str]:
    """Paths that the `filesystem` package owns, by its spec: no other package lists them."""
    listed = re.findall(r"^(?:%attr\(.*?\) )?(?:%dir )?(/\S*)$", spec.read_text().partition("%files")[2], re.MULTILINE)
    return frozenset(listed) | {"/lib32", "/libx32", "/usr/lib32", "/usr/libx32"}


def merged(path: str) -> str:
    """Where `path` is once /bin, /sbin and /lib* are links into /usr."""
    return "/usr" + path if _MERGED.match(path) else path


def unpack(deb: Deb, stage: Path, owned_elsewhere: frozenset[str]) -> None:
    """Put the files of `deb` below `stage` and list them in it."""
    deb.conffiles.update(merged(path) for path in _conffiles(deb))
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb.path)], stdout=subprocess.PIPE) as process:
        seen = set(owned_elsewhere)
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                old = os.path.normpath("/" + member.name)
                path = merged(old)
                if path in seen or _LEFT_OUT.match(path):
                    continue
                seen.add(path)
                if old != path and _PROGRAM.match(old):
                    deb.old_paths.append(old)
                _place(deb, archive, member, old, stage)
    if process.returncode:
        raise DistroError(f"dpkg-deb cannot unpack {deb.path}")


def _conffiles(deb: Deb) -> list[str]:
    """List the configuration files; a package without any makes dpkg-deb fail."""
    command = ["dpkg-deb", "-I", str(deb.path), "conffiles"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [line.split()[-1] for line in text.splitlines() if line.strip()]


def _place(deb: Deb, archive: tarfile.TarFile, member: tarfile.TarInfo, old: str, stage: Path) -> None:
    path = merged(old)
    where = Path(f"{stage}{path}")
    kind = "file"
    if member.isdir():
        where.mkdir(parents=True, exist_ok=True)
        kind = "dir"
    else:
        where.parent.mkdir(parents=True, exist_ok=True)
        where.unlink(missing_ok=True)
        if member.issym():
            kind = "link"
            target = _link_target(old, member.linkname)
            if "/etc/alternatives/" in target:
                return
            where.symlink_to(target)
        elif member.islnk():
            os.link(f"{stage}{merged(os.path.normpath('/' + member.linkname))}", where)
        else:
            _copy(deb, archive, member, where)
    deb.entries.append(Entry(path, kind, stat.S_IMODE(member.mode), member.uname or "root", member.gname or "root"))


def _link_target(old: str, target: str) -> str:
    """Rewrite a link so that it means the same file from the merged path."""
    absolute = os.path.normpath(os.path.join(os.path.dirname(old), target))
    if target.startswith("/") or merged(old) != old:
        return os.path.relpath(merged(absolute), os.path.dirname(merged(old)))
    return target


def _copy(deb: Deb, archive: tarfile.TarFile, member: tarfile.TarInfo, where: Path) -> None:
    source = archive.extractfile(member)
    assert source
    with source, where.open("wb") as target:
        head = source.read(64)
        target.write(head)
        shutil.copyfileobj(source, target, 1 << 20)
    where.chmod(stat.S_IMODE(member.mode) & 0o777 | 0o400)
    os.utime(where, (member.mtime, member.mtime))
    if member.mode & 0o111 and head.startswith(b"#!"):
        word = head[2:].decode(errors="replace").split("\n")[0].split()[:1]
        deb.interpreters.update(_INTERPRETERS.intersection(word))
