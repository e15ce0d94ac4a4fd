"""Exit codes of the commands that talk to a running daemon, and what they mean; manual pages are made from this."""

from __future__ import annotations

from collections.abc import Mapping

DONE = 0
FAILED = 1
USAGE = 2
NO_DAEMON = 3
NOT_PERMITTED = 4
INFRASTRUCTURE = 75
"""EX_TEMPFAIL."""
INTERRUPTED = 130

OF_CONTROL: Mapping[int, str] = {
    DONE: "done",
    FAILED: "the daemon refused, and says why",
    USAGE: "the command line cannot be understood",
    NO_DAEMON: "no daemon answers at the socket",
    NOT_PERMITTED: "this user may not ask for it",
    INFRASTRUCTURE: "the hub or the container runtime failed",
    INTERRUPTED: "interrupted",
}
OF_SHELL: Mapping[int, str] = {
    **{code: text for code, text in OF_CONTROL.items() if code != DONE},
    125: "podman could not enter the container",
    126: "the command there cannot be run",
    127: "the command is not there (any other code is the command's own)",
}
OF_FILES: Mapping[int, str] = {
    DONE: "no problem",
    FAILED: "a problem, or a file that is wrong",
    USAGE: OF_CONTROL[USAGE],
    INTERRUPTED: OF_CONTROL[INTERRUPTED],
}
OF_BUILD: Mapping[int, str] = {
    DONE: "built",
    FAILED: "the package fails",
    USAGE: OF_CONTROL[USAGE],
    INFRASTRUCTURE: "hub, repository, image, disk or Podman failed",
    INTERRUPTED: "interrupted, and everything was removed",
}
