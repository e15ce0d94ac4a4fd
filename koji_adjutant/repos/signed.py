"""Which copy of each rpm goes into a dist repo: signed with the best key asked for, or the primary one (contract 4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""A row of `listTaggedRPMS(rpmsigs=True)`: an rpm has one for each of its signatures, `sigkey` empty for none."""


@dataclass(frozen=True)
class Selected:
    """One rpm. `row["sigkey"]` is None where no wanted key has signed it."""

    row: Row
    key: str | None
    available: tuple[str | None, ...]
    """The `sigkey` of all its rows, as the hub has them."""

    @property
    def nvra(self) -> str:
        return "{name}-{version}-{release}.{arch}".format_map(self.row)


def pick_key(wanted: Sequence[str], available: Iterable[str]) -> str | None:
    """Return the first of `wanted` that is available."""
    known = set(available)
    return next((key for key in wanted if key in known), None)


def select(rows: Iterable[Row], keys: Sequence[str]) -> list[Selected]:
    """Return each rpm once, in the order of the rows; keys are compared without regard to case."""
    wanted = [key.lower() for key in keys]
    by_rpm: dict[int, dict[str, Row]] = {}
    for row in rows:
        by_rpm.setdefault(row["id"], {})[(row["sigkey"] or "").lower()] = row
    return [_selected(signatures, wanted) for signatures in by_rpm.values()]


def _selected(signatures: Mapping[str, Row], wanted: Sequence[str]) -> Selected:
    available = tuple(row["sigkey"] for row in signatures.values())
    key = pick_key(wanted, signatures)
    if key is None:
        first = next(iter(signatures.values()))
        return Selected({**first, "sigkey": None}, None, available)
    return Selected({**signatures[key], "best_key": key}, key, available)


def missing_signatures_log(missing: Sequence[Selected], keys: Sequence[str], *, skipped: bool) -> str:
    """Return missing_signatures.log."""
    lines = ["Some rpms were missing requested signatures."]
    if skipped:
        lines.append("The skip_missing_signatures option was specified, so these files were excluded.")
    lines += [f"Requested keys: {[key.lower() for key in keys]!r}", "", "# RPM name: available keys"]
    lines += [f"{rpm.nvra}: {list(rpm.available)!r}" for rpm in sorted(missing, key=lambda rpm: rpm.nvra)]
    return "\n".join(lines) + "\n"


def missing_files_log(paths: Iterable[str]) -> str:
    """Return missing_files.log."""
    return (
        "Some rpm files were missing.\nMost likely, you want to create these signed copies.\n\nMissing files:\n"
        + "".join(f"{path}\n" for path in sorted(paths))
    )


def written_log(results: Iterable[tuple[int, str, str | None]]) -> str:
    """Return written_signed_rpms.log from (rpm id, key, the hub's error or None)."""
    return "".join(
        f"Signed RPM {rpm_id} is written with {key} key.\n"
        if error is None
        else f"FAILED: Signed RPM {rpm_id} is not written with {key} key, error: {error}\n"
        for rpm_id, key, error in results
    )
