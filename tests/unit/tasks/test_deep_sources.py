"""Trees of a thousand directories in one another are walked by whoever meets them."""

import os
import zipfile

import pytest

from koji_adjutant.deep_trees import remove_tree, walk
from koji_adjutant.tasks.create_dist_repo import write_tree
from koji_adjutant.tasks.maven_archive import zip_tree
from koji_adjutant.tasks.wrapper_template import find_template
from tests.support.deep import make_deep

DEPTH = 1200


@pytest.fixture
def deep(tmp_path):
    """A tree whose only file, a template, lies at its end."""
    top = tmp_path / "tree"
    end = make_deep(top, DEPTH)
    (end / "x.spec.tmpl").touch()
    yield top
    remove_tree(top)


def test_walk_ends(deep):
    """Each directory is seen."""
    assert sum(1 for _ in walk(deep)) == DEPTH + 1


def test_walk_is_that_of_the_library(tmp_path):
    """Directories before what is in them, links to directories named and not followed."""
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "dangling").symlink_to("nothing")
    ours = [(str(place), directories, names) for place, directories, names in walk(tmp_path)]
    theirs = [(place, sorted(directories), sorted(names)) for place, directories, names in os.walk(tmp_path)]
    assert sorted(ours) == sorted(theirs)
    assert ours[0][1] == ["a", "b", "link"]


def test_template_at_the_end(deep):
    """A wrapperRPM finds it."""
    assert find_template(deep, "d").endswith("/x.spec.tmpl")


def test_archive_of_sources(deep, tmp_path):
    """A buildMaven keeps it."""
    zip_tree(deep, tmp_path / "a.zip")
    assert len(zipfile.ZipFile(tmp_path / "a.zip").namelist()) == 1


def test_tree_of_an_earlier_attempt(deep):
    """A dist repo's is removed."""
    assert write_tree(deep, {}, split_debuginfo=False) == []
    assert sorted(os.listdir(deep)) == ["kojipkgs", "pkglist"]
