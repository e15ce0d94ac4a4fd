"""Whose failure is it, and in which words: from how a step ended and the tail of its log to a verdict (design section 7).

Pure; what logs say stands in `verdict_rules`. What a repository's content or a spec causes is final, in kojid's words with
the status that mock would have had; what the infrastructure causes is tried again, given back with the reason, and only
then said in kojid's words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from koji_adjutant.buildroot.disk_use import DiskUse
from koji_adjutant.buildroot.faults import InfrastructureFault, RootFault, root_fault
from koji_adjutant.buildroot.verdict_rules import Kind, match
from koji_adjutant.buildroot.wording import Operation, end_of_mock, koji_class, sentence
from koji_adjutant.container.steps import StepEnd, StepStatus

__all__ = [
    "Kind",
    "Phase",
    "Verdict",
    "failure",
    "judge",
    "lost",
    "mock_status_of",
    "no_results",
    "no_spec",
    "on_full_disk",
]


DISK_FULL = "disk-full"
"""Id of the rule, in a build's verdict as in a package manager's."""


class Phase(StrEnum):
    """What was being done."""

    INIT = "init"
    """Base install of the root."""
    UNPACK = "unpack"
    """`rpm -Uvh` of the source package, and finding its spec."""
    BUILD_SRPM = "build-srpm"
    BUILDDEP = "builddep"
    GENERATE = "generate"
    """`rpmbuild -br`."""
    BUILD = "build"
    """`rpmbuild -bb` or `-ba`."""

    @property
    def runs_spec(self) -> bool:
        """Whether code of the spec runs or has run: then the loss of a container is retried only once."""
        return self in {Phase.BUILD_SRPM, Phase.GENERATE, Phase.BUILD}


@dataclass(frozen=True)
class Verdict:
    """The judgement on a step that did not succeed."""

    kind: Kind
    rule: str
    """Id of the rule that decided."""
    mock_status: int
    """The status that mock would have ended with."""
    text: str
    """What the user reads if this is final: kojid's sentence."""
    koji_class: str
    """Name of the koji fault class for `text`."""
    reason: str
    """One line for refusals, journal and metrics: what went wrong, with evidence."""


_MOCK_STATUS_OF = {Phase.INIT: 30, Phase.BUILDDEP: 30, Phase.UNPACK: 40, Phase.GENERATE: 10}
"""mock's own status where it does not pass that of the command through."""


def judge(
    phase: Phase,
    status: StepStatus,
    log_tail: bytes,
    *,
    operation: Operation,
    arch: str,
    memory_limit: int | None = None,
) -> Verdict:
    """Judge a step that ended otherwise than with status 0. Cancelled and orphaned steps have no verdict.

    Raises:
        ValueError: the step succeeded without losing a process to the memory limit, or was ended by us.
    """
    if (status.ok and not status.oom_kills) or status.end in {StepEnd.CANCELLED, StepEnd.ORPHANED}:
        raise ValueError(f"step ended with {status.end}, exit code {status.exit_code}: nothing to judge")
    if status.end in {StepEnd.TIMEOUT, StepEnd.NO_OUTPUT}:
        return _timeout(phase, status, operation, arch)
    if status.end is StepEnd.NOT_STARTED:
        reason = f"{phase}: not started: {status.message or 'no reason given'}"
        return _verdict(Kind.INFRASTRUCTURE, "not-started", 20, reason, operation, arch)
    if status.oom_kills:
        return _out_of_memory(phase, status, operation, arch, memory_limit)
    if phase in {Phase.INIT, Phase.BUILDDEP}:
        return _package_manager(phase, status, log_tail, operation, arch)
    mock_status = mock_status_of(phase, status)
    return _verdict(Kind.PACKAGE, f"{phase}-failed", mock_status, f"{phase}: {_how(status)}", operation, arch)


def on_full_disk(verdict: Verdict, use: DiskUse) -> Verdict:
    """Return what becomes of the failure of a package on a full disk.

    One that uses more than what was free when it was taken fails: no host promises it more. Any other was only there when
    somebody else filled the disk, and is given back.
    """
    if verdict.kind is not Kind.PACKAGE:
        return verdict
    kind = Kind.PACKAGE if use.beyond_promise else Kind.INFRASTRUCTURE
    phase = verdict.reason.partition(":")[0]
    return replace(verdict, kind=kind, rule=DISK_FULL, reason=f"{phase}: {use}", text=f"{verdict.text}\n{use}")


def failure(verdict: Verdict) -> RootFault | InfrastructureFault:
    """Return the error that a verdict is raised as."""
    final = root_fault(verdict.koji_class, verdict.text)
    if verdict.kind is Kind.INFRASTRUCTURE:
        return InfrastructureFault(verdict.reason, reason=verdict.rule, final=final)
    final.root_may_stay = verdict.rule != DISK_FULL
    return final


def no_spec(srpm_name: str, *, operation: Operation, arch: str) -> Verdict:
    """Return the verdict on a source package without a spec."""
    return _verdict(Kind.PACKAGE, "no-spec", 40, f"No specfile found in srpm: {srpm_name}", operation, arch)


def no_results(found: str, *, operation: Operation, arch: str) -> Verdict:
    """Return the verdict on an rpmbuild that succeeded and left not what it should; `found` says what."""
    return _verdict(Kind.PACKAGE, "no-results", 40, found, operation, arch)


def lost(phase: Phase, reason: str, *, operation: Operation, arch: str) -> Verdict:
    """Return the verdict on a container that went away under a step."""
    return _verdict(Kind.INFRASTRUCTURE, "container-lost", 20, f"{phase}: {reason}", operation, arch)


def mock_status_of(phase: Phase, status: StepStatus) -> int:
    """Return mock's exit status: its own for the phase, or that of the command passed through (contract 10)."""
    if status.signal is not None and phase not in {Phase.INIT, Phase.BUILDDEP, Phase.UNPACK}:
        # mock hands a negative return code to exit().
        return 256 - status.signal
    return _MOCK_STATUS_OF.get(phase, status.exit_code or 1)


def _package_manager(phase: Phase, status: StepStatus, log_tail: bytes, operation: Operation, arch: str) -> Verdict:
    rule, line = match(log_tail)
    if rule is not None:
        return _verdict(rule.kind, rule.id, 30, f"{phase}: {rule.says}: {line}", operation, arch)
    # Nobody's spec has had a say in a base install; BuildRequires are the package's.
    kind = Kind.INFRASTRUCTURE if phase is Phase.INIT or status.signal is not None else Kind.PACKAGE
    return _verdict(kind, f"{phase}-unknown", 30, f"{phase}: {_how(status)}", operation, arch)


def _timeout(phase: Phase, status: StepStatus, operation: Operation, arch: str) -> Verdict:
    seconds = status.ended_at - status.started_at
    what = "no output for too long" if status.end is StepEnd.NO_OUTPUT else "time limit"
    # A repository that hangs is not the package's fault.
    kind = Kind.TIMEOUT if phase.runs_spec else Kind.INFRASTRUCTURE
    return _verdict(kind, status.end.value, 11, f"{phase}: {what}, ended after {seconds:.0f} s", operation, arch)


def _out_of_memory(
    phase: Phase, status: StepStatus, operation: Operation, arch: str, memory_limit: int | None
) -> Verdict:
    limit = "no limit of ours" if memory_limit is None else f"limit {memory_limit} bytes"
    reason = f"out of memory: {limit}, peak {status.peak_memory} bytes, {status.oom_kills} processes killed"
    kind = Kind.OOM if phase.runs_spec else Kind.INFRASTRUCTURE
    verdict = _verdict(kind, "oom", mock_status_of(phase, status), f"{phase}: {reason}", operation, arch)
    return replace(verdict, text=f"{verdict.text}\n{reason}")


def _how(status: StepStatus) -> str:
    if status.signal is not None:
        return f"killed by signal {status.signal}"
    return f"exited with status {status.exit_code}"


def _verdict(kind: Kind, rule: str, mock_status: int, reason: str, operation: Operation, arch: str) -> Verdict:
    return Verdict(
        kind=kind,
        rule=rule,
        mock_status=mock_status,
        text=sentence(operation, end_of_mock(mock_status), arch),
        koji_class=koji_class(operation),
        reason=reason,
    )
