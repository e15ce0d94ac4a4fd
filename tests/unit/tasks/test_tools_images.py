"""Tools made in the background: found again, refused for good or for a while, followed by what waits for them."""

import threading

import pytest

from koji_adjutant.buildroot.bootstrap import RepoTools, ToolsKey
from koji_adjutant.buildroot.prepared import FORMAT, LABEL_FORMAT
from koji_adjutant.container.interface import ContainerSpec
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.errors import ContainerError
from koji_adjutant.tasks.prepared_images import PreparedImages
from koji_adjutant.tasks.tools_images import RETRY_SECONDS, FilledTools, NoTools, ToolsImages

WANTED = RepoTools("sha256:aa", "x86_64", "dnf", "bb", "{}")
KEY = ToolsKey("sha256:aa", "x86_64", "dnf", True, (("bash-5-1.x86_64", "aa"),))


class Workshop:
    """A daemon's images on the in-memory runtime, with a recipe that counts."""

    def __init__(self, directory):
        self.now = 1000.0
        self.runtime = MemoryManager()
        self.runtime.add_image("localhost/empty")
        self.prepared = PreparedImages(
            self.runtime, directory / "prepared", max_bytes=1 << 40, max_age=1e9, enabled=True
        )
        self.tools = self.daemon(directory)
        self.directory = directory
        self.made = 0
        self.removed = 0
        self.failure = None

    def daemon(self, directory):
        """The same state, as a daemon that has just started sees it."""
        return ToolsImages(self.prepared, directory / "tools", clock=lambda: self.now)

    def recipe(self):
        self.made += 1
        if self.failure:
            raise self.failure
        handle = self.runtime.create(ContainerSpec(f"prepare-{self.made}", "localhost/empty", labels={}))
        return FilledTools(handle, KEY, self.remove)

    def remove(self):
        self.removed += 1

    def request(self, wanted=WANTED):
        """Ask and wait; what the follower got."""
        got = []
        done = threading.Event()
        self.tools.request(wanted, "tag", self.recipe, lambda image: (got.append(image), done.set()))
        assert done.wait(60)
        assert self.prepared.wait_idle(10)
        return got[0]


@pytest.fixture
def workshop(tmp_path):
    # Times of files are the clock's here, so that records are not taken for old ones.
    found = Workshop(tmp_path)
    found.now = 0.0
    return found


def test_made_once_and_found_again(workshop):
    """The follower gets the image; a daemon started later finds it, and asks for nothing."""
    assert workshop.tools.find(WANTED) is None
    image = workshop.request()
    assert image.reference == KEY.reference
    assert workshop.removed == 1
    again = workshop.daemon(workshop.directory)
    assert again.find(WANTED).digest == image.digest
    assert workshop.request().digest == image.digest
    assert workshop.made == 1


def test_the_same_packages_are_committed_once(workshop):
    """A repo made anew with the same packages gives the image that is there."""
    image = workshop.request()
    other = RepoTools("sha256:aa", "x86_64", "dnf", "cc", "{}")
    assert workshop.request(other).digest == image.digest
    assert (workshop.made, workshop.removed) == (2, 2)
    assert len(workshop.runtime.list_images({LABEL_FORMAT: str(FORMAT)})) == 1


def test_a_repo_without_a_package_manager_is_remembered(workshop):
    """By this daemon and the next; the follower is told that there is none."""
    workshop.failure = NoTools("repo has no dnf")
    assert workshop.request() is None
    assert workshop.daemon(workshop.directory).refusal(WANTED) == "repo has no dnf"
    workshop.failure = None
    assert workshop.request() is None
    assert workshop.made == 1


def test_a_failure_that_may_pass_is_tried_again_later(workshop):
    """Not with each task, and not by name: after a while."""
    workshop.failure = ContainerError("no space left")
    assert workshop.request() is None
    assert workshop.tools.refusal(WANTED) == "no space left"
    workshop.failure = None
    assert workshop.request() is None
    workshop.now += RETRY_SECONDS + 1
    assert workshop.tools.refusal(WANTED) == ""
    assert workshop.request() is not None


def test_an_evicted_image_is_made_again(workshop):
    """The record outlives the image; then it is as if nothing were known."""
    workshop.request()
    assert workshop.runtime.remove_image(KEY.reference)
    assert workshop.tools.find(WANTED) is None
    assert workshop.tools.refusal(WANTED) == ""
    assert workshop.request() is not None
    assert workshop.made == 2
