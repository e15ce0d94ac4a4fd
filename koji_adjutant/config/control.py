"""Section `control`: the local socket by which the commands of `koji-adjutant` talk to the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from koji_adjutant.config.section import AbsolutePath, OffAsText, Section

SOCKET_NAME = "control.sock"


class ControlSection(Section):
    """Who may ask, and where. Changing anything is for root and the daemon's user alone, whatever stands here."""

    socket: Annotated[AbsolutePath | Literal["off"] | None, OffAsText] = Field(
        None,
        description="Path of the socket, or `off`. Default: `control.sock` in `state_dir`. Its directory must exist. One that "
        "cannot be had is named in the log; builds go on.",
    )
    group: str | None = Field(
        None,
        description="Group whose members may ask for status, tasks and logs. They must reach the socket's directory, which "
        "`state_dir` lets nobody do. Default: root and the daemon's user only.",
    )

    def path(self, state_dir: Path) -> Path | None:
        """Return where the socket is; None: there is none."""
        if self.socket == "off":
            return None
        return self.socket if isinstance(self.socket, Path) else state_dir / SOCKET_NAME
