"""A build step that cannot be taken off the network: not run, or run with a line in its log, as the site wants it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from koji_adjutant.buildroot.root import BUILD_LOG, Root, StepLimits
from koji_adjutant.container.steps import StepEnd, StepStatus

DONE = StepStatus("r", StepEnd.EXITED, 0, None, 0.0, 1.0, 0)
ONLINE = replace(
    DONE, end=StepEnd.NOT_STARTED, exit_code=None, message="offline probe: there is a network interface eth0"
)
MISSING = replace(ONLINE, message="no such program")


class Logs:
    """Ends each step as told, by whether it was to be offline; keeps what was asked for."""

    def __init__(self, offline):
        self.offline = offline
        self.steps = []
        self.lines = []

    def run(self, steps, where, spec, log, *, header, footer):
        self.steps.append((spec.name, spec.offline))
        return self.offline if spec.offline else DONE

    def line(self, name, log, text):
        self.lines.append((log, text()))


def build(logs, *, network=False, **limits):
    """The end of a build step."""
    settings = SimpleNamespace(env={}, network=network, personality=None)
    facts = SimpleNamespace(dbpath="/var/lib/rpm")
    root = Root(None, SimpleNamespace(steps=None, task=None), settings, facts, logs, StepLimits(**limits))
    return root.build_step("rpmbuild", ["rpmbuild"], timeout=1.0)


@pytest.mark.parametrize("status", [DONE, ONLINE, MISSING])
def test_it_is_run_once_where_it_must_be_offline(status):
    """Its end is what it is."""
    logs = Logs(status)
    assert build(logs) is status
    assert logs.steps == [("rpmbuild", True)]
    assert not logs.lines


def test_it_goes_on_where_it_may_and_its_log_says_so():
    """As a step of another name: one that was not begun is not begun again."""
    logs = Logs(ONLINE)
    assert build(logs, offline_required=False) is DONE
    assert logs.steps == [("rpmbuild", True), ("rpmbuild-online", False)]
    assert logs.lines == [(BUILD_LOG, f"this step is not kept off the network: {ONLINE.message}\n")]


def test_another_reason_is_no_reason_to_go_on():
    """A program that is not there is not there with a network either."""
    logs = Logs(MISSING)
    assert build(logs, offline_required=False) is MISSING
    assert len(logs.steps) == 1
