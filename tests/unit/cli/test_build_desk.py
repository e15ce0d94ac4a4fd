"""Directories of one-person builds: locks, names, clean-up, the configuration used there."""

import os
import time

import pytest

from koji_adjutant.cli.desk_builder import desk_config
from koji_adjutant.cli.desk_directory import TEMPORARY, UNUSED_SECONDS, desk_base, desk_directory, forget_old
from koji_adjutant.config.model import AdjutantConfig


def test_the_next_build_finds_it(tmp_path):
    """Same name, same directory, same host name."""
    with desk_directory(tmp_path, "set") as first:
        (first.path / "kept").touch()
    with desk_directory(tmp_path, "set") as second:
        assert second == first
        assert second.lasting
        assert second.host_name == first.host_name
        assert (second.path / "kept").exists()


@pytest.mark.parametrize("keep", [False, True])
def test_two_at_once(tmp_path, keep):
    """The second gets a directory and a host name of its own, gone after it unless it is to be kept."""
    with desk_directory(tmp_path, "set") as first:
        with desk_directory(tmp_path, "set", keep=keep) as second:
            assert not second.lasting
            assert second.host_name != first.host_name
            assert second.path.name.startswith(TEMPORARY)
        assert second.path.exists() == keep


def test_old_ones_are_forgotten(tmp_path):
    """Unused for long: gone, and its host named. In use or young: left."""
    with desk_directory(tmp_path, "old") as old, desk_directory(tmp_path, "young"):
        pass
    long_ago = time.time() - UNUSED_SECONDS - 60
    os.utime(old.path / "lock", (long_ago, long_ago))
    with desk_directory(tmp_path, "used") as used:
        os.utime(used.path / "lock", (long_ago, long_ago))
        assert forget_old(tmp_path) == [old.host_name]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["used", "young"]


def test_base(tmp_path, monkeypatch):
    """In the user's cache; without a usable one in the temporary directory."""
    assert desk_base({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "koji-adjutant" / "desk"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    assert desk_base({"XDG_CACHE_HOME": str(tmp_path / "file")}).parent == tmp_path


def test_an_image_that_is_named_is_meant(tmp_path):
    """--tools-image beats the setting, its rules and an image made from the repositories; else the settings stand."""
    config = AdjutantConfig.model_validate({"images": {"tools": "localhost/a", "rules": [{"image": "localhost/b"}]}})
    with desk_directory(tmp_path, "set") as desk:
        assert desk_config(config, desk, None).images == config.images
        images = desk_config(config, desk, "localhost/c").images
        assert images.tools_for("t", "x86_64", "buildArch") == "localhost/c"
        assert images.bootstrap == "off"
        assert desk_config(config, desk, None).state_dir == desk.state
