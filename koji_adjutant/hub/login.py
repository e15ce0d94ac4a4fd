"""Logging in as kojid does: client certificate, password or GSSAPI, the first that is configured (contract 1.5)."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

import koji
import requests
import structlog

from koji_adjutant.config.secrets import mask_text
from koji_adjutant.errors import ConfigurationError, HubError, Interrupted
from koji_adjutant.hub import refusals
from koji_adjutant.hub.session import AdjutantSession, OnCall

log = structlog.get_logger(__name__)

_BAD_URL = (requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL)


class LoginOptions(Protocol):
    """What a login reads of kojid's options (`config.kojid_options.KojidOptions` has it all)."""

    @property
    def server(self) -> str: ...
    @property
    def user(self) -> str | None: ...
    @property
    def password(self) -> str | None: ...
    @property
    def cert(self) -> str | None: ...
    @property
    def serverca(self) -> str | None: ...
    @property
    def krb_principal(self) -> str | None: ...
    @property
    def host_principal_format(self) -> str: ...
    @property
    def keytab(self) -> str: ...
    @property
    def ccache(self) -> str: ...


def connect(
    options: LoginOptions,
    *,
    interrupt: threading.Event,
    interrupted: Callable[[], Interrupted] | None = None,
    on_call: OnCall | None = None,
) -> AdjutantSession:
    """Log in and return the session, not yet exclusive.

    As under kojid a hub that is away fails certificate and password logins at once (contract 1.4, `anon_retry`).

    Raises:
        HubError: refused, or no connection (`retryable`). Texts begin with kojid's words.
        ConfigurationError: no way to log in is configured.
        Interrupted: `interrupt` was set.
    """
    session = AdjutantSession(
        options.server,
        koji.grab_session_options(options),
        interrupt=interrupt,
        interrupted=interrupted,
        on_call=on_call,
    )
    try:
        method = _log_in(session, options)
    except refusals.OUTAGES as error:
        raise _unreachable(options.server, error) from error
    log.info("hub.logged_in", server=mask_text(options.server), method=method)
    return session


def _log_in(session: AdjutantSession, options: LoginOptions) -> str:
    if options.cert and os.path.isfile(options.cert):
        _by_certificate(session, options)
        return "certificate"
    if options.user:
        _by_password(session, options)
        return "password"
    if koji.reqgssapi:
        _by_gssapi(session, options)
        return "gssapi"
    raise ConfigurationError(
        "No username/password/certificate supplied and Kerberos missing or not configured",
        resolution="Set cert, or user and password, or keytab and krb_principal in kojid.conf.",
    )


def _by_certificate(session: AdjutantSession, options: LoginOptions) -> None:
    try:
        session.ssl_login(options.cert, None, options.serverca)
    except koji.AuthError as error:
        if session.dropped is not None:  # koji's ssl_login turns every error into an AuthError
            raise _unreachable(options.server, session.dropped) from error
        raise HubError(
            f"Error: Unable to log in: {mask_text(str(error)).strip()}",
            details=f"certificate {options.cert}, CA {options.serverca or 'of the system'}, hub {mask_text(session.baseurl)}",
            resolution=(
                "The certificate's CN must be the user of a host known to the hub (koji add-host), its key must stand in the "
                "same file, and serverca must have signed the hub's certificate."
            ),
        ) from error


def _by_password(session: AdjutantSession, options: LoginOptions) -> None:
    if not options.password:
        raise ConfigurationError(
            f"user {options.user} is set, but no password",
            resolution="Set password beside user, or remove user from kojid.conf to log in by Kerberos.",
        )
    try:
        done = session.login()
    except koji.AuthError as error:
        raise HubError(
            "Error: Unable to log in. Bad credentials?",
            details=f"user {options.user}, hub {mask_text(options.server)}: {error}",
            resolution="Check user and password in kojid.conf; the user must be that of a host (koji add-host).",
        ) from error
    if not done:
        raise HubError("Error: Unknown login error", details=f"user {options.user}: the hub gave no session")


def _by_gssapi(session: AdjutantSession, options: LoginOptions) -> None:
    principal = options.krb_principal or _host_principal(options.host_principal_format)
    _remove_if_empty(options.ccache)
    try:
        session.gssapi_login(principal=principal, keytab=options.keytab, ccache=options.ccache)
    except koji.GSSAPIAuthError as error:
        if session.dropped is not None:
            raise _unreachable(options.server, session.dropped) from error
        raise HubError(
            f"Kerberos authentication failed: {mask_text(str(error)).splitlines()[0]}",
            details=f"principal {principal}, keytab {options.keytab}, ccache {options.ccache}, hub {session.baseurl}",
            resolution=_kerberos_remedy(options),
        ) from error


def _host_principal(pattern: str) -> str:
    """Return `host_principal_format` with `%s` as this machine's name; in a pod that is the pod's name."""
    try:
        return pattern % socket.getfqdn()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"host_principal_format {pattern!r} is no format with one %s: {error}",
            resolution="Set it like compile/%s@EXAMPLE.COM, or set krb_principal.",
        ) from error


def _remove_if_empty(ccache: str) -> None:
    """Remove a credential cache of 0 bytes: with it no login works (contract 1.5, 8.1.15)."""
    try:
        if os.path.isfile(ccache) and os.path.getsize(ccache) == 0:
            os.remove(ccache)
    except OSError as error:
        raise HubError(
            f"Kerberos authentication failed: the empty credential cache {ccache} cannot be removed",
            details=str(error),
            resolution=f"Remove {ccache}.",
        ) from error


def _kerberos_remedy(options: LoginOptions) -> str:
    if not os.access(options.keytab, os.R_OK):
        return (
            f"The keytab {options.keytab} is missing or not readable. Set cert, or user and password, if this host has no "
            "Kerberos."
        )
    return (
        "Check with: kinit -k -t KEYTAB PRINCIPAL. The principal must be registered for the host's user at the hub "
        "(koji add-host --krb-principal, or edit-user), and the KDC must know HTTP/<hub>."
    )


def take_exclusive(session: AdjutantSession, force: bool) -> None:
    """Take the exclusive lock of this host's name; without it the hub refuses every `host.*` call (contract 1.6).

    Raises:
        HubError: another daemon holds it and `force` is off.
    """
    try:
        session.exclusiveSession(force=force)
    except koji.AuthLockError as error:
        raise HubError(
            "Unable to get lock. Trying using --force-lock",
            details=f"hub {mask_text(session.baseurl)}: {error}",
            resolution=(
                "Another daemon with this host's name runs, or one died without logging out. Make sure that none runs, then "
                "start with --force-lock: it closes the other one's session."
            ),
        ) from error


def check_echo(session: AdjutantSession) -> None:
    """Make one call and compare, as kojid does before it goes to the background (contract 1.2 #7).

    Raises:
        HubError: no answer or a wrong one.
    """
    answer: Any = session.echo("OK")
    if answer != ["OK"]:
        raise HubError(f"Error: incorrect server response: {answer!r}", details=f"hub {mask_text(session.baseurl)}")


def _unreachable(server: str, error: BaseException) -> HubError:
    status = error.response.status_code if isinstance(error, requests.HTTPError) and error.response is not None else 0
    wrong = 400 <= status < 500 or isinstance(error, _BAD_URL)
    return HubError(
        f"Error: Unable to connect to server {mask_text(server)}",
        details=mask_text(f"{type(error).__name__}: {error}"),
        resolution=(
            "No hub is at this address: check `server` in kojid.conf, it looks like https://hub.example.com/kojihub."
            if wrong
            else "Check `server` in kojid.conf, the network, DNS, and that the hub runs."
        ),
        retryable=not wrong and not isinstance(error, requests.exceptions.SSLError),
    )
