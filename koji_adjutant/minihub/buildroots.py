# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Buildroots: born INIT, filled once, BUILDING, added to, EXPIRED; and nothing in them the hub does not know.

The checks are the real hub's (contract 4.0.6, 7.1, 7.2), with its words.
"""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub import tasks
from koji_adjutant.minihub.context import Context, apply_query_options, convert, exported, isoformat
from koji_adjutant.minihub.database import marks
from koji_adjutant.minihub.host_calls import verified_host
from koji_adjutant.minihub.rpms import known_or_added

INIT, BUILDING, EXPIRED = (koji.BR_STATES[name] for name in ("INIT", "BUILDING", "EXPIRED"))


@exported("host.newBuildRoot")
def new_buildroot(ctx: Context, repo: int, arch: str, task_id: int | None = None) -> int:
    """A new buildroot in state INIT."""
    host_id = verified_host(ctx)
    if task_id is not None:
        tasks.assert_holds(ctx.state, task_id, host_id)
    return ctx.db.insert(
        "buildroot", host_id=host_id, repo_id=repo, task_id=task_id, state=INIT,
        arch=koji.parse_arches(arch, strict=True, allow_none=True), create_event=ctx.state.new_event(),
    )  # fmt: skip


def _existing(ctx: Context, buildroot_id: Any) -> dict[str, Any]:
    row = ctx.db.row("SELECT * FROM buildroot WHERE id = ?", (convert(buildroot_id, int),))
    if row is None:
        raise koji.GenericError(f"no buildroot with ID: {buildroot_id}")
    return row


def own_buildroot(ctx: Context, buildroot_id: Any, task_id: int | None) -> dict[str, Any]:
    """A buildroot of the caller, and of the task if one is named."""
    host_id = verified_host(ctx)
    if task_id is not None:
        tasks.assert_holds(ctx.state, task_id, host_id)
    row = _existing(ctx, buildroot_id)
    if row["host_id"] != host_id:
        raise koji.ActionNotAllowed(f"Host {host_id} not owner of buildroot {row['id']}")
    if task_id is not None and row["task_id"] != task_id:
        raise koji.ActionNotAllowed(f"Task {task_id} does not have lock on buildroot {row['id']}")
    return row


@exported("host.setBuildRootState")
def set_buildroot_state(ctx: Context, brootid: int, state: Any, task_id: int | None = None) -> None:
    """BUILDING or EXPIRED; expiring twice is fine."""
    row = own_buildroot(ctx, brootid, task_id)
    wanted = koji.BR_STATES[state] if isinstance(state, str) else state
    if wanted == INIT:
        raise koji.GenericError("Cannot change buildroot state to INIT")
    if row["state"] == EXPIRED and wanted == EXPIRED:
        return
    if row["state"] == EXPIRED:
        raise koji.GenericError(f"buildroot {row['id']} is EXPIRED")
    event = ctx.state.new_event() if wanted == EXPIRED else None
    ctx.db.run("UPDATE buildroot SET state = ?, retire_event = ? WHERE id = ?", (wanted, event, row["id"]))


@exported("host.setBuildRootList")
def set_buildroot_list(ctx: Context, brootid: int, rpmlist: list[dict[str, Any]], task_id: int | None = None) -> None:
    """What stands in a new buildroot: once, in state INIT."""
    row = own_buildroot(ctx, brootid, task_id)
    _assert_state(row, INIT)
    _add(ctx, row["id"], [known_or_added(ctx, entry) for entry in rpmlist], is_update=False)


@exported("host.updateBuildRootList")
def update_buildroot_list(
    ctx: Context, brootid: int, rpmlist: list[dict[str, Any]], task_id: int | None = None
) -> None:
    """What a build added: in state BUILDING; what is there already is passed over."""
    row = own_buildroot(ctx, brootid, task_id)
    _assert_state(row, BUILDING)
    known = {entry["rpm_id"] for entry in _listed(ctx, row["id"])}
    found = [known_or_added(ctx, entry) for entry in rpmlist]
    _add(ctx, row["id"], [rpm_id for rpm_id in found if rpm_id not in known], is_update=True)


def _listed(ctx: Context, buildroot_id: int) -> list[dict[str, Any]]:
    return ctx.db.rows("SELECT rpm_id FROM buildroot_listing WHERE buildroot_id = ?", (buildroot_id,))


def _add(ctx: Context, buildroot_id: int, rpm_ids: list[int], *, is_update: bool) -> None:
    """An rpm that is there already, or named twice, is the database's error in the real hub: fault code 1."""
    known = {entry["rpm_id"] for entry in _listed(ctx, buildroot_id)}
    for rpm_id in sorted(rpm_ids):
        if rpm_id in known:
            raise ValueError(
                'duplicate key value violates unique constraint "buildroot_listing_buildroot_id_rpm_id_key"\n'
                f"DETAIL:  Key (buildroot_id, rpm_id)=({buildroot_id}, {rpm_id}) already exists."
            )
        known.add(rpm_id)
        ctx.db.insert("buildroot_listing", buildroot_id=buildroot_id, rpm_id=rpm_id, is_update=is_update)


def _assert_state(row: dict[str, Any], wanted: int) -> None:
    if row["state"] != wanted:
        raise koji.GenericError(f"buildroot {row['id']} in wrong state {row['state']}")


_QUERY = """
SELECT b.id, b.arch, b.state, b.task_id, b.host_id, host.name AS host_name, b.repo_id, repo.state AS repo_state,
    tag.id AS tag_id, tag.name AS tag_name, b.create_event AS create_event_id, born.time AS create_ts,
    b.retire_event AS retire_event_id, gone.time AS retire_ts, repo.create_event AS repo_create_event_id,
    repo_born.time AS repo_create_ts
FROM buildroot b JOIN host ON host.id = b.host_id JOIN repo ON repo.id = b.repo_id JOIN tag ON tag.id = repo.tag_id
    JOIN events born ON born.id = b.create_event LEFT JOIN events gone ON gone.id = b.retire_event
    JOIN events repo_born ON repo_born.id = repo.create_event
"""


def _described(row: dict[str, Any]) -> dict[str, Any]:
    row["create_event_time"] = isoformat(row["create_ts"])
    row["retire_event_time"] = isoformat(row["retire_ts"])
    row["repo_create_event_time"] = isoformat(row.pop("repo_create_ts"))
    absent = ("cg_id", "cg_name", "cg_version", "host_os", "host_arch", "extra")
    return row | dict.fromkeys(absent) | {"br_type": 0, "container_type": "chroot", "container_arch": row["arch"]}


@exported("listBuildroots")
def list_buildroots(
    ctx: Context, hostID: Any = None, tagID: Any = None, state: Any = None, rpmID: Any = None, archiveID: Any = None,
    taskID: Any = None, buildrootID: Any = None, repoID: Any = None, queryOpts: Any = None,
) -> Any:  # fmt: skip
    """Buildroots, filtered; `state` and `buildrootID` may be lists."""
    wanted = {"b.host_id": hostID, "tag.id": tagID, "b.state": state, "b.task_id": taskID, "b.id": buildrootID}
    clauses, values = ["1 = 1"], []
    for column, value in (wanted | {"b.repo_id": repoID}).items():
        if value is not None:
            members = list(value) if isinstance(value, (list, tuple)) else [value]
            clauses.append(f"{column} IN ({marks(members)})")
            values.extend(members)
    if rpmID is not None:
        clauses.append("b.id IN (SELECT buildroot_id FROM buildroot_listing WHERE rpm_id = ?)")
        values.append(rpmID)
    sql = f"{_QUERY} WHERE {' AND '.join(clauses)} ORDER BY b.id"
    return apply_query_options([_described(row) for row in ctx.db.rows(sql, values)], queryOpts)


@exported("getBuildroot")
def get_buildroot(ctx: Context, buildrootID: int, strict: bool = False) -> dict[str, Any] | None:
    """A buildroot, or None."""
    found: list[dict[str, Any]] = list_buildroots(ctx, buildrootID=convert(buildrootID, int))
    if not found and strict:
        raise koji.GenericError(f"No such buildroot: {buildrootID!r}")
    return found[0] if found else None


@exported("getBuildrootListing")
def get_buildroot_listing(ctx: Context, id: int) -> list[dict[str, Any]]:  # noqa: A002 - the hub's name for it
    """What stood in a buildroot."""
    _existing(ctx, id)
    return ctx.db.rows(
        "SELECT rpm_id, is_update, rpminfo.name, version, release, epoch, arch, build_id, draft, "
        "external_repo_id, external_repo.name AS external_repo_name FROM buildroot_listing "
        "JOIN rpminfo ON rpminfo.id = rpm_id JOIN external_repo ON external_repo.id = external_repo_id "
        "WHERE buildroot_listing.buildroot_id = ?",
        (id,),
    )
