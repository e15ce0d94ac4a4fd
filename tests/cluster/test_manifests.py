"""The shipped manifests on a real API server: taken as they are, and enough for what the daemon does."""

from __future__ import annotations

import copy
import time
from pathlib import Path

import pytest
import yaml

from koji_adjutant.cli.checks.check import Severity
from koji_adjutant.cli.checks.cluster import check_permissions
from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container import kubernetes_verbs as verbs
from tests.support import cluster

MANIFESTS = Path(__file__).parents[2] / "packaging/kubernetes"
SECONDS = 20.0


def objects():
    """All objects of all files, the account and the roles first."""
    return [
        found
        for path in sorted(MANIFESTS.rglob("*.yaml"))
        if path.name != "kustomization.yaml"
        for found in yaml.safe_load_all(path.read_text())
    ]


def test_the_server_takes_every_object(place):
    """As a dry run: its validation finds nothing wrong."""
    for found in objects():
        if found["kind"] == "PodDisruptionBudget" and cluster.server_minor() < 21:
            found["apiVersion"] = "policy/v1beta1"
        if found["kind"] == "Namespace":
            found["metadata"]["name"] = f"{place.namespace}-other"
        made = place.make(found, dry_run=True)
        assert made["kind"] == found["kind"]


@pytest.fixture
def account(place, tmp_path):
    """Requests of the daemon's account, which has exactly the shipped Roles, and these by name."""
    roles = {}
    for found in objects():
        if found["kind"] in {"ServiceAccount", "Role", "RoleBinding"}:
            place.make(found)
        if found["kind"] == "Role":
            roles[found["metadata"]["name"]] = found
    return place.account("koji-adjutant", tmp_path), roles


def problems(api, place, wanted):
    """The texts of problems, once they are as `wanted` says: a Role counts a moment after it was changed."""
    settings = KubernetesSection.model_validate({"storage_class": "any"})
    deadline = time.monotonic() + SECONDS
    while True:
        found = check_permissions(api, settings, place.namespace, replicas=True)
        texts = [finding.text for finding in found if finding.severity is Severity.PROBLEM]
        if wanted(texts) or time.monotonic() > deadline:
            return texts
        time.sleep(0.1)


def test_roles_are_enough_and_each_verb_is_missed(place, account):
    """With the shipped Roles nothing is missing; without a verb that one is named, and it alone."""
    api, roles = account
    assert problems(api, place, lambda texts: not texts) == []
    lists = {
        "koji-adjutant-tasks": verbs.TASKS,
        "koji-adjutant-volumes": verbs.VOLUMES,
        "koji-adjutant-replicas": verbs.REPLICAS,
    }
    for name, permissions in lists.items():
        for number, permission in enumerate(permissions):
            for verb in permission.verbs:
                role = copy.deepcopy(roles[name])
                role["rules"][number]["verbs"].remove(verb)
                if not role["rules"][number]["verbs"]:
                    del role["rules"][number]
                place.put(role)
                expected = (
                    f"this account may not {verb} {permission.shown} in namespace {place.namespace}: {permission.lack}"
                )
                assert problems(api, place, lambda texts, text=expected: texts == [text]) == [expected]
        place.put(roles[name])
