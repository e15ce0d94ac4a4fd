# ruff: noqa: N803 - signatures are the hub's API
"""What a task left behind: listing and reading of its directory below work/."""

from __future__ import annotations

import base64
import os
from typing import Any

import koji

from koji_adjutant.minihub import tasks
from koji_adjutant.minihub.context import Context, convert, exported


def _directory(ctx: Context, task_id: int) -> str:
    return os.path.join(str(ctx.state.paths.work()), str(koji.pathinfo.taskrelpath(task_id)))


@exported("listTaskOutput")
def list_task_output(
    ctx: Context, taskID: int, stat: bool = False, all_volumes: bool = False, strict: bool = False
) -> Any:
    """Names; with `stat` sizes and times; with `all_volumes` the volumes each is on (there is one)."""
    if strict and tasks.task_info(ctx.state, taskID, strict=False) is None:
        raise koji.GenericError("Task doesn't exist")
    top = _directory(ctx, convert(taskID, int))
    found: dict[str, os.stat_result] = {}
    for path, _directories, names in os.walk(top):
        for name in names:
            full = os.path.join(path, name)
            if os.path.exists(full):
                found[os.path.relpath(full, top)] = os.stat(full)
    if not stat:
        return {name: ["DEFAULT"] for name in found} if all_volumes else list(found)
    described = {name: _times(info) for name, info in found.items()}
    return {name: {"DEFAULT": info} for name, info in described.items()} if all_volumes else described


def _times(info: os.stat_result) -> dict[str, Any]:
    """Sizes as text: they may not fit an XML-RPC integer."""
    return {
        "st_size": str(info.st_size), "st_atime": info.st_atime, "st_mtime": info.st_mtime, "st_ctime": info.st_ctime,
    }  # fmt: skip


@exported("downloadTaskOutput")
def download_task_output(
    ctx: Context, taskID: int, fileName: str, offset: Any = 0, size: Any = -1, volume: str | None = None
) -> str:
    """Base64 of a part of a file."""
    if volume not in (None, "DEFAULT"):
        raise koji.GenericError(f"No such volume: {volume}")
    if ".." in fileName:
        raise koji.GenericError(f"Invalid file name: {fileName}")
    path = os.path.join(_directory(ctx, convert(taskID, int)), fileName.lstrip("/"))
    if not os.path.isfile(path):
        raise koji.GenericError(f'no file "{fileName}" output by task {taskID}')
    start = int(offset or 0)
    with open(path, "rb") as stream:
        stream.seek(start, os.SEEK_SET if start >= 0 else os.SEEK_END)
        return base64.encodebytes(stream.read(convert(size, int))).decode()


@exported("listVolumes")
def list_volumes(_ctx: Context) -> list[dict[str, Any]]:
    """There is one."""
    return [{"id": 0, "name": "DEFAULT"}]


@exported("getVolume")
def get_volume(ctx: Context, volume: Any, strict: bool = False) -> dict[str, Any] | None:
    """There is one."""
    if volume in (0, "DEFAULT"):
        return list_volumes(ctx)[0]
    if strict:
        raise koji.GenericError(f"No such volume: {volume}")
    return None
