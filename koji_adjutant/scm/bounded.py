"""A command that may fill only so much of its container's work directory, watched from beside it in the container.

A history has no end that could be known beforehand, and a tree of a few kilobytes in a repository can be millions of files
(each directory holds the same one ten times). The watch looks less often the longer a look takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from koji_adjutant.config.quantities import format_size
from koji_adjutant.container.steps import BIN_DIR

TOO_LARGE = 97
"""Exit code of a command that was ended because its directory became too large."""


@dataclass(frozen=True)
class CheckoutLimits:
    """How long a command of a checkout may take, and how large all of it may become."""

    seconds: float
    max_bytes: int
    max_files: int

    @property
    def shown(self) -> str:
        return f"{format_size(self.max_bytes)} or {self.max_files} files"


_SCRIPT = """
busybox=$1 directory=$2 kib=$3 files=$4
shift 4
"$@" &
command=$!
(
    pause=1
    while "$busybox" sleep $pause; do
        began=$("$busybox" date +%s)
        used=$("$busybox" du -sk "$directory" 2>/dev/null | "$busybox" cut -f1)
        count=$("$busybox" find "$directory" 2>/dev/null | "$busybox" head -n $((files + 1)) | "$busybox" wc -l)
        if [ "$used" -gt "$kib" ] || [ "$count" -gt "$files" ]; then
            : > /run/adjutant-too-large
            kill -KILL $command
            exit
        fi
        pause=$((1 + 5 * ($("$busybox" date +%s) - began)))
    done
) &
watch=$!
wait $command
status=$?
kill $watch
[ ! -e /run/adjutant-too-large ] || exit 97
exit $status
"""


def bounded(argv: Sequence[str], directory: str, limits: CheckoutLimits) -> list[str]:
    """Return `argv` so that it ends with `TOO_LARGE` when `directory` outgrows the limits; else it ends as it would."""
    busybox = f"{BIN_DIR}/busybox"
    numbers = (str(limits.max_bytes >> 10), str(limits.max_files))
    return [busybox, "sh", "-c", _SCRIPT, "checkout", busybox, directory, *numbers, *argv]
