"""What becomes of running tasks when the main loop has ended (design section 5; contract 2.13).

keep: say `ready=False`, free nothing, leave containers running; the next daemon adopts them. free: as kojid does, every
task goes back to the hub. abandon: another daemon owns the name; touch nothing, say nothing.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from xmlrpc.client import Fault

import koji
import structlog

from koji_adjutant.errors import AdjutantError, SessionLost
from koji_adjutant.manager.loop_errors import Reaction
from koji_adjutant.manager.parts import LoopEnd, Parts

log = structlog.get_logger(__name__)

LAST_WORDS = 2.0
"""Seconds for the last check-in."""
THREADS = 1.5
"""Seconds in which interrupted threads end; what they had begun is in their journals."""
FREEING = 30.0
"""Seconds in which tasks that are given back lose their containers."""
LOGOUT = 1.0


class StopMode(enum.StrEnum):
    """How the daemon ends."""

    KEEP = "keep"
    FREE = "free"
    ABANDON = "abandon"
    RESTART = "restart"
    """exec ourselves; no task runs."""


def stop_mode(end: LoopEnd, setting: str) -> StopMode:
    """Return how to end after `end`; `setting` is `stop:` of adjutant.yaml. Pure.

    After a lost session nothing may be touched. After any other error builds go on and the next daemon adopts them. A
    `shutdown` task means that no next daemon comes, so its host gives its tasks back, as kojid does.
    """
    if isinstance(end.error, SessionLost | koji.AuthError):
        return StopMode.ABANDON
    if end.error is not None:
        return StopMode.KEEP
    if end.reaction is Reaction.RESTART:
        return StopMode.RESTART
    return StopMode.FREE if end.by_task or setting == "free" else StopMode.KEEP


def stop(parts: Parts, mode: StopMode) -> bool:
    """End everything in the way of `mode`; return whether the login at the hub was given back.

    With `keep` this takes less than five seconds whatever the hub does.
    """
    parts.sweeper.halt()
    if mode is StopMode.FREE:
        _free(parts)
    else:
        _interrupt(parts)
    if mode in {StopMode.KEEP, StopMode.FREE}:
        load = 0.0 if mode is StopMode.FREE else parts.check_in.load
        parts.check_in.finish(load, "Stopped", LAST_WORDS)
    parts.check_in.halt()
    _wait_for_threads(parts, THREADS)
    logged_out = mode is not StopMode.ABANDON and _within(parts, LOGOUT, parts.session.close)
    log.info("daemon.stopped", mode=mode.value, running=sorted(parts.table.ids()), logged_out=logged_out)
    return logged_out


def _interrupt(parts: Parts) -> None:
    for task in parts.table.all():
        task.context.interruption.stop()


def _free(parts: Parts) -> None:
    """Cancel all tasks, remove their containers, and give them back (kojid's shutdown)."""
    tasks = parts.table.all()
    for task in tasks:
        parts.canceller.cancel(task, "the daemon stops and gives the task back")
    _wait_for_threads(parts, FREEING)
    for task in tasks:
        parts.containers.remove_run(task.task_id, task.context.start_ts)
    try:
        with parts.session.shielded():
            parts.session.host.freeTasks([task.task_id for task in tasks])
    except (koji.GenericError, Fault, AdjutantError) as error:
        log.warning("daemon.tasks_not_freed", task_ids=[task.task_id for task in tasks], error=str(error))


def _wait_for_threads(parts: Parts, timeout: float) -> None:
    """Wait for the ends of the interrupted threads, then close the journals: what comes later is not recorded."""
    deadline = parts.clock.monotonic() + timeout
    for task in parts.table.all():
        while not task.ended.is_set() and parts.clock.monotonic() < deadline:
            # A wait that was just being entered may have missed the first call.
            task.context.wake.set()
            parts.clock.wait(task.ended, 0.1)
        if not task.ended.is_set():
            log.info("task.thread_left", task_id=task.task_id)
            task.context.journal.close()


def _within(parts: Parts, timeout: float, act: Callable[[], None]) -> bool:
    """Do `act` in a thread; return whether it was done in time."""
    done = threading.Event()

    def run() -> None:
        act()
        done.set()

    threading.Thread(target=run, name="log-out", daemon=True).start()
    return parts.clock.wait(done, timeout)
