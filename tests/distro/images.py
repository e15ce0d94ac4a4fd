"""Container images for the tests, made from the test distribution: `tools` and one with an empty root.

The root of `tools` is installed by this machine's dnf, kept as an archive in the cache, and imported into Podman's store
unless an image of that name is there; the name carries the hash of what it is made from.
`python3 -m tests.distro.images` prints the references.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.distro.cache import HERE, KEPT, cache_dir, hash_of, locked, made_once
from tests.distro.debian import DistroError, run
from tests.distro.make import Distro, the_distro

LABEL = "io.koji.adjutant.test-image"
EMPTY_DIRECTORIES = ("dev", "proc", "run", "run/adjutant", "sys")
ARCHIVE = "root.tar.zst"


@dataclass(frozen=True)
class Images:
    """References of images that are in Podman's store."""

    tools: str
    empty: str


def the_images(distro: Distro) -> Images:
    """Make and load what is missing (20-30 s, then 0.1 s).

    Raises:
        DistroError: this machine cannot: no dnf, not root (only to make, not to load), no podman.
    """
    digest = hash_of([HERE / "images.py"], distro.digest)
    archive = made_once("tools", digest, lambda out: _make_tools(distro, out)) / ARCHIVE
    empty = made_once("empty", hash_of([HERE / "images.py"]), _make_empty) / "root.tar"
    return Images(load("tools", archive), load("empty", empty))


def load(kind: str, archive: Path) -> str:
    """Import a root into Podman's store under a name with its hash, unless it is there; return the reference."""
    digest = archive.parent.name.rpartition("-")[2]
    reference = f"localhost/koji-adjutant-test-{kind}:{digest}"
    with locked(cache_dir() / "import.lock"):
        if subprocess.run(["podman", "image", "exists", reference], check=False, capture_output=True).returncode:
            changes = ["--change", 'CMD ["/bin/bash"]', "--change", f"LABEL {LABEL}={digest}"]
            run(["podman", "import", "--quiet", *changes, str(archive), reference])
            _forget_old(reference.partition(":")[0])
    return reference


def _forget_old(name: str) -> None:
    """Remove images that the cache has forgotten as well; one that a container uses stays."""
    listed = run(
        ["podman", "images", "--sort=created", "--format={{.Repository}}:{{.Tag}}", "--filter", f"label={LABEL}"]
    )
    old = [reference for reference in listed.split() if reference.startswith(f"{name}:")][KEPT:]
    for reference in old:
        subprocess.run(["podman", "rmi", reference], check=False, capture_output=True)


def _make_tools(distro: Distro, out: Path) -> None:
    missing = [name for name in ("dnf", "tar", "zstd") if not shutil.which(name)]
    if missing:
        raise DistroError(f"{', '.join(missing)} not installed: `make setup` installs what the tests need")
    if os.geteuid() != 0:
        raise DistroError(
            "only root can install a root for the tools image: run `python3 -m tests.distro.images` as root"
        )
    root = out / "root"
    # Debian's rpm keeps its database in ~/.rpmdb, where the root's own rpm does not look; it reads ~/.rpmmacros last.
    (out / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(out), "LC_ALL": "C.UTF-8"}
    run([*_dnf(distro, root), "install", f"@{distro.tools_group}"], env=env)
    _clean(root)
    tar = ["tar", "-C", str(root), "--numeric-owner", "--xattrs", "--xattrs-include=security.capability", "--zstd"]
    run([*tar, "-cf", str(out / ARCHIVE), "."], env={**env, "ZSTD_CLEVEL": "1"})
    for leftover in (root, out / "dnf-cache"):
        shutil.rmtree(leftover)
    (out / ".rpmmacros").unlink()


def _dnf(distro: Distro, root: Path) -> list[str]:
    settings = {
        "cachedir": root.parent / "dnf-cache",
        "gpgcheck": 0,
        "install_weak_deps": 0,
        "keepcache": 0,
        "plugins": 0,
        "reposdir": "/dev/null",
    }
    where = [f"--installroot={root}", f"--releasever={distro.releasever}"]
    repo = [f"--repofrompath=test-distro,file://{distro.repo}", "--repo=test-distro", "--nogpgcheck"]
    return ["dnf", "-y", "-q", *where, *repo, *(f"--setopt={key}={value}" for key, value in settings.items())]


def _clean(root: Path) -> None:
    """Take out what belongs to this installation; the rpmdb keeps its -wal and -shm, which readers need."""
    for name in ("var/cache/dnf", "var/log", "var/lib/dnf"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
    (root / "var/lib/rpm/.rpm.lock").unlink(missing_ok=True)
    (root / "dnf-cache").unlink(missing_ok=True)
    if not (root / "var/lib/rpm/rpmdb.sqlite").exists():
        raise DistroError(f"dnf did not write the rpm database of {root} where the root's rpm looks for it")


def _make_empty(out: Path) -> None:
    with tarfile.open(out / "root.tar", "w") as archive:
        for name in EMPTY_DIRECTORIES:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)


def main() -> int:
    """Print the references of both images, one a line."""
    try:
        images = the_images(the_distro())
    except DistroError as error:
        sys.stderr.write(f"tests.distro.images: {error}\n")
        return 1
    sys.stdout.write(f"tools {images.tools}\nempty {images.empty}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
