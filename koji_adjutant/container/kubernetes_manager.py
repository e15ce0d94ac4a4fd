"""`KubernetesManager`: each task a pod of a cluster, over the API server's REST interface and websockets."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import structlog

from koji_adjutant.container.interface import (
    LABEL_MANAGED,
    LABEL_ROLE,
    LABEL_WORKER,
    ContainerHandle,
    ContainerInfo,
    ContainerRunResult,
    ContainerSpec,
    ContainerState,
    ContainerStatus,
    CopiedFile,
    ImageInfo,
    MountAccess,
    PullPolicy,
    RuntimeHealth,
    Write,
)
from koji_adjutant.container.kubernetes_api import KubernetesApi
from koji_adjutant.container.kubernetes_calls import PodCalls, not_found
from koji_adjutant.container.kubernetes_capacity import ClusterCapacity
from koji_adjutant.container.kubernetes_companions import BUSYBOX, Companions
from koji_adjutant.container.kubernetes_copy import PodCopies
from koji_adjutant.container.kubernetes_exec import Command, run_command
from koji_adjutant.container.kubernetes_facts import ask_facts
from koji_adjutant.container.kubernetes_health import check_health
from koji_adjutant.container.kubernetes_images import PROBE_ROLE, PodImages, Probe
from koji_adjutant.container.kubernetes_labels import PodRef, selector
from koji_adjutant.container.kubernetes_lifecycle import PodLifecycle, ended
from koji_adjutant.container.kubernetes_logs import stream_logs
from koji_adjutant.container.kubernetes_no_images import NoImages
from koji_adjutant.container.kubernetes_pending import PendingPod, PendingPods, hold_copy
from koji_adjutant.container.kubernetes_plan import TASK, PodSite, plan_pod
from koji_adjutant.container.kubernetes_pod import containers_of, pod_manifest
from koji_adjutant.container.kubernetes_run import run_to_end
from koji_adjutant.container.kubernetes_start import PodStarter
from koji_adjutant.container.kubernetes_watch import PodWatches
from koji_adjutant.container.output_cap import Collector
from koji_adjutant.container.step_reader import RUNNER
from koji_adjutant.errors import CapabilityMissing, ContainerError, RuntimeUnavailable

log = structlog.get_logger(__name__)


class KubernetesManager(NoImages):
    """`ContainerManager` of one cluster. A container is `NAMESPACE/POD/CONTAINER`.

    `worker` is the label of this daemon's containers: only their pods are watched. None: all that are managed.
    """

    def __init__(self, site: PodSite, *, worker: str | None = None) -> None:
        self._asked = site
        self._lock = threading.Lock()
        self._known: PodSite | None = None
        labels = {LABEL_MANAGED: "true", **({} if worker is None else {LABEL_WORKER: worker})}
        self._api = KubernetesApi(site.settings.config, float(site.settings.request_timeout))
        self._capacity = ClusterCapacity(self._api, site.settings, site.namespace)
        self._watches = PodWatches(self._api, selector(labels))
        self._pending = PendingPods()
        self._companions = Companions(self._run_root)
        self._lifecycle = PodLifecycle(
            self._api, self._watches, self._pending, site, self._site, self._companions.joined
        )
        self._calls = PodCalls(self._api, self._lifecycle.look)
        self._copies = PodCopies(self._calls, self._root_of)
        self._starter = PodStarter(self._api, self._watches, self._copies, site)
        probe = Probe(self._probe_image, self._lifecycle.pod_of, self._run_root, self._lifecycle.remove_pod)
        self._labels = labels
        self._images = PodImages(probe, labels)

    def ensure_image_available(self, image: str, policy: PullPolicy = PullPolicy.MISSING) -> ImageInfo:
        return self._images.ensure(image, policy)

    def create(self, spec: ContainerSpec) -> ContainerHandle:
        if spec.companion_of is None:
            self._images.require(spec.image)
        return self._lifecycle.create(spec)

    def start(self, handle: ContainerHandle, timeout: float = 60.0) -> None:
        ref = PodRef.parse(handle)
        pending = self._pending.find(ref)
        if pending is not None and ref.container == TASK:
            with pending.lock:
                if self._pending.find(ref) is pending:
                    self._starter.make(pending, timeout)
                    self._pending.drop(ref)
                    return
        state = self._lifecycle.look(handle)
        if state.status is ContainerStatus.MISSING:
            raise not_found(handle)
        if state.status is ContainerStatus.EXITED:
            raise ended(handle, state)
        self._starter.await_running(ref, handle.name, timeout)
        if ref.container != TASK and not self._companions.joined(ref):
            self._join(handle, ref)

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
        command = Command(argv, stdin, env or {}, workdir, user, timeout)
        return run_command(self._calls, handle, command, Collector(stdout, stderr))

    def copy_to(self, handle: ContainerHandle, source: Path | bytes, target: str, *, mode: int = 0o644) -> None:
        pending = self._pending.find(PodRef.parse(handle))
        if pending is not None and self._lifecycle.look(handle).status is ContainerStatus.CREATED:
            hold_copy(pending, handle, source, target, mode)
        else:
            self._copies.put(handle, source, target, mode)

    def copy_from(self, handle: ContainerHandle, source: str, target: BinaryIO, *, max_bytes: int) -> int:
        return self._copies.get(handle, source, target, max_bytes)

    def list_files(self, handle: ContainerHandle, directory: str, *, max_entries: int = 100_000) -> list[CopiedFile]:
        return self._copies.list_files(handle, directory, max_entries)

    def stream_logs(self, handle: ContainerHandle, write: Write, *, max_bytes: int = 1 << 30) -> None:
        stream_logs(self._api, handle, write, max_bytes)

    def wait(self, handle: ContainerHandle, timeout: float) -> ContainerState:
        return self._lifecycle.wait(handle, timeout)

    def state(self, handle: ContainerHandle) -> ContainerState:
        return self._lifecycle.state(handle)

    def remove(self, handle: ContainerHandle) -> None:
        """Of a companion: end what runs in it; its place in the pod goes with the pod."""
        ref = PodRef.parse(handle)
        if ref.container == TASK:
            self._lifecycle.remove_pod(handle)
        elif self._lifecycle.look(handle).status is ContainerStatus.RUNNING:
            self._companions.end(handle)

    def run(self, spec: ContainerSpec, timeout: float) -> ContainerRunResult:
        return run_to_end(self, spec, timeout)

    def list_managed(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        return self._lifecycle.list_managed(labels)

    def mount_access(self) -> MountAccess:
        return MountAccess.COPIED

    def capacity_problem(self) -> str:
        return self._capacity.problem()

    def health_check(self) -> RuntimeHealth:
        return check_health(self._api, self._site)

    def close(self) -> None:
        self._watches.close()
        self._pending.close()
        self._api.close()

    def host_ids(self, handle: ContainerHandle) -> tuple[int, int]:
        """Ids of the container's root on its node."""
        maps = (self._run_root(handle, [BUSYBOX, "cat", f"/proc/self/{kind}_map"]) for kind in ("uid", "gid"))
        uid, gid = (int(found.stdout.split()[1]) for found in maps)
        return uid, gid

    def _site(self) -> PodSite:
        """The site with what the cluster says of itself, which is asked once."""
        with self._lock:
            if self._known is None:
                settings = self._asked.settings
                namespace = settings.namespace or self._asked.namespace
                facts = ask_facts(self._api, namespace, userns=settings.userns != "off")
                tried = dataclasses.replace(self._asked, server=facts)
                if facts.user_namespaces and not self._namespaces_work(tried):
                    tried = dataclasses.replace(tried, server=dataclasses.replace(facts, user_namespaces=False))
                self._known = tried
            return self._known

    def _namespaces_work(self, site: PodSite) -> bool:
        """Whether a pod really gets a user namespace: the server may know the field, and the node's runtime refuse it."""
        name = f"userns-{secrets.token_hex(5)}"
        labels = {**self._labels, LABEL_ROLE: PROBE_ROLE}
        spec = ContainerSpec(name=name, image=site.runner_image, command=(RUNNER, "pause"), labels=labels, init=False)
        try:
            handle = self._start_probe(spec, None, site)
        except ContainerError as error:
            if isinstance(error, RuntimeUnavailable):
                raise
            log.warning("cluster.no_user_namespaces", said=str(error))
            return False
        try:
            return self.host_ids(handle)[0] != 0
        finally:
            self._lifecycle.remove_pod(handle)

    def _join(self, handle: ContainerHandle, ref: PodRef) -> None:
        pod = self._lifecycle.pod_of(handle)
        places = {entry.ref.container: entry for entry in containers_of(pod)}
        first, own = places[TASK], places[ref.container]
        if own.root is None:
            raise CapabilityMissing(f"{handle.name} is no companion in its pod")
        first_handle = first.ref.handle(first.name)
        state = self._lifecycle.look(first_handle)
        if state.status is not ContainerStatus.RUNNING:
            raise ended(first_handle, state)
        self._companions.join(handle, first_handle, own.root)

    def _root_of(self, handle: ContainerHandle) -> str | None:
        ref = PodRef.parse(handle)
        if ref.container == TASK:
            return None
        pod = self._watches.of(ref.namespace).get(ref.pod)
        entries = containers_of(pod) if pod is not None else []
        return next((entry.root for entry in entries if entry.ref.container == ref.container), None)

    def _run_root(self, handle: ContainerHandle, argv: list[str]) -> ContainerRunResult:
        return self.exec(handle, argv)

    def _probe_image(self, spec: ContainerSpec, pull_policy: str) -> ContainerHandle:
        return self._start_probe(spec, pull_policy, self._site())

    def _start_probe(self, spec: ContainerSpec, pull_policy: str | None, site: PodSite) -> ContainerHandle:
        """Run a pod that nobody created, with a pull policy of its own; gone again if it does not start."""
        plan = plan_pod(spec, site)
        manifest = pod_manifest(plan, site)
        pod: dict[str, Any] = {**manifest.pod, "spec": {**manifest.pod["spec"]}}
        own = {} if pull_policy is None else {"imagePullPolicy": pull_policy}
        pod["spec"]["containers"] = [{**entry, **own} for entry in pod["spec"]["containers"]]
        handle = plan.handle(spec.name)
        try:
            self._starter.make(PendingPod(spec, plan, dataclasses.replace(manifest, pod=pod)), 0.0)
        except BaseException:
            self._lifecycle.remove_pod(handle)
            raise
        return handle
