"""Deep trees; `Path.mkdir(parents=True)` calls itself for each level."""

from __future__ import annotations

from pathlib import Path


def make_deep(top: Path, depth: int) -> Path:
    """Make `depth` directories `d` in one another below `top`, which is made too; return the last."""
    path = top
    path.mkdir()
    for _ in range(depth):
        path /= "d"
        path.mkdir()
    return path
