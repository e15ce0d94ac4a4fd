"""One login session at the hub for one thread: koji's logins over our call loop.

Two faults of koji's client (1.36.1) are corrected here:

* After AuthExpired koji logs in with `renew=True` and starts its call numbers at 0 again, while the hub keeps the last
  one: every later call fails with SequenceError "500 > 0" (seen on a live hub). The number is kept.
* `ClientSession.__del__` logs out, so garbage collection makes network calls from any thread. Log out by `close`.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any
from xmlrpc.client import Fault

import koji
import structlog

from koji_adjutant.config.secrets import mask_text
from koji_adjutant.errors import HubError, Interrupted
from koji_adjutant.hub import refusals
from koji_adjutant.hub.call_loop import CallLoop, OnCall
from koji_adjutant.hub.refusals import CLOSED, OUTAGES

__all__ = ["AdjutantSession", "OnCall"]

log = structlog.get_logger(__name__)

LOGOUT_TIMEOUT = 20.0
NO_SESSION = "unable to obtain a session"
"""What koji says when a renewal got None: the hub's answer to a subsession whose master is closed."""

_gssapi_lock = threading.Lock()
"""koji's GSSAPI login puts keytab and ccache into `os.environ`: one login of the process at a time."""


class AdjutantSession(CallLoop):
    """A session at the hub. Belongs to one thread; `interrupt` may be set from any.

    Raises, besides koji's own faults:
        Interrupted: `interrupt` was set (what `interrupted` returns), within a second, also in a wait for the answer.
        SessionLost: another daemon owns this name.
        CallUncertain: the call acted but its answer was lost; ask the hub.
        HubError: no answer within the tries (`retryable`), or a request the hub will never take.
    """

    def __del__(self) -> None:
        """Make no network call from the garbage collector."""

    def setSession(self, sinfo: dict[str, Any] | None) -> None:  # noqa: N802 -- koji's name
        """Take the login's answer; a renewed session goes on counting where it was."""
        before, callnum = self.__dict__.get("sinfo"), self.__dict__.get("callnum")
        super().setSession(sinfo)
        if before and sinfo and before["session-id"] == sinfo["session-id"]:
            self.callnum = callnum

    def exclusiveSession(self, force: bool = False) -> None:  # noqa: N802 -- koji's name
        super().exclusiveSession(force=force)
        self.covered = True

    def subsession(
        self,
        interrupt: threading.Event | None = None,
        *,
        interrupted: Callable[[], Interrupted] | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
    ) -> AdjutantSession:
        """Return a session in its own right for another thread; it dies with this one's logout.

        Call it in the thread of this session. Without `interrupt` it shares this session's.
        """
        opts = dict(self.opts)
        if timeout is not None:
            opts["timeout"] = timeout
        if max_retries is not None:
            opts["max_retries"] = max_retries
        session = type(self)(
            self.baseurl,
            opts=opts,
            sinfo=self._callMethod("subsession", ()),
            auth_method=copy.deepcopy(self.auth_method),
            interrupt=interrupt or self.interrupt,
            interrupted=interrupted or self.interrupted,
            on_call=self.on_call,
        )
        session.covered = self.covered
        session.authtype = self.authtype
        return session

    def logout(self, session_id: int | None = None) -> None:
        """Log out, in one try that does not wait long, interrupted or not."""
        with self.shielded(), self._with_opts(timeout=LOGOUT_TIMEOUT):
            super().logout(session_id)

    def close(self) -> None:
        """Log out and drop the connections; an error is logged only, a second call does nothing."""
        try:
            self.logout()
        except (koji.GenericError, Fault, *OUTAGES) as error:
            log.info("hub.logout_failed", error=mask_text(str(error)))
        self.setSession(None)
        self.rsession.close()

    def gssapi_login(self, *args: Any, **kwargs: Any) -> bool:
        """Log in by GSSAPI, one login of the process at a time; a dropped connection is retried as koji does."""
        tries = self.opts.get("max_retries", 30)
        while True:
            tries -= 1
            try:
                return self._gssapi_login_once(*args, **kwargs)
            except koji.GSSAPIAuthError:
                self._raise_if_interrupted()  # koji turns every error into a GSSAPIAuthError
                again = koji.is_conn_error(self.dropped) or (self.dropped and self.opts.get("anon_retry"))
                if not again or tries <= 0:
                    raise
                log.info("hub.login_retried", error=mask_text(str(self.dropped)))
            self.pause(self.opts.get("retry_interval", 20))

    def _gssapi_login_once(self, *args: Any, **kwargs: Any) -> bool:
        while not _gssapi_lock.acquire(timeout=0.5):
            self._raise_if_interrupted()
        try:
            self.dropped = None
            with self._with_opts(max_retries=1, retry_interval=0):
                return bool(super().gssapi_login(*args, **kwargs))
        finally:
            _gssapi_lock.release()

    def login(self, *args: Any, **kwargs: Any) -> bool:
        """Log in by password; False when the hub gave no session (only when it renews one whose master is closed)."""
        done = bool(super().login(*args, **kwargs))
        if not done:
            self.setSession(None)
        return done

    def ssl_login(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().ssl_login(*args, **kwargs))
        except koji.AuthError:
            self._raise_if_interrupted()  # koji turns every error into an AuthError
            raise

    def _renew_session(self) -> None:
        """Log in again under the same session id (contract 1.6, Expiry); a closed master means that we are replaced."""
        log.info("hub.session_expired")
        self.dropped = None
        try:
            with self._with_opts(anon_retry=True):
                super()._renew_session()
        except koji.AuthError as error:
            if self.dropped is None and (CLOSED in str(error) or str(error).endswith(NO_SESSION)):
                raise refusals.session_lost("login(renew)", str(error)) from error
            raise _not_renewed(error, self.dropped) from error
        finally:
            # koji clears it before the login; while it is cleared koji refuses uploads without asking the hub
            self.logged_in = self.sinfo is not None
        if not self.logged_in:
            raise refusals.session_lost("login(renew)", "the hub gave no session")
        log.info("hub.session_renewed")


def _not_renewed(error: koji.AuthError, dropped: Exception | None) -> HubError:
    return HubError(
        "the login at the hub expired and could not be renewed",
        details=mask_text(str(error)),
        resolution="Check that this host's certificate, keytab or password is still valid at the hub.",
        retryable=dropped is not None,
    )
