"""A checkout's environment: nothing of the host's, no program of a repository's, a password for one host only."""

import os
import subprocess

from koji_adjutant.scm.environment import checkout_environment, ssh_script
from koji_adjutant.scm.source_url import parse_source


def environment(url="git://h/r#r", more=None, **options):
    scm = parse_source(url, allow_password=True)
    return checkout_environment(scm, more or {}, home="/work", ssh="/work/ssh", **options)


def test_nothing_of_the_host(monkeypatch):
    """Variables of the daemon do not get in."""
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("GIT_SSH_COMMAND", "x")
    env = environment()
    assert "SECRET" not in env
    assert env["GIT_SSH_COMMAND"] == "/work/ssh"
    assert env["GIT_TERMINAL_PROMPT"] == "0"


def test_git_takes_the_settings(tmp_path):
    """Real git, asked in a repository that says otherwise."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "config", "core.fsmonitor", "touch owned"], check=True)
    env = {**environment(), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    asked = {}
    for key in ("core.fsmonitor", "core.hooksPath", "safe.bareRepository", "protocol.ext.allow"):
        done = subprocess.run(["git", "config", key], cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
        asked[key] = done.stdout.strip()
    assert asked == {
        "core.fsmonitor": "false",
        "core.hooksPath": "/dev/null",
        "safe.bareRepository": "explicit",
        "protocol.ext.allow": "never",
    }


def fill(env, tmp_path, host):
    """Ask real git for the password of `host`."""
    env = {**env, "PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    ask = f"protocol=https\nhost={host}\nusername=me\n\n"
    done = subprocess.run(
        ["git", "credential", "fill"], env=env, input=ask, check=False, capture_output=True, text=True, cwd=tmp_path
    )
    return [line for line in done.stdout.splitlines() if line.startswith("password=")]


def test_a_password_is_for_its_host(tmp_path):
    """Git gives it to the URL's host and port, and has none for a host it is redirected to."""
    env = environment("git+https://me:wo%20rd$x@h:8443/r#r")
    assert fill(env, tmp_path, "h:8443") == ["password=wo rd$x"]
    assert fill(env, tmp_path, "evil") == []
    assert fill(environment("git+https://h:8443/r#r"), tmp_path, "h:8443") == []


def test_cvs_over_ssh_uses_the_same_program():
    """Kojid's CVS_RSH, with the operator's keys."""
    assert environment("cvs+ssh://me@h/r?m#r", {"CVS_RSH": "ssh"})["CVS_RSH"] == "/work/ssh"


def test_ssh_uses_the_keys_that_are_there():
    """Only files that exist are named; nobody is asked anything."""
    assert ssh_script(()) == '#!/bin/sh\nexec ssh -o BatchMode=yes "$@"\n'
    script = ssh_script({".ssh/config", ".ssh/id_rsa", ".ssh/known_hosts", ".netrc"})
    assert "-F /credentials/.ssh/config" in script
    assert "IdentityFile=/credentials/.ssh/id_rsa" in script
    assert "UserKnownHostsFile=/credentials/.ssh/known_hosts" in script
    assert "id_ed25519" not in script
