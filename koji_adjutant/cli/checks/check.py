"""What a check is, and how a list of them is run."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from koji_adjutant.errors import AdjutantError


class Severity(enum.StrEnum):
    """How much a finding matters."""

    PROBLEM = "problem"
    """The builder cannot work so; the exit code says it."""
    NOTE = "note"
    """Worth knowing; nothing has to be done."""


@dataclass(frozen=True)
class Finding:
    """One thing found, with what to do about it."""

    text: str
    remedy: str = ""
    severity: Severity = Severity.PROBLEM


@dataclass(frozen=True)
class Check:
    """`run` returns findings; an error of our tree that it raises is a problem too. `asks` says what it looks at.

    `after` names a check that must be ok first: what cannot work without it would only repeat its problem.
    """

    name: str
    asks: str
    run: Callable[[], Sequence[Finding]]
    after: str = ""


@dataclass(frozen=True)
class Report:
    """One check that was run."""

    check: Check
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing found is a problem."""
        return all(finding.severity is not Severity.PROBLEM for finding in self.findings)


def run_checks(checks: Sequence[Check]) -> Iterator[Report]:
    """Run each check; one failing stops only those that come `after` it."""
    failed: set[str] = set()
    for check in checks:
        skip = check.after in failed
        report = Report(
            check, (note(f"not looked at: {check.after} has a problem"),) if skip else tuple(_findings(check))
        )
        if skip or not report.ok:
            failed.add(check.name)
        yield report


def finding_of(error: AdjutantError) -> Finding:
    """Return an error of our tree as a problem."""
    return Finding("\n".join(part for part in (error.brief, error.details) if part), error.resolution)


def note(text: str, remedy: str = "") -> Finding:
    """Return a finding that is no problem."""
    return Finding(text, remedy, Severity.NOTE)


def _findings(check: Check) -> Sequence[Finding]:
    try:
        return check.run()
    except AdjutantError as error:
        return [finding_of(error)]
