"""Starts what the configuration asks for: the server, and the counting of calls and containers."""

from __future__ import annotations

import ipaddress
import logging
import ssl
import threading

from koji_adjutant.config.monitoring import MonitoringSection, parse_address
from koji_adjutant.errors import ConfigurationError
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import Parts
from koji_adjutant.metrics import HUB_CALL_ERRORS, HUB_CALL_SECONDS, REGISTRY
from koji_adjutant.monitoring.app import application
from koji_adjutant.monitoring.collector import DaemonCollector
from koji_adjutant.monitoring.observe import DaemonObserver
from koji_adjutant.monitoring.problems import RecentProblems
from koji_adjutant.monitoring.server import MonitoringServer, Tls


def count_call(method: str, seconds: float, error: str | None) -> None:
    """Count one call to the hub (`hub.call_loop.OnCall`)."""
    HUB_CALL_SECONDS.labels(method).observe(seconds)
    if error is not None:
        HUB_CALL_ERRORS.labels(error).inc()


def observe(manager: HostManager, parts: Parts) -> DaemonObserver:
    """Begin to look at one daemon, for whoever shows it; the caller stops it."""
    problems = RecentProblems()
    logging.getLogger().addHandler(problems)
    observer = DaemonObserver(manager, parts, problems)
    observer.survey.start()
    return observer


def start_monitoring(section: MonitoringSection, observer: DaemonObserver) -> MonitoringServer | None:
    """Serve the view of one daemon; None if it is turned off or its address cannot be had.

    Raises:
        ConfigurationError: the token's file or a certificate cannot be read, or is empty.
    """
    if section.listen == "off":
        return None
    host, port = parse_address(section.listen)
    tls, closing = read_tls(section), threading.Event()
    REGISTRY.register(DaemonCollector(observer.view))
    app = application(
        observer,
        REGISTRY,
        hosts=allowed_hosts(section, host),
        token=read_token(section),
        secure=tls is not None,
        closing=closing.is_set,
    )
    server = MonitoringServer(app, host, port, tls=tls, closing=closing)
    return server if server.start() else None


def read_tls(section: MonitoringSection) -> Tls | None:
    """Return what TLS is served with, tried out; None if the page is served without.

    Raises:
        ConfigurationError: a file cannot be read, or key and certificate do not fit.
    """
    if section.tls_cert is None:
        return None
    tls = Tls(section.tls_cert, section.tls_key, section.client_ca)
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.cert, tls.key)
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        names = ", ".join(str(name) for name in (tls.cert, tls.key, tls.client_ca) if name is not None)
        raise ConfigurationError(
            f"the certificates of section monitoring cannot be used: {error}",
            details=f"files: {names}",
            resolution="Name PEM files that the daemon can read in tls_cert, tls_key and client_ca, or unset them.",
        ) from error
    return tls


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
