"""A manager of pods that a host name's holders have one after another, each in a higher epoch (`SupportsOwners`).

The epoch is a label of the pod. A holder that was cut off from the API server finds a higher one when it is back, and touches
nothing. What the watch has not told yet is not seen: the hub's exclusive session is the fence, this keeps the gap small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from koji_adjutant.container.interface import (
    LABEL_EPOCH,
    LABEL_MANAGED,
    LABEL_WORKER,
    ContainerHandle,
    ContainerRunResult,
    ContainerSpec,
    Write,
)
from koji_adjutant.container.kubernetes_api import MERGE_PATCH, pods_path
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.container.kubernetes_manager import KubernetesManager
from koji_adjutant.container.kubernetes_plan import PodSite
from koji_adjutant.container.kubernetes_refusal import ApiRefusal
from koji_adjutant.errors import ContainerLost

log = structlog.get_logger(__name__)


class OwnedKubernetesManager(KubernetesManager):
    """`KubernetesManager` of one holder of a host name; `epoch` is that of its claim."""

    def __init__(self, site: PodSite, *, worker: str, epoch: int) -> None:
        super().__init__(site, worker=worker)
        self._epoch = epoch
        self._own = {LABEL_MANAGED: "true", LABEL_WORKER: worker}

    def create(self, spec: ContainerSpec) -> ContainerHandle:
        return super().create(replace(self._labelled(spec), companions=[*map(self._labelled, spec.companions)]))

    def exec(
        self,
        handle: ContainerHandle,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        workdir: str = "/",
        user: str = "0:0",
        stdout: Write | None = None,
        stderr: Write | None = None,
        timeout: float = 60.0,
    ) -> ContainerRunResult:
        self._check(handle)
        return super().exec(
            handle,
            argv,
            stdin=stdin,
            env=env,
            workdir=workdir,
            user=user,
            stdout=stdout,
            stderr=stderr,
            timeout=timeout,
        )

    def remove(self, handle: ContainerHandle) -> None:
        self._check(handle)
        super().remove(handle)

    def take_over(self) -> int:
        """See `SupportsOwners.take_over`."""
        pods: dict[tuple[str, str], int] = {}
        for info in self.list_managed(self._own):
            ref = PodRef.parse(info.handle)
            pods[ref.namespace, ref.pod] = epoch_of(info.labels)
        older = [place for place, epoch in pods.items() if epoch < self._epoch]
        return sum(self._raise_epoch(*place) for place in older)

    def _raise_epoch(self, namespace: str, pod: str) -> bool:
        body = {"metadata": {"labels": {LABEL_EPOCH: str(self._epoch)}}}
        path = pods_path(namespace, pod)
        try:
            found: dict[str, Any] = self._api.request("PATCH", path, body=body, content_type=MERGE_PATCH)
        except ApiRefusal as error:
            if error.status != 404:
                raise
            return False
        self._watches.of(namespace).note(found)
        return True

    def _labelled(self, spec: ContainerSpec) -> ContainerSpec:
        return replace(spec, labels={**spec.labels, LABEL_EPOCH: str(self._epoch)})

    def _check(self, handle: ContainerHandle) -> None:
        ref = PodRef.parse(handle)
        pod = self._watches.of(ref.namespace).get(ref.pod)
        labels = {} if pod is None else pod["metadata"].get("labels") or {}
        if (epoch := epoch_of(labels)) > self._epoch:
            raise ContainerLost(
                f"{handle.name} is another daemon's now: epoch {epoch}, and ours is {self._epoch}",
                resolution="Nothing to do: the replica that claimed the host name goes on with it.",
                reason="owner",
            )


def epoch_of(labels: Mapping[str, str]) -> int:
    """The epoch in labels; 0 where there is none."""
    text = labels.get(LABEL_EPOCH, "")
    return int(text) if text.isdecimal() else 0
