"""Numbers and files at the border to a container: what both wire formats check in the same way."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from koji_adjutant.errors import CopyError


def counted(value: object, highest: int = 1 << 63) -> int:
    """Return a number from 0 to `highest`; anything else, truth values too, is a ValueError."""
    if type(value) is not int or not 0 <= value <= highest:
        raise ValueError(value)
    return value


def counted_or_none(value: object, highest: int) -> int | None:
    """Return what `counted` does, or None for None."""
    return None if value is None else counted(value, highest)


@contextmanager
def regular_file(path: Path) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """Open a file of this machine that is to be sent, with its state at that moment. Nothing blocks.

    Raises:
        CopyError: `missing`, `not-regular`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CopyError(f"{path} cannot be read", details=str(error), reason="missing") from error
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise CopyError(f"{path} is not a regular file", reason="not-regular")
        yield stream, found
