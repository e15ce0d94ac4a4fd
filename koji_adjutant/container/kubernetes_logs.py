"""What PID 1 of a container has printed, as the kubelet keeps it: a view of the newest part, never a record (traps 5)."""

from __future__ import annotations

import urllib3

from koji_adjutant.container.interface import ContainerHandle, Write
from koji_adjutant.container.kubernetes_api import KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_calls import not_found
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.container.kubernetes_refusal import ApiRefusal
from koji_adjutant.errors import ExecError

SILENCE = 30.0
_PIECE = 1 << 16


def stream_logs(api: KubernetesApi, handle: ContainerHandle, write: Write, max_bytes: int) -> None:
    """See `ContainerManager.stream_logs`. A container that has not started has printed nothing.

    Raises:
        ContainerNotFound: no such container. ExecError: the stream broke (`unknown-end`).
    """
    ref = PodRef.parse(handle)
    query = [("container", ref.container), ("limitBytes", str(max_bytes))]
    try:
        response = api.open(pods_path(ref.namespace, ref.pod, "log"), query, SILENCE)
    except ApiRefusal as error:
        if error.status == 404:
            raise not_found(handle) from error
        if error.status == 400 and "waiting to start" in error.message:
            return
        raise
    left = max_bytes
    try:
        for piece in response.stream(_PIECE, decode_content=False):
            write(piece[:left])
            left -= len(piece[:left])
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ExecError(
            f"the log of {handle.name} broke", details=str(error), reason="unknown-end", retryable=True
        ) from error
    finally:
        response.close()
