"""Carries the logs of one task to the hub while they grow (contract 4.0.4), and vouches for them at the end.

The hub truncates a log at the offset of each upload (`overwrite=1`, contract 6.2), so chunks of a file go in order, from
what the hub holds. Nothing that goes wrong here fails a build: it is logged and tried again (contract 8.1.6). Only at the
end every log is compared with the hub's, by size and adler32, and sent again if it differs.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from xmlrpc.client import Fault

import koji
import structlog

from koji_adjutant.errors import AdjutantError, HubError, Interrupted, SessionLost, TaskCancelled
from koji_adjutant.hub.log_spool import LogSpool
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.hub.timestamps import LogTimestamps
from koji_adjutant.metrics import UPLOADED_BYTES

log = structlog.get_logger(__name__)

CHUNK = 1 << 20
MAX_BACKOFF = 30.0
CALL_TIMEOUT = 300.0
STOP_SECONDS = 10.0


@dataclass
class _Progress:
    offset: int | None = None
    """Bytes the hub holds of our log; None: it has to be asked."""
    verified: bool = False


class LogUploader:
    """One thread for one task. `session` is the uploader's alone from now on; whoever made it logs it out after `stop`."""

    def __init__(
        self,
        session: AdjutantSession,
        spool: LogSpool,
        upload_dir: str,
        *,
        interval: float = 1.0,
        timestamps: bool,
        on_lost: Callable[[], None],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`upload_dir`: below work/, `tasks/<m>/<id>`. `on_lost` is called once, in the uploader's thread."""
        # Each pass is a try of its own: the session must not sit in a retry for two hours.
        session.opts.update(max_retries=0, offline_retry=False, timeout=(CALL_TIMEOUT, CALL_TIMEOUT))
        self._session = session
        self._spool = spool
        self._directory = upload_dir
        self._interval = interval
        self._on_lost = on_lost
        self._timestamps = LogTimestamps(spool, wall_clock) if timestamps else None
        self._progress: dict[str, _Progress] = {}
        self._wake = threading.Event()
        self._finishing = False
        self._stopped = False
        self._error: AdjutantError | None = None
        self._thread = threading.Thread(target=self._run, name=f"logs-{upload_dir.rpartition('/')[2]}", daemon=True)

    def start(self) -> None:
        """Begin to upload."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread without another word to the hub; safe to repeat."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STOP_SECONDS)

    def finish(self, deadline: float) -> list[str]:
        """Upload the rest, verify, end the thread; return the sorted names of the logs that exist at the hub.

        Empty logs are none of them: the hub never made a file, and a result that names one fails the import.
        After `deadline` (of `time.monotonic`) the thread goes on: call it again to wait longer, or `stop`.

        Raises:
            HubError: not everything is there, verified: by `deadline` (`retryable`), or by a thread that has ended.
            Interrupted: the task is not ours any more, or the daemon stops.
            SessionLost: another daemon has our name.
        """
        self._finishing = True
        self._wake.set()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        timed_out = self._thread.is_alive()
        if self._error is not None:
            raise self._error
        missing = [name for name in self._names() if not self._progress.get(name, _Progress()).verified]
        if timed_out or missing:
            raise HubError(
                f"logs of {self._directory} could not be brought to the hub in time: {', '.join(missing) or 'unknown'}",
                resolution="They stay in the task's state directory and are sent when the task is taken up again.",
                retryable=timed_out,
            )
        return self._names()

    def upload_pass(self) -> bool:
        """Send once what has grown, in the caller's thread; return whether the hub has it all.

        Raises what ends the uploader: SessionLost, Interrupted, `koji.ActionNotAllowed` (the task is not ours).
        """
        if self._timestamps is not None:
            self._timestamps.note_growth()
        sent = [self._attempt(name, self._send) for name in self._names()]
        return all(sent)

    def verify_pass(self) -> bool:
        """Compare every log with the hub's once; what differs is sent again by the next `upload_pass`."""
        same = [self._attempt(name, self._verify) for name in self._names()]
        return all(same)

    def _run(self) -> None:
        try:
            self._upload_until_finished()
        except koji.ActionNotAllowed as error:
            log.info("logs.task_lost", directory=self._directory, error=str(error))
            self._error = TaskCancelled(f"the hub takes no more logs for {self._directory}", details=str(error))
            self._on_lost()
        except (Interrupted, SessionLost) as error:
            self._error = error
        except Exception as error:  # a thread's top: `finish` tells why there are no more logs
            log.exception("logs.upload_ended", directory=self._directory)
            self._error = HubError(f"logs of {self._directory} could not be sent: {error!r}")
            self._error.__cause__ = error

    def _upload_until_finished(self) -> None:
        failures = 0
        while not self._stopped:
            finishing = self._finishing  # before the pass: it then sends all that was written before `finish`
            whole = self.upload_pass()
            if finishing and whole and self.verify_pass():
                return
            failures = 0 if whole else failures + 1
            self._wake.wait(min(MAX_BACKOFF, self._interval * 2 ** min(failures, 6)))
            self._wake.clear()

    def _names(self) -> list[str]:
        return [name for name in self._spool.names() if self._spool.stored(name)]

    def _attempt(self, name: str, act: Callable[[str], bool]) -> bool:
        """Do `act`; trouble of the network, the hub or the disk is logged and answers False."""
        try:
            return act(name)
        except (koji.ActionNotAllowed, SessionLost):
            raise
        except (HubError, koji.GenericError, Fault, OSError) as error:
            self._progress.pop(name, None)  # what the hub holds now is unknown
            log.warning("log.upload_failed", log=name, directory=self._directory, error=str(error))
            return False

    def _send(self, name: str) -> bool:
        progress = self._progress.setdefault(name, _Progress())
        if progress.offset is None:
            progress.offset = self._held_by_hub(name)
        while chunk := self._spool.read(name, progress.offset, CHUNK):
            progress.verified = False
            answer = self._session.rawUpload(chunk, progress.offset, self._directory, name, overwrite=True)
            if answer["size"] != len(chunk) or answer["hexdigest"] != f"{zlib.adler32(chunk):08x}":
                raise HubError(f"the hub received {name} at {progress.offset} damaged: {answer}", retryable=True)
            progress.offset += len(chunk)
            UPLOADED_BYTES.labels("log").inc(len(chunk))
        return True

    def _held_by_hub(self, name: str) -> int:
        """Return how much of our log the hub holds; 0 if it is another text (an earlier run of the task)."""
        answer = self._session.checkUpload(self._directory, name, verify="adler32")
        if not answer:
            return 0
        size = int(answer["size"])
        same = size <= self._spool.stored(name) and answer["hexdigest"] == self._adler32(name, size)
        return size if same else 0

    def _verify(self, name: str) -> bool:
        progress = self._progress.setdefault(name, _Progress())
        if progress.verified:
            return True
        size = self._spool.stored(name)
        held = self._held_by_hub(name)
        progress.verified = held == size
        progress.offset = held
        if not progress.verified:
            log.warning("log.differs", log=name, directory=self._directory, size=size, held=held)
        return progress.verified

    def _adler32(self, name: str, size: int) -> str:
        checksum, offset = 1, 0
        while offset < size and (data := self._spool.read(name, offset, min(CHUNK, size - offset))):
            checksum = zlib.adler32(data, checksum)
            offset += len(data)
        return f"{checksum:08x}"
