"""The environment of a checkout's commands: all of it, nothing of the host's (design section 7).

git runs no hook, no file system monitor and no program that a repository names; a password of the URL goes to the URL's own
host only, and not into the clone. The operator's `scm_credentials_dir`, if there is one, is HOME and at `/credentials`.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from koji.daemon import SCM

from koji_adjutant.scm.source_url import user_and_password

CREDENTIALS = "/credentials"
"""Where a container sees the operator's `scm_credentials_dir`, as a root of kojid does."""
PASSWORD_VARIABLE = "ADJUTANT_SCM_PASSWORD"  # noqa: S105 - a name
KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")

_GIT_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "protocol.ext.allow": "never",
    "protocol.file.allow": "never",
    # A directory of the tree may look like a repository, with settings of its own.
    "safe.bareRepository": "explicit",
    "submodule.recurse": "false",
}


def checkout_environment(scm: SCM, more: Mapping[str, str], *, home: str, ssh: str) -> dict[str, str]:
    """Return the environment; `more` is what the plan asks for, `ssh` the path of a program made of `ssh_script`."""
    env = {
        "HOME": home,
        "LANG": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "TERM": "dumb",
        # Before what a repository's settings may name.
        "GIT_SSH_COMMAND": ssh,
        "GIT_TERMINAL_PROMPT": "0",
        "SVN_SSH": ssh,
        **more,
    }
    if "CVS_RSH" in env:
        env["CVS_RSH"] = ssh
    return {**env, **_git_config(_git_settings(scm)), **_password(scm)}


def ssh_script(credential_files: Collection[str]) -> str:
    """Return a program that is ssh with the keys of the credentials; names are relative to `CREDENTIALS`.

    ssh takes the home directory from the list of users and not from HOME, so each file has to be named.
    """
    words = ["ssh", "-o", "BatchMode=yes"]
    directory = PurePosixPath(CREDENTIALS) / ".ssh"
    if ".ssh/config" in credential_files:
        words += ["-F", str(directory / "config")]
    if ".ssh/known_hosts" in credential_files:
        words += ["-o", f"UserKnownHostsFile={directory / 'known_hosts'}"]
    for key in KEYS:
        if f".ssh/{key}" in credential_files:
            words += ["-o", f"IdentityFile={directory / key}"]
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


def _git_settings(scm: SCM) -> dict[str, str]:
    settings = dict(_GIT_SETTINGS)
    if user_and_password(scm)[1] is not None and scm.scheme.endswith(("http://", "https://")):
        origin = f"{scm.scheme.rpartition('+')[2]}{scm.host}"
        # A redirect to another host must not get it: the helper is this host's.
        settings[f"credential.{origin}.helper"] = (
            f'!f() {{ test "$1" = get && printf "password=%s\\n" "${PASSWORD_VARIABLE}"; }}; f'
        )
    return settings


def _git_config(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings the way git takes them from an environment."""
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


def _password(scm: SCM) -> dict[str, str]:
    _, password = user_and_password(scm)
    return {} if password is None else {PASSWORD_VARIABLE: password}
