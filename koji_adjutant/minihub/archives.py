# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Files of builds that are no rpms: imported, listed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import koji

from koji_adjutant.minihub.archive_types import type_by_id, type_of
from koji_adjutant.minihub.builds import get_build_type
from koji_adjutant.minihub.context import Context, apply_query_options, exported
from koji_adjutant.minihub.imports import place

_BLOCK = 1 << 20
_SHA256 = koji.CHECKSUM_TYPES["sha256"]
_BTYPES = {"rpm": 1, "maven": 2, "win": 3, "image": 4}


def described_archive(row: dict[str, Any]) -> dict[str, Any]:
    """An archive row as the API shows it; what is special about its kind is in `info`."""
    kind = type_by_id(row["type_id"])
    shown = {f"type_{name}": kind[name] for name in ("name", "description", "extensions")}
    shown |= {"compression_type": kind["compression_type"], "checksum_type": _SHA256, "btype_id": _BTYPES[row["btype"]]}
    return row | shown | {"metadata_only": False, "extra": None}


def import_archive(
    ctx: Context, path: Path, build: dict[str, Any], btype: str, info: dict[str, Any], directory: Path,
    buildroot_id: int | None = None,
) -> int:  # fmt: skip
    """Move a file into a build's directory; its id. `info` is what is special about its kind."""
    if build["draft"]:
        raise koji.GenericError("Draft build: {nvr} is not allowed".format_map(build))
    if not path.exists():
        raise koji.GenericError(f"No such file: {path}")
    kind = type_of(path.name)
    if kind is None:
        raise koji.GenericError(f"unsupported file extension: {path.name}")
    if btype not in (get_build_type(ctx, build["id"], strict=True) or {}):
        raise koji.ImportError(f"Build does not have type {btype}")
    archive_id = ctx.db.insert(
        "archiveinfo", build_id=build["id"], buildroot_id=buildroot_id, btype=btype, type_id=kind["id"],
        filename=path.name, size=path.stat().st_size, checksum=_digest(path), info=json.dumps(info),
    )  # fmt: skip
    place(path, directory / path.name)
    return archive_id


def _digest(path: Path) -> str:
    checksum = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            checksum.update(block)
    return checksum.hexdigest()


@exported("listArchives")
def list_archives(
    ctx: Context, buildID: int | None = None, buildrootID: int | None = None, componentBuildrootID: int | None = None,
    hostID: int | None = None, type: str | None = None, filename: str | None = None, size: int | None = None,  # noqa: A002 - API
    checksum: str | None = None, checksum_type: int | None = None, typeInfo: dict[str, Any] | None = None,
    queryOpts: Any = None, imageID: int | None = None, archiveID: int | None = None, strict: bool = False,
) -> Any:  # fmt: skip
    """Archives of a build or buildroot; with a `type`, what is special about it too."""
    if type is not None and type not in _BTYPES:
        raise koji.GenericError(f"unsupported archive type: {type}")
    table, columns = "archiveinfo", "archiveinfo.*"
    if componentBuildrootID is not None:
        table += " JOIN buildroot_archives listing ON listing.archive_id = archiveinfo.id"
        columns += ", listing.buildroot_id AS component_buildroot_id, listing.project_dep AS project"
    wanted = {
        "archiveinfo.build_id": buildID, "archiveinfo.buildroot_id": buildrootID, "archiveinfo.id": archiveID,
        "btype": type, "filename": filename, "size": size, "checksum": checksum,
    }  # fmt: skip
    if componentBuildrootID is not None:
        wanted["listing.buildroot_id"] = componentBuildrootID
    chosen = {column: value for column, value in wanted.items() if value is not None}
    where = " AND ".join(f"{column} = ?" for column in chosen) or "1 = 1"
    sql = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY archiveinfo.id"  # noqa: S608 - columns of ours
    rows = [described_archive(row) for row in ctx.db.rows(sql, tuple(chosen.values()))]
    found = []
    for row in rows:
        info = row.pop("info")
        if all(info.get(name) == value for name, value in (typeInfo or {}).items()):
            found.append(row | (info if type is not None else {}))
    if strict and not found:
        raise koji.GenericError("No archives found.")
    return apply_query_options(found, queryOpts)


@exported("getArchive")
def get_archive(ctx: Context, archive_id: int, strict: bool = False) -> dict[str, Any] | None:
    """An archive with all there is to know of it, or None."""
    row = ctx.db.row("SELECT * FROM archiveinfo WHERE id = ?", (archive_id,))
    if row is None:
        if strict:
            raise koji.GenericError(f"No such archive: {archive_id}")
        return None
    info: dict[str, Any] = row.pop("info")
    return described_archive(row) | info


@exported("listArchiveFiles")
def list_archive_files(ctx: Context, archive_id: int, queryOpts: Any = None, strict: bool = False) -> Any:
    """Nobody looks into archives here."""
    return apply_query_options([], queryOpts)
