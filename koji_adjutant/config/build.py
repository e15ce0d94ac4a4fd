"""Section `build`: limits and times of a task's containers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from koji_adjutant.config.quantities import Duration, Size, format_size
from koji_adjutant.config.section import Integer, Number, Section

TMP_SIZE = 4 << 30
"""Bytes of /tmp where nothing is set."""


class BuildSection(Section):
    """What one build may use."""

    memory: Size | None = Field(
        None,
        description="Memory limit of a build (`4GiB`). Default: none with Podman, as under mock. A build over it fails with "
        "limit and peak named.",
    )
    cpus: Annotated[Number, Field(gt=0)] | None = Field(
        None,
        description="CPUs of a build (may be fractional); also sets %_smp_ncpus_max and RPM_BUILD_NCPUS. Default: all.",
    )
    pids: Integer = Field(
        16384,
        ge=64,
        description="Processes of a build. Default 16384: builds the size of gcc need more than Podman's 2048.",
    )
    nofile: Integer = Field(
        65536,
        ge=1024,
        description="Open files per process, lowered to the daemon's own hard limit. Default 65536: with a huge limit rpm "
        "and dnf walk every descriptor and take minutes.",
    )
    log_cap: Size = Field(
        1 << 30, description="Bytes of one log (default 1GiB); what comes after is dropped and the log says so."
    )
    no_output_timeout: Duration | None = Field(
        None,
        description="Seconds without a byte of output after which a build step ends as hung. Default: never, as kojid.",
    )
    orphan_timeout: Duration = Field(
        900,
        description="Seconds without a daemon after which a step ends by itself. Default 900: by then the hub has given the "
        "task away.",
    )
    init_timeout: Duration = Field(3600, description="Seconds for the installation of a base root (default 1h).")
    result_max_bytes: Size = Field(
        16 << 30,
        description="Largest single file taken from a build (default 16GiB); a larger one fails the task by name.",
    )
    tmp_size: Size | None = Field(
        None,
        description="Size of the fresh /tmp of a build; it is memory and counts as the build's. Default: 4GiB, or half of "
        "`memory` where that is less.",
    )
    repo_access: Literal["proxy", "network"] = Field(
        "proxy",
        description="How packages reach the container that installs them: `proxy` through the daemon, so that it has no "
        "network at all; `network` gives it the runtime's network.",
    )

    @model_validator(mode="after")
    def _tmp_fits_memory(self) -> Self:
        if self.memory is not None and self.tmp_size is not None and self.tmp_size > self.memory:
            message = (
                f"tmp_size ({format_size(self.tmp_size)}) is larger than memory ({format_size(self.memory)}), and /tmp counts "
                "as memory: raise memory or lower tmp_size"
            )
            raise ValueError(message)
        return self

    @property
    def tmp_bytes(self) -> int:
        """Size of /tmp in effect."""
        return self.tmp_size or min(TMP_SIZE, (self.memory or 2 * TMP_SIZE) // 2)
