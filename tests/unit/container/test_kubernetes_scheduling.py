"""Nodes, requests and limits of a pod."""

import copy
from dataclasses import replace

import pytest

from koji_adjutant.container.interface import LABEL_ARCH, LABEL_ROLE, ContainerSpec, ResourceLimits
from koji_adjutant.container.kubernetes_plan import PlannedContainer, plan_pod
from koji_adjutant.container.kubernetes_scheduling import (
    STORAGE_EXPRESSION,
    node_selector,
    resources,
    with_node_expression,
)
from koji_adjutant.errors import ContainerError
from tests.golden.kubernetes.cases import PLAIN, site

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def selector(arch, **settings):
    """The node selector of a task of this arch."""
    where = site(**settings)
    return node_selector(plan_pod(replace(PLAIN, labels={LABEL_ARCH: arch}), where), where)


def reserved(limits, role="task", **settings):
    """Requests and limits of a container with these limits."""
    spec = ContainerSpec("c", "i", limits=limits, labels={LABEL_ROLE: role})
    return resources(PlannedContainer("task", spec), site(**settings))


@pytest.mark.parametrize(
    ("arch", "node"),
    [
        ("x86_64", "amd64"),
        ("i686", "amd64"),
        ("aarch64", "arm64"),
        ("armhfp", "arm"),
        ("ppc64le", "ppc64le"),
        ("s390x", "s390x"),
    ],
)
def test_arch(arch, node):
    """A task runs on nodes of its arch, in Kubernetes' words."""
    assert selector(arch)["kubernetes.io/arch"] == node


@pytest.mark.parametrize("arch", ["noarch", "", "vax"])
def test_any_arch(arch):
    """A task of no arch in particular runs anywhere on Linux."""
    assert selector(arch) == {"kubernetes.io/os": "linux"}


def test_selector_of_the_settings():
    """Configured labels are added; another arch than the task's is a contradiction."""
    assert selector("noarch", node_selector={"disk": "ssd"})["disk"] == "ssd"
    with pytest.raises(ContainerError, match=r"is of arch amd64, and kubernetes\.node_selector wants arm64"):
        selector("x86_64", node_selector={"kubernetes.io/arch": "arm64"})


def test_expression_goes_into_every_term():
    """A node must match one term and all of what stands in it: each term gets the expression, and nothing is changed."""
    affinity = {
        "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a"}]}, {"matchFields": []}]}},
        "podAffinity": {"x": 1},
    }
    before = copy.deepcopy(affinity)
    made = with_node_expression(affinity, STORAGE_EXPRESSION)
    terms = made["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    assert [term["matchExpressions"][-1] for term in terms] == [STORAGE_EXPRESSION] * 2
    assert terms[0]["matchExpressions"][0] == {"key": "a"}
    assert made["podAffinity"] == {"x": 1}
    assert affinity == before


def test_expression_without_affinity():
    """Without an affinity there is one term."""
    made = with_node_expression({}, STORAGE_EXPRESSION)
    assert made == {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [STORAGE_EXPRESSION]}]}}}


def test_half_is_reserved():
    """Requests are half of the limits unless a setting says otherwise."""
    limits = ResourceLimits(cpus=2.5, memory_bytes=1000)
    assert reserved(limits) == {
        "limits": {"cpu": "2500m", "memory": "1000"},
        "requests": {"cpu": "1250m", "memory": "500"},
    }
    assert reserved(limits, request_share=1)["requests"] == {"cpu": "2500m", "memory": "1000"}


def test_no_limits():
    """Where nothing is limited, nothing is said."""
    assert reserved(ResourceLimits()) == {}


def test_weight():
    """A weight against other containers is what a request of processors is to the kernel."""
    assert reserved(ResourceLimits(cpu_shares=64)) == {"requests": {"cpu": "62m"}}
    assert reserved(ResourceLimits(cpu_shares=1))["requests"] == {"cpu": "1m"}
    assert reserved(ResourceLimits(cpus=2, cpu_shares=64))["requests"] == {"cpu": "62m"}


def test_class_beats_spec():
    """What a class says counts, the rest is the spec's; a request never exceeds the limit."""
    classes = [
        {"name": "tools", "role": "tools", "memory": 50},
        {"name": "task", "memory_request": 5000, "cpus": 4, "request_share": 0.25, "ephemeral_storage": 400},
    ]
    limits = ResourceLimits(cpus=1, memory_bytes=1000)
    assert reserved(limits, resource_classes=classes) == {
        "limits": {"cpu": "4000m", "memory": "1000", "ephemeral-storage": "400"},
        "requests": {"cpu": "1000m", "memory": "1000", "ephemeral-storage": "100"},
    }
    assert reserved(limits, role="tools", resource_classes=classes)["limits"] == {"cpu": "1000m", "memory": "50"}
