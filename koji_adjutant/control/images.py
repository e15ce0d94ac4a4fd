"""Commands about the images that this daemon makes: prepared roots, and tools of the tags' own repos."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from koji_adjutant.buildroot.prepared import LABEL_REPO, LABEL_TAG, REPOSITORY, PreparedImage
from koji_adjutant.container.interface import ImageInfo
from koji_adjutant.control.protocol import ControlError
from koji_adjutant.control.server import Call
from koji_adjutant.control.services import Services
from koji_adjutant.deep_trees import remove_tree
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.journal import Journal
from koji_adjutant.tasks.prepare_request import METHOD, Prepared, request_images

log = structlog.get_logger(__name__)

PREPARE_SECONDS = 3600.0
HUB_SECONDS = 60.0


def image_list(services: Services, _call: Call) -> dict[str, Any]:
    """Return the images with their sizes and last uses."""
    return {"images": [_row(info, image) for info, image in services.parts.starter.shared.prepared.images()]}


def image_evict(services: Services, _call: Call, *, references: Sequence[str], everything: bool) -> dict[str, Any]:
    """Remove the images named (by reference, or the beginning of its digest), or all; those in use stay.

    Raises:
        ControlError: a name fits no image, or more than one; nothing is removed then.
    """
    prepared = services.parts.starter.shared.prepared
    ours = [image.reference for _, image in prepared.images()]
    named = ours if everything else [_meant(name, ours) for name in references]
    gone = {reference: prepared.drop(reference) for reference in dict.fromkeys(named)}
    return {
        "evicted": [reference for reference, removed in gone.items() if removed],
        "in_use": [reference for reference, removed in gone.items() if not removed],
    }


def image_prepare(services: Services, call: Call, *, tag: str, arch: str | None, wait: bool) -> dict[str, Any]:
    """Have the images of a tag's newest repo made, as its first task would; wait for them if asked to.

    Raises:
        ControlError: the tag has no repo, or images of this host's own are turned off.
        What asking hub, repo and runtime raises.
    """
    parts = services.parts
    prepared = parts.starter.shared.prepared
    if not prepared.enabled:
        raise ControlError(
            "this daemon keeps no images", resolution="Set images.prepared.enabled; the runtime must be able to commit."
        )
    if not services.manager.adopted:
        raise ControlError("nothing is prepared before the tasks of the last daemon are adopted")
    session = parts.sweeper.do(lambda own: own.subsession(call.stopping), HUB_SECONDS)
    try:
        request = _request(services, session, tag, arch)
    finally:
        session.close()
    made = [_row(info, image) for info, image in _images_of(services, request.tag, request.repo_id)]
    if wait:
        made = _wait(services, call, request.tag, request.repo_id)
    return {"tag": request.tag, "repo_id": request.repo_id, "arch": request.arch, "images": made, "waited": wait}


def image_bootstrap(services: Services, _call: Call) -> dict[str, Any]:
    """Refuse: it is for runtimes that allow a task one container only."""
    raise ControlError(
        f"`image bootstrap` is for clusters that allow a task one container only; with {_runtime(services)} tools fill the "
        "root from outside, and no image has to hold them",
        resolution="`koji-adjutant image prepare TAG` makes the root that builds start from; images.bootstrap: auto has tools "
        "of the tag's own repo made.",
    )


def _request(services: Services, session: AdjutantSession, tag: str, arch: str | None) -> Prepared:
    """Ask in the place of a task: with a journal and a directory that are gone afterwards."""
    starter, settings = services.parts.starter, services.parts.starter.settings()
    directory = Path(settings.config.state_dir) / "prepare" / f"request-{uuid.uuid4().hex[:8]}"
    directory.mkdir(parents=True)
    journal = Journal.create(directory / "journal.jsonl", task_id=0, method=METHOD, host_id=starter.identity.host_id)
    try:
        context = TaskContext(
            task_id=0,
            method=METHOD,
            start_ts=0.0,
            identity=starter.identity,
            options=settings.options,
            config=settings.config,
            session=session,
            new_session=session.subsession,
            runtime=starter.runtime,
            journal=journal,
            directory=directory,
            shared=starter.shared,
            log=log,
        )
        return request_images(context, tag, arch)
    finally:
        journal.close()
        remove_tree(directory)


def _wait(services: Services, call: Call, tag: str, repo_id: int) -> list[dict[str, Any]]:
    """Wait until nothing is being made; return the images of the repo.

    Raises:
        ControlError: there is no prepared image of the repo afterwards, or it takes too long.
    """
    prepared = services.parts.starter.shared.prepared
    deadline = time.monotonic() + PREPARE_SECONDS
    while not prepared.wait_idle(0):
        if time.monotonic() > deadline:
            raise ControlError(f"the images of tag {tag} are still being made after {PREPARE_SECONDS:.0f} s")
        call.send({})
        call.pause(1.0)
    found = _images_of(services, tag, repo_id)
    if not any(image.reference.startswith(f"{REPOSITORY}:") for _, image in found):
        raise ControlError(
            f"the image of tag {tag}, repo {repo_id}, could not be made",
            resolution="The daemon's log says why: look for prepared.failed and tools.failed.",
        )
    return [_row(info, image) for info, image in found]


def _images_of(services: Services, tag: str, repo_id: int) -> list[tuple[ImageInfo, PreparedImage]]:
    return [
        (info, image)
        for info, image in services.parts.starter.shared.prepared.images()
        if info.labels.get(LABEL_TAG) == tag and info.labels.get(LABEL_REPO, str(repo_id)) == str(repo_id)
    ]


def _meant(name: str, ours: Sequence[str]) -> str:
    found = [reference for reference in ours if reference == name or reference.rpartition(":")[2].startswith(name)]
    if len(found) != 1:
        many = f"fits {len(found)} images" if found else "is no image of this daemon"
        raise ControlError(f"{name!r} {many}", resolution="`koji-adjutant image list` lists them.")
    return found[0]


def _row(info: ImageInfo, image: PreparedImage) -> dict[str, Any]:
    repo = info.labels.get(LABEL_REPO, "")
    return {
        "reference": image.reference,
        "kind": "root" if image.reference.startswith(f"{REPOSITORY}:") else "tools",
        "tag": info.labels.get(LABEL_TAG, ""),
        "repo_id": int(repo) if repo.isdecimal() else None,
        "size": image.size_bytes,
        "created": image.created_at,
        "last_used": image.last_used_at,
    }


def _runtime(services: Services) -> str:
    return services.parts.starter.shared.runtime_version or services.parts.starter.settings().config.runtime
