"""A clone for plugins: git works in it, and nothing in it names a program."""

import os
import subprocess

import pytest

from koji_adjutant.scm.clone import copy_clone, misleads_git

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(where, *words):
    done = subprocess.run(["git", *words], cwd=where, env=ENV, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(params=["sha1", "sha256"])
def clone(tmp_path, request):
    """A clone as a container leaves it, by somebody who could write to its settings."""
    git(tmp_path, "init", "-q", "-b", "main", f"--object-format={request.param}", "origin")
    git(tmp_path / "origin", "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "clone", "-q", str(tmp_path / "origin"), "clone")
    clone = tmp_path / "clone"
    git(clone, "config", "core.fsmonitor", f"touch {tmp_path}/owned; true")
    git(clone, "config", "core.pager", f"touch {tmp_path}/owned; cat")
    hook = clone / ".git" / "hooks" / "post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/owned\n")
    hook.chmod(0o755)
    (clone / ".git" / "objects" / "info" / "alternates").write_text(f"{tmp_path}/origin/.git/objects\n")
    return clone


def test_git_works_in_the_copy_and_runs_nothing(clone, tmp_path):
    """History, branches and the URL are there; the settings of the clone are not."""
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_clone(clone, copy, origin='https://host/a"b\\c')
    assert git(copy, "log", "--format=%s") == "one"
    assert git(copy, "branch", "-r", "--contains", "HEAD").splitlines()[-1].strip() == "origin/main"
    assert git(copy, "config", "remote.origin.url") == 'https://host/a"b\\c'
    assert git(copy, "config", "branch.main.merge") == "refs/heads/main"
    git(copy, "status")
    git(copy, "reset", "--hard")
    assert not (tmp_path / "owned").exists()
    assert not (copy / ".git" / "hooks").exists()
    assert not (copy / ".git" / "objects" / "info" / "alternates").exists()


def test_what_is_no_directory_is_no_clone(tmp_path):
    """A file or link in the place of `.git` could lead anywhere."""
    git(tmp_path, "init", "-q", "private")
    (tmp_path / "whole").symlink_to("private")
    (tmp_path / "whole-copy").mkdir()
    for name in ("file", "link"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}-copy").mkdir()
    (tmp_path / "file" / ".git").write_text("gitdir: /elsewhere\n")
    (tmp_path / "link" / ".git").symlink_to("/etc")
    for name in ("file", "link", "whole"):
        copy_clone(tmp_path / name, tmp_path / f"{name}-copy", origin="x")
        assert os.listdir(tmp_path / f"{name}-copy") == []


def test_links_within_a_clone_are_left_out(clone, tmp_path):
    """Objects and refs are the clone's own."""
    os.rename(clone / ".git" / "refs", tmp_path / "refs")
    (clone / ".git" / "refs").symlink_to(tmp_path / "refs")
    (clone / ".git" / "objects" / "zz").symlink_to("/etc")
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_clone(clone, copy, origin="x")
    assert not (copy / ".git" / "refs").exists()
    assert not os.path.lexists(copy / ".git" / "objects" / "zz")


def test_directories_that_git_would_take_for_repositories(tmp_path):
    """At the place where a plugin's git starts, or above it up to the clone."""
    (tmp_path / "repo").mkdir()
    git(tmp_path / "repo", "init", "-q")
    bare = tmp_path / "repo" / "mod"
    (bare / "sub").mkdir(parents=True)
    assert not misleads_git(bare / "sub", tmp_path)
    for name in ("HEAD", "objects", "refs"):
        (bare / name).mkdir()
    assert misleads_git(bare, tmp_path)
    assert misleads_git(bare / "sub", tmp_path)
    for name in ("HEAD", "objects", "refs"):
        (tmp_path / "repo" / name).symlink_to("x")
    assert not misleads_git(tmp_path / "repo", tmp_path)
    (tmp_path / "repo" / ".git" / "HEAD").write_text("nothing of git\n")
    assert misleads_git(tmp_path / "repo", tmp_path)


@pytest.mark.parametrize("module", [".", "mod", "mod/sub"])
def test_a_repository_whose_parts_are_elsewhere(tmp_path, module):
    """A file `commondir` names objects and refs: git takes the rest from where it is, be it the top of a checkout."""
    top, parts = tmp_path / "top", tmp_path / "parts"
    (top / "mod" / "sub").mkdir(parents=True)
    git(tmp_path, "init", "-q", "--bare", "parts")
    place = top / module
    (place / "HEAD").write_text("ref: refs/heads/main\n")
    (place / "commondir").write_text(f"{parts}\n")
    assert git(place, "rev-parse", "--absolute-git-dir") == str(place)
    assert misleads_git(place, top)
    assert misleads_git(top / "mod" / "sub", top)
    (place / "HEAD").unlink()
    (tmp_path / "HEAD").touch()
    assert not misleads_git(place, top)
