"""Images in Podman's store: pulled by policy, checked for the machine's architecture, committed, listed, removed."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, BinaryIO, cast

import requests
import urllib3

from koji_adjutant.container.interface import LABEL_MANAGED, ContainerHandle, ImageInfo, PullPolicy
from koji_adjutant.container.podman_client import PodmanApi, PodmanRefusal
from koji_adjutant.container.podman_copy import RawBody
from koji_adjutant.container.podman_snapshot import mapped_back
from koji_adjutant.container.podman_state import OUR_LABELS, id_maps, without_empty
from koji_adjutant.errors import ContainerError, ContainerNotFound, ContainerTimeout, ImageError

PULL_TIMEOUT = 1800.0
PULL_SILENCE = 300.0
COMMIT_TIMEOUT = 900.0
_DENIED = ("unauthorized", "denied", "authentication required", "forbidden")
_MISSING = ("manifest unknown", "name unknown", "not found", "repository unknown")


class PodmanImages:
    """The images of one service."""

    def __init__(self, api: PodmanApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._arch: str | None = None

    def ensure(self, image: str, policy: PullPolicy) -> ImageInfo:
        """See `ContainerManager.ensure_image_available`."""
        found = None if policy is PullPolicy.ALWAYS else self.find(image)
        if found is None:
            if policy is PullPolicy.NEVER:
                raise ImageError(
                    f"image {image} is not in the store of Podman at {self._api.socket_path}",
                    resolution="Its pull policy is `never`: load or build it there, or change images.pull.",
                    reason="missing",
                )
            self._pull(image)
            found = self.find(image)
        if found is None:
            raise ImageError(f"image {image} was pulled but is not in the store", reason="missing")
        return self._of_this_arch(image, found)

    def find(self, image: str) -> ImageInfo | None:
        """The image as it is in the store, or None."""
        try:
            return image_info(image, self._api.get(f"/images/{image}/json"))
        except PodmanRefusal as error:
            if error.status == requests.codes.not_found:
                return None
            raise

    def commit(self, handle: ContainerHandle, reference: str, labels: Mapping[str, str]) -> ImageInfo:
        """See `SupportsCommit.commit`."""
        before = self.find(reference)
        inspection = self._inspect_container(handle)
        inherited = inspection["Config"].get("Labels") or {}
        changes = label_changes(inherited, {LABEL_MANAGED: "true", **labels})
        try:
            self._snapshot(inspection, reference, changes)
        except PodmanRefusal as error:
            raise ImageError(f"{handle.name} cannot be committed as {reference}", details=error.message) from error
        return self._replaced(before, reference)

    def make(self, reference: str, files: Mapping[str, bytes], labels: Mapping[str, str]) -> ImageInfo:
        """See `SupportsCommit.make_image`."""
        before = self.find(reference)
        self._import(reference, label_changes({}, {LABEL_MANAGED: "true", **labels}), image_tar(files))
        return self._replaced(before, reference)

    def list_images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        """See `SupportsCommit.list_images`."""
        filters = {"label": [f"{name}={value}" for name, value in labels.items()]}
        listed = self._api.get("/images/json", filters=filters)
        names = [name for entry in listed for name in entry.get("RepoTags") or entry.get("Names") or [entry["Id"]]]
        return [found for name in names if (found := self.find(name)) is not None]

    def remove(self, reference: str) -> bool:
        """See `SupportsCommit.remove_image`."""
        try:
            self._api.request("DELETE", f"/images/{reference}", params={"force": False}, timeout=COMMIT_TIMEOUT)
        except PodmanRefusal as error:
            if error.status == requests.codes.not_found:
                return True
            if error.status == requests.codes.conflict or "in use" in error.message or "used by" in error.message:
                return False
            raise
        return True

    def _replaced(self, before: ImageInfo | None, reference: str) -> ImageInfo:
        """Return the new image of a name, and drop the nameless rest of the one before.

        That one may be of the same making: whose answer was lost is asked again, and makes an image of its own.
        """
        found = self.find(reference)
        if found is None:
            raise ImageError(f"{reference} was made but is not in the store", reason="missing")
        if before is not None and before.id != found.id:
            self.remove(before.id)
        return found

    def _snapshot(self, inspection: Mapping[str, Any], reference: str, changes: list[str]) -> None:
        uids, gids = id_maps(inspection)
        if not uids:
            repository, _, tag = reference.rpartition(":")
            params = {"container": inspection["Id"], "repo": repository, "tag": tag, "changes": changes, "pause": True}
            self._api.request("POST", "/commit", params=params | {"format": "oci"}, timeout=COMMIT_TIMEOUT)
            return
        with self._paused(inspection["Id"]):
            export = self._api.request(
                "GET", f"/containers/{inspection['Id']}/export", stream=True, timeout=COMMIT_TIMEOUT
            )
            try:
                self._import(reference, changes, mapped_back(cast("BinaryIO", RawBody(export)), uids, gids))
            finally:
                export.close()

    def _import(self, reference: str, changes: list[str], data: Any) -> None:
        params = {"reference": reference, "changes": changes}
        self._api.request("POST", "/images/import", params=params, data=data, timeout=COMMIT_TIMEOUT)

    @contextmanager
    def _paused(self, container_id: str) -> Iterator[None]:
        paused = False
        # One that does not run has nothing to pause; rootless with cgroup v1 has no freezer.
        with suppress(PodmanRefusal):
            self._api.request("POST", f"/containers/{container_id}/pause")
            paused = True
        try:
            yield
        finally:
            if paused:
                self._api.request("POST", f"/containers/{container_id}/unpause")

    def _inspect_container(self, handle: ContainerHandle) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = self._api.get(f"/containers/{handle.id}/json")
        except PodmanRefusal as error:
            raise ContainerNotFound(f"there is no container {handle.name} ({handle.id[:12]})") from error
        return found

    def _of_this_arch(self, image: str, found: ImageInfo) -> ImageInfo:
        if self._arch is None:
            self._arch = str(self._api.get("/info")["host"]["arch"])
        if found.arch and found.arch != self._arch:
            raise ImageError(
                f"image {image} ({found.digest}) is for {found.arch}, this machine is {self._arch}",
                resolution="Name an image of this architecture, or remove the wrong one from the store.",
                reason="wrong-arch",
            )
        return found

    def _pull(self, image: str) -> None:
        deadline = self._clock() + PULL_TIMEOUT
        params = {"reference": image, "policy": "always"}
        try:
            response = self._api.request("POST", "/images/pull", params=params, timeout=PULL_SILENCE, stream=True)
        except PodmanRefusal as error:
            raise pull_error(image, error.message) from error
        try:
            self._follow_pull(image, response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise pull_error(image, f"the stream of the pull broke: {error}") from error
        finally:
            response.close()

    def _follow_pull(self, image: str, response: Any, deadline: float) -> None:
        done = False
        for line in response.iter_lines():
            if self._clock() > deadline:
                raise ContainerTimeout(f"the pull of {image} did not end within {PULL_TIMEOUT:g} s", retryable=True)
            message = json.loads(line) if line.strip() else {}
            if message.get("error"):
                raise pull_error(image, message["error"])
            done = done or bool(message.get("images") or message.get("id"))
        if not done:
            raise pull_error(image, "the pull ended without an image")


def label_changes(inherited: Mapping[str, str], labels: Mapping[str, str]) -> list[str]:
    """Instructions that give a committed image `labels`; ours that it would inherit from its container are emptied.

    Raises:
        ContainerError: a value that the instruction's quoting would change.
    """
    emptied = {name: "" for name in inherited if name.startswith(OUR_LABELS) and name not in labels}
    for name, value in labels.items():
        if any(char in value for char in '"\\$\n'):
            raise ContainerError(f"label {name} cannot be written to an image", details=f"its value is {value!r}")
    return [f'LABEL "{name}"="{value}"' for name, value in (emptied | dict(labels)).items()]


def image_tar(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of an image of `files`; one without any still has its root directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        root = tarfile.TarInfo(".")
        root.type, root.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(root)
        for path, data in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def image_info(reference: str, found: Mapping[str, Any]) -> ImageInfo:
    """From Podman's inspection of an image."""
    digest = found.get("Digest") or f"sha256:{found['Id']}"
    labels = without_empty(found.get("Labels"))
    created = datetime.fromisoformat(found["Created"]).timestamp() if found.get("Created") else 0.0
    return ImageInfo(
        reference, found["Id"], digest, found.get("Architecture", ""), found.get("Size", 0), created, labels
    )


def pull_error(image: str, message: str) -> ContainerError:
    """Which `ImageError` a failed pull is: denied and missing stay so, everything else may pass."""
    text = message.lower()
    if _any_in(_DENIED, text):
        reason, remedy = "denied", "Log in to the registry as the user of the Podman service, or name another image."
    elif _any_in(_MISSING, text):
        reason, remedy = "missing", "Check the image's name and tag."
    else:
        reason = "pull-failed"
        remedy = "Check the name, and that the registry can be reached from this machine; a task tries again by itself."
    return ImageError(
        f"image {image} cannot be pulled",
        details=message.strip(),
        resolution=remedy,
        reason=reason,
        retryable=reason == "pull-failed",
    )


def _any_in(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)
