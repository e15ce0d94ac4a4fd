"""What a runtime is known not to keep, by test name. Exact: a test that passes in spite of being listed fails the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support import cluster

KUBERNETES = "kubernetes"
_NO_CGROUP = "an unprivileged user has no cgroup of version 1 to set limits in"
_V1 = not Path("/sys/fs/cgroup/cgroup.controllers").exists()

_NO_COMMIT = "a cluster makes no images of its pods"
_NO_ULIMITS = "a pod cannot ask for limits of processes or open files: the kubelet and each step's runner set them"
_OWN_NETWORK = "a pod has one network for all its containers; steps that must be offline have a network of their own"
_ONE_PID_SPACE = "the containers of a pod share their processes: root of one can end those of another"
_GONE_WITH_PROCESSES = "files of a container of a pod can be reached as long as one of its processes lives"

_CLUSTER_GAPS: Mapping[str, str] = {
    "test_companion_answers_after_the_end_of_the_first": _ONE_PID_SPACE,
    "test_commit_keeps_files_and_modes": _NO_COMMIT,
    "test_commit_replaces_the_name": _NO_COMMIT,
    "test_make_image": _NO_COMMIT,
    "test_making_an_image_again_replaces_the_name": _NO_COMMIT,
    "test_nofile_limit_is_visible": _NO_ULIMITS,
    "test_no_network_but_lo": _OWN_NETWORK,
    "test_out_of_a_dead_container": _GONE_WITH_PROCESSES,
    "test_pids_limit_is_visible": _NO_ULIMITS,
    "test_wrong_architecture": "the nodes' containerd takes no image of another machine into its store",
}


def cluster_gaps() -> Mapping[str, str]:
    """The gaps of the cluster that there is: some depend on its version."""
    found = dict(_CLUSTER_GAPS)
    if cluster.server_minor() < 22:
        found["test_memory_file_system_bounds"] = "before 1.22 a memory volume has no size"
    if "userns" not in CLUSTER_CAPABILITIES:
        found["test_user_namespace_of_its_own"] = "this cluster gives pods no user namespaces"
    return found


def _cluster_capabilities() -> frozenset[str]:
    found = {"companion"}
    if cluster.seccomp_profile() is not None or cluster.has_user_namespaces():
        found.add("isolate")
    if cluster.has_user_namespaces():
        found.add("userns")
    return frozenset(found)


CLUSTER_CAPABILITIES = _cluster_capabilities() if cluster.kubeconfig() else frozenset[str]()
"""Of the cluster that KUBECONFIG names."""

GAPS: Mapping[str, Mapping[str, str]] = {
    "podman": {},
    "rootless": {
        "test_memory_limit_is_visible": _NO_CGROUP,
        "test_pids_limit_is_visible": _NO_CGROUP,
        "test_cpu_limit_is_visible": _NO_CGROUP,
        "test_out_of_memory_is_named": _NO_CGROUP,
        "test_run_out_of_memory": _NO_CGROUP,
    }
    if _V1
    else {},
    "memory": {},
    "faulty-podman": {},
    "faulty-memory": {},
    # Take part where there is a cluster.
    **(dict.fromkeys((KUBERNETES, f"faulty-{KUBERNETES}"), cluster_gaps()) if cluster.kubeconfig() else {}),
}
"""Runtime -> test function -> why."""
