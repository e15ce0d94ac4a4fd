"""Section `scm`: how much a checkout may be."""

from __future__ import annotations

from pydantic import Field

from koji_adjutant.config.quantities import Duration, Size
from koji_adjutant.config.section import Integer, Section


class ScmSection(Section):
    """Bounds of one checkout, so that no repository can fill this host. kojid has none."""

    timeout: Duration = Field(14400, description="Seconds that a checkout may take (default 4h); then the task fails.")
    max_size: Size = Field(
        64 << 30,
        ge=1 << 20,
        description="Bytes of a checkout with its history (default 64GiB), over which the task fails.",
    )
    max_files: Integer = Field(
        3_000_000, ge=100, description="Files of a checkout, git's own among them, over which the task fails."
    )
