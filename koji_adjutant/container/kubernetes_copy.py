"""Files into and out of a container of a pod, and lists of its directories, by `adjutant-runner put`, `get` and `list`."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from koji_adjutant.container.interface import ContainerHandle, CopiedFile
from koji_adjutant.container.kubernetes_calls import Call, PodCalls
from koji_adjutant.container.kubernetes_sources import is_below
from koji_adjutant.container.pod_copies import ListDecoder, check_end, check_path, get_argv, list_argv, put_argv
from koji_adjutant.container.pod_frames import Frame
from koji_adjutant.container.pod_put import PutEntry, put_frames, put_stream
from koji_adjutant.container.step_reader import RUNNER

TIMEOUT = 3600.0
"""Seconds for one copy: hundreds of MB over a slow link; a link that is dead ends earlier."""


class PodCopies:
    """Copies. `root_of` says where a companion sees the root of the first container, None for that one itself."""

    def __init__(self, calls: PodCalls, root_of: Callable[[ContainerHandle], str | None]) -> None:
        self._calls = calls
        self._root_of = root_of

    def put(self, handle: ContainerHandle, source: Path | bytes, target: str, mode: int) -> None:
        """See `ContainerManager.copy_to`."""
        check_path(target)
        directory, name = posixpath.split(target.rstrip("/"))
        self.send(handle, directory, put_stream(source, name, mode), target)

    def put_all(self, handle: ContainerHandle, entries: Sequence[PutEntry]) -> None:
        """Put everything below `/` in one call; names are relative to it."""
        if entries:
            what = f"{len(entries)} mounts, the first /{entries[0].name},"
            self.send(handle, "/", put_frames(entries), what)

    def send(self, handle: ContainerHandle, directory: str, frames: Iterator[bytes], target: str) -> None:
        """Send frames of `pod_put` that are for `directory`; `target` names them for people."""
        root, path = self._split(handle, directory)
        argv = put_argv(RUNNER, path, root)
        end = self._calls.run(self._call(handle, argv, f"copying {target} to {handle.name}"), frames, _no_output)
        check_end(end, target, handle.name)

    def get(self, handle: ContainerHandle, source: str, target: BinaryIO, max_bytes: int) -> int:
        """See `ContainerManager.copy_from`."""
        root, path = self._split(handle, source)
        argv = get_argv(RUNNER, path, max_bytes, root)

        def take(frame: Frame) -> None:
            target.write(frame.data)

        end = self._calls.run(self._call(handle, argv, f"copying {source} out of {handle.name}"), iter(()), take)
        check_end(end, source, handle.name, max_bytes)
        return end.size

    def list_files(self, handle: ContainerHandle, directory: str, max_entries: int) -> list[CopiedFile]:
        """See `ContainerManager.list_files`."""
        root, path = self._split(handle, directory)
        decoder = ListDecoder(directory, max_entries)
        argv = list_argv(RUNNER, path, max_entries, root)

        def take(frame: Frame) -> None:
            decoder.feed(frame.data)

        end = self._calls.run(self._call(handle, argv, f"listing {directory} in {handle.name}"), iter(()), take)
        check_end(end, directory, handle.name, max_entries)
        return decoder.finish(end)

    def _split(self, handle: ContainerHandle, path: str) -> tuple[str, str]:
        """The root that a path is taken below, and the rest: a companion reaches the other root through a link."""
        root = self._root_of(handle)
        if root is None or not is_below(check_path(path), root):
            return "/", path
        return root, "/" + posixpath.relpath(path, root)

    def _call(self, handle: ContainerHandle, argv: list[str], what: str) -> Call:
        return Call(handle, argv, what, TIMEOUT)


def _no_output(frame: Frame) -> None:
    """Take nothing: `put` prints no data."""
