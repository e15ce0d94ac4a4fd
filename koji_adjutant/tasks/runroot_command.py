"""What a runroot task runs and how its end is told, as the runroot plugin has it (contract 4.7). Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

import koji

from koji_adjutant.container.steps import StepEnd, StepStatus

LOG = "runroot.log"
OF_SIGNAL = 256
"""mock's status for a shell that was killed is this less the signal's number."""


def shell_command(command: str | Sequence[str]) -> list[str]:
    """Return argv: a text is the shell's own, a list keeps its words. Its output is one stream, its input is empty."""
    text = command if isinstance(command, str) else " ".join(_quoted(word) for word in command)
    # In a shell of its own, as the plugin's pipe has it: what the text does to itself, the first shell tells as a status.
    return ["/bin/sh", "-c", f"( {text}; ) < /dev/null 2>&1; exit $?"]


def program_name(command: str | Sequence[str]) -> str:
    """Return what the result calls the command: its first word that is no assignment."""
    words = command.split() if isinstance(command, str) else command
    plain = [word for word in words if "=" not in word]
    return posixpath.basename(plain[0]) if plain else "(none)"


def success_text(program: str) -> str:
    """Return the task's result."""
    return f"{program} completed successfully"


def command_error(program: str, status: StepStatus, memory_limit: int | None) -> koji.BuildrootError:
    """Return the error of a command that did not succeed; the memory limit is named where it had a part."""
    if status.end is not StepEnd.EXITED:
        text = f"{program} was ended: {status.end.value}"
    else:
        code = status.exit_code if status.signal is None else OF_SIGNAL - status.signal
        text = f"{program} exited with status {code}"
    if status.oom_kills:
        limit = "no limit of ours" if memory_limit is None else f"limit {memory_limit} bytes"
        text += f"\nout of memory: {limit}, peak {status.peak_memory} bytes, {status.oom_kills} processes killed"
    return koji.BuildrootError(text)


def log_paths(upload_logs: Sequence[str] | None) -> tuple[str, ...]:
    """Return the paths in the root of the further logs, each once; the command's own output is there anyway."""
    paths = [posixpath.normpath(posixpath.join("/", path)) for path in upload_logs or ()]
    # Two slashes at the beginning are kept by normpath.
    paths = ["/" + path.lstrip("/") for path in paths]
    return tuple(dict.fromkeys(path for path in paths if path != f"/builddir/{LOG}"))


def _quoted(word: str) -> str:
    return "'" + word.replace("'", r"'\''") + "'"
