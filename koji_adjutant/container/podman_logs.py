"""What PID 1 of a container has printed, as Podman keeps it."""

from __future__ import annotations

import requests
import urllib3

from koji_adjutant.container.interface import ContainerHandle, Write
from koji_adjutant.container.podman_client import PodmanApi, PodmanRefusal
from koji_adjutant.container.podman_stream import CHUNK, STDERR, FrameReader, broken
from koji_adjutant.errors import ContainerNotFound


def stream_logs(api: PodmanApi, handle: ContainerHandle, stdout: Write, stderr: Write, max_bytes: int) -> None:
    """Write what there is so far, at most `max_bytes`.

    Raises:
        ContainerNotFound: no such container. ExecError: the stream broke (`unknown-end`).
    """
    params = {"stdout": True, "stderr": True, "follow": False}
    try:
        response = api.request("GET", f"/containers/{handle.id}/logs", params=params, stream=True)
    except PodmanRefusal as error:
        if error.status == requests.codes.not_found:
            raise ContainerNotFound(f"there is no container {handle.name} ({handle.id[:12]})") from error
        raise
    frames = FrameReader()
    left = max_bytes
    try:
        for data in response.iter_content(CHUNK):
            for kind, piece in frames.feed(data):
                (stderr if kind == STDERR else stdout)(piece[:left])
                left -= len(piece[:left])
            if not left:
                return
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise broken(f"the log of {handle.name}") from error
    finally:
        response.close()
    if not frames.at_boundary:
        raise broken(f"the log of {handle.name}")
