"""What an operator is told: the state in a word and a sentence, and what to do about each reason against taking tasks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from koji_adjutant.monitoring.view import DaemonView

ADVICE = (
    ("Starting up", "The daemon has just begun; tasks of the one before are being taken up."),
    ("Stopping", "It was told to end when its tasks have; the next daemon takes tasks again."),
    ("Pending restart", "It restarts when its tasks have ended; nothing has to be done."),
    ("Draining", "Somebody asked for it; end it with: koji-adjutant resume."),
    ("Host is disabled", "Enable it at the hub: koji enable-host NAME."),
    (
        "Over capacity",
        "The weights of its tasks exceed the host's capacity: wait, or raise it: koji edit-host --capacity.",
    ),
    ("Full queue", "As many tasks run as maxjobs in kojid.conf allows: wait, or raise it."),
    ("No such directory", "Make the directory, or mount what should be there, and make it readable for the daemon."),
    (
        "Insufficient disk space",
        "Free space there, or lower minspace in kojid.conf; prepared images and packages go first.",
    ),
    ("Load average", "The machine is busier than four processes a processor: find out with what."),
    ("Insufficient memory", "Less memory is free than min_memory in adjutant.yaml asks for: find out what uses it."),
    ("Container runtime", "See that its service runs (podman.socket), then run: koji-adjutant check."),
    ("The main loop has not passed", "It waits for the hub, a disk or the runtime: the daemon's log says for which."),
)
"""How reasons begin (manager/readiness.py, check_in.py), and what to do."""


def advice(reason: str) -> str:
    """Return what to do about a reason; empty for one that nobody has thought of."""
    return next((text for beginning, text in ADVICE if reason.startswith(beginning)), "")


def state_of(view: DaemonView) -> tuple[str, str]:
    """Return a word for the daemon's state, and a sentence that explains it."""
    if not view.adopted:
        return "starting", "Tasks of the daemon before are taken up; until that has ended, no task is taken."
    if not view.healthy:
        age = "never" if view.check_in_age is None else f"not for {view.check_in_age:.0f} s"
        trouble = f" {view.check_in_trouble}" if view.check_in_trouble else ""
        return "cut off", f"The hub has answered {age}.{trouble}"
    if view.draining:
        return "draining", f"No new task is taken; {_tasks(len(view.tasks))}."
    if not view.ready:
        return "not ready", f"{view.reason}."
    if not view.tasks:
        return "idle", "Ready: the hub has no task for this host just now."
    return "busy", f"Ready for more; {_tasks(len(view.tasks))} here."


def _tasks(count: int) -> str:
    return "1 task runs" if count == 1 else f"{count} tasks run"
