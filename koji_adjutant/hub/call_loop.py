"""The call loop of a session at the hub: koji's, with waits that can be interrupted.

What stays koji's (`koji.ClientSession`, 1.36.1): marshalling, headers, uploads, one immediate resend on a dropped
keep-alive connection. What is replaced is `_callMethod`, whose retry loop sleeps with `time.sleep`: at kojid's defaults
120 times 60 s, during which it hears nothing. The request, and with it the call number, is made once and sent as often as
needed, so that the hub can tell a repeat from a new call (contract 1.6).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xmlrpc.client import Fault

import koji
import requests
import structlog

from koji_adjutant.config.secrets import mask_text
from koji_adjutant.errors import DaemonStopping, Interrupted
from koji_adjutant.hub import refusals
from koji_adjutant.hub.refusals import OUTAGES
from koji_adjutant.hub.transport import interruptible_session

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT = 60.0
LOGINS = frozenset({"login", "sslLogin"})

OnCall = Callable[[str, float, str | None], None]
"""Told about each call: method, seconds with its retries, and the error's class name or None. Must not raise."""


class CallLoop(koji.ClientSession):
    """A connection to the hub that repeats calls as kojid does; see `session.AdjutantSession`, the class to use."""

    opts: dict[str, Any]
    rsession: Any
    sinfo: dict[str, Any] | None
    callnum: int | None
    logged_in: bool

    def __init__(
        self,
        baseurl: str,
        opts: dict[str, Any] | None = None,
        sinfo: dict[str, Any] | None = None,
        auth_method: dict[str, Any] | None = None,
        *,
        interrupt: threading.Event | None = None,
        interrupted: Callable[[], Interrupted] | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        self.interrupt = interrupt or threading.Event()
        self.interrupted = interrupted or _daemon_stopping
        self.on_call = on_call
        self.on_retry: Callable[[], None] | None = None
        """Called before each wait for another try. Must not raise. Subsessions do not inherit it."""
        self.covered = False
        """Whether this session, or the one it was made from, holds the exclusive lock."""
        self._shield = 0
        self.dropped: Exception | None = None
        """The last lost connection, which koji hides in its login errors."""
        super().__init__(baseurl, opts=opts, sinfo=sinfo, auth_method=auth_method)
        self.opts["timeout"] = request_timeouts(self.opts["timeout"])

    def new_session(self) -> None:
        """Open a connection pool (koji calls it at the start and after each failure)."""
        if self.rsession is not None:
            self.rsession.close()
        self.rsession = interruptible_session(self._raise_if_interrupted)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let calls through although `interrupt` is set, one try each: for the last words of a thread."""
        self._shield += 1
        try:
            yield
        finally:
            self._shield -= 1

    def pause(self, seconds: float) -> None:
        """Wait, unless interrupted: then raise at once."""
        if self._shield:
            return
        self.interrupt.wait(seconds)
        self._raise_if_interrupted()

    def _callMethod(self, name: str, args: Any, kwargs: Any = None, retry: bool = True) -> Any:  # noqa: N802 -- koji's name
        """Make a call: koji's entry point for everything, `session.x.y(...)` and uploads included."""
        if self.multicall:
            return super()._callMethod(name, args, kwargs, retry)
        with self._reported(name):
            try:
                return self._call(name, args, kwargs, retry)
            except koji.AuthExpired:
                if name in LOGINS:
                    raise
                self._renew_session()
                return self._call(name, args, kwargs, retry)

    def _call(self, name: str, args: Any, kwargs: Any, retry: bool) -> Any:
        request = self._prepCall(name, args, kwargs)
        tries = 0
        self.retries = 0  # koji's fastUpload reads it: a chunk sent twice is verified at the end
        while True:
            self._raise_if_interrupted()
            tries += 1
            self.retries += 1
            try:
                return self._sendCall(*request)
            except Fault as fault:
                pause = self._pause_of_fault(name, fault)
                tries = 0  # the server runs and says that it is offline: kojid waits for ever (contract 8.1.4)
            except OUTAGES as error:
                self._judge_outage(name, error, tries, size=len(request[2]), retry=retry)
                pause = self.opts.get("retry_interval", 20) if tries > 1 else 0
                log.warning("hub.call_failed", method=name, tries=tries, retry_in=pause, error=_text(error))
            if self.on_retry is not None:
                self.on_retry()
            self.pause(pause)

    def _pause_of_fault(self, name: str, fault: Fault) -> float:
        """Return the wait before the next try of an offline hub; any other fault is raised."""
        error = koji.convertFault(fault)
        if isinstance(error, koji.ServerOffline) and self.opts.get("offline_retry") and not self._shield:
            seconds: float = self.opts.get("offline_retry_interval", self.opts.get("retry_interval", 20))
            log.warning("hub.offline", method=name, retry_in=seconds, message=str(error))
            return seconds
        raise refusals.refusal(error, name, logged_in=self.logged_in, exclusive=self.covered) from None

    def _judge_outage(self, name: str, error: Exception, tries: int, *, size: int, retry: bool) -> None:
        """Return if the call is to be sent again, else raise."""
        renewing = bool(self.opts.get("anon_retry")) and refusals.transient(error)
        self.dropped = error if koji.is_conn_error(error) or refusals.transient(error) else None
        if isinstance(error, requests.RequestException) and error.response is not None:
            error.response.close()  # koji leaves it, and with it the socket, to the garbage collector
        self.new_session()
        if name != "rawUpload" and size > refusals.MAX_REQUEST and refusals.rejects_size(error):
            raise refusals.too_large(name, size) from error
        if name in LOGINS and not (retry and renewing):
            raise error
        anonymous = not self.logged_in and not self.opts.get("anon_retry")
        last = tries > self.opts.get("max_retries", 30) or self._shield
        if anonymous or not retry or last or koji.is_requests_cert_error(error):
            raise refusals.outage(self.baseurl, name, tries, error) from error

    def _raise_if_interrupted(self) -> None:
        if self.interrupt.is_set() and not self._shield:
            raise self.interrupted()

    @contextmanager
    def _with_opts(self, **changed: Any) -> Iterator[None]:
        before = self.opts
        self.opts = {**before, **changed}
        try:
            yield
        finally:
            # a login writes what it was called with (cert, serverca) into the options: these stay
            kept = {key: value for key, value in self.opts.items() if key not in changed}
            self.opts = kept | {key: before[key] for key in changed if key in before}

    @contextmanager
    def _reported(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        error: str | None = None
        try:
            yield
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            if self.on_call is not None:
                self.on_call(name, time.monotonic() - started, error)


def request_timeouts(timeout: Any) -> Any:
    """Return (connect, read): kojid's one number is 12 hours, which is no time to wait for a TCP handshake."""
    if isinstance(timeout, tuple):
        return timeout
    seconds = timeout or koji.DEFAULT_REQUEST_TIMEOUT
    return (min(CONNECT_TIMEOUT, seconds), seconds)


def _daemon_stopping() -> Interrupted:
    return DaemonStopping("the daemon stops: a call to the hub was given up")


def _text(error: Exception) -> str:
    return mask_text(f"{type(error).__name__}: {error}")
