"""What counts as a difference of two ended tasks."""

from dataclasses import replace

import pytest

from tests.compare.lab import TaskOutcome
from tests.compare.outcomes import compare, explanation


@pytest.fixture
def outcome(tmp_path):
    """A failed task with one log."""
    log = tmp_path / "root.log"
    log.write_text("x")
    root = frozenset({("bash-5-1.x86_64", "aa")})
    fault = (1005, "error building package (arch x86_64), mock exited with status 1; see build.log")
    return TaskOutcome(1, "FAILED", 1.0, fault, {}, {"root.log": log}, {}, [root], [root])


def _differing(ours, theirs):
    return {difference.where for difference in compare(ours, theirs, {})}


def test_a_task_equals_itself(outcome):
    """No difference is made up."""
    assert _differing(outcome, outcome) == set()


def test_code_and_text_of_the_fault_count(outcome):
    """People and tools match on both."""
    code, text = outcome.fault
    assert _differing(replace(outcome, fault=(1000, text)), outcome) == {"fault"}
    assert _differing(replace(outcome, fault=(code, text + "!")), outcome) == {"fault"}
    assert _differing(replace(outcome, fault=None, state="CLOSED"), outcome) == {"fault", "state"}


def test_a_work_directory_in_a_fault_does_not_count(outcome):
    """Every builder has its own, and every task."""
    ours = replace(outcome, task_id=7, fault=(1000, "cannot read: /a/tasks/7/7/local/x.src.rpm (why)"))
    theirs = replace(outcome, task_id=8, fault=(1000, "cannot read: /b/c/tasks/8/8/local/x.src.rpm (why)"))
    assert _differing(ours, theirs) == set()


def test_logs_may_be_more_but_not_less_nor_empty(outcome, tmp_path):
    """The hub refuses an empty log; whoever reads build.log wants to find it."""
    more = {**outcome.logs, "build.log": outcome.logs["root.log"]}
    assert _differing(outcome, replace(outcome, logs=more)) == {"logs"}
    assert (
        _differing(replace(outcome, logs={**outcome.logs, "reproduce.sh": outcome.logs["root.log"]}), outcome) == set()
    )
    empty = tmp_path / "empty.log"
    empty.touch()
    assert _differing(replace(outcome, logs={"root.log": empty}), outcome) == {"logs"}


def test_buildroots_are_compared_as_sets_with_hashes(outcome):
    """Same names with other contents are another root."""
    other = frozenset({("bash-5-1.x86_64", "bb")})
    assert _differing(replace(outcome, buildroots=[other]), outcome) == {"buildroot"}
    assert _differing(replace(outcome, buildroots=[]), outcome) == {"buildroots"}


def test_results_must_have_the_same_keys_and_names(outcome):
    """The hub and its clients read them."""
    result = {"rpms": ["tasks/1/1/a.rpm"], "srpms": [], "logs": ["tasks/1/1/build.log"], "brootid": 4}
    theirs = replace(outcome, result=result)
    assert _differing(replace(outcome, result={**result, "brootid": 9}), theirs) == set()
    assert _differing(replace(outcome, result={**result, "rpms": ["tasks/2/2/b.rpm"]}), theirs) == {"result rpms"}
    assert _differing(replace(outcome, result={**result, "logs": []}), theirs) == {"result logs"}
    assert _differing(replace(outcome, result={"rpms": ["tasks/1/1/a.rpm"]}), theirs) == {"result", "result logs"}


def test_only_a_build_that_saw_a_network_explains_a_failed_probe(outcome, tmp_path):
    """Another failure of the same package stays a difference."""
    log = tmp_path / "build.log"
    ours, theirs = replace(outcome, state="CLOSED"), replace(outcome, logs={"build.log": log})
    log.write_text("network-probe: interfaces: eth0 lo\n")
    assert "isolation simple" in (explanation(ours, theirs) or "")
    assert explanation(outcome, theirs) is None
    log.write_text("network-probe: interfaces: lo\n")
    assert explanation(ours, theirs) is None
