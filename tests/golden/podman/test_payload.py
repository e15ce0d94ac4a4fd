"""From a container spec to Podman's JSON: golden files. `ADJUTANT_GOLDEN=write` writes them anew."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from koji_adjutant.container.podman_payload import create_payload, device_targets
from tests.golden.podman.cases import CASES

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", CASES)
def test_payload(name):
    """The payload is what the golden file says."""
    spec, settings, base = CASES[name]
    payload = create_payload(spec, settings, base)
    path = HERE / f"{name}.json"
    if os.environ.get("ADJUTANT_GOLDEN") == "write":
        path.write_text(json.dumps(payload, indent=2, sort_keys=True) + "\n")
    assert payload == json.loads(path.read_text())


def test_golden_files_are_all_used():
    """There is no golden file without a case."""
    assert {path.stem for path in HERE.glob("*.json")} == set(CASES)


def test_no_host_network_anywhere():
    """No payload shares the host's network."""
    for spec, settings, base in CASES.values():
        assert create_payload(spec, settings, base)["netns"]["nsmode"] in {"none", "bridge", "slirp4netns"}


def test_weight_against_other_containers():
    """Background work gets fewer processors where they are scarce, with or without a limit of its own."""
    spec, settings, _ = CASES["minimal"]
    for cpus, quota in ((None, {}), (2.0, {"period": 100_000, "quota": 200_000})):
        limited = replace(spec, limits=replace(spec.limits, cpus=cpus, cpu_shares=64))
        assert create_payload(limited, settings)["resource_limits"]["cpu"] == quota | {"shares": 64}


def test_device_targets():
    """Links of a minimal /dev are wanted where devices are mounted, and nowhere else."""
    assert device_targets(CASES["companion"][0]) == ["/buildroot/dev"]
    assert device_targets(CASES["task"][0]) == []
