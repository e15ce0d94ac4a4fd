"""Directories of tasks go, whatever a build has left in them."""

import os

from koji_adjutant.manager.task_directory import TaskDirectories


def nest(top, levels):
    """Make directories in one another, with a path that is too long to be written."""
    top.mkdir(parents=True)
    here = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("directory", dir_fd=here)
        below = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_a_tree_of_any_depth_goes(tmp_path):
    """Deeper than Python may call itself, and than a path may be long: neither stops the clean-up, nor the task's start."""
    directories = TaskDirectories(tmp_path, "w")
    nest(directories.path(7) / "builddir", 2000)
    directories.remove(7)
    assert not directories.path(7).exists()
    directories.remove(7)


def test_what_links_lead_to_stays(tmp_path):
    """A link goes, its target does not."""
    directories = TaskDirectories(tmp_path, "w")
    directories.path(7).mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (directories.path(7) / "link").symlink_to(tmp_path / "kept")
    directories.remove(7)
    assert (tmp_path / "kept" / "file").exists()
