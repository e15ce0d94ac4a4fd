"""Kinds of files that builds other than rpms are made of, by their extensions. Those kept here: Maven's, images', texts."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub.context import Context, exported, require

# Name -> extensions, and how it is packed where somebody may want to look inside.
_EXTENSIONS = {
    "jar": "jar war rar ear sar jdocbook jdocbook-style", "zip": "zip", "pom": "pom",
    "tar": "tar tar.gz tar.bz2 tar.xz tgz", "xml": "xml", "xmlcompressed": "xml.gz xml.bz2 xml.xz", "xsd": "xsd",
    "spec": "spec", "iso": "iso", "raw": "raw", "qcow": "qcow", "qcow2": "qcow2", "vmdk": "vmdk", "ova": "ova",
    "ks": "ks", "cfg": "cfg", "vdi": "vdi", "aar": "aar", "js": "js", "properties": "properties",
    "sig": "sig signature", "so": "so", "txt": "txt", "vhd": "vhd", "vhdx": "vhdx", "box": "box", "raw-xz": "raw.xz",
    "json": "json", "groovy": "groovy gvy", "liveimg-squashfs": "liveimg.squashfs", "yaml": "yaml yml",
    "raw-gz": "raw.gz", "qcow2-compressed": "qcow2.gz qcow2.xz", "iso-compressed": "iso.gz iso.xz",
    "vmdk-compressed": "vmdk.gz vmdk.xz", "kernel-image": "vmlinuz vmlinuz.gz vmlinuz.xz", "initramfs": "img",
    "checksum": "sha256", "changes": "changes.xz changes", "packages": "packages", "verified": "verified",
    "squashfs": "squashfs",
}  # fmt: skip
_PACKED = {"jar": "zip", "zip": "zip", "tar": "tar"}
_TYPES = [
    {"id": place, "name": name, "description": name, "extensions": extensions, "compression_type": _PACKED.get(name)}
    for place, (name, extensions) in enumerate(_EXTENSIONS.items(), start=1)
]


def type_of(filename: str) -> dict[str, Any] | None:
    """The type of a file, by its longest known extension."""
    parts = filename.lower().split(".")
    for start in range(len(parts)):
        extension = ".".join(parts[start:])
        for kind in _TYPES:
            if extension in str(kind["extensions"]).split():
                return kind
    return None


def type_by_id(type_id: int) -> dict[str, Any]:
    """A type that is on record."""
    return _TYPES[type_id - 1]


@exported("getArchiveTypes")
def get_archive_types(_ctx: Context) -> list[dict[str, Any]]:
    """All types."""
    return _TYPES


@exported("getArchiveType")
def get_archive_type(
    _ctx: Context, filename: str | None = None, type_name: str | None = None, type_id: int | None = None,
    strict: bool = False,
) -> dict[str, Any] | None:  # fmt: skip
    """A type by its id, its name or a file's name."""
    if filename and not (type_id or type_name):
        found = type_of(filename)
        if found is None and strict:
            raise koji.GenericError(f"unsupported file extension: {filename}")
        return found
    if not (type_id or type_name):
        raise koji.GenericError("one of filename, type_name, or type_id must be specified")
    row = next((kind for kind in _TYPES if type_id == kind["id"] or type_name == kind["name"]), None)
    return require(row) if strict else row


@exported("listBTypes")
def list_btypes(_ctx: Context, query: Any = None, queryOpts: Any = None) -> list[dict[str, Any]]:  # noqa: ARG001, N803 - the hub's API
    """Kinds of builds."""
    return [{"id": place, "name": name} for place, name in enumerate(("rpm", "maven", "win", "image"), start=1)]
