"""Whose failure it is: recorded logs of dnf and rpmbuild to verdicts, and kojid's sentences for them."""

import re
from pathlib import Path

import pytest

from koji_adjutant.buildroot import verdicts
from koji_adjutant.buildroot.faults import BuildFault, BuildrootFault, InfrastructureFault
from koji_adjutant.buildroot.verdict_rules import PACKAGE_MANAGER_RULES, TAIL_LINES, Kind
from koji_adjutant.buildroot.verdicts import Phase, failure, judge
from koji_adjutant.buildroot.wording import Operation, end_of_mock, koji_class, sentence
from koji_adjutant.container.steps import StepEnd

LOGS = Path(__file__).parents[2] / "golden" / "buildroot" / "logs"

PACKAGE_MANAGER_LOGS = {
    "builddep-broken-deps": ("nothing-provides", Kind.PACKAGE),
    "builddep-missing": ("no-match", Kind.PACKAGE),
    "builddep-not-rpm": ("no-match", Kind.PACKAGE),
    "builddep-rich": ("nothing-provides", Kind.PACKAGE),
    "disk-full": ("disk-full", Kind.INFRASTRUCTURE),
    "group-missing": ("no-group", Kind.PACKAGE),
    "install-broken-deps": ("nothing-provides", Kind.PACKAGE),
    "install-conflict": ("conflict", Kind.PACKAGE),
    "install-file-conflict": ("file-conflict", Kind.PACKAGE),
    "install-lua-scriptlet": ("scriptlet", Kind.PACKAGE),
    "install-missing": ("no-match", Kind.PACKAGE),
    "install-scriptlet": ("nothing-provides", Kind.PACKAGE),
    "package-404": ("download", Kind.INFRASTRUCTURE),
    "package-cut": ("download", Kind.INFRASTRUCTURE),
    "package-damaged": ("download", Kind.INFRASTRUCTURE),
    "repo-403": ("transfer", Kind.INFRASTRUCTURE),
    "repo-404": ("transfer", Kind.INFRASTRUCTURE),
    "repo-503": ("transfer", Kind.INFRASTRUCTURE),
    "repo-bad-repomd": ("metadata", Kind.INFRASTRUCTURE),
    "repo-damaged": ("damaged", Kind.INFRASTRUCTURE),
    "repo-gone": ("transfer", Kind.INFRASTRUCTURE),
    "repo-html": ("metadata", Kind.INFRASTRUCTURE),
    "repo-no-primary": ("transfer", Kind.INFRASTRUCTURE),
    "repo-refused": ("transfer", Kind.INFRASTRUCTURE),
    "repo-timeout": ("transfer", Kind.INFRASTRUCTURE),
    "repo-unresolved": ("transfer", Kind.INFRASTRUCTURE),
}
RPMBUILD_LOGS = {
    "rpm-cut-header": Phase.UNPACK,
    "rpm-cut-payload": Phase.UNPACK,
    "rpm-not-rpm": Phase.UNPACK,
    "rpmbuild-arch": Phase.BUILD,
    "rpmbuild-bad-spec": Phase.BUILD_SRPM,
    "rpmbuild-build": Phase.BUILD,
    "rpmbuild-killed": Phase.BUILD,
    "rpmbuild-prep": Phase.BUILD,
}
OTHER_LOGS = {"builddep-no-file", "rpmbuild-missing"}
BUILD = {"operation": Operation.BUILD, "arch": "x86_64"}
INIT = {"operation": Operation.INIT, "arch": "x86_64"}


def log(name):
    """A recorded log."""
    return (LOGS / f"{name}.log").read_bytes()


def test_every_recorded_log_is_used():
    """A log without an expectation proves nothing."""
    assert {path.stem for path in LOGS.glob("*.log")} == {*PACKAGE_MANAGER_LOGS, *RPMBUILD_LOGS, *OTHER_LOGS}


@pytest.mark.parametrize("name", PACKAGE_MANAGER_LOGS)
@pytest.mark.parametrize("phase", [Phase.INIT, Phase.BUILDDEP])
def test_a_package_manager_log_is_judged(name, phase, ended):
    """Rule and kind as recorded; mock's status 30 in both phases."""
    verdict = judge(phase, ended(1), log(name), **BUILD)
    assert (verdict.rule, verdict.kind, verdict.mock_status) == (*PACKAGE_MANAGER_LOGS[name], 30)
    assert len(verdict.reason.splitlines()) == 1


@pytest.mark.parametrize("name", RPMBUILD_LOGS)
def test_rpm_and_rpmbuild_failures_are_the_packages(name, ended):
    """With the status that mock has for the phase."""
    phase = RPMBUILD_LOGS[name]
    verdict = judge(phase, ended(1), log(name), **BUILD)
    assert verdict.kind is Kind.PACKAGE
    assert verdict.mock_status == (40 if phase is Phase.UNPACK else 1)


def test_failures_read_as_kojids():
    """Sentences of a failing build, missing BuildRequires and a failing base install."""
    text = {status: sentence(Operation.BUILD, end_of_mock(status), "x86_64") for status in (1, 10, 30)}
    start = "error building package (arch x86_64), mock exited with status"
    assert text[1] == f"{start} 1; see build.log or root.log for more information"
    assert text[10] == f"{start} 10; see build.log for more information"
    assert text[30] == f"{start} 30; see root.log for more information"
    assert sentence(Operation.INIT, end_of_mock(30), "x86_64") == (
        "could not init mock buildroot, mock exited with status 30; see root.log for more information"
    )
    assert sentence(Operation.MAVEN, end_of_mock(1), "x") == (
        "error building Maven package, mock exited with status 1; see root.log for more information"
    )
    assert [koji_class(operation) for operation in Operation] == [
        "BuildrootError",
        "BuildError",
        "BuildError",
        "BuildError",
        "BuildrootError",
    ]


@pytest.mark.parametrize(
    ("phase", "exit_code", "signal", "status"),
    [
        (Phase.BUILD, 1, None, 1),
        (Phase.BUILD, 11, None, 11),
        (Phase.BUILD_SRPM, 1, None, 1),
        (Phase.BUILD, None, 9, 247),
        (Phase.BUILD_SRPM, None, 15, 241),
        (Phase.GENERATE, 1, None, 10),
        (Phase.UNPACK, 1, None, 40),
        (Phase.INIT, 1, None, 30),
        (Phase.BUILDDEP, 5, None, 30),
        (Phase.BUILDDEP, None, 9, 30),
    ],
)
def test_mocks_status_is_known_for_every_end(phase, exit_code, signal, status, ended):
    """Its own for some phases; that of the command, wrapped as a negative number, for others."""
    assert judge(phase, ended(exit_code, signal=signal), b"", **BUILD).mock_status == status


def test_an_unknown_failure_of_the_base_install_is_the_infrastructures(ended):
    """No spec has had a say yet; BuildRequires are the package's, unless dnf was killed."""
    assert judge(Phase.INIT, ended(1), b"what?\n", **INIT).kind is Kind.INFRASTRUCTURE
    assert judge(Phase.BUILDDEP, ended(1), b"what?\n", **BUILD).kind is Kind.PACKAGE
    assert judge(Phase.BUILDDEP, ended(None, signal=9), b"", **BUILD).kind is Kind.INFRASTRUCTURE
    assert judge(Phase.BUILDDEP, ended(1), log("builddep-no-file"), **BUILD).kind is Kind.PACKAGE


def test_a_mirror_that_failed_does_not_excuse_a_missing_package(ended):
    """Dnf went on with another one; what ended it comes later, or what was long ago does not count."""
    mirror = b"[MIRROR] x.rpm: Curl error (28): Timeout was reached for http://a/x.rpm\n"
    verdict = judge(Phase.BUILDDEP, ended(1), mirror + log("builddep-missing"), **BUILD)
    assert verdict.kind is Kind.PACKAGE
    old = judge(Phase.BUILDDEP, ended(1), mirror + b"fine\n" * TAIL_LINES, **BUILD)
    assert old.rule == "builddep-unknown"


def test_an_earlier_commands_output_does_not_count(ended):
    """root.log holds the output of one command after the other."""
    tail = log("repo-refused") + b"Executing command: ['dnf', 'builddep'] with env {} and shell False\nsomething else\n"
    assert judge(Phase.BUILDDEP, ended(1), tail, **BUILD).rule == "builddep-unknown"


def test_time_limits(ended):
    """Mock's status 11 in all cases; before the spec runs it is not the package's fault."""
    late = judge(Phase.BUILD, ended(None, end=StepEnd.TIMEOUT), b"", **BUILD)
    assert (late.kind, late.mock_status) == (Kind.TIMEOUT, 11)
    assert late.text.endswith("mock exited with status 11; see root.log for more information")
    assert "60 s" in late.reason
    silent = judge(Phase.BUILD, ended(None, end=StepEnd.NO_OUTPUT), b"", **BUILD)
    assert (silent.kind, silent.mock_status, silent.rule) == (Kind.TIMEOUT, 11, "no-output")
    assert judge(Phase.INIT, ended(None, end=StepEnd.TIMEOUT), b"", **INIT).kind is Kind.INFRASTRUCTURE


def test_out_of_memory_names_limit_and_peak(ended):
    """After kojid's sentence, which tools match on."""
    status = ended(1, oom_kills=2, peak_memory=900)
    verdict = judge(Phase.BUILD, status, b"", memory_limit=1000, **BUILD)
    assert verdict.kind is Kind.OOM
    assert verdict.text == (
        "error building package (arch x86_64), mock exited with status 1; see build.log or root.log for more information"
        "\nout of memory: limit 1000 bytes, peak 900 bytes, 2 processes killed"
    )
    assert judge(Phase.BUILDDEP, status, b"", **BUILD).kind is Kind.INFRASTRUCTURE


def test_a_step_that_did_not_start_is_the_infrastructures(ended):
    """The offline probe failed, for example."""
    verdict = judge(Phase.BUILD, ended(None, end=StepEnd.NOT_STARTED, message="eth0 is up"), b"", **BUILD)
    assert verdict.kind is Kind.INFRASTRUCTURE
    assert "eth0 is up" in verdict.reason


@pytest.mark.parametrize("end", [StepEnd.CANCELLED, StepEnd.ORPHANED])
def test_what_we_ended_ourselves_has_no_verdict(end, ended):
    """Nor has a success."""
    with pytest.raises(ValueError, match="nothing to judge"):
        judge(Phase.BUILD, ended(None, end=end), b"", **BUILD)
    with pytest.raises(ValueError, match="nothing to judge"):
        judge(Phase.BUILD, ended(0), b"", **BUILD)


def test_a_verdict_is_raised_as_kojid_would(ended):
    """Final ones as koji's fault, the infrastructure's with the final one inside."""
    missing = failure(judge(Phase.BUILDDEP, ended(1), log("builddep-missing"), **BUILD))
    assert isinstance(missing, BuildFault)
    assert str(missing).endswith("mock exited with status 30; see root.log for more information")
    assert isinstance(failure(judge(Phase.INIT, ended(1), log("group-missing"), **INIT)), BuildrootFault)
    refused = failure(judge(Phase.INIT, ended(1), log("repo-refused"), **INIT))
    assert isinstance(refused, InfrastructureFault)
    assert (refused.reason, refused.retryable) == ("transfer", True)
    assert "127.0.0.1" in refused.brief
    assert isinstance(refused.final, BuildrootFault)


def test_evidence_cannot_hold_what_a_terminal_would_obey(ended):
    """The line is the package's own text."""
    tail = b"No match for argument: \x1b[2J" + b"x" * 5000 + b"\n"
    reason = judge(Phase.BUILDDEP, ended(1), tail, **BUILD).reason
    assert "\x1b" not in reason
    assert len(reason) < 400


def test_rules_have_names_of_their_own():
    """They are labels of metrics and refusals."""
    names = [rule.id for rule in PACKAGE_MANAGER_RULES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z-]+", name) for name in names)


def test_source_packages_without_spec_or_results(ended):
    """Mock's status 40."""
    assert verdicts.no_spec("x-1-1.src.rpm", **BUILD).mock_status == 40
    assert "x-1-1.src.rpm" in verdicts.no_spec("x-1-1.src.rpm", **BUILD).reason
    assert verdicts.no_results("none", **BUILD).mock_status == 40
    assert verdicts.lost(Phase.BUILD, "evicted", **BUILD).kind is Kind.INFRASTRUCTURE


def test_a_build_that_outlives_a_killed_process_is_out_of_memory(ended):
    """Rpmbuild that succeeds although the limit killed a process of it fails as mock status 1, with limit and peak."""
    verdict = judge(Phase.BUILD, ended(0, oom_kills=1, peak_memory=900), b"", memory_limit=1000, **BUILD)
    assert (verdict.kind, verdict.mock_status) == (Kind.OOM, 1)
    assert "limit 1000 bytes, peak 900 bytes" in verdict.text


def test_a_step_that_lost_nothing_has_no_verdict(ended):
    """Success without a killed process is nothing to judge."""
    with pytest.raises(ValueError, match="nothing to judge"):
        judge(Phase.BUILD, ended(0), b"", **BUILD)
