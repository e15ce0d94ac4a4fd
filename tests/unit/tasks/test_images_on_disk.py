"""Which images are trusted after a crash of the machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from koji_adjutant.container.interface import ImageInfo
from koji_adjutant.container.podman_layers import layer_directories, sync_tree
from koji_adjutant.errors import ContainerError
from koji_adjutant.tasks.images_on_disk import ImagesOnDisk

REFERENCE = "localhost/prepared:d"
IMAGE = ImageInfo(REFERENCE, "the-id", "sha256:1", "amd64", 1, 0.0, {})
HOUR = 3600.0


class Disk:
    """Brings images to the disk, or fails to."""

    def __init__(self) -> None:
        self.brought: list[str] = []
        self.done = threading.Event()
        self.fails: Exception | None = None
        self.seen = True

    def sync(self, reference: str, pause: Callable[[float], None]) -> bool:
        if self.fails:
            raise self.fails
        pause(0.0)
        self.brought.append(reference)
        self.done.set()
        return self.seen


@pytest.fixture
def disk() -> Disk:
    return Disk()


def records(tmp_path: Path, disk: Disk | None, *, run: str = "first", settle: float = HOUR) -> ImagesOnDisk:
    """What a daemon knows in one run of the machine; its thread waits an hour unless asked for less."""

    def wait(seconds: float) -> None:
        threading.Event().wait(seconds)

    return ImagesOnDisk(
        tmp_path / "records",
        disk.sync if disk else None,
        settle=settle,
        boot_id=run,
        wait=wait,
    )


def made(found: ImagesOnDisk) -> ImagesOnDisk:
    """The image is made."""
    found.making("d", REFERENCE)
    found.made("d", IMAGE)
    return found


def test_an_image_is_good_while_the_machine_runs(tmp_path: Path, disk: Disk) -> None:
    """However often the daemon starts; after a crash before it was on disk it is doubtful."""
    assert not made(records(tmp_path, disk)).doubtful("d")
    assert not records(tmp_path, disk).doubtful("d")
    assert records(tmp_path, disk, run="second").doubtful("d")


def test_an_image_on_disk_is_good_for_ever(tmp_path: Path, disk: Disk) -> None:
    """It is brought there by its id: its name may have gone to another since."""
    assert made(records(tmp_path, disk)).bring("d")
    assert disk.brought == ["the-id"]
    assert not records(tmp_path, disk, run="second").doubtful("d")


def test_an_image_that_was_being_made_is_doubtful(tmp_path: Path, disk: Disk) -> None:
    """The record is there before the image is; while it is not made there is nothing to bring to the disk."""
    first = records(tmp_path, disk)
    first.making("d", REFERENCE)
    assert not first.bring("d")
    assert disk.brought == []
    assert records(tmp_path, disk, run="second").doubtful("d")


def test_an_image_without_a_record_is_not_ours_to_doubt(tmp_path: Path, disk: Disk) -> None:
    """Another daemon made it; one that was removed is forgotten."""
    found = made(records(tmp_path, disk))
    assert not found.doubtful("another")
    found.forget("d")
    assert not records(tmp_path, disk, run="second").doubtful("d")


def test_a_record_that_a_crash_has_cut_is_no_proof(tmp_path: Path, disk: Disk) -> None:
    """What cannot be read says nothing good of its image."""
    made(records(tmp_path, disk)).bring("d")
    (tmp_path / "records" / "d").write_bytes(b"")
    assert records(tmp_path, disk).doubtful("d")


@pytest.mark.parametrize("error", [ContainerError("away"), FileNotFoundError("gone"), RecursionError("too deep"), None])
def test_an_image_that_cannot_be_brought_stays_doubtful(tmp_path: Path, disk: Disk, error: Exception | None) -> None:
    """Nothing is claimed where the runtime is away, a file is gone, or the files cannot be seen."""
    disk.fails, disk.seen = error, False
    assert not made(records(tmp_path, disk)).bring("d")
    assert records(tmp_path, disk, run="second").doubtful("d")


def test_an_image_made_anew_meanwhile_is_not_taken_for_the_old(tmp_path: Path, disk: Disk) -> None:
    """The one whose files were brought to the disk is not the one of the name any more."""
    found = made(records(tmp_path, disk))

    def meanwhile(reference: str, pause: Callable[[float], None]) -> bool:
        found.making("d", REFERENCE)
        return disk.sync(reference, pause)

    found._sync = meanwhile
    assert not found.bring("d")
    assert records(tmp_path, Disk(), run="second").doubtful("d")


def test_it_is_done_by_itself(tmp_path: Path, disk: Disk) -> None:
    """Some time after the making; a daemon that starts before then sees to it too."""
    made(records(tmp_path, disk))
    assert disk.brought == []
    records(tmp_path, disk, settle=0.0)
    assert disk.done.wait(60)


def test_all_layers_of_an_image_are_named() -> None:
    """The topmost and those below it, each with what the driver keeps beside its files."""
    data = {"UpperDir": "/s/overlay/3/diff", "LowerDir": "/s/overlay/2/diff:/s/overlay/1/diff"}
    places = layer_directories({"GraphDriver": {"Data": data}})
    assert [str(place) for place in places] == ["/s/overlay/3", "/s/overlay/2", "/s/overlay/1"]
    assert layer_directories({"GraphDriver": {"Data": None}}) == []


def test_each_file_and_directory_is_brought(tmp_path: Path) -> None:
    """Links are not followed, and what is no file is not opened; what cannot be listed is an error."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(b"x")
    (tmp_path / "a" / "b" / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "a" / "link").symlink_to("/nowhere")
    took: list[float] = []
    sync_tree(tmp_path / "a", took.append)
    assert len(took) == 4
    with pytest.raises(FileNotFoundError):
        sync_tree(tmp_path / "none", took.append)
