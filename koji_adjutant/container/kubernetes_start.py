"""Makes pods and waits until they run: claims, the pod, its volumes filled, the root shown to companions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from koji_adjutant.container.interface import ContainerState, ContainerStatus
from koji_adjutant.container.kubernetes_api import MERGE_PATCH, KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_copy import PodCopies
from koji_adjutant.container.kubernetes_events import explain
from koji_adjutant.container.kubernetes_labels import ANNOTATION_READY, PodRef
from koji_adjutant.container.kubernetes_pending import PendingPod, conflict
from koji_adjutant.container.kubernetes_plan import PodSite
from koji_adjutant.container.kubernetes_refusal import ApiRefusal
from koji_adjutant.container.kubernetes_state import start_obstacle, state_of, unschedulable
from koji_adjutant.container.kubernetes_volumes import Fill
from koji_adjutant.container.kubernetes_watch import PodWatches
from koji_adjutant.container.pod_put import PutEntry
from koji_adjutant.container.start_notes import say
from koji_adjutant.errors import ContainerError, ContainerLost, ContainerTimeout, RuntimeUnavailable

UNSCHEDULABLE_SECONDS = 20.0
"""How long no node may be found before that is said: the scheduler looks again when pods end."""
_QUOTA_PAUSE = 1.0
_LONGEST_QUOTA_PAUSE = 15.0

_log = structlog.get_logger(__name__)


class PodStarter:
    """Starts pods. Thread-safe for different pods; one pod is started by one thread at a time (`PendingPod.lock`)."""

    def __init__(
        self,
        api: KubernetesApi,
        watches: PodWatches,
        copies: PodCopies,
        site: PodSite,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._watches = watches
        self._copies = copies
        self._site = site
        self._clock = clock

    def make(self, pending: PendingPod, timeout: float) -> None:
        """Make the pod, wait until it runs, fill its volumes. May be repeated, by another daemon too.

        Raises:
            ImageError, ContainerError, ContainerTimeout, ContainerLost: it does not start; the pod stays until removed.
        """
        ref = PodRef(pending.plan.namespace, pending.plan.name, pending.plan.containers[0].name)
        for claim in pending.manifest.claims:
            self._create(f"/api/v1/namespaces/{ref.namespace}/persistentvolumeclaims", claim, pending)
        nothing_to_do = not (pending.manifest.fills or pending.copies)
        self._create(pods_path(ref.namespace), _ready(pending.manifest.pod, ready=nothing_to_do), pending)
        state = self.await_running(ref, pending.spec.name, timeout)
        if not nothing_to_do:
            self._finish(pending, ref, state)
        _log.info("container.started", container=pending.spec.name, pod=ref.pod)

    def _finish(self, pending: PendingPod, ref: PodRef, state: ContainerState) -> None:
        if state.status is not ContainerStatus.RUNNING:
            raise ContainerLost(
                f"{pending.spec.name} ended before its volumes were filled",
                details=f"exit code {state.exit_code}, {state.reason or 'no reason given'}",
                reason="exited",
            )
        self._fill(pending, ref)
        for copy in pending.copies:
            self._copies.send(copy.handle, copy.directory, copy.read(), copy.target)
        body = {"metadata": {"annotations": {ANNOTATION_READY: "true"}}}
        path = pods_path(ref.namespace, ref.pod)
        self._watches.of(ref.namespace).note(self._api.request("PATCH", path, body=body, content_type=MERGE_PATCH))

    def await_running(self, ref: PodRef, name: str, timeout: float) -> ContainerState:
        """Wait until a container of a pod that is made runs, or has run; its state.

        Raises:
            ImageError, ContainerError: it will not, and why. ContainerTimeout, ContainerLost.
        """
        judge = _Judge(ref, name, self._clock)
        limit = max(timeout, float(self._site.settings.start_timeout))
        watch = self._watches.of(ref.namespace)
        try:
            state = watch.wait(ref.pod, judge, limit)
        except RuntimeUnavailable:
            raise
        except ContainerError as error:
            # Its place in our code says nothing; what the cluster says of the pod does.
            raise explain(self._api, ref, error) from None
        if state is None:
            late = ContainerTimeout(f"{name} does not run after {limit:g} s", details=_seen(judge.last), retryable=True)
            raise explain(self._api, ref, late)
        if state.status is ContainerStatus.MISSING:
            raise ContainerLost(f"the pod of {name} was removed while it started", reason="deleted")
        return state

    def _create(self, path: str, body: Mapping[str, Any], pending: PendingPod) -> None:
        """Create an object that may be there already; a full quota is waited for, and it is said."""
        name = pending.plan.name
        give_up = self._clock() + float(self._site.settings.start_timeout)
        pause = _QUOTA_PAUSE
        while not pending.dropped:
            try:
                made = self._api.request("POST", path, body=body)
            except ApiRefusal as error:
                if error.reason == "conflict" and error.word == "AlreadyExists":
                    if self._is_ours(f"{path}/{name}", body):
                        return
                elif error.reason != "quota":
                    raise
                # A quota is waited for as long as it takes: no package is to blame, and who cancels the task drops the pod.
                if error.reason != "quota" and self._clock() > give_up:
                    raise
                if error.reason == "quota":
                    _log.warning("pod.waits_for_quota", pod=name, namespace=pending.plan.namespace, said=error.message)
                    say(f"waits for the quota of namespace {pending.plan.namespace}: {error.message}")
            else:
                say("")
                if made.get("kind") == "Pod":
                    self._watches.of(pending.plan.namespace).note(made)
                if not pending.dropped:
                    return
                self._api.request("DELETE", f"{path}/{name}", query=[("gracePeriodSeconds", "0")])
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_QUOTA_PAUSE)
        raise ContainerLost(f"{pending.spec.name} was removed before it started", reason="deleted")

    def _is_ours(self, path: str, body: Mapping[str, Any]) -> bool:
        """Whether the object that is there is the one that was to be made; False: it is going, try again."""
        try:
            found = self._api.request("GET", path)
        except ApiRefusal as error:
            if error.status == 404:
                return False
            raise
        if found["metadata"].get("deletionTimestamp"):
            return False
        if (found["metadata"].get("labels") or {}) | body["metadata"]["labels"] != found["metadata"].get("labels"):
            raise conflict(str(body["metadata"]["name"]))
        if found.get("kind") == "Pod":
            self._watches.of(found["metadata"]["namespace"]).note(found)
        return True

    def _fill(self, pending: PendingPod, ref: PodRef) -> None:
        by_container: dict[str, list[PutEntry]] = {}
        for fill in pending.manifest.fills:
            by_container.setdefault(fill.container, []).append(_entry(fill))
        for planned in pending.plan.containers:
            if planned.name in by_container:
                handle = PodRef(ref.namespace, ref.pod, planned.name).handle(planned.spec.name)
                if planned.name != ref.container:
                    self.await_running(PodRef.parse(handle), planned.spec.name, 0.0)
                self._copies.put_all(handle, by_container[planned.name])


class _Judge:
    """What a pod's news mean to somebody who waits for one of its containers."""

    def __init__(self, ref: PodRef, name: str, clock: Callable[[], float]) -> None:
        self._ref = ref
        self._name = name
        self._clock = clock
        self._homeless: float | None = None
        self.last: Mapping[str, Any] | None = None

    def __call__(self, pod: Mapping[str, Any] | None) -> ContainerState | None:
        self.last = pod
        state = state_of(pod, self._ref.container)
        if pod is None:
            return state
        obstacle = start_obstacle(pod, self._name) or self._no_node(pod)
        if obstacle is not None:
            raise obstacle
        return None if state.status is ContainerStatus.CREATED else state

    def _no_node(self, pod: Mapping[str, Any]) -> ContainerError | None:
        found = unschedulable(pod, self._name)
        if found is None:
            if self._homeless is not None:
                say("")
            self._homeless = None
            return None
        if self._homeless is None:
            self._homeless = self._clock()
            _log.warning("pod.unschedulable", pod=self._ref.pod, said=found.details)
            say(f"{found.brief}: {found.details}")
        return found if self._clock() - self._homeless > UNSCHEDULABLE_SECONDS else None


def _ready(pod: Mapping[str, Any], *, ready: bool) -> Mapping[str, Any]:
    """The manifest of a pod that is ready as soon as it runs, if nothing is to be done to it."""
    if not ready:
        return pod
    metadata = pod["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION_READY: "true"}
    return {**pod, "metadata": {**metadata, "annotations": annotations}}


def _entry(fill: Fill) -> PutEntry:
    """What is put for a mount: the tree of the daemon's directory, or only a mode."""
    name = fill.target.strip("/")
    if fill.source is None:
        return PutEntry(name, None, 0o777 if fill.mode is None else fill.mode)
    source = Path(fill.source)
    if not source.is_dir():
        raise ContainerError(
            f"{fill.source}, which a pod is to have at {fill.target}, is no directory of the daemon", reason="plan"
        )
    return PutEntry(name, source, 0o755)


def _seen(pod: Mapping[str, Any] | None) -> str:
    """What the cluster last said of a pod that does not start."""
    if pod is None:
        return "the pod is not there"
    waits = [f"{entry.get('name')}: {entry.get('state')}" for entry in _statuses(pod)]
    return f"phase {(pod.get('status') or {}).get('phase')}; {'; '.join(waits) or 'no container was looked at'}"


def _statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
