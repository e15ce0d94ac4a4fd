"""Containers of pods: created, started, looked at, waited for, listed, removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from koji_adjutant.container.interface import (
    LABEL_MANAGED,
    ContainerHandle,
    ContainerInfo,
    ContainerSpec,
    ContainerState,
    ContainerStatus,
)
from koji_adjutant.container.kubernetes_api import KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_calls import not_found
from koji_adjutant.container.kubernetes_labels import ANNOTATION_READY, LABEL_NAME, PodRef, label_value, selector
from koji_adjutant.container.kubernetes_pending import PendingPod, PendingPods, conflict
from koji_adjutant.container.kubernetes_plan import TASK, PodSite, plan_pod
from koji_adjutant.container.kubernetes_pod import PodContainer, announced, containers_of, pod_manifest
from koji_adjutant.container.kubernetes_refusal import ApiRefusal
from koji_adjutant.container.kubernetes_state import MISSING, state_of
from koji_adjutant.container.kubernetes_watch import PodWatches
from koji_adjutant.errors import ContainerLost, ContainerTimeout

REMOVE_SECONDS = 60.0
_PAGE = "500"

_log = structlog.get_logger(__name__)


class PodLifecycle:
    """What becomes of pods. Thread-safe.

    `asked` gives the site with what the cluster said of itself, for new pods; `joined` says whether a companion has been
    shown the other's root.
    """

    def __init__(
        self,
        api: KubernetesApi,
        watches: PodWatches,
        pending: PendingPods,
        site: PodSite,
        asked: Callable[[], PodSite],
        joined: Callable[[PodRef], bool],
    ) -> None:
        self._api = api
        self._watches = watches
        self._pending = pending
        self._site = site
        self._asked = asked
        self._joined = joined

    def create(self, spec: ContainerSpec) -> ContainerHandle:
        """See `ContainerManager.create`. Of a companion: find its place in the pod."""
        if spec.companion_of is not None:
            return announced(self._known(spec.companion_of), spec).ref.handle(spec.name)
        site = self._asked()
        plan = plan_pod(spec, site)
        handle = plan.handle(spec.name)
        for pod in self._watches.of(plan.namespace).carrying(LABEL_NAME, label_value(spec.name)):
            if pod["metadata"].get("deletionTimestamp"):
                continue
            _check_same(pod, spec)
            if is_ready(pod):
                return handle
        self._pending.add(PendingPod(spec, plan, pod_manifest(plan, site)))
        return handle

    def look(self, handle: ContainerHandle) -> ContainerState:
        """The state of a container as the cluster has it, whether or not it is ready for use."""
        ref = PodRef.parse(handle)
        watch = self._watches.of(ref.namespace)
        pod = watch.get(ref.pod)
        if pod is None and self._pending.find(ref) is not None:
            return ContainerState(ContainerStatus.CREATED)
        if pod is None:
            return ContainerState(ContainerStatus.MISSING, reason=watch.why_gone(ref.pod))
        if not any(entry.ref.container == ref.container for entry in containers_of(pod)):
            return MISSING
        return state_of(pod, ref.container)

    def state(self, handle: ContainerHandle) -> ContainerState:
        """See `ContainerManager.state`: a container runs when it can be used."""
        found = self.look(handle)
        if found.status is not ContainerStatus.RUNNING or self._usable(PodRef.parse(handle)):
            return found
        return ContainerState(ContainerStatus.CREATED)

    def wait(self, handle: ContainerHandle, timeout: float) -> ContainerState:
        """See `ContainerManager.wait`."""
        ref = PodRef.parse(handle)
        deadline = time.monotonic() + timeout

        def judge(pod: Mapping[str, Any] | None) -> ContainerState | None:
            if pod is None and self._pending.find(ref) is not None:
                return None
            found = self.look(handle)
            return found if found.status in {ContainerStatus.EXITED, ContainerStatus.MISSING} else None

        found = self._watches.of(ref.namespace).wait(ref.pod, judge, deadline - time.monotonic())
        if found is None:
            raise ContainerTimeout(f"{handle.name} did not end within {timeout:g} s")
        return found

    def remove_pod(self, handle: ContainerHandle) -> None:
        """Kill and remove the pod of a container; returns when it is gone."""
        ref = PodRef.parse(handle)
        self._pending.drop(ref)
        path = pods_path(ref.namespace, ref.pod)
        query = [("gracePeriodSeconds", "0"), ("propagationPolicy", "Background")]
        uid = self._delete(path, query)
        deadline = time.monotonic() + REMOVE_SECONDS
        pause = 0.02
        while self._is_there(path, uid):
            if time.monotonic() > deadline:
                raise ContainerTimeout(
                    f"the pod of {handle.name} is still there {REMOVE_SECONDS:g} s after its removal was asked for",
                    resolution=f"See `kubectl -n {ref.namespace} describe pod {ref.pod}`: a finalizer may hold it.",
                    retryable=True,
                )
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
        if self._site.settings.task_volume:
            self._delete(f"/api/v1/namespaces/{ref.namespace}/persistentvolumeclaims/{ref.pod}", [])
        if uid:
            self._watches.of(ref.namespace).bury(ref.pod, uid)
            _log.info("container.removed", container=handle.name, pod=ref.pod)

    def list_managed(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        """See `ContainerManager.list_managed`: asked of the server, not of what is remembered."""
        found: list[ContainerInfo] = []
        made: set[tuple[str, str]] = set()
        for namespace in self._site.settings.all_namespaces(self._site.namespace):
            for pod in self._pods(namespace):
                made.add((namespace, pod["metadata"]["name"]))
                found += [_info(pod, entry) for entry in containers_of(pod) if _carries(entry.labels, labels)]
        for pending in self._pending.all():
            if (pending.plan.namespace, pending.plan.name) not in made:
                found += [info for info in pending.infos() if _carries(info.labels, labels)]
        return found

    def pod_of(self, handle: ContainerHandle) -> Mapping[str, Any]:
        """What is known of the pod of a container. Raises ContainerNotFound."""
        ref = PodRef.parse(handle)
        pod = self._watches.of(ref.namespace).get(ref.pod)
        if pod is None:
            raise not_found(handle)
        return pod

    def _known(self, handle: ContainerHandle) -> Mapping[str, Any]:
        """The pod of a container, or the manifest it will be made of."""
        pending = self._pending.find(PodRef.parse(handle))
        return self.pod_of(handle) if pending is None else pending.manifest.pod

    def _usable(self, ref: PodRef) -> bool:
        if ref.container != TASK:
            return self._joined(ref)
        pod = self._watches.of(ref.namespace).get(ref.pod)
        return pod is not None and is_ready(pod)

    def _pods(self, namespace: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        query = [("labelSelector", selector({LABEL_MANAGED: "true"})), ("limit", _PAGE)]
        more = ""
        while True:
            page = self._api.request(
                "GET", pods_path(namespace), query=[*query, *([("continue", more)] if more else [])]
            )
            found += page.get("items") or []
            more = str((page.get("metadata") or {}).get("continue") or "")
            if not more:
                return found

    def _delete(self, path: str, query: list[tuple[str, str]]) -> str:
        """Ask for a removal; the uid of what is to go, empty if there is nothing."""
        try:
            found = self._api.request("DELETE", path, query=query)
        except ApiRefusal as error:
            if error.status == 404:
                return ""
            raise
        uid = (found.get("metadata") or {}).get("uid") or (found.get("details") or {}).get("uid")
        return str(uid or "")

    def _is_there(self, path: str, uid: str) -> bool:
        if not uid:
            return False
        try:
            found = self._api.request("GET", path)
        except ApiRefusal as error:
            if error.status == 404:
                return False
            raise
        return bool(found["metadata"].get("uid") == uid)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether the pod's volumes are filled."""
    return (pod["metadata"].get("annotations") or {}).get(ANNOTATION_READY) == "true"


def ended(handle: ContainerHandle, state: ContainerState) -> ContainerLost:
    """The error for a container that cannot be started again."""
    return ContainerLost(
        f"{handle.name} has ended already with {state.exit_code}", details=state.reason, reason="exited"
    )


def _check_same(pod: Mapping[str, Any], spec: ContainerSpec) -> None:
    own = next((entry for entry in containers_of(pod) if entry.name == spec.name), None)
    if own is None or any(own.labels.get(key) != value for key, value in spec.labels.items()):
        raise conflict(spec.name)


def _info(pod: Mapping[str, Any], entry: PodContainer) -> ContainerInfo:
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()
    state = state_of(pod, entry.ref.container)
    return ContainerInfo(entry.ref.handle(entry.name), entry.labels, state.status, created)


def _carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in wanted.items())
