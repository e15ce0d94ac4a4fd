"""Leases of host names at the API server (coordination.k8s.io/v1). Every change names the version it is made on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from koji_adjutant.container.interface import LABEL_MANAGED
from koji_adjutant.container.kubernetes_verbs import Requests
from koji_adjutant.errors import ContainerError
from koji_adjutant.manager.lease import DEFAULT_TIMES, LeaseRecord, claimed, lease_name

ANNOTATION_HOST = "io.koji.adjutant.host"
"""The worker label in full, which the object's name may not hold."""


class LeaseTaken(ContainerError):
    """Another replica changed the Lease first, or holds it."""

    reason = "lease"


class LeaseStore:
    """The Leases of one namespace. `worker` gives the worker label of a host name. Thread-safe as `api` is."""

    def __init__(
        self, api: Requests, namespace: str, worker: Callable[[str], str], clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: unix time, for people who look at a Lease."""
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._worker = worker
        self._clock = clock

    def read(self, host: str) -> LeaseRecord:
        """Return what the cluster has about a host name; without a Lease, an empty record.

        Raises:
            RuntimeUnavailable, ContainerError: it cannot be asked.
        """
        try:
            found = self._api.request("GET", f"{self._path}/{lease_name(self._worker(host))}")
        except ContainerError as error:
            if error.reason != "not-found":
                raise
            return LeaseRecord(host)
        return _record(host, found)

    def claim(self, record: LeaseRecord, replica: str, seconds: float) -> LeaseRecord:
        """Make `replica` the holder for `seconds`, if the Lease is still what `record` says; return the new record.

        Raises:
            LeaseTaken: it is not. RuntimeUnavailable, ContainerError: it cannot be asked, and may or may not be done.
        """
        return self._write(claimed(record, replica, seconds))

    def renew(self, record: LeaseRecord) -> LeaseRecord:
        """Say that the holder of `record` lives. Raises as `claim`."""
        return self._write(record)

    def release(self, record: LeaseRecord) -> None:
        """Let the name go, the epoch stays. Raises as `claim`."""
        self._write(replace(record, holder=""))

    def _write(self, record: LeaseRecord) -> LeaseRecord:
        worker = self._worker(record.host)
        name = lease_name(worker)
        metadata = {
            "name": name,
            "namespace": self._namespace,
            "labels": {LABEL_MANAGED: "true"},
            "annotations": {ANNOTATION_HOST: worker},
        }
        if record.version:
            metadata["resourceVersion"] = record.version
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": self._spec(record),
        }
        try:
            if record.version:
                found = self._api.request("PUT", f"{self._path}/{name}", body=body)
            else:
                found = self._api.request("POST", self._path, body=body)
        except ContainerError as error:
            # Deleted by somebody meanwhile: as good as changed.
            if error.reason not in {"conflict", "not-found"}:
                raise
            raise LeaseTaken(f"the Lease of host {record.host} was changed meanwhile", details=error.details) from error
        return _record(record.host, found)

    def _spec(self, record: LeaseRecord) -> dict[str, Any]:
        spec: dict[str, Any] = {
            "leaseDurationSeconds": max(1, round(record.seconds)),
            "leaseTransitions": record.epoch,
            "renewTime": datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        # Some servers refuse an empty holder, and all take a missing one.
        return spec | ({"holderIdentity": record.holder} if record.holder else {})


def _record(host: str, found: Mapping[str, Any]) -> LeaseRecord:
    spec = found.get("spec") or {}
    return LeaseRecord(
        host=host,
        holder=str(spec.get("holderIdentity") or ""),
        epoch=int(spec.get("leaseTransitions") or 0),
        seconds=float(spec.get("leaseDurationSeconds") or DEFAULT_TIMES.lease),
        renewed=str(spec.get("renewTime") or ""),
        version=str(found["metadata"]["resourceVersion"]),
    )
