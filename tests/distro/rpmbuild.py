"""rpmbuild on this machine, kept from its configuration: own topdir, database, macros and build time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.distro.catalog import DIST, EPOCH
from tests.distro.debian import DistroError

_MACROS = {
    "__check_files": "%{nil}",
    "__os_install_post": "%{nil}",
    "_binary_payload": "w1.zstdio",
    "_build_id_links": "none",
    "_buildhost": "distro.test",
    "_enable_debug_packages": "%{nil}",
    "_missing_build_ids_terminate_build": "0",
    "_rpmfilename": "%%{name}-%%{version}-%%{release}.%%{arch}.rpm",
    "_smp_build_nthreads": "1",
    "_source_payload": "w1.zstdio",
    "clamp_mtime_to_source_date_epoch": "1",
    "debug_package": "%{nil}",
    "dist": DIST,
    "distribution": "Adjutant Test Linux",
    "packager": "koji-adjutant tests",
    "source_date_epoch_from_changelog": "0",
    "use_source_date_epoch_as_buildtime": "1",
    "vendor": "koji-adjutant tests",
}


def rpmbuild(mode: str, spec: Path, work: Path, rpms: Path, srpms: Path, macros: dict[str, str] | None = None) -> None:
    """Run `rpmbuild MODE SPEC`. Binary packages go to `rpms`, source packages to `srpms`; files aside are in `work`.

    Raises:
        DistroError: with the end of rpmbuild's output.
    """
    top = work / "rpmbuild" / spec.stem
    places = {
        "_builddir": top / "BUILD",
        "_dbpath": work / "rpmdb",
        "_rpmdir": rpms,
        "_sourcedir": spec.parent,
        "_specdir": spec.parent,
        "_srcrpmdir": srpms,
        "_tmppath": top / "tmp",
        "_topdir": top,
    }
    for path in places.values():
        path.mkdir(parents=True, exist_ok=True)
    defines = {**_MACROS, **{key: str(path) for key, path in places.items()}, **(macros or {})}
    command = ["rpmbuild", mode, "--nodeps", "--clean", "--buildroot", str(top / "BUILDROOT")]
    command += [word for key, value in defines.items() for word in ("--define", f"{key} {value}")]
    env = {"PATH": os.environ["PATH"], "HOME": str(work), "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": str(EPOCH)}
    result = subprocess.run(
        [*command, str(spec)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        check=False,
    )
    if result.returncode:
        tail = "\n".join(result.stdout.decode(errors="replace").splitlines()[-20:])
        raise DistroError(f"rpmbuild {mode} {spec.name} ended with {result.returncode}:\n{tail}")
