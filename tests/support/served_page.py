"""Serves the status page of a made-up daemon on a free port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from koji_adjutant.config.monitoring import MonitoringSection
from koji_adjutant.monitoring.app import application
from koji_adjutant.monitoring.collector import DaemonCollector
from koji_adjutant.monitoring.server import MonitoringServer, Tls
from koji_adjutant.monitoring.source import Source
from koji_adjutant.monitoring.start import allowed_hosts


@contextmanager
def served(
    source: Source,
    *,
    token: str | None = None,
    tls: Tls | None = None,
    port: int = 0,
    registry: CollectorRegistry | None = None,
) -> Iterator[str]:
    """Serve until the context ends; gives the address, without a slash at the end."""
    if registry is None:
        registry = CollectorRegistry()
        registry.register(DaemonCollector(source.view))
    closing = threading.Event()
    hosts = allowed_hosts(MonitoringSection(), "127.0.0.1")
    app = application(source, registry, hosts=hosts, token=token, secure=tls is not None, closing=closing.is_set)
    server = MonitoringServer(app, "127.0.0.1", port, tls=tls, closing=closing)
    assert server.start()
    assert server.address is not None
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.address[1]}"
    finally:
        server.stop()
