"""What a cluster can do, asked of it: a field that its API server does not know is missing from a pod that is only tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from koji_adjutant.container.kubernetes_api import KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_plan import ServerFacts
from koji_adjutant.container.kubernetes_refusal import ApiRefusal

_log = structlog.get_logger(__name__)


def ask_facts(api: KubernetesApi, namespace: str, *, userns: bool) -> ServerFacts:
    """Try a pod of each kind without making it. `userns`: whether user namespaces are wanted at all.

    A user namespace that the server knows may still be refused by the node's runtime: the first pod tells (`seen_userns`).
    """
    return ServerFacts(
        user_namespaces=userns and _keeps(api, namespace, {"hostUsers": False}, "hostUsers"),
        # The static programs come by an init container everywhere: an image volume saves little, and few nodes have it.
        image_volumes=False,
        ephemeral_volumes=_keeps(api, namespace, {"volumes": [_EPHEMERAL]}, "volumes"),
    )


_EPHEMERAL = {
    "name": "probe",
    "ephemeral": {
        "volumeClaimTemplate": {
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        }
    },
}


def _keeps(api: KubernetesApi, namespace: str, fields: Mapping[str, Any], key: str) -> bool:
    """Whether the server takes a pod with these fields and gives them back."""
    resources = {"limits": {"cpu": "1m", "memory": "1Mi"}}
    container = {"name": "probe", "image": "probe", "resources": resources}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "adjutant-facts-", "namespace": namespace},
        "spec": {"containers": [container], "restartPolicy": "Never", **fields},
    }
    try:
        found = api.request("POST", pods_path(namespace), query=[("dryRun", "All")], body=body)
    except ApiRefusal as error:
        # 422: what is left without the unknown field is no pod. Anything else says nothing about the field.
        if error.status == 422:
            return False
        _log.warning("cluster.facts_unknown", field=key, said=error.message)
        return False
    kept = (found.get("spec") or {}).get(key)
    if key == "volumes":
        return any(volume.get("ephemeral") for volume in kept or [])
    return bool(kept == fields[key])
