"""The host names that replicas share, from the configuration's `hosts` to the one this replica logs in by (section 8).

A claim comes first, then the hub's exclusive session, then adoption of what the name's last holder left.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from koji_adjutant.config.hosts import HostEntry
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.factory import create_container_manager
from koji_adjutant.container.interface import LABEL_MANAGED, LABEL_WORKER, ContainerManager
from koji_adjutant.container.kubernetes_verbs import Requests
from koji_adjutant.errors import ConfigurationError
from koji_adjutant.hub.identity import HostIdentity
from koji_adjutant.manager.clock import Clock, SystemClock
from koji_adjutant.manager.lease_claim import HostClaim, Standby
from koji_adjutant.manager.lease_store import LeaseStore

REQUEST_SECONDS = 5.0
"""Which one request about a Lease may take."""


@dataclass(frozen=True)
class Membership:
    """A claimed name, and the options to log in by."""

    claim: HostClaim
    options: KojidOptions

    def leave(self, *, logged_out: bool) -> None:
        """Let the name go where the hub's session is closed too; else it expires, and its next holder closes that session."""
        if logged_out:
            self.claim.release()
        else:
            self.claim.abandon()

    def check(self, identity: HostIdentity) -> None:
        """See that the credentials are those of the claimed name.

        Raises:
            ConfigurationError: they are another host's, which another replica may use.
        """
        if identity.host_name != self.claim.host:
            raise ConfigurationError(
                f"the credentials in `hosts` for {self.claim.host} are those of host {identity.host_name}",
                resolution="Give each entry of `hosts` the credentials of the host it names.",
            )


def worker_of(options: KojidOptions) -> Callable[[str], str]:
    """Return what makes a host name the label of its containers, at the hub of these options."""
    return lambda host: HostIdentity(0, host, options.server, 0.0).worker_label


def replica_name(environ: Mapping[str, str] = os.environ) -> str:
    """Name this replica: the same for a process that is started anew in one pod, and for no other.

    POD_NAME and POD_UID come from the pod's manifest; outside of a pod it is the machine's name.
    """
    parts = [environ.get("POD_NAME") or socket.gethostname(), environ.get("POD_UID") or ""]
    return ".".join(filter(None, parts))


def join_pool(
    hosts: Sequence[HostEntry],
    options: KojidOptions,
    store: LeaseStore,
    runtime: ContainerManager,
    interrupt: threading.Event,
    *,
    replica: str = "",
    clock: Clock | None = None,
) -> Membership | None:
    """Stand by until one of `hosts` is free, and claim it; None once `interrupt` is set.

    Raises:
        ContainerError: the API server refuses. ConfigurationError: the credentials of the name cannot be read.
    """
    entries = {entry.name: entry for entry in hosts}
    worker = worker_of(options)
    standby = Standby(
        store,
        list(entries),
        replica or replica_name(),
        clock or SystemClock(),
        live=lambda: live_containers(runtime, {worker(name): name for name in entries}),
    )
    claim = standby.wait(interrupt)
    if claim is None:
        return None
    try:
        return Membership(claim, entries[claim.host].options(options, inherited=claim.inherited))
    except ConfigurationError:
        # Another replica may have what this one lacks.
        claim.release()
        raise


def join_configured(options: KojidOptions, config: AdjutantConfig) -> Membership | None:
    """Stand by for one of the configuration's `hosts` and claim it; None where there is nothing to claim.

    Raises:
        ConfigurationError: replicas are not possible so. ContainerError: the API server refuses.
    """
    if not config.hosts or config.runtime != "kubernetes":
        return None
    if not options.foreground:
        raise ConfigurationError(
            "a daemon that claims a name of `hosts` cannot go to the background: its threads would end",
            resolution="Start it with --fg.",
        )
    from koji_adjutant.container.kubernetes_api import KubernetesApi
    from koji_adjutant.container.kubernetes_connection import own_namespace

    namespace = own_namespace(config.kubernetes.config)
    # A request that hangs must not take longer than a holder may be silent.
    api = KubernetesApi(config.kubernetes.config, min(float(config.kubernetes.request_timeout), REQUEST_SECONDS))
    runtime = create_container_manager(config, topdir=options.topdir)
    try:
        return join_pool(config.hosts, options, lease_store(api, namespace, options), runtime, threading.Event())
    finally:
        runtime.close()


def lease_store(api: Requests, namespace: str, options: KojidOptions) -> LeaseStore:
    """Return the Leases of the names of one hub."""
    return LeaseStore(api, namespace, worker_of(options))


def live_containers(runtime: ContainerManager, hosts: Mapping[str, str]) -> dict[str, int]:
    """Count containers of ours by host name; `hosts` maps worker labels to names. Raises as the runtime does."""
    workers = (info.labels.get(LABEL_WORKER, "") for info in runtime.list_managed({LABEL_MANAGED: "true"}))
    return dict(Counter(hosts[worker] for worker in workers if worker in hosts))
