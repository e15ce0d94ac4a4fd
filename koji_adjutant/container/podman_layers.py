"""An image's own files brought to the disk, so that it is whole after a crash of the machine.

Podman writes what it knows of an image durably, and the files of its layers not at all: for half a minute they are in
memory only, and a root started from them after a crash has files that are empty or damaged.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from koji_adjutant.container.podman_client import PodmanApi, PodmanRefusal
from koji_adjutant.errors import ImageError

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def sync_image(api: PodmanApi, reference: str, pause: Callable[[float], None]) -> bool:
    """See `SupportsSync.sync_image`."""
    try:
        directories = layer_directories(api.get(f"/images/{reference}/json"))
    except PodmanRefusal as error:
        if error.status == requests.codes.not_found:
            raise ImageError(f"image {reference} is not in the store", reason="missing") from error
        raise
    if not directories or not all(os.access(each, os.R_OK | os.X_OK) for each in directories):
        return False
    for each in directories:
        sync_tree(each, pause)
    return True


def layer_directories(inspection: Mapping[str, Any]) -> list[Path]:
    """Where an image's layers lie, from Podman's inspection of it: each with what the storage driver keeps beside its files.

    Empty where the driver names none (pure).
    """
    data = inspection.get("GraphDriver", {}).get("Data") or {}
    places = [data.get("UpperDir", ""), *data.get("LowerDir", "").split(":")]
    return [Path(place).parent for place in places if place]


def sync_tree(top: Path, pause: Callable[[float], None]) -> None:
    """Have every file and directory below `top` on the disk; links are not followed, nothing but regular files is opened.

    After each of them `pause` is called with the seconds that it took: others want the disk as well.

    Raises:
        OSError: something cannot be read, or has gone meanwhile. RecursionError: the tree is too deep.
    """
    for _, _, names, directory in os.fwalk(top, onerror=_raise):
        for name in names:
            if stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                file = os.open(name, _OPEN, dir_fd=directory)
                try:
                    _sync(file, pause)
                finally:
                    os.close(file)
        _sync(directory, pause)


def _sync(descriptor: int, pause: Callable[[float], None]) -> None:
    began = time.monotonic()
    os.fsync(descriptor)
    pause(time.monotonic() - began)


def _raise(error: OSError) -> None:
    raise error
