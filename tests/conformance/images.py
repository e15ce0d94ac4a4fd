"""The image of the suite: a root with a static busybox and nothing else, and one that pretends to be of another machine."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from koji_adjutant.container.static_tools import is_static
from tests.distro.cache import cache_dir, locked
from tests.support.podman_host import HostError

IMAGE = "localhost/koji-adjutant-conformance:1"
FOREIGN = "localhost/koji-adjutant-conformance-foreign:1"
DIRECTORIES = ("bin", "dev", "etc", "proc", "run", "sys", "tmp", "work")
IMAGE_ENV = "ENV FROM_IMAGE=1"


def root_archive() -> bytes:
    """The root as a tar archive."""
    busybox = next((path for path in map(shutil.which, ("busybox.static", "busybox")) if path), None)
    if busybox is None or not is_static(Path(busybox)):
        raise HostError("no static busybox: install busybox-static")
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w") as tar:
        for name in DIRECTORIES:
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        info = tarfile.TarInfo("bin/busybox")
        info.mode, info.size = 0o755, Path(busybox).stat().st_size
        with open(busybox, "rb") as stream:
            tar.addfile(info, stream)
    return result.getvalue()


def load(podman: Callable[..., bytes]) -> None:
    """Import both images with a `podman(*arguments, stdin=...)`, unless they are there."""
    foreign = "s390x" if os.uname().machine != "s390x" else "arm64"
    with locked(cache_dir() / "conformance-images.lock"):
        there = podman("images", "--format", "{{.Repository}}:{{.Tag}}").decode().split()
        if IMAGE not in there:
            podman("import", "--quiet", "--change", IMAGE_ENV, "-", IMAGE, stdin=root_archive())
        if FOREIGN not in there:
            podman("import", "--quiet", "--arch", foreign, "-", FOREIGN, stdin=root_archive())


def podman(*arguments: str, stdin: bytes = b"") -> bytes:
    """Run a podman command of this user."""
    done = subprocess.run(["podman", *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise HostError(f"podman {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
