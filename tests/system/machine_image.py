"""The image of a Debian 12 machine with systemd, Podman, and an environment with what the builder depends on.

Made once by debootstrap (two minutes) and kept as an archive in the user's cache; each machine gets the builder by itself.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.distro.cache import cache_dir, hash_of, made_once
from tests.distro.debian import DistroError, run
from tests.distro.images import load

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "logrotate", "procps", "ca-certificates"),
    *("podman", "runc", "netavark", "catatonit", "uidmap", "iptables", "busybox-static"),
    *("python3", "python3-venv", "libgssapi-krb5-2"),
)
MIRROR = "http://deb.debian.org/debian"
QUIET = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "podman-auto-update.timer")
"""Units that would only disturb."""
HOME = "/usr/lib/koji-adjutant"
"""The virtual environment, where the RPM has it."""
NEVER_BUSY = "import os; os.getloadavg = lambda: (0.0, 0.0, 0.0)\n"
"""What Python does at its start there: a loaded host takes no tasks, and other tests may load this one."""


def machine_image() -> str:
    """Return the reference of the image, made and loaded when missing.

    Raises:
        DistroError: this machine cannot: not root, no debootstrap, no package mirror.
    """
    digest = hash_of([], (ROOT / "pyproject.toml").read_text(), Path(__file__).read_text())
    return load("machine", made_once("machine", digest, _make) / "root.tar.zst")


def _make(out: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise DistroError("only root can make the machine's image, with debootstrap: `make setup` installs it")
    root, debs = out / "root", cache_dir() / "machine-debs"
    debs.mkdir(exist_ok=True)
    command = ["debootstrap", "--variant=minbase", f"--cache-dir={debs}", f"--include={','.join(PACKAGES)}"]
    run([*command, "bookworm", str(root), MIRROR])
    _install_dependencies(root, out / "wheels")
    for unit in QUIET:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    tar = ["tar", "-C", str(root), "--numeric-owner", "--xattrs", "--xattrs-include=security.capability", "--zstd"]
    run([*tar, "-cf", str(out / "root.tar.zst"), "--exclude=./var/cache/apt/archives/*.deb", "."])
    shutil.rmtree(root)
    shutil.rmtree(out / "wheels")


def _install_dependencies(root: Path, wheels: Path) -> None:
    """Make the environment and install what pyproject.toml wants, as wheels for the same Python as ours."""
    pip = [sys.executable, "-m", "pip"]
    run([*pip, "wheel", "-q", "--wheel-dir", str(wheels), str(ROOT)])
    for own in wheels.glob("koji_adjutant-*.whl"):
        own.unlink()
    inside = root / "wheels"
    shutil.copytree(wheels, inside)
    chroot = ["chroot", str(root)]
    run([*chroot, "python3", "-m", "venv", HOME])
    names = [f"/wheels/{wheel.name}" for wheel in sorted(wheels.iterdir())]
    run([*chroot, f"{HOME}/bin/pip", "install", "-q", "--no-index", "--no-deps", *names])
    shutil.rmtree(inside)
    for directory in (root / HOME[1:] / "lib").glob("python3*/site-packages"):
        (directory / "never_busy.pth").write_text(NEVER_BUSY)
