"""Where spans and copies of task logs go: off by default, and a mistake is named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from koji_adjutant.config.monitoring import MonitoringSection


def test_off_by_default() -> None:
    """Nobody gets spans or log lines who has not asked for them; YAML's `off` is the word."""
    section = MonitoringSection()
    assert (section.traces, section.task_logs) == ("off", "off")
    assert MonitoringSection.model_validate({"traces": False, "task_logs": False}) == section


@pytest.mark.parametrize("url", ["collector:4318", "ftp://collector/v1/traces", "http:///v1/traces", ""])
def test_no_collector(url: str) -> None:
    """What is no URL of a collector is refused, with an example of one."""
    with pytest.raises(ValidationError, match=r"write http://127.0.0.1:4318/v1/traces or off"):
        MonitoringSection(traces=url)
