"""Checks of a cluster: what the daemon's account may do, what its storage can, whether policies are enforced."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from urllib.parse import urlsplit

from koji_adjutant.cli.checks.check import Check, Finding, note
from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.interface import LABEL_ROLE, ContainerManager, ContainerSpec, Network
from koji_adjutant.container.kubernetes_verbs import CLUSTER, Permission, Requests, Wanted, wanted
from koji_adjutant.container.steps import BIN_DIR

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ROLES = "Apply packaging/kubernetes/base/roles.yaml (and optional/volumes.yaml) there, bound to the daemon's account."
STORAGE = {
    "upload": "pods have no topdir: `createrepo`, `createdistrepo` and mounts of `runroot` are not done here",
    "dynamic": "pods have no topdir: `createrepo`, `createdistrepo` and mounts of `runroot` are not done here",
    "hostPath": "only nodes labelled koji.storage=available run pods that read topdir",
    "local": "pods that read topdir run on the node of the volume only",
}
"""What a mode of storage cannot do; the others have no such limit."""
PROBE_SECONDS = 180.0
PROBE = '"$0" sleep 5; exec "$0" nc -w 5 "$1" "$2" -e "$0" true'
"""Connects to an address; the pause is for network plugins that apply a policy a little after the start."""


def cluster_checks(config: AdjutantConfig, open_manager: Callable[[], ContainerManager]) -> list[Check]:
    """List what is looked at where tasks run in a cluster."""
    replicas = f"{len(config.hosts)} host names" if config.hosts else "the identity of kojid.conf"
    return [
        Check("permissions", "the verbs the daemon uses", partial(_ask_permissions, config)),
        Check("cluster storage", config.kubernetes.storage.mode, partial(check_cluster_storage, config)),
        Check("replicas", replicas, partial(check_replicas, config)),
        Check("policies", "a pod that is offline", partial(_try_policies, open_manager, config), after="runtime"),
    ]


def _try_policies(open_manager: Callable[[], ContainerManager], config: AdjutantConfig) -> list[Finding]:
    from koji_adjutant.container.kubernetes_connection import load_configuration

    return check_policies(open_manager, config, str(load_configuration(config.kubernetes.config).host))


def _ask_permissions(config: AdjutantConfig) -> list[Finding]:
    # late: as for the clients of the other runtimes
    from koji_adjutant.container.kubernetes_api import KubernetesApi
    from koji_adjutant.container.kubernetes_connection import own_namespace

    settings = config.kubernetes
    api = KubernetesApi(settings.config, float(settings.request_timeout))
    try:
        return check_permissions(api, settings, own_namespace(settings.config), replicas=bool(config.hosts))
    finally:
        api.close()


def check_permissions(api: Requests, settings: KubernetesSection, namespace: str, *, replicas: bool) -> list[Finding]:
    """Ask for each verb that the daemon uses whether this account has it, and name each that it has not.

    Raises:
        RuntimeUnavailable, ContainerError: the API server cannot be asked.
    """
    findings = [_lack(entry, verbs) for entry, verbs in _lacking(api, wanted(settings, namespace, replicas=replicas))]
    optional = _lacking(api, (Wanted("", permission) for permission in CLUSTER))
    return findings + [
        note(f"{_named(entry, verbs)}: {entry.permission.lack}", "Apply packaging/kubernetes/optional/nodes.yaml.")
        for entry, verbs in optional
    ]


def check_cluster_storage(config: AdjutantConfig) -> list[Finding]:
    """Say what the configured mode of storage cannot do, and refuse what contradicts it."""
    storage = config.kubernetes.storage
    findings = []
    if config.artifacts == "topdir":
        findings.append(
            note(
                "artifacts is topdir: the daemon itself writes to topdir, which its own pod must have as a writable mount",
                "Mount it in the daemon's Deployment, or set artifacts to upload.",
            )
        )
    if storage.mode in STORAGE:
        findings.append(note(f"storage mode {storage.mode}: {STORAGE[storage.mode]}"))
    return findings


def check_policies(open_manager: Callable[[], ContainerManager], config: AdjutantConfig, server: str) -> list[Finding]:
    """Start a pod that is labelled offline and see whether it reaches the API server, whose URL is `server`.

    Raises:
        ContainerError: the pod could not run.
    """
    manager = open_manager()
    try:
        reached = manager.run(_probe(config, server), PROBE_SECONDS).exit_code == 0
    finally:
        manager.close()
    if not reached:
        return []
    text = "a pod labelled io.koji.adjutant.network=none reaches the API server: no NetworkPolicy keeps it from that"
    remedy = "Apply packaging/kubernetes/base/network.yaml, with a network plugin that enforces policies."
    if config.kubernetes.offline == "policy":
        return [Finding(f"{text}, and kubernetes.offline relies on one", remedy)]
    return [note(f"{text}; rpmbuild is offline only by a network namespace of the step's own", remedy)]


def check_replicas(config: AdjutantConfig) -> list[Finding]:
    """Look at `hosts`: each entry's credentials can be read here."""
    if not config.hosts:
        return [
            note(
                "hosts is empty: this daemon uses the one identity of kojid.conf, and must not be replicated",
                "List a host for each replica in `hosts`.",
            )
        ]
    findings = []
    for host in config.hosts:
        for name in ("cert", "keytab", "password_file"):
            path = getattr(host, name)
            if path is not None and not _readable(path):
                findings.append(Finding(f"{name} {path} of host {host.name} cannot be read", "Mount the Secret there."))
    return findings


def _probe(config: AdjutantConfig, server: str) -> ContainerSpec:
    url = urlsplit(server)
    port = url.port or (80 if url.scheme == "http" else 443)
    busybox = f"{BIN_DIR}/busybox"
    return ContainerSpec(
        name=f"adjutant-check-{uuid.uuid4().hex[:8]}",
        image=config.empty_image,
        command=(busybox, "sh", "-c", PROBE, busybox, str(url.hostname), str(port)),
        labels={LABEL_ROLE: "check"},
        network=Network.NONE,
        userns=config.userns,
    )


def _lacking(api: Requests, entries: Iterable[Wanted]) -> list[tuple[Wanted, list[str]]]:
    """Of each entry that is not granted whole, the verbs that are lacking."""
    found = [(entry, [verb for verb in entry.permission.verbs if not _allowed(api, entry, verb)]) for entry in entries]
    return [(entry, verbs) for entry, verbs in found if verbs]


def _allowed(api: Requests, entry: Wanted, verb: str) -> bool:
    attributes = {"namespace": entry.namespace, "verb": verb, **_resource(entry.permission)}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    return bool(api.request("POST", REVIEWS, body=review)["status"].get("allowed"))


def _resource(permission: Permission) -> dict[str, str]:
    resource, _, part = permission.resource.partition("/")
    return {"group": permission.group, "resource": resource, "subresource": part}


def _lack(entry: Wanted, verbs: Sequence[str]) -> Finding:
    return Finding(f"{_named(entry, verbs)}: {entry.permission.lack}", ROLES)


def _named(entry: Wanted, verbs: Sequence[str]) -> str:
    where = f"namespace {entry.namespace}" if entry.namespace else "the cluster"
    return f"this account may not {', '.join(verbs)} {entry.permission.shown} in {where}"


def _readable(path: object) -> bool:
    try:
        with open(str(path), "rb"):
            return True
    except OSError:
        return False
