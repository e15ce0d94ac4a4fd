"""Multilib packages of a dist repo: which 32-bit rpms stand beside the 64-bit ones (contract 4.3).

The choice is made by the tools image's own `dnf` and `multilib` modules, as kojid makes it by the host's; here is what is
asked and answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMPATIBLE: Mapping[str, tuple[str, ...]] = {
    "i386": ("athlon", "i686", "i586", "i486", "i386", "noarch"),
    "x86_64": ("amd64", "ia32e", "x86_64", "noarch"),
    "ia64": ("ia64", "noarch"),
    "ppc": ("ppc", "noarch"),
    "ppc64": ("ppc64p7", "ppc64pseries", "ppc64iseries", "ppc64", "noarch"),
    "ppc64le": ("ppc64le", "noarch"),
    "s390": ("s390", "noarch"),
    "s390x": ("s390x", "noarch"),
    "sparc": ("sparcv9v", "sparcv9", "sparcv8", "sparc", "noarch"),
    "sparc64": ("sparc64v", "sparc64", "noarch"),
    "alpha": ("alphaev6", "alphaev56", "alphaev5", "alpha", "noarch"),
    "arm": ("arm", "armv4l", "armv4tl", "armv5tel", "armv5tejl", "armv6l", "armv7l", "noarch"),
    "armhfp": ("armv7hl", "armv7hnl", "noarch"),
    "aarch64": ("aarch64", "noarch"),
    "riscv64": ("riscv64", "noarch"),
    "sw_64": ("sw_64", "noarch"),
    "loongarch64": ("loongarch64", "noarch"),
    "src": ("src",),
}
"""Arches of rpms in the dist repo of an arch."""

MULTILIB_ARCH: Mapping[str, str] = {"s390x": "s390", "ppc64": "ppc", "x86_64": "i686"}
"""The arch of the 32-bit rpms that go into a 64-bit repo."""

_MULTILIB = frozenset(
    {"amd64", "ia32e", "ppc64", "ppc64iseries", "ppc64p7", "ppc64pseries", "s390x", "sparc64", "sparc64v", "x86_64"}
)
NO_MODULES = 3
"""Exit code of `SCRIPT`: the image lacks a Python module, which stderr names."""

SCRIPT = """
import json, os, sys
try:
    import dnf, dnf.exceptions
    from multilib import multilib
except ImportError as error:
    sys.exit(print(error, file=sys.stderr) or 3)
question = json.load(sys.stdin)
sack = dnf.Base()
sack.fill_sack(load_system_repo=False, load_available_repos=False)
method = multilib.DevelMultilibMethod(question["config"])
selected = []
for name, path in sorted(question["packages"].items()):
    if method.select(sack.sack.add_cmdline_package(path)):
        selected.append(name)
wanted = [question["partners"][name] for name in selected]
conf = dnf.conf.Conf()
conf.reposdir = []
conf.read(question["dnf_conf"])
base = dnf.Base(conf)
base.conf.arch = question["arch"]
base.read_all_repos()
base.fill_sack(load_system_repo=False, load_available_repos=True)
there = {os.path.basename(package.location): package for package in base.sack.query().available()}
missing = sorted(name for name in wanted if name not in there)
for name in wanted:
    if name in there:
        base.package_install(there[name])
try:
    base.resolve()
except dnf.exceptions.DepsolveError as error:
    sys.exit(print("dnf depsolve was unsuccessful: %s" % error, file=sys.stderr) or 1)
needed = {os.path.basename(package.location): package.arch for package in base.transaction.install_set}
with open(question["answer"], "w") as stream:
    json.dump({"missing": missing, "needed": needed}, stream)
print("%d of %d packages are multilib, %d packages with their dependencies" % (
    len(selected), len(question["packages"]), len(needed)))
"""
"""Reads a question, writes the answer. A 32-bit package is asked for by its file, not by its name as kojid does, which
looks below directories that the hub never makes."""


@dataclass(frozen=True)
class Answer:
    """File names of rpms in the 32-bit repo."""

    missing: tuple[str, ...]
    """Wanted beside a 64-bit one, but not there."""
    needed: Mapping[str, str]
    """To be added, by file name: their arch."""


def is_multilib(arch: str) -> bool:
    """Say whether 32-bit packages may stand beside those of `arch`. koji.arch knows it too, but loads librpm."""
    return arch in _MULTILIB


def partner(name: str, arch: str) -> str:
    """Return the file name of the 32-bit rpm beside `name`."""
    return name.replace(arch, MULTILIB_ARCH[arch])


def question(packages: Mapping[str, str], *, arch: str, config: str, dnf_conf: str, answer: str) -> dict[str, Any]:
    """Return what `SCRIPT` reads; `packages` maps file names to paths, all paths are the container's."""
    return {
        "packages": dict(packages),
        "partners": {name: partner(name, arch) for name in packages},
        "arch": arch,
        "config": config,
        "dnf_conf": dnf_conf,
        "answer": answer,
    }


def parse_answer(data: bytes, known: Mapping[str, Any]) -> Answer:
    """Read what `SCRIPT` wrote; `known` holds the packages of the 32-bit repo by file name.

    Raises:
        ValueError: it is not such an answer, or names packages that are not there.
    """
    try:
        document = json.loads(data)
        missing = tuple(str(name) for name in document["missing"])
        needed = {str(name): str(arch) for name, arch in document["needed"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"multilib: the depsolve's answer cannot be read: {error}") from error
    unknown = sorted(name for name in needed if name not in known)
    if unknown:
        raise ValueError(f"multilib: not in the 32-bit repo: {', '.join(unknown)}")
    return Answer(missing, needed)


def dnf_conf(task_id: int, installroot: str, directory: str) -> str:
    """Return the dnf.conf of the depsolve, which is uploaded as kojid uploads it."""
    return f"""
[main]
debuglevel=2
gpgcheck=0
cachedir={installroot}/dnfcache
installroot={installroot}

[koji-{task_id}]
name=koji multilib task
baseurl=file://{directory}
enabled=1

"""
