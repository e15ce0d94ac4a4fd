"""The daemon with `runtime: kubernetes`, which the factory does not offer yet."""

from __future__ import annotations

import sys

from koji_adjutant import daemon
from koji_adjutant.container import factory
from tests.support.idle_machine_daemon import no_load

if __name__ == "__main__":
    no_load()
    factory.CHOICES = (*factory.CHOICES, "kubernetes")
    sys.exit(daemon.main())
