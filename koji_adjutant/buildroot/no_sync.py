"""`tools` never waits for a disk: what it writes is worth nothing after a crash of the machine, which ends its task.

A package manager asks some nine hundred times for its data to be on disk while it fills a root (its history, the rpmdb,
each package it fetched), which is what an install of seconds then waits for. A seccomp profile lets those calls succeed
at once without doing anything, as `systemd-nspawn --suppress-sync` does. The root itself (`task`) keeps the ordinary
profile: what a build asks for, it gets.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from koji_adjutant.errors import ConfigurationError

SYNC_CALLS = ("fdatasync", "fsync", "msync", "sync", "sync_file_range", "sync_file_range2", "syncfs")


def profile_without_sync(base: Path, directory: Path) -> Path:
    """Return the path of a profile like `base`, but that `SYNC_CALLS` do nothing, written below `directory` if need be.

    Safe to repeat, also by two daemons at once: its name is made from its contents. One that is gone or damaged (a machine
    crashed) is written again. Any thread may call it.

    Raises:
        ConfigurationError: `base` cannot be read or is no seccomp profile.
        OSError: `directory` cannot be written.
    """
    try:
        text = without_sync(base.read_text())
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"{base} is no seccomp profile: {error}",
            resolution="Name a profile in the JSON format of containers/common in podman.seccomp_profile, or none.",
        ) from error
    path = directory / f"seccomp-tools-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not _holds(path, text.encode()):
        _write(path, text.encode())
    return path


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except FileNotFoundError:
        return False


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".seccomp-", delete=False) as file:
        file.write(data)
        # Podman's service reads it, maybe as somebody else.
        os.fchmod(file.fileno(), 0o644)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).rename(path)


def without_sync(profile: str) -> str:
    """Return a profile's text with `SYNC_CALLS` taken from its rules and answered with success by a rule of their own.

    Raises:
        ValueError, TypeError, KeyError: it is no seccomp profile.
    """
    parsed: Any = json.loads(profile)
    rules = [_without_sync(rule) for rule in parsed["syscalls"]]
    nothing = {"names": list(SYNC_CALLS), "action": "SCMP_ACT_ERRNO", "errnoRet": 0}
    return json.dumps({**parsed, "syscalls": [*(rule for rule in rules if rule["names"]), nothing]})


def _without_sync(rule: Mapping[str, Any]) -> dict[str, Any]:
    # Profiles of the first kind have one `name` in each rule.
    names = rule.get("names") or [rule["name"]]
    rest = {key: value for key, value in rule.items() if key != "name"}
    return {**rest, "names": [name for name in names if name not in SYNC_CALLS]}
