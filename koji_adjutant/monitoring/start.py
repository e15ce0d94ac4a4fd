"""Starts what the configuration asks for: the server, and the counting of calls and containers."""

from __future__ import annotations

import ipaddress

import structlog

from koji_adjutant.config.monitoring import MonitoringSection, parse_address
from koji_adjutant.errors import ConfigurationError
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import Parts
from koji_adjutant.metrics import HUB_CALL_ERRORS, HUB_CALL_SECONDS, REGISTRY
from koji_adjutant.monitoring.app import application
from koji_adjutant.monitoring.collector import DaemonCollector
from koji_adjutant.monitoring.server import MonitoringServer
from koji_adjutant.monitoring.view import DaemonObserver

log = structlog.get_logger(__name__)


def count_call(method: str, seconds: float, error: str | None) -> None:
    """Count one call to the hub (`hub.call_loop.OnCall`)."""
    HUB_CALL_SECONDS.labels(method).observe(seconds)
    if error is not None:
        HUB_CALL_ERRORS.labels(error).inc()


def start_monitoring(section: MonitoringSection, manager: HostManager, parts: Parts) -> MonitoringServer | None:
    """Serve the view of one daemon; None if it is turned off or its address cannot be had.

    Raises:
        ConfigurationError: the token's file cannot be read, or is empty.
    """
    if section.listen == "off":
        return None
    host, port = parse_address(section.listen)
    look = DaemonObserver(manager, parts).view
    REGISTRY.register(DaemonCollector(look))
    app = application(look, REGISTRY, hosts=allowed_hosts(section, host), token=read_token(section))
    server = MonitoringServer(app, host, port)
    return server if server.start() else None


def allowed_hosts(section: MonitoringSection, host: str) -> list[str]:
    """Return the names a request may be addressed to."""
    address = ipaddress.ip_address(host)
    own = [] if address.is_unspecified else [f"[{host}]" if address.version == 6 else host]
    # A literal IPv6 address in brackets would be a set of characters for a glob.
    names = ["localhost", "127.0.0.1", "[::1]", *own]
    return [*(name.replace("[", "[[]") for name in names), *(name.lower() for name in section.allowed_hosts)]


def read_token(section: MonitoringSection) -> str | None:
    """Return the token, None if none is asked for."""
    if section.token_file is None:
        return None
    try:
        token = section.token_file.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"monitoring.token_file {section.token_file} cannot be read: {error.strerror}",
            resolution="Write a token into it, readable for the daemon only, or unset it.",
        ) from error
    if not token:
        raise ConfigurationError(
            f"monitoring.token_file {section.token_file} is empty",
            resolution="Write a token into it (for example from `openssl rand -hex 32`), or unset it.",
        )
    return token
