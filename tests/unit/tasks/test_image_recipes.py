"""What becomes an image for later tasks, and what is left of its making."""

from types import SimpleNamespace

import pytest

from koji_adjutant.buildroot.faults import RootFault
from koji_adjutant.errors import AdjutantError, ContainerError
from koji_adjutant.tasks import image_recipes
from koji_adjutant.tasks.image_recipes import ImageRecipes

KEY = SimpleNamespace(digest="0123456789abcdef", repo_id=7)
PUBKEY = SimpleNamespace(name="gpg-pubkey")
BASH = SimpleNamespace(name="bash")


class Making:
    """An attempt to make an image whose containers are only said to be there; `done` is what was done to them."""

    def __init__(self, directory, installed):
        self.directory = directory
        self.installed_rpms = installed
        self.done = []
        self.pair_fails = False
        context = SimpleNamespace(
            config=SimpleNamespace(state_dir=str(directory), empty_image="empty"),
            identity=SimpleNamespace(worker_label="w"),
            runtime=None,
        )
        self.recipes = ImageRecipes(context, self)
        self.task = "task"

    def proxy(self, plan, directory):
        (directory / "socket").mkdir(parents=True)
        return SimpleNamespace(stop=lambda: self.done.append("proxy stopped"))

    def request(self, *arguments, **options):
        return None

    def root(self, *arguments):
        return SimpleNamespace(
            pair=self,
            fill=lambda: SimpleNamespace(ok=True),
            installed=self.installed,
            clean=lambda: self.done.append("cleaned"),
        )

    def installed(self):
        if not self.installed_rpms:
            raise RootFault("Can't get list of installed rpms")
        return self.installed_rpms

    def remove(self):
        self.done.append("pair removed")
        if self.pair_fails:
            raise ContainerError("the runtime does not answer")


@pytest.fixture
def making(tmp_path, monkeypatch):
    found = Making(tmp_path, [BASH])
    monkeypatch.setattr(image_recipes, "HEAD_START", 0.0)
    monkeypatch.setattr(image_recipes, "create_pair", lambda *_: found)
    # As for a root without an rpm of its own.
    monkeypatch.setattr(image_recipes, "check_rpmdb", lambda _: None)
    return found


def left(making):
    """What still lies in the directory of images that are being made."""
    return list((making.directory / "prepare").iterdir())


def test_a_filled_root_is_handed_out_with_what_removes_it(making):
    """Nothing is removed before that is called."""
    container, remove = making.recipes._prepare(None, KEY)
    assert (container, making.done) == ("task", ["cleaned"])
    assert left(making)
    remove()
    assert making.done == ["cleaned", "pair removed", "proxy stopped"]
    assert not left(making)


@pytest.mark.parametrize("installed", [[], [PUBKEY]])
def test_a_root_without_packages_becomes_no_image(making, installed):
    """Its rpm cannot complain, and every later task would start from it."""
    making.installed_rpms = installed
    with pytest.raises(AdjutantError, match="installed"):
        making.recipes._prepare(None, KEY)
    assert making.done == ["pair removed", "proxy stopped"]
    assert not left(making)


def test_proxy_and_directory_go_although_the_containers_do_not(making):
    """The containers are the sweep's; a proxy and its threads would be nobody's."""
    making.pair_fails = True
    _, remove = making.recipes._prepare(None, KEY)
    with pytest.raises(ContainerError):
        remove()
    assert "proxy stopped" in making.done
    assert not left(making)
