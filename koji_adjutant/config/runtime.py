"""Section `podman`: how the Podman service is reached."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from koji_adjutant.config.quantities import Duration
from koji_adjutant.config.section import AbsolutePath, Integer, Section

ROOT_SOCKET = "unix:///run/podman/podman.sock"
SOCKET_SCHEMES = ("unix://", "http+unix://", "tcp://", "http://")


class PodmanSection(Section):
    """The Podman service. Used with `runtime: podman`."""

    socket: str | None = Field(
        None,
        description="URL of the Podman service's socket. Default: unix:///run/podman/podman.sock for root, "
        "unix://$XDG_RUNTIME_DIR/podman/podman.sock for any other user, as the podman command has it.",
    )
    userns: bool = Field(
        default=True,
        description="Give each task a user namespace of its own, so that root of a build is nobody on the host. "
        "Turn it off only where subordinate ids cannot be had; `check` and each task's log then say so.",
    )
    userns_size: Integer = Field(
        65536,
        ge=1000,
        le=1 << 24,
        description="Ids per user namespace. 65536 covers every id a distribution's packages use.",
    )
    request_timeout: Duration = Field(
        60,
        description="Seconds one request to the service may take before it counts as unavailable. Pulls and commits have "
        "their own, longer ones.",
    )
    seccomp_profile: AbsolutePath | None = Field(
        None,
        description="Path of a seccomp profile, on the machine Podman runs on, for task containers. Default: the one shipped "
        "with the project (container/seccomp.json), which answers ENOSYS for calls it does not know, so that programs newer "
        "than it fall back to older calls.",
    )

    @field_validator("socket")
    @classmethod
    def _scheme(cls, value: str | None) -> str | None:
        if value is None or value.startswith(SOCKET_SCHEMES):
            return value
        if value.startswith("/"):
            return f"unix://{value}"
        message = f"{value!r} is no socket: write unix:///path/to/podman.sock"
        raise ValueError(message)

    def socket_url(self, environ: Mapping[str, str], uid: int) -> str:
        """Return `socket`, or the default for the user `uid`."""
        if self.socket:
            return self.socket
        if uid == 0:
            return ROOT_SOCKET
        return f"unix://{environ.get('XDG_RUNTIME_DIR') or f'/run/user/{uid}'}/podman/podman.sock"
