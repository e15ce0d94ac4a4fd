"""The commands that run in a root, as mock runs them (contract 10, `--rebuild` order).

    originals/NAME  ->  rpm -Uvh --nodeps  ->  rpm -qpl (the spec)  ->  rpmbuild -bs, BuildRequires (loop)
    ->  [rpmbuild -br, BuildRequires (loop)]  ->  rpmbuild -bb | -ba --noprep  ->  collect RPMS/*.rpm SRPMS/*.rpm

All of them run as the build user, with the tag's environment; `buildrequires` holds the loops.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable

from koji_adjutant.buildroot.settings import TOPDIR, RootSettings

RPM = "/bin/rpm"
RPMBUILD = "/usr/bin/rpmbuild"

ORIGINALS = f"{TOPDIR}/originals"
SPECS = f"{TOPDIR}/SPECS"
SOURCES = f"{TOPDIR}/SOURCES"
RPMS = f"{TOPDIR}/RPMS"
SRPMS = f"{TOPDIR}/SRPMS"
BUILDREQS_SUFFIX = ".buildreqs.nosrc.rpm"

COMMAND_HEADER = "Executing command: "
"""Begins the line before each command's output in build.log and root.log."""

DYNAMIC = "rpmlib(DynamicBuildRequires)"
"""A requirement of a source package whose spec has %generate_buildrequires."""


def original(srpm_name: str) -> str:
    """Return where the source package of the task is put before it is installed."""
    return posixpath.join(ORIGINALS, posixpath.basename(srpm_name))


def install_srpm(srpm_name: str) -> list[str]:
    """Unpack the source package into the work area. Failing: mock status 40, "Source RPM is not installable"."""
    return [RPM, "-Uvh", "--nodeps", original(srpm_name)]


def unpack_srpm(srpm_name: str) -> list[str]:
    """Unpack a source package as `rebuildSRPM` does, whose status says nothing (contract 4.0.3)."""
    return ["rpm", "-iv", original(srpm_name)]


def write_srpm(spec: str) -> list[str]:
    """Write a source package as `rebuildSRPM` does: without `--target`, unlike mock's own `--buildsrpm`."""
    return ["rpmbuild", "-bs", "--nodeps", spec]


def copy_sources(busybox: str, sources: str, spec: str) -> list[str]:
    """Copy a directory of sources and a spec into the work area, as mock's `--buildsrpm` does; links stay links."""
    script = '"$0" cp -a "$1/." "$2/" && "$0" cp "$3" "$4/"'
    return [busybox, "sh", "-c", script, busybox, sources, SOURCES, spec, SPECS]


def is_spec(name: str) -> bool:
    """Whether a file's name is one that `*.spec` matches."""
    return name.endswith(".spec") and not name.startswith(".")


def list_srpm(srpm_name: str) -> list[str]:
    """List the files of the source package, for `spec_path`."""
    return [RPM, "-qpl", original(srpm_name)]


def spec_path(listing: str) -> str | None:
    """Return the path of the spec from `list_srpm`'s output: the first name ending in .spec, as mock takes it.

    None: mock status 40, "No specfile found in srpm: NAME".
    """
    names = (line.strip() for line in listing.splitlines())
    name = next((name for name in names if name.endswith(".spec")), None)
    return None if name is None else posixpath.join(SPECS, posixpath.basename(name))


def build_srpm(settings: RootSettings, spec: str) -> list[str]:
    """Write the source package anew in this root: what `keep_srpm` keeps. Its status is mock's status."""
    return _rpmbuild(settings, ["-bs"], spec)


def generate_buildrequires(settings: RootSettings, spec: str, *, first: bool) -> list[str]:
    """Run %generate_buildrequires. Status 11 (requires missing) and 0 are both fine; the rest is mock status 10."""
    # The first run has done %prep.
    return _rpmbuild(settings, ["-br"] if first else ["-br", "--noprep"], spec)


def build(settings: RootSettings, spec: str, *, dynamic: bool) -> list[str]:
    """Build the binary packages; with dynamic BuildRequires the source package too, to write them into it.

    rpmbuild then looks at the requires that the last %generate_buildrequires gives (mock #1246), but for tags that forbid
    the bootstrap: there rpm of the root may not be able to read the rpmdb. Its status is mock's status.
    """
    if not dynamic:
        return _rpmbuild(settings, ["-bb"], spec)
    return _rpmbuild(settings, ["-ba", "--noprep"], spec, nodeps=settings.use_bootstrap is False)


def _rpmbuild(settings: RootSettings, mode: list[str], spec: str, *, nodeps: bool = True) -> list[str]:
    words = [RPMBUILD, *mode, "--noclean", "--target", settings.rpmbuild_target or settings.target_arch]
    words += ["--nodeps"] if nodeps else []
    # A login shell: packages bring /etc/profile.d files that builds rely on.
    return ["bash", "--login", "-c", shlex.join([*words, spec])]


def executing_line(argv: list[str], env: dict[str, str]) -> str:
    """Return the line that mock writes to build.log before a command."""
    return f"{COMMAND_HEADER}{argv} with env {env} and shell False\n"


def return_code_line(code: int) -> str:
    """Return the line that mock writes to build.log after a command. Death by signal N is `-N`."""
    return f"Child return code was: {code}\n"


def query_requires(path: str) -> list[str]:
    """Print the requires of a source package, one a line; for `tools`, reads no rpmdb."""
    return ["rpm", "-qp", "--nosignature", "--requires", path]


def parse_requires(output: str) -> frozenset[str]:
    """Return the requires printed by `query_requires`, those on rpm itself (`rpmlib(...)`) included."""
    return frozenset(line.strip() for line in output.splitlines() if line.strip())


def has_dynamic_requires(requires: Iterable[str]) -> bool:
    """Whether the spec of a source package with these requires has %generate_buildrequires."""
    return any(requirement.split(" ", 1)[0] == DYNAMIC for requirement in requires)


def package_requires(requires: Iterable[str]) -> frozenset[str]:
    """Return the requires that a package manager can install."""
    return frozenset(requirement for requirement in requires if not requirement.startswith("rpmlib("))
