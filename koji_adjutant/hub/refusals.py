"""What a fault of the hub means to a builder: which ones are an error of ours, which stay Koji's own.

Facts of the hub (`kojihub/auth.py`, read in source and seen on a live hub of 1.35.3):

* `--force-lock` of another daemon closes our session: its next call gets AuthError "Invalid session or bad credentials".
* A subsession of that closed session is still open, but no longer covered by the lock: AuthLockError "User locked by
  another session" while the other daemon lives, then AuthError "This method requires an exclusive session".
* RetryError (1009) is the answer to a repeated call number whose first try committed something: the call acted, its
  answer was lost. The whitelist of contract 1.6 is exempt.
"""

from __future__ import annotations

import xml.parsers.expat
from http.client import HTTPException
from xmlrpc.client import Error as XMLRPCError

import koji
import requests
import urllib3

from koji_adjutant.config.secrets import mask_text
from koji_adjutant.errors import HubError, SessionLost

MAX_REQUEST = 4 * 1024 * 1024
"""Bytes of an XML-RPC request that a hub takes by default (`MaxRequestLength`, contract 1.6)."""

OUTAGES = (
    OSError,
    HTTPException,
    XMLRPCError,
    urllib3.exceptions.HTTPError,
    xml.parsers.expat.ExpatError,
    ValueError,
    LookupError,
)
"""What an outage looks like here: no connection, an HTTP error status, or an answer that is not XML-RPC."""

CLOSED = "Invalid session or bad credentials"
NOT_EXCLUSIVE = "requires an exclusive session"


class CallUncertain(HubError):
    """The call may have acted, its answer is lost: ask the hub what happened, do not repeat it."""


def refusal(error: Exception, method: str, *, logged_in: bool, exclusive: bool) -> Exception:
    """Return what to raise for the fault `error` of `method`; Koji's own classes where they say it best. Pure."""
    text = str(error)
    if isinstance(error, koji.AuthLockError) and method != "exclusiveSession":
        return session_lost(method, text)
    if isinstance(error, koji.AuthError) and logged_in and (CLOSED in text or (exclusive and NOT_EXCLUSIVE in text)):
        return session_lost(method, text)
    if isinstance(error, koji.RetryError):
        return CallUncertain(
            f"hub call {method} was repeated after a lost answer, and the hub had already acted on it",
            details=text,
            resolution="The state is read from the hub before anything else is done; nothing to do.",
        )
    if isinstance(error, koji.ServerOffline):
        return HubError(f"the hub is offline: {text}", details=f"call: {method}", retryable=True)
    return error


def session_lost(method: str, text: str) -> SessionLost:
    """Return the error for a session that another daemon of this host name took, or that an admin closed."""
    return SessionLost(
        "this host's session at the hub is gone: another daemon took its name, or an administrator closed it",
        details=f"call {method}: {text}",
        resolution=(
            "Run one daemon for each Koji host name. This one stops and leaves its containers as they are. A hub with "
            "CheckClientIP also says so when this machine's address at the hub has changed."
        ),
    )


def too_large(method: str, size: int) -> HubError:
    """Return the error for a request above the hub's `MaxRequestLength`; never retried (contract 1.6)."""
    return HubError(
        f"hub call {method} is too large: {size} bytes, the hub takes {MAX_REQUEST} by default",
        resolution="Raise MaxRequestLength in the hub's hub.conf, or make the task's result smaller.",
    )


def outage(url: str, method: str, tries: int, error: Exception) -> HubError:
    """Return the error for a hub that did not answer in `tries` tries."""
    return HubError(
        f"hub {mask_text(url)} did not answer {method} ({tries} {'try' if tries == 1 else 'tries'})",
        details=mask_text(f"{type(error).__name__}: {error}"),
        resolution="Check that the hub runs and that this machine reaches it (koji-adjutant check).",
        retryable=True,
    )


def rejects_size(error: Exception) -> bool:
    """Whether `error` is how a front end refuses a large request: 400 or 413, or a connection cut while we sent."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in {400, 413}
    return bool(koji.is_conn_error(error)) or "Broken pipe" in str(error)


def transient(error: Exception) -> bool:
    """Whether a login that failed so may work later with the same credentials: no connection, or the server's own error."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= 500
    if isinstance(error, requests.exceptions.SSLError):
        return False
    return isinstance(error, requests.ConnectionError | requests.Timeout | ConnectionError | TimeoutError)
