"""Checks of a cluster: every lacking verb is named, with where and what it means."""

import pytest

from koji_adjutant.cli.checks.check import Severity
from koji_adjutant.cli.checks.cluster import (
    check_cluster_storage,
    check_permissions,
    check_policies,
    check_replicas,
)
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container import kubernetes_verbs as verbs
from koji_adjutant.container.interface import ContainerRunResult, Network


class Reviews:
    """An API server that grants all but what it was told to refuse, as (resource, verb)."""

    def __init__(self, *refused):
        self.refused = set(refused)
        self.asked = set()

    def request(self, method, path, *, body=None):
        assert (method, path) == ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        said = body["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (said["resource"], said.get("subresource"))))
        self.asked.add((said.get("namespace", ""), said.get("group", ""), resource, said["verb"]))
        return {"status": {"allowed": (resource, said["verb"]) not in self.refused}}


def settings(**section):
    return AdjutantConfig.model_validate({"runtime": "kubernetes", "kubernetes": section}).kubernetes


ALL = [(entry, verb) for entry in (*verbs.TASKS, *verbs.REPLICAS) for verb in entry.verbs]


@pytest.mark.parametrize(("entry", "verb"), ALL, ids=lambda value: getattr(value, "shown", value))
def test_each_lacking_verb_is_named(entry, verb):
    """It alone, with its resource, the namespace, and what does not work without it."""
    found = check_permissions(Reviews((entry.resource, verb)), settings(namespace="tasks"), "own", replicas=True)
    where = "own" if entry in verbs.REPLICAS else "tasks"
    assert [finding.severity for finding in found] == [Severity.PROBLEM]
    assert found[0].text == f"this account may not {verb} {entry.shown} in namespace {where}: {entry.lack}"
    assert "roles.yaml" in found[0].remedy


def test_only_what_the_settings_need_is_asked_for():
    """Volumes only where tasks get one, Leases only with replicas, each namespace of tasks, and the optional nodes."""
    api = Reviews()
    assert check_permissions(api, settings(namespaces=[{"namespace": "more"}]), "own", replicas=False) == []
    assert {namespace for namespace, *_ in api.asked} == {"own", "more", ""}
    assert not any(resource in {"leases", "persistentvolumeclaims"} for _, _, resource, _ in api.asked)
    api = Reviews()
    check_permissions(api, settings(storage_class="fast"), "own", replicas=True)
    assert ("own", "", "persistentvolumeclaims", "create") in api.asked
    assert ("own", "coordination.k8s.io", "leases", "update") in api.asked


def test_optional_permission_is_a_note():
    """The daemon works without a look at nodes."""
    found = check_permissions(Reviews(("nodes", "list")), settings(), "own", replicas=False)
    assert [finding.severity for finding in found] == [Severity.NOTE]
    assert "nodes in the cluster" in found[0].text


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, ["createrepo"]),
        ({"artifacts": "topdir"}, ["writable mount", "createrepo"]),
        ({"kubernetes": {"storage": {"mode": "hostPath"}}}, ["koji.storage=available"]),
        ({"kubernetes": {"storage": {"mode": "claim", "claim": "koji"}}}, []),
    ],
)
def test_limits_of_the_storage_are_said(config, words):
    """What a mode cannot do is noted, one line each."""
    found = check_cluster_storage(AdjutantConfig.model_validate({"runtime": "kubernetes", **config}))
    assert len(found) == len(words)
    assert all(word in finding.text for word, finding in zip(words, found, strict=True))


class Pods:
    """Runs one pod, which ends as told."""

    def __init__(self, exit_code):
        self.exit_code = exit_code
        self.spec = None
        self.closed = False

    def run(self, spec, timeout):
        self.spec = spec
        return ContainerRunResult(self.exit_code)

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("offline", "exit_code", "severities"),
    [("auto", 1, []), ("auto", 0, [Severity.NOTE]), ("policy", 0, [Severity.PROBLEM])],
)
def test_policies_are_tried(offline, exit_code, severities):
    """A pod that must be offline and reaches the API server is a problem where builds rely on the policy."""
    pods = Pods(exit_code)
    config = AdjutantConfig.model_validate({"runtime": "kubernetes", "kubernetes": {"offline": offline}})
    found = check_policies(lambda: pods, config, "https://10.96.0.1:6443")
    assert [finding.severity for finding in found] == severities
    assert pods.spec.network is Network.NONE
    assert pods.spec.command[-2:] == ("10.96.0.1", "6443")
    assert pods.closed


def test_credentials_of_replicas_are_looked_at(tmp_path):
    """Each file of each host must be there; without hosts there must be one replica only."""
    (tmp_path / "a.pem").write_text("certificate")
    hosts = [{"name": "a", "cert": str(tmp_path / "a.pem")}, {"name": "b", "cert": str(tmp_path / "b.pem")}]
    found = check_replicas(AdjutantConfig.model_validate({"hosts": hosts}))
    assert [finding.text for finding in found] == [f"cert {tmp_path}/b.pem of host b cannot be read"]
    assert [finding.severity for finding in check_replicas(AdjutantConfig())] == [Severity.NOTE]
