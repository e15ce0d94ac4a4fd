"""docs/metrics.md says exactly what is served."""

from __future__ import annotations

import re
from pathlib import Path

from koji_adjutant.metrics import REGISTRY
from koji_adjutant.monitoring.collector import DaemonCollector
from tests.support.daemon_view import view

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_every_metric_is_documented() -> None:
    """Name, kind and text of each metric, and none that is not there."""
    served = {}
    for metric in [*REGISTRY.collect(), *DaemonCollector(view).collect()]:
        suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
        served[metric.name + suffix] = f"{metric.type}: {metric.documentation}"
    rows = re.findall(r"^\| `(koji_adjutant_\w+)` \| [^|]* \| ([^|]+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert dict(rows) == served
