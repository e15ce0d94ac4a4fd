"""Checks of the hub: can it be reached, does the login work, is the user a host; are its files served."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

import requests

from koji_adjutant.cli.checks.check import Finding, note
from koji_adjutant.config.hosts import HostEntry
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.secrets import mask_text
from koji_adjutant.errors import SessionLost
from koji_adjutant.hub.login import connect

TIMEOUT = 20
HOST_USER = 1
"""`usertype` of a host's user (koji.USERTYPES)."""


def check_login(options: KojidOptions) -> Sequence[Finding]:
    """Log in without taking the lock, so that a daemon that runs is not disturbed. Errors of the login are raised."""
    quick = dataclasses.replace(options, timeout=TIMEOUT, max_retries=1, retry_interval=1, offline_retry=False)
    session = connect(quick, interrupt=threading.Event())
    try:
        return _host_findings(session.getLoggedInUser(), session.getHost)
    except SessionLost:
        return [
            note(
                "a daemon with this host's name holds the hub's lock",
                "Nothing to do if that is the one of this machine.",
            )
        ]
    finally:
        session.close()


def check_host_login(options: KojidOptions, host: HostEntry) -> Sequence[Finding]:
    """Log in as an entry of `hosts` does. Errors of the login, and of reading its credentials, are raised."""
    return check_login(host.options(options, inherited=False))


def check_topurls(topurls: Sequence[str]) -> Sequence[Finding]:
    """Ask each URL once; any answer of the server but its own failure counts as reached."""
    return [finding for url in topurls if (finding := _unserved(url))]


def _host_findings(user: dict[str, Any] | None, get_host: Any) -> Sequence[Finding]:
    if user is None:
        return [Finding("the hub does not know this login", "Check cert, user or keytab in kojid.conf.")]
    name = user["name"]
    if user.get("usertype") != HOST_USER:
        return [
            Finding(
                f"the hub's user {name} is not a host",
                f"Register it: `koji add-host {name} ARCH...`; log in as that host.",
            )
        ]
    host = get_host(name)
    if host is not None and not host.get("enabled", True):
        return [note(f"host {name} is disabled at the hub and gets no tasks", f"Enable it: `koji enable-host {name}`.")]
    return []


def _unserved(url: str) -> Finding | None:
    shown = mask_text(url)
    try:
        with requests.get(url, timeout=TIMEOUT, stream=True) as answer:
            if answer.status_code < requests.codes.internal_server_error:
                return None
            return Finding(f"{shown} answers {answer.status_code} {answer.reason}", "Look at the hub's web server.")
    except requests.RequestException as error:
        return Finding(
            f"{shown} cannot be reached: {mask_text(str(error))}", "Set topurl in kojid.conf to the URL of kojifiles."
        )
