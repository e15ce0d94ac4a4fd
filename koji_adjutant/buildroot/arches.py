"""Names of architectures as Koji, mock and the kernel use them (contract 4.0.1). Pure tables; koji is not imported here."""

from __future__ import annotations

from fnmatch import fnmatchcase

_CANONICAL = (
    ("i?86", "i386"),
    ("athlon", "i386"),
    ("ia32e", "x86_64"),
    ("ppc64le", "ppc64le"),
    ("ppc64*", "ppc64"),
    ("sparc64*", "sparc64"),
    ("sparc*", "sparc"),
    ("alpha*", "alpha"),
    ("arm*h*", "armhfp"),
    ("arm*", "arm"),
)
"""Koji's canonArch: the first pattern that fits wins, everything else stays as it is."""

_LINUX32 = (
    "i?86",
    "athlon",
    "armv[78]*",
    "ppc",
    "sparc",
    "sparcv[89]*",
    "s390",
    "mips",
    "mipsel",
    "mipsr6*",
    "riscv32",
)
"""Targets for which mock sets PER_LINUX32."""


def canonical_arch(arch: str) -> str:
    """Return the arch under which Koji keeps repositories and buildroots."""
    return next((name for pattern, name in _CANONICAL if fnmatchcase(arch, pattern)), arch)


def target_arch(arch: str) -> str:
    """Return the arch for `rpmbuild --target`: the task's own, but autoconf does not know `armhfp`."""
    return "armv7hl" if arch == "armhfp" else arch


def personality(arch: str) -> str | None:
    """Return `linux32` for a 32-bit target (mock sets it for the package manager and for every rpmbuild), else None."""
    return "linux32" if any(fnmatchcase(arch, pattern) for pattern in _LINUX32) else None
