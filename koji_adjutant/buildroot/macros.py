"""Macro files: the build user's, and the one that rpm reads in `tools` when it works on the root from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MOUNTS_OF_A_ROOT = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf")
"""Paths that are mounts in one of the two containers. rpm must not create, chown or rename anything at or below them:
`filesystem` and `setup` own them, and their install fails over a mount (design section 6.4, traps.md section 2)."""

KNOWN_DBPATHS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")


def macro_file(macros: Mapping[str, str]) -> bytes:
    """Return `~/.rpmmacros` as mock writes it: one `%name value` a line; it beats every macro that a package brings."""
    return "".join(f"{name} {value}\n" for name, value in sorted(macros.items())).encode()


def outside_macro_file(dbpath: str, mounts: Sequence[str] = MOUNTS_OF_A_ROOT) -> bytes:
    """Return `~/.rpmmacros` of the package manager in `tools`.

    A user's macro file is the last one that rpm reads, so that nothing in the image can override it. The package manager
    has compared each whole file with its checksum in the metadata, and rpm compares each file it unpacks with its own:
    reading all packages two times more, for the digests of their payloads, would find nothing else.
    """
    lines = (f"%_dbpath {dbpath}", f"%_netsharedpath {':'.join(mounts)}", "%_pkgverify_level none")
    return "".join(f"{line}\n" for line in lines).encode()


def root_dbpath(tools_dbpath: str) -> str:
    """Choose where the root's rpmdb goes, from what `rpm --eval %_dbpath` says in `tools`.

    Tools of the tag's own repo name the path that the root's rpm reads. Debian's rpm answers with a directory of the
    user, which no root ever reads: then the old default, which every rpm so far still finds.
    """
    return tools_dbpath.strip() if tools_dbpath.strip() in KNOWN_DBPATHS else "/var/lib/rpm"
