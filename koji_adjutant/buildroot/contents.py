"""What is installed in a root: asking its rpmdb in `tools`, and reading the hostile answer.

The daemon never opens an rpmdb itself. Scriptlets have run in `tools`, so that the answer is data of the build: every
record is checked field by field, and anything else is an error, never a guess (contract 4.0.5, section 9 for rpm v6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from koji_adjutant.buildroot.dnf import DnfLayout
from koji_adjutant.buildroot.faults import BuildrootFault, RootFault

NOT_COUNTED = frozenset({"buildsys-build", "gpg-pubkey"})
"""Names that kojid leaves out of the list."""

_FIELD = "\x1f"
_RECORD = "\x1e"
_TAGS = ("NAME", "EPOCH", "VERSION", "RELEASE", "ARCH", "BUILDTIME", "LONGSIZE", "SIGMD5", "SHA256HEADER", "SHA1HEADER")
_SHA3_TAG = "SHA3_256HEADER"
_NONE = "(none)"

_WORD = re.compile(r"[A-Za-z0-9_.+%{}~^:-]{1,512}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_DIGEST = re.compile(r"[0-9a-f]{32,64}")


@dataclass(frozen=True)
class InstalledRpm:
    """One installed package, under the names that the hub uses."""

    name: str
    epoch: int | None
    version: str
    release: str
    arch: str
    buildtime: int
    size: int
    payloadhash: str
    """Hex SIGMD5, or for an rpm without one `sha3-256::`, `sha256::` or `sha1::` and the header's digest."""

    @property
    def nvra(self) -> str:
        return f"{self.name}-{self.version}-{self.release}.{self.arch}"

    @property
    def nevra(self) -> str:
        """As rpm's %{nevra} prints it: the epoch only where there is one."""
        epoch = "" if self.epoch is None else f"{self.epoch}:"
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"


def query_command(layout: DnfLayout) -> list[str]:
    """Return argv for `tools` that prints the root's rpmdb; run it with `dnf.environment`.

    rpm 6 knows one digest more, and an rpm that does not know a tag refuses the whole format. It reads the database by
    its path, without changing root into the hostile one. A root without a database fails: rpm itself would make one.
    """
    script = (
        'test -d "$1" || exit 3; f=$2; rpm --querytags | grep -qx "$4" && f=$3; '
        'exec rpm --define "_dbpath $1" -qa --nosignature --nodigest --qf "$f"'
    )
    return [
        "sh",
        "-c",
        script,
        "sh",
        f"{layout.root}{layout.dbpath}",
        _format(_TAGS),
        _format((*_TAGS, _SHA3_TAG)),
        _SHA3_TAG,
    ]


def package_files_command(layout: DnfLayout, directory: str) -> list[str]:
    """Return argv for `tools` that prints the rpm files below a directory of the root, as `query_command` prints its rpmdb."""
    script = (
        'test -d "$1" || exit 3; f=$2; rpm --querytags | grep -qx "$4" && f=$3; '
        """exec find "$1" -type f -name '*.rpm' -exec rpm -qp --nosignature --nodigest --qf "$f" {} +"""
    )
    top = f"{layout.root}{directory}"
    return ["sh", "-c", script, "sh", top, _format(_TAGS), _format((*_TAGS, _SHA3_TAG)), _SHA3_TAG]


def parse_installed(output: bytes) -> tuple[InstalledRpm, ...]:
    """Read the output of `query_command`, in its order, packages that are not counted included.

    Raises:
        RootFault: "Can't get list of installed rpms": there is nothing.
        BuildrootFault: something that no rpmdb holds.
    """
    text = output.decode("utf-8", "surrogateescape")
    records = text.split(_RECORD)
    if records.pop().strip():
        raise BuildrootFault("the list of installed rpms is cut short")
    if not records:
        raise RootFault("Can't get list of installed rpms")
    return tuple(_record(record) for record in records)


def counted(installed: Iterable[InstalledRpm]) -> tuple[InstalledRpm, ...]:
    """Return the packages that belong into a buildroot's list at the hub."""
    return tuple(rpm for rpm in installed if rpm.name not in NOT_COUNTED)


def installed_pkgs_log(installed: Iterable[InstalledRpm]) -> bytes:
    """Return installed_pkgs.log as mock writes it just before `-bb`: `nevra buildtime size installed`."""
    return "".join(f"{rpm.nevra} {rpm.buildtime} {rpm.size} installed\n" for rpm in installed).encode()


def package_set(installed: Iterable[InstalledRpm]) -> frozenset[str]:
    """Return what tells whether two looks at a root saw the same packages."""
    return frozenset(rpm.nevra for rpm in installed)


def _format(tags: Sequence[str]) -> str:
    return _FIELD.join(f"%{{{tag}}}" for tag in tags) + _RECORD


def _record(record: str) -> InstalledRpm:
    values = record.split(_FIELD)
    if len(values) not in {len(_TAGS), len(_TAGS) + 1}:
        raise _unreadable(record)
    name, epoch, version, release, arch, buildtime, size = values[:7]
    words = (name, version, release, arch)
    numbers = (buildtime, size, "0" if epoch == _NONE else epoch)
    if not all(map(_WORD.fullmatch, words)) or not all(map(_NUMBER.fullmatch, numbers)):
        # A key that rpm keeps as a package has no arch and no size.
        if name != "gpg-pubkey":
            raise _unreadable(record)
        arch, size = arch if _WORD.fullmatch(arch) else "noarch", size if _NUMBER.fullmatch(size) else "0"
    return InstalledRpm(
        name=name,
        epoch=None if epoch == _NONE else int(epoch),
        version=version,
        release=release,
        arch=arch,
        buildtime=int(buildtime),
        size=int(size),
        payloadhash="" if name in NOT_COUNTED else _payload_hash(name, values[7:]),
    )


def _payload_hash(name: str, digests: Sequence[str]) -> str:
    sigmd5, sha256, sha1, *sha3 = digests
    labelled = (("", sigmd5), ("sha3-256::", sha3[0] if sha3 else ""), ("sha256::", sha256), ("sha1::", sha1))
    for label, digest in labelled:
        if _DIGEST.fullmatch(digest):
            return label + digest
    raise BuildrootFault(f"the installed package {name} has no digest that identifies it")


def _unreadable(record: str) -> BuildrootFault:
    return BuildrootFault("the list of installed rpms is unreadable", details=f"record: {record[:200]!r}")
