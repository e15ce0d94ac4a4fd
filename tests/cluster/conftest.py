"""A namespace of the cluster that KUBECONFIG names; without one these tests are skipped. Not run by `make test`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from koji_adjutant.container.kubernetes_api import KubernetesApi
from tests.support import cluster
from tests.support.farm_fixtures import make_source

__all__ = ["make_source"]

PATHS = {
    "v1": "/api/v1",
    "apps/v1": "/apis/apps/v1",
    "coordination.k8s.io/v1": "/apis/coordination.k8s.io/v1",
    "networking.k8s.io/v1": "/apis/networking.k8s.io/v1",
    "policy/v1": "/apis/policy/v1",
    "policy/v1beta1": "/apis/policy/v1beta1",
    "rbac.authorization.k8s.io/v1": "/apis/rbac.authorization.k8s.io/v1",
}
PLURALS = {"NetworkPolicy": "networkpolicies"}
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}


@dataclass
class Place:
    """A namespace, and an administrator's requests in it."""

    api: KubernetesApi
    namespace: str
    tokens: list[KubernetesApi] = field(default_factory=list)

    def path(self, found: dict[str, Any]) -> str:
        """Where objects of this kind are made."""
        base = PATHS[found["apiVersion"]]
        plural = PLURALS.get(found["kind"], f"{found['kind'].lower()}s")
        middle = "" if found["kind"] in CLUSTER_WIDE else f"/namespaces/{self.namespace}"
        return f"{base}{middle}/{plural}"

    def here(self, found: dict[str, Any]) -> dict[str, Any]:
        """The object, in this namespace."""
        made: dict[str, Any] = yaml.safe_load(
            yaml.safe_dump(found).replace("namespace: koji-adjutant", f"namespace: {self.namespace}")
        )
        return made

    def make(self, found: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Make an object; with `dry_run` it is only checked by the server."""
        query = [("dryRun", "All")] if dry_run else []
        return self.api.request("POST", self.path(found), query=query, body=self.here(found))

    def put(self, found: dict[str, Any]) -> None:
        """Replace an object."""
        name = found["metadata"]["name"]
        self.api.request("PUT", f"{self.path(found)}/{name}", body=self.here(found))

    def account(self, name: str, directory: Path) -> KubernetesApi:
        """Requests of a service account of the namespace."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self.api.request("POST", path, body=body)["status"]["token"]
        original = cluster.kubeconfig()
        assert original is not None
        config = yaml.safe_load(original.read_text())
        for user in config["users"]:
            user["user"] = {"token": token}
        file = directory / f"{name}.kubeconfig"
        file.write_text(yaml.safe_dump(config))
        made = KubernetesApi(file, 30.0)
        self.tokens.append(made)
        return made


@contextmanager
def new_place() -> Iterator[Place]:
    """A fresh namespace, gone at the end."""
    config = cluster.kubeconfig()
    if config is None:
        pytest.skip("KUBECONFIG names no cluster")
    api = KubernetesApi(config, 30.0)
    name = f"adjutant-test-{secrets.token_hex(4)}"
    api.request(
        "POST", "/api/v1/namespaces", body={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    place = Place(api, name)
    try:
        yield place
    finally:
        for used in place.tokens:
            used.close()
        api.request("DELETE", f"/api/v1/namespaces/{name}")
        api.close()


@pytest.fixture
def place() -> Iterator[Place]:
    """A namespace of one test."""
    with new_place() as place:
        yield place


@pytest.fixture(scope="module")
def module_place() -> Iterator[Place]:
    """A namespace of the tests of a module."""
    with new_place() as place:
        yield place
