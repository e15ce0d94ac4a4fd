"""What the process of plugins is given."""

import subprocess

import pytest

from koji_adjutant.tasks.plugin_process import _environment


@pytest.mark.parametrize("given", [None, "", "x", "1"])
def test_git_of_plugins_takes_no_directory_for_a_repository(monkeypatch, tmp_path, given):
    """The setting is added to those that the daemon's own environment has."""
    monkeypatch.delenv("GIT_CONFIG_COUNT", raising=False)
    if given is not None:
        monkeypatch.setenv("GIT_CONFIG_COUNT", given)
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "somebody")
    command = ["git", "config", "--get-regexp", r"^(safe\.barerepository|user\.name)$"]
    env = {**_environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
    theirs = ["user.name somebody"] if given == "1" else []
    assert done.stdout.splitlines() == [*theirs, "safe.barerepository explicit"]
