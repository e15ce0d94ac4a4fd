"""Sizes and durations as people write them: `4GiB`, `512 MB`, `15m`, `7d`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from koji_adjutant.config.section import Integer

_BYTES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_size(value: object) -> object:
    """Turn `4GiB`, `4G`, `4 GB`, `4096` into bytes; anything that is no text is left to pydantic.

    All units count in 1024s, as Podman's own size options do.
    """
    if not isinstance(value, str):
        return value
    return _parse(value, _BYTES, "a size such as 512MiB or 4GiB", optional_suffix="ib")


def parse_duration(value: object) -> object:
    """Turn `90`, `90s`, `15m`, `12h`, `7d` into seconds; anything that is no text is left to pydantic."""
    if not isinstance(value, str):
        return value
    return _parse(value, _SECONDS, "a time in seconds or such as 15m, 12h, 7d")


def format_size(size: int) -> str:
    """Write bytes in the largest unit that divides them: `4GiB`, `1536MiB`, `1000`."""
    for letter in "PTGMK":
        unit = _BYTES[letter.lower()]
        if size and size % unit == 0:
            return f"{size // unit}{letter}iB"
    return str(size)


def _parse(text: str, units: dict[str, int], wanted: str, optional_suffix: str = "") -> int:
    match = _QUANTITY.fullmatch(text)
    unit = match[2].lower() if match else "?"
    if unit not in units and optional_suffix:
        unit = unit[:1] if unit[1:] in (optional_suffix, optional_suffix[-1]) else "?"
    if match is None or unit not in units:
        message = f"{text!r} is not {wanted}"
        raise ValueError(message)
    return int(float(match[1]) * units[unit])


Size = Annotated[Integer, BeforeValidator(parse_size), Field(gt=0)]
"""Bytes, more than none."""
Duration = Annotated[Integer, BeforeValidator(parse_duration), Field(gt=0)]
"""Whole seconds, more than none."""
