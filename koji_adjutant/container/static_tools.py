"""The directory of static programs that is mounted at `BIN_DIR` in every container of a task.

A root is assumed to hold nothing: the runner of durable steps (compiled by `packaging/build_hook.py`) and, where the system
has one, a static busybox come from here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import tempfile
from pathlib import Path

from koji_adjutant.errors import ConfigurationError

RUNNER_NAME = "adjutant-runner"
BUSYBOX_NAME = "busybox"
_BUILT = Path(__file__).parent / "runner" / RUNNER_NAME
_PT_LOAD, _PT_INTERP = 1, 3


def static_directory(configured: Path | None = None, cache: Path | None = None) -> Path:
    """A directory with a static `adjutant-runner` and, if there is one, a static `busybox`, to be mounted read-only.

    `configured` (a setting) is checked and taken as it is. Else the programs of this installation are copied below `cache`
    (default: /var/cache/koji-adjutant for root, the user's cache directory otherwise) under a name made from their
    contents: containers that live through an upgrade of the daemon keep the programs they started with. Safe to repeat.

    Raises:
        ConfigurationError: a program is missing or not static.
    """
    if configured is not None:
        _check(configured / RUNNER_NAME)
        return configured
    _check(_BUILT)
    programs = [_BUILT, *_system_busybox()]
    return _copy(programs, cache if cache is not None else _default_cache())


def is_static(program: Path) -> bool:
    """Whether this is an ELF program that needs no loader."""
    try:
        data = program.read_bytes()
    except OSError:
        return False
    types = _segment_types(data) if data.startswith(b"\x7fELF") else set()
    return _PT_LOAD in types and _PT_INTERP not in types


def _segment_types(data: bytes) -> set[int]:
    """Types of the program headers of a little- or big-endian ELF file of 64 or 32 bits; empty if it is damaged."""
    try:
        order = "<" if data[5] == 1 else ">"
        if data[4] == 2:
            (start,) = struct.unpack_from(order + "Q", data, 32)
            size, count = struct.unpack_from(order + "HH", data, 54)
        else:
            (start,) = struct.unpack_from(order + "I", data, 28)
            size, count = struct.unpack_from(order + "HH", data, 42)
        return {struct.unpack_from(order + "I", data, start + index * size)[0] for index in range(count)}
    except (IndexError, OverflowError, struct.error):
        return set()


def _check(program: Path) -> None:
    if not program.is_file() or not os.access(program, os.X_OK):
        raise ConfigurationError(
            f"there is no program {program}",
            resolution="Reinstall koji-adjutant; in a source tree run `python packaging/build_hook.py`, which needs gcc and "
            "the static C library (Debian: libc6-dev, Fedora: glibc-static).",
        )
    if not is_static(program):
        raise ConfigurationError(
            f"{program} is not a static program of this kind of machine",
            resolution="It runs in roots that hold no library: compile it with `python packaging/build_hook.py`.",
        )


def _system_busybox() -> list[Path]:
    found = shutil.which("busybox.static") or shutil.which(BUSYBOX_NAME)
    return [Path(found)] if found and is_static(Path(found)) else []


def _default_cache() -> Path:
    if os.geteuid() == 0:
        return Path("/var/cache/koji-adjutant")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "koji-adjutant"


def _copy(programs: list[Path], cache: Path) -> Path:
    digest = hashlib.sha256(b"".join(program.read_bytes() for program in programs)).hexdigest()
    target = cache / "static" / digest[:16]
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    for program in programs:
        name = RUNNER_NAME if program == _BUILT else BUSYBOX_NAME
        shutil.copyfile(program, fresh / name)
        (fresh / name).chmod(0o755)
    fresh.chmod(0o755)
    return _publish(fresh, target)


def _publish(fresh: Path, target: Path) -> Path:
    """Whole or not at all; another process may have been first, with the same contents."""
    try:
        fresh.rename(target)
    except OSError:
        shutil.rmtree(fresh)
        if not target.is_dir():
            raise
    return target
