"""Image builds as builders make them (contract 4.6, 7.4), and the calls that ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import koji

from koji_adjutant.minihub import archives, build_records, imports, notifications, tasks
from koji_adjutant.minihub.archive_types import type_of
from koji_adjutant.minihub.builds import BUILDING, strict_build
from koji_adjutant.minihub.client_tasks import task_options
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.host_calls import verified_task
from koji_adjutant.minihub.maven_builds import move, move_wrapper, scratch_directory
from koji_adjutant.minihub.rpms import find_rpm, known_or_added
from koji_adjutant.minihub.targets import get_build_target

# Parents whose children's logs need no arch to tell them apart.
_ONE_LOG_EACH = ("appliance", "image", "indirectionimage", "livecd")
Results = dict[str, dict[str, Any]]


@exported("host.initImageBuild")
def init_image_build(ctx: Context, task_id: int, build_info: dict[str, Any]) -> dict[str, Any]:
    """An image build begins; its data and id. Without a release it gets the next one."""
    _host, wanted = verified_task(ctx, task_id)
    owner = tasks.existing(ctx.state, wanted)["owner"]
    begun = {"task_id": wanted, "owner": owner, "state": BUILDING, "completion_time": None}
    data = build_records.next_build(ctx, build_info | begun)
    build_records.add_type(ctx, data["id"], "image", {})
    return data


@exported("host.completeImageBuild")
def complete_image_build(ctx: Context, task_id: int, build_id: int, results: Results) -> None:
    """Import what each arch made; the build is COMPLETE then. An entry without a task is of an arch that failed."""
    _host, wanted = verified_task(ctx, task_id)
    build = strict_build(ctx, build_id)
    for image in results.values():
        if "task_id" not in image:
            continue
        _import_image(ctx, wanted, build, image)
        if "rpmresults" in image:
            imports.import_wrapper(ctx, image["rpmresults"]["task_id"], build, image["rpmresults"])
    build_records.mark_complete(ctx, build_id)
    notifications.build_notification(ctx, wanted, build_id)


def _import_image(ctx: Context, task_id: int, build: dict[str, Any], image: dict[str, Any]) -> None:
    work = ctx.state.task_directory(image["task_id"])
    home = Path(str(ctx.state.paths.imagebuild(build)))
    made = []
    for name in image["files"]:
        if type_of(name) is None:
            raise koji.BuildError(f"Unsupported file type: {name}")
        archive_id = archives.import_archive(ctx, work / name, build, "image", {"arch": image["arch"]}, home)
        made += [] if name.endswith("xml") else [archive_id]
    _import_logs(ctx, task_id, build, work, image["arch"])
    rpm_ids = sorted({_component(ctx, entry) for entry in image["rpmlist"]})
    for archive_id in made:
        for rpm_id in rpm_ids:
            ctx.db.insert("archive_rpm_components", archive_id=archive_id, rpm_id=rpm_id)


def _import_logs(ctx: Context, task_id: int, build: dict[str, Any], work: Path, arch: str) -> None:
    """Every log of the child's directory, whether it was named or not."""
    top = ctx.state.build_directory(build) / "data" / "logs" / "image"
    apart = tasks.existing(ctx.state, task_id)["method"] not in _ONE_LOG_EACH
    for path in sorted(work.glob("*.log")):
        directory = top / arch if apart or (top / path.name).exists() else top
        imports.import_log(
            ctx, path, build, str(directory.relative_to(ctx.state.build_directory(build) / "data" / "logs"))
        )


def _component(ctx: Context, entry: dict[str, Any]) -> int:
    if entry.get("location"):
        return known_or_added(ctx, entry)
    rpm = find_rpm(ctx, entry)
    if rpm is None:
        raise koji.GenericError(f"No such rpm: {entry!r}")
    if rpm["draft"]:
        raise koji.GenericError("Draft rpm: {name}-{version}-{release}.{arch} is not allowed".format_map(rpm))
    return int(rpm["id"])


@exported("host.moveImageBuildToScratch")
def move_image_build_to_scratch(ctx: Context, task_id: int, results: Results) -> None:
    """Keep what a scratch build made, for its owner."""
    _host, wanted = verified_task(ctx, task_id)
    for image in results.values():
        if "task_id" not in image:
            continue
        work = ctx.state.task_directory(image["task_id"])
        top = scratch_directory(ctx, wanted, image["task_id"])
        for name in (*image["files"], *image["logs"]):
            move(work / name, top / name)
        if "rpmresults" in image:
            move_wrapper(ctx, image["rpmresults"], top)


@exported("buildImage")
def build_image(
    ctx: Context, name: str, version: str, arch: Any, target: Any, ksfile: str, img_type: str, opts: Any = None,
    priority: int | None = None,
) -> int:  # fmt: skip
    """A task livecd, appliance or livemedia: the permission of that name; its id."""
    if img_type not in ("livecd", "appliance", "livemedia"):
        raise koji.GenericError(f"Unrecognized image type: {img_type}")
    ctx.assert_perm(img_type)
    options = task_options(ctx, priority, img_type) | {"arch": "noarch" if img_type == "livemedia" else arch}
    return tasks.make_task(ctx, img_type, [name, version, arch, target, ksfile, opts], **options)


@exported("buildImageOz")
def build_image_oz(
    ctx: Context, name: str, version: str, arches: Any, target: Any, inst_tree: str, opts: Any = None,
    priority: int | None = None,
) -> int:  # fmt: skip
    """A task image: permission `image`; its id."""
    ctx.assert_perm("image")
    arguments = [name, version, arches, target, inst_tree, opts]
    return tasks.make_task(ctx, "image", arguments, **task_options(ctx, priority, "image"))


@exported("buildImageIndirection")
def build_image_indirection(ctx: Context, opts: dict[str, Any] | None = None, priority: int | None = None) -> int:
    """A task indirectionimage: permission `image`; its id."""
    ctx.assert_perm("image")
    wishes = opts or {}
    if "scratch" not in wishes and "indirection_template_url" not in wishes:
        raise koji.ActionNotAllowed("Non-scratch builds must provide url for the indirection template")
    options = task_options(ctx, priority, "image") | ({"arch": wishes["arch"]} if "arch" in wishes else {})
    return tasks.make_task(ctx, "indirectionimage", [wishes], **options)


@exported("kiwiBuild")
def kiwi_build(
    ctx: Context, target: Any, arches: Any, desc_url: str, desc_path: str, optional_arches: Any = None,
    priority: int | None = None, use_buildroot_repo: bool = True, **wishes: Any,
) -> int:  # fmt: skip
    """A task kiwiBuild (plugin kiwi): permission `image`; its id."""
    ctx.assert_perm("image")
    get_build_target(ctx, target, strict=True)
    listed, optional = (koji.parse_arches(value, to_list=True, allow_none=True) for value in (arches, optional_arches))
    opts = {"optional_arches": optional, "use_buildroot_repo": use_buildroot_repo, **wishes}
    arguments = [target, listed, desc_url, desc_path, {name: value for name, value in opts.items() if value}]
    return tasks.make_task(ctx, "kiwiBuild", arguments, **task_options(ctx, priority, "image"))
