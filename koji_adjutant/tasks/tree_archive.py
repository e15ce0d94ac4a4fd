"""The archive of a failed root (contract 4.7): made inside that root with the static busybox, sifted as it comes out.

The archive's names are those that kojid's has, `var/lib/mock/NAME/root/...`: a link gives the root that path. The plugin's
filters are matched against these names. Nothing is unpacked: headers are looked at, data is passed on or dropped. Pure.
"""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Callable, Sequence

from koji_adjutant.container.steps import BIN_DIR

PLACE = "/run/adjutant/tree"
"""Only root of the root can write here; a build cannot."""
NO_DIRECTORY = 3
"""Status of the script: there is no such directory."""
BLOCK = 512
NAME_BYTES = 1 << 16
_LONG_NAME, _LONG_LINK = b"L", b"K"


def root_path(mockdir: str, name: str) -> str:
    """Return where kojid would have the root on its host."""
    return f"{mockdir.rstrip('/')}/{name}/root"


def archive_script(mockdir: str, name: str, *, full: bool) -> bytes:
    """Return a script for `busybox sh -s` as root that writes a tar to its stdout. Safe to repeat.

    What the container has of the runtime is left out: its /proc, /sys, /dev, and our own directory below /run.
    """
    top = root_path(mockdir, name).lstrip("/")
    parent = f"{PLACE}/{top.removesuffix('/root')}"
    lines = [
        "set -eu",
        f"b={BIN_DIR}/busybox",
        f"$b rm -rf {PLACE}",
        f"$b mkdir -p {shlex.quote(parent)}",
        f"$b ln -s / {shlex.quote(f'{parent}/root')}",
        f"cd {PLACE}",
        f"top={shlex.quote(top)}",
        # Names that begin with a dot too, but not `.` and `..`.
        'set -- "$top"/* "$top"/.[!.]* "$top"/run/* "$top"/run/.[!.]*' if full else 'set -- "$top/builddir"',
        "for each; do",
        "    shift",
        '    case "${each#"$top"/}" in proc|sys|dev|run|run/adjutant) continue ;; esac',
        '    if [ -e "$each" ] || [ -h "$each" ]; then set -- "$@" "$each"; fi',
        "done",
        f"[ $# -gt 0 ] || exit {NO_DIRECTORY}",
        'exec $b tar -cf - "$@"',
    ]
    return ("\n".join(lines) + "\n").encode()


class ArchiveSieve:
    """Takes a GNU tar in pieces and passes it on without the members that a filter matches, nor what is below these."""

    def __init__(self, write: Callable[[bytes], object], filters: Sequence[str]) -> None:
        self._write = write
        self._filters = filters
        self._buffer = bytearray()
        self._held = b""
        """Headers of a long name: they go with the member that follows."""
        self._name = b""
        self._left = 0
        self._passing = True
        self._dropped = ""
        self.complete = False
        """The end of the archive was seen."""

    def feed(self, data: bytes) -> None:
        """Take the next piece.

        Raises:
            ValueError: it is no tar of busybox's.
        """
        self._buffer += data
        while self._step():
            pass

    def _step(self) -> bool:
        """Do what the bytes at hand allow; return whether anything was done."""
        if self._left:
            taken = bytes(self._buffer[: self._left])
            if self._passing:
                self._write(taken)
            return self._took(len(taken), left=self._left - len(taken))
        if len(self._buffer) < BLOCK:
            return False
        block = bytes(self._buffer[:BLOCK])
        if not any(block):
            self.complete = True
            self._write(block)
            return self._took(BLOCK)
        size = _rounded(_number(block[124:136]))
        if block[156:157] in {_LONG_NAME, _LONG_LINK}:
            return self._hold(block, size)
        self._decide(block)
        return self._took(BLOCK, left=size)

    def _took(self, size: int, *, left: int = 0) -> bool:
        del self._buffer[:size]
        self._left = left
        return size > 0

    def _hold(self, block: bytes, size: int) -> bool:
        if size > NAME_BYTES:
            raise ValueError(f"a name of {size} bytes")
        whole = bytes(self._buffer[: BLOCK + size])
        if len(whole) < BLOCK + size:
            return False
        if block[156:157] == _LONG_NAME:
            self._name = whole[BLOCK:].rstrip(b"\0")
        self._held += whole
        return self._took(len(whole))

    def _decide(self, block: bytes) -> None:
        name = (self._name or block[:100].partition(b"\0")[0]).decode("utf-8", "surrogateescape").rstrip("/")
        self._passing = not self._unwanted(name)
        if self._passing:
            self._write(self._held + block)
        self._held = self._name = b""

    def _unwanted(self, name: str) -> bool:
        if self._dropped and name.startswith(f"{self._dropped}/"):
            return True
        if any(fnmatch.fnmatch(name, pattern) for pattern in self._filters):
            self._dropped = name
            return True
        return False


def _number(field: bytes) -> int:
    """Read a size: octal text, or base 256 where it is large."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    return int(field.strip(b"\0 ") or b"0", 8)


def _rounded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
