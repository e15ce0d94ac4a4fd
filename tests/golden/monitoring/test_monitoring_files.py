"""What packaging/monitoring gives to Prometheus and Grafana holds: by promtool, by Grafana's own model, by our metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "packaging/monitoring"
RULES = MONITORING / "koji-adjutant.rules.yml"
DASHBOARD = MONITORING / "grafana-dashboard.json"
NAME = re.compile(r"\bkoji_adjutant_\w+")
SELECTOR = re.compile(r"\b(koji_adjutant_\w+)\{([^}]*)\}")
GROUPED = re.compile(r"by \(([^)]*)\) \((?:rate|increase)?\(?(koji_adjutant_\w+)")
OF_THE_SCRAPE = {"job", "instance"}


@pytest.fixture(scope="module")
def metrics() -> dict[str, set[str]]:
    """Labels of each series that docs/metrics.md names; a histogram has its three."""
    found: dict[str, set[str]] = {}
    rows = re.findall(r"^\| `(koji_\w+)` \| ([^|]+) \| (\w+)", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    for name, labels, kind in rows:
        known = set(re.findall(r"`(\w+)`", labels))
        if kind == "histogram":
            found |= {f"{name}_bucket": known | {"le"}, f"{name}_count": known, f"{name}_sum": known}
        else:
            found[name] = known
    return found


def rule_expressions() -> list[str]:
    return [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return content


def panel_expressions() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def promtool(*arguments: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: `make setup` installs it (Debian: prometheus)")
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_takes_the_rules() -> None:
    """No fault that promtool could find with them."""
    promtool("check", "rules", str(RULES))


def test_alerts_fire_when_they_should() -> None:
    """Series of failing and of working daemons raise exactly what the rules promise."""
    promtool("test", "rules", str(MONITORING / "koji-adjutant.tests.yml"))


def test_each_alert_is_tested() -> None:
    """No alert without a case that raises it."""
    cases = (MONITORING / "koji-adjutant.tests.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert alerts
    assert [alert for alert in alerts if not re.search(rf"\b{alert}\b", cases)] == []


@pytest.mark.parametrize("expression", [*rule_expressions(), *panel_expressions()])
def test_only_metrics_that_exist(expression: str, metrics: dict[str, set[str]]) -> None:
    """Each metric is one of ours, each label one that it has."""
    assert set(NAME.findall(expression)) <= set(metrics)
    for name, selector in SELECTOR.findall(expression):
        assert set(re.findall(r"(\w+)\s*=", selector)) <= metrics[name] | OF_THE_SCRAPE
    for labels, name in GROUPED.findall(expression):
        assert set(labels.split(", ")) <= metrics[name] | OF_THE_SCRAPE, expression


def test_grafana_knows_the_dashboard() -> None:
    """Grafana's own model of a dashboard has a place for every key in it, and gives each value back."""
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    plugins.register_default_plugins()
    written = dashboard()
    assert list(lost(written, json.loads(JSONEncoder().encode(Dashboard.from_json(written))))) == []


def test_panels_do_not_overlap() -> None:
    """Each panel has an id and a place of its own within the 24 columns."""
    panels = dashboard()["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def lost(written: Any, known: Any, path: str = "") -> Iterator[str]:
    """Places in `written` that `known` has not, or has with another value."""
    if isinstance(written, dict) and isinstance(known, dict):
        for key, value in written.items():
            yield from lost(value, known[key], f"{path}/{key}") if key in known else [f"{path}/{key}"]
    elif isinstance(written, list) and isinstance(known, list) and len(written) == len(known):
        for number, pair in enumerate(zip(written, known, strict=True)):
            yield from lost(*pair, f"{path}/{number}")
    elif written != known:
        yield f"{path}: {written!r}, {known!r}"
