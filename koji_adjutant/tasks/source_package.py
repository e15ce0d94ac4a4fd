"""The source package of a task: fetched from the hub's files and read, with koji's own words where that fails."""

from __future__ import annotations

from pathlib import Path

import koji

from koji_adjutant.errors import CorruptPackage, HubError
from koji_adjutant.hub.rpm_header import SRPMHeader, read_srpm_header
from koji_adjutant.tasks.base import ThreadedTask


def fetch_source_package(task: ThreadedTask, pkg: str) -> tuple[Path, SRPMHeader]:
    """Download `work/PKG` once into the task's work directory and read it.

    Raises:
        koji.BuildError: "not a source package".
        koji.BuildError, koji.GenericError, HubError: as `fetch_package`.
    """
    srpm, header = fetch_package(task, pkg)
    if not header.is_source:
        raise koji.BuildError("not a source package")
    return srpm, header


def fetch_package(task: ThreadedTask, pkg: str, *, missing: str = "SRPM file missing") -> tuple[Path, SRPMHeader]:
    """Download `work/PKG` once into the task's work directory and read it, source package or not.

    Raises:
        koji.BuildError: it is not there ("SRPM file missing: ...").
        koji.GenericError: it is no rpm, or its header is broken ("Downloaded rpm URL is corrupted: ...").
        HubError: an outage.
    """
    srpm = Path(task.workdir) / "local" / "work" / pkg
    try:
        task.localPath(f"work/{pkg}")
        header = read_srpm_header(srpm)
    except CorruptPackage as error:
        if error.retryable:
            raise
        raise koji.GenericError(corrupted(f"{task.context.options.topurls[0]}/work/{pkg}", srpm)) from error
    except HubError as error:
        if error.retryable:
            raise
        raise koji.BuildError(f"{missing}: {srpm}\n{error}") from error
    return srpm, header


def corrupted(url: str, local: Path) -> str:
    """Return what koji's download says about a file that its librpm cannot read, word for word."""
    return (
        f"Downloaded rpm {url} is corrupted:\n"
        f"rpm's header can't be extracted: {local} (rpm error: error reading package header)"
    )
