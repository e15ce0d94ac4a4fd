"""What a request says when the service does not answer."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from koji_adjutant.container.podman_client import PodmanApi, PodmanSilent
from koji_adjutant.errors import RuntimeUnavailable


def test_a_service_that_is_silent_is_unavailable(tmp_path: Path) -> None:
    """Who waits out a runtime that is away waits out a busy one too: it is no time-out of a command or a container."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with pytest.raises(PodmanSilent, match=r"did not answer `GET /_ping` within 0\.05 s") as caught:
            PodmanApi(str(tmp_path / "s"), timeout=0.05).get("/info")
    assert isinstance(caught.value, RuntimeUnavailable)
    assert caught.value.retryable
    assert "podman.request_timeout" in caught.value.resolution


def test_a_service_that_is_not_there_names_its_remedy(tmp_path: Path) -> None:
    """Nothing listens: what to start is said."""
    with pytest.raises(RuntimeUnavailable, match="cannot be reached") as caught:
        PodmanApi(str(tmp_path / "none")).get("/info")
    assert not isinstance(caught.value, PodmanSilent)
    assert "podman.socket" in caught.value.resolution
