"""Prepared images: found, made in the background by one at a time, evicted."""

import json
import os
import threading
import time

import pytest

from koji_adjutant.buildroot.prepared import FORMAT, LABEL_FORMAT, LABEL_TAG, PreparedKey
from koji_adjutant.container.interface import ContainerSpec
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.errors import ContainerError
from koji_adjutant.tasks.prepared_images import PreparedImages
from koji_adjutant.tasks.shared import Memo, ensure_empty_image


def key(repo_id=1):
    return PreparedKey("http://hub/files", repo_id, "ab" * 32, "sha256:1", "x86_64", None, "build", "{}")


@pytest.fixture
def runtime():
    runtime = MemoryManager()
    ensure_empty_image(runtime, "localhost/empty")
    return runtime


@pytest.fixture
def images(runtime, tmp_path):
    return PreparedImages(runtime, tmp_path / "used", max_bytes=1 << 30, max_age=3600.0, enabled=True)


def recipe(runtime, made, name="p"):
    """Return a recipe that makes a container, and count what it makes and removes in `made`."""

    def fill():
        handle = runtime.create(ContainerSpec(f"{name}-{len(made)}", "localhost/empty"))
        made.append("filled")
        return handle, lambda: made.append("removed")

    return fill


def test_an_image_that_was_never_made_is_not_there(images):
    """A task of a new repository finds nothing."""
    assert images.find(key()) is None


def test_a_requested_image_is_found_afterwards(images, runtime):
    """What a recipe filled is committed, and the container is removed."""
    made = []
    images.request(key(), "tag", recipe(runtime, made))
    assert images.wait_idle(60)
    assert images.find(key()).reference == key().reference
    assert made == ["filled", "removed"]
    assert images.find(key(2)) is None


def test_an_image_is_made_once_although_many_ask(images, runtime):
    """While one is being made, others asking for the same key start nothing."""
    made, go = [], threading.Event()
    fill = recipe(runtime, made)

    def slow():
        assert go.wait(60)
        return fill()

    for _ in range(5):
        images.request(key(), "tag", slow)
    go.set()
    assert images.wait_idle(60)
    assert made == ["filled", "removed"]


def test_a_recipe_that_fails_leaves_the_next_one_alone(images, runtime):
    """A failed base install is logged; another key is made nevertheless, and the same key may be tried again."""

    def fails():
        raise ContainerError("no space")

    made = []
    images.request(key(1), "tag", fails)
    images.request(key(2), "tag", recipe(runtime, made))
    assert images.wait_idle(60)
    assert images.find(key(1)) is None
    assert images.find(key(2)) is not None
    images.request(key(1), "tag", recipe(runtime, made))
    assert images.wait_idle(60)
    assert images.find(key(1)) is not None


def test_turned_off_it_makes_nothing(runtime, tmp_path):
    """Without prepared images every task installs its own root."""
    images = PreparedImages(runtime, tmp_path, max_bytes=1, max_age=1.0, enabled=False)
    images.request(key(), "tag", lambda: pytest.fail("filled"))
    assert images.wait_idle(1)
    assert images.find(key()) is None


def test_an_image_unused_for_too_long_goes(runtime, tmp_path):
    """Age counts from the last use; one that a task has just asked for stays."""
    now = [1e9]
    images = PreparedImages(runtime, tmp_path, max_bytes=1 << 30, max_age=60.0, enabled=True, clock=lambda: now[0])
    made = []
    for repo_id in (1, 2):
        images.request(key(repo_id), "tag", recipe(runtime, made, f"c{repo_id}"))
    assert images.wait_idle(60)
    for info in runtime.list_managed({}):
        runtime.remove(info.handle)
    now[0] = 4e9
    assert images.find(key(2)) is not None
    images.evict()
    assert images.find(key(1)) is None
    assert images.find(key(2)) is not None


def test_the_empty_image_is_made_once(runtime):
    """An empty image that is there is left as it is."""
    before = runtime.ensure_image_available("localhost/empty").id
    ensure_empty_image(runtime, "localhost/empty")
    assert runtime.ensure_image_available("localhost/empty").id == before


def test_a_memo_asks_again_only_after_its_time():
    """An answer is kept for its lifetime and asked for anew afterwards."""
    now, asked = [0.0], []
    memo = Memo(10.0, clock=lambda: now[0])

    def ask():
        asked.append(now[0])
        return len(asked)

    assert [memo.get("a", ask), memo.get("a", ask)] == [1, 1]
    now[0] = 11.0
    assert memo.get("a", ask) == 2


def test_images_of_another_daemon_are_left_alone(images, runtime, tmp_path):
    """A service and a one-person build on one Podman evict their own images only, whatever their bounds."""
    images.request(key(), "tag", recipe(runtime, []))
    assert images.wait_idle(60)
    bounds = {"max_bytes": 1 << 30, "max_age": 100.0, "enabled": True}
    others = PreparedImages(runtime, tmp_path / "other", **bounds, clock=lambda: time.time() + 200)
    others.evict()
    assert images.find(key()) is not None


def test_an_image_that_a_crash_may_have_damaged_is_made_again(images, runtime, tmp_path):
    """Not on disk when the machine went down: it is not used, it goes, and the next task has it made anew."""
    images.request(key(), "tag", recipe(runtime, []))
    images.request(key(2), "tag", recipe(runtime, [], "safe"))
    assert images.wait_idle(60)
    for info in runtime.list_managed({}):
        runtime.remove(info.handle)
    for repo_id, boot in ((1, "the run before"), (2, None)):
        record = tmp_path / "used-records" / key(repo_id).digest
        record.write_text(json.dumps(json.loads(record.read_text()) | {"boot": boot}))
    again = PreparedImages(runtime, tmp_path / "used", max_bytes=1 << 30, max_age=3600.0, enabled=True)
    assert again.find(key()) is None
    assert again.find(key(2)) is not None
    assert again.wait_idle(60)
    assert [info.reference for info in runtime.list_images({LABEL_FORMAT: str(FORMAT)})] == [key(2).reference]
    again.request(key(), "tag", recipe(runtime, [], "again"))
    assert again.wait_idle(60)
    assert again.find(key()) is not None


def test_images_are_listed_the_longest_unused_first(images, runtime, tmp_path):
    """Ours only, with the labels that tell people what they are."""
    for repo_id in (1, 2):
        images.request(key(repo_id), f"tag-{repo_id}", recipe(runtime, [], f"p{repo_id}"))
        assert images.wait_idle(10)
    os.utime(tmp_path / "used" / key(2).digest, (1, 1))
    listed = images.images()
    assert [image.reference for _, image in listed] == [key(2).reference, key(1).reference]
    assert listed[0][0].labels[LABEL_TAG] == "tag-2"
    other = PreparedImages(runtime, tmp_path / "other", max_bytes=1, max_age=3600.0, enabled=True)
    assert other.images() == []


def test_an_image_is_dropped_unless_a_task_has_asked_for_it(images, runtime, tmp_path):
    """An operator's word beats age and size, not a task that is about to start from it."""
    for repo_id in (1, 2):
        images.request(key(repo_id), "tag", recipe(runtime, [], f"p{repo_id}"))
        assert images.wait_idle(10)
    assert images.find(key(1))
    assert not images.drop(key(1).reference)
    assert images.drop(key(2).reference)
    assert [image.reference for _, image in images.images()] == [key(1).reference]
    assert not (tmp_path / "used" / key(2).digest).exists()
