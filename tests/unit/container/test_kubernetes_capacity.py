"""Whether a cluster has room for one more pod, from its quotas and nodes."""

import pytest

from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container.kubernetes_capacity import ASK_SECONDS, ClusterCapacity, full_quota, no_node
from koji_adjutant.errors import ContainerError


def quota(hard, used, **spec):
    return {"metadata": {"name": "q"}, "spec": spec, "status": {"hard": hard, "used": used}}


def node(ready="True", labels=None, **spec):
    conditions = [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": ready}]
    return {"metadata": {"labels": labels or {}}, "spec": spec, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (quota({"pods": "2"}, {"pods": "1"}), ""),
        (quota({"pods": "2"}, {"pods": "2"}), "Quota q of namespace n is full: pods 2 of 2"),
        (quota({"requests.memory": "4Gi"}, {"requests.memory": "4096Mi"}), "requests.memory 4096Mi of 4Gi"),
        (quota({"limits.cpu": "2"}, {"limits.cpu": "1900m"}), ""),
        (quota({"limits.cpu": "2"}, {"limits.cpu": "2500m"}), "limits.cpu 2500m of 2"),
        (quota({"secrets": "1"}, {"secrets": "1"}), ""),
        (quota({"pods": "0"}, {}, scopes=["BestEffort"]), ""),
        ({"metadata": {"name": "new"}}, ""),
    ],
)
def test_a_full_quota_is_named(found, problem):
    """With resource, use and bound; quotas of other things or of some pods only do not count."""
    said = full_quota("n", [found])
    assert problem in said
    assert bool(said) == bool(problem)


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ([node()], ""),
        ([node("False"), node(unschedulable=True), node(labels={"disk": "ssd"})], ""),
        ([], "No node can take a pod: the cluster has none"),
        ([node("Unknown"), node("True", unschedulable=True)], "No node can take a pod: 1 cordoned, 1 not ready"),
    ],
)
def test_nodes_that_can_take_nothing_are_counted(nodes, problem):
    """By what keeps them from it; one that can is enough."""
    assert no_node(nodes, {}) == problem


def test_nodes_without_the_selected_labels_do_not_count():
    """Their readiness helps no task."""
    said = no_node([node(labels={"disk": "hdd"})], {"disk": "ssd"})
    assert said == "No node can take a pod: 1 without the labels of kubernetes.node_selector"


class Server:
    """Lists by path; a path it has not is refused."""

    def __init__(self, **lists):
        self.lists = lists
        self.asked = []

    def request(self, method, path):
        self.asked.append(path)
        name = path.removeprefix("/api/v1/").removeprefix("namespaces/")
        if name not in self.lists:
            raise ContainerError("forbidden", reason="forbidden")
        return {"items": self.lists[name]}


FULL = [quota({"pods": "1"}, {"pods": "1"})]


def test_what_may_not_be_seen_is_no_problem():
    """A Role without quotas and nodes runs tasks all the same."""
    assert ClusterCapacity(Server(), KubernetesSection(), "own").problem() == ""


def test_one_namespace_with_room_is_enough():
    """Only when all are full is there none."""
    settings = KubernetesSection.model_validate({"namespaces": [{"tag": "a", "namespace": "more"}]})
    server = Server(**{"own/resourcequotas": FULL, "more/resourcequotas": []})
    assert ClusterCapacity(server, settings, "own").problem() == ""
    server.lists["more/resourcequotas"] = FULL
    assert "namespace more is full" in ClusterCapacity(server, settings, "own").problem()


def test_the_server_is_not_asked_on_every_look():
    """An answer counts for a while."""
    now = [0.0]
    server = Server(**{"own/resourcequotas": FULL})
    capacity = ClusterCapacity(server, KubernetesSection(), "own", lambda: now[0])
    assert capacity.problem()
    server.lists["own/resourcequotas"] = []
    assert capacity.problem()
    now[0] = ASK_SECONDS
    assert capacity.problem() == ""
