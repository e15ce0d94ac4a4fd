"""The daemon on a Podman that hides its mounts: what a cluster's runtime allows, tried without a cluster.

All goes by the manager's copies and by execs in containers, and none of them has the daemon's proxy.
"""

from __future__ import annotations

import sys

from koji_adjutant import daemon
from koji_adjutant.container.interface import MountAccess
from koji_adjutant.container.podman_manager import PodmanManager
from tests.support.idle_machine_daemon import no_load

if __name__ == "__main__":
    no_load()
    PodmanManager.mount_access = lambda _: MountAccess.COPIED
    sys.exit(daemon.main())
