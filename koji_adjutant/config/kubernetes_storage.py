"""Section `kubernetes.storage`: how task pods reach repositories, and where what they write stands."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from koji_adjutant.config.quantities import Size
from koji_adjutant.config.section import AbsolutePath, Section

NEEDS = {"nfs": ("server", "path"), "claim": ("claim",), "local": ("claim",)}
"""What each mode cannot do without."""
TAKES = {
    "upload": (),
    "dynamic": (),
    "hostPath": ("path", "sub_path"),
    "nfs": ("server", "path", "sub_path"),
    "claim": ("claim", "sub_path"),
    "local": ("claim", "sub_path"),
}
"""What each mode has a use for."""


class StorageSection(Section):
    """Where pods find kojid.conf's topdir, which they only ever read."""

    mode: Literal["upload", "hostPath", "nfs", "claim", "dynamic", "local"] = Field(
        "upload",
        description="`upload`: no shared storage at all, pods reach repositories over HTTP and results go by the hub's API. "
        "`hostPath`: topdir is mounted on the nodes labelled `koji.storage=available`. `nfs`: each pod mounts it from "
        "`server`. `claim`: an existing claim that many nodes may read. `local`: a claim of a local PersistentVolume, whose "
        "node affinity places the pods. `dynamic`: as `upload`, with a volume of its own for each task.",
    )
    path: AbsolutePath | None = Field(
        None, description="Path of topdir on the node (`hostPath`; default: topdir itself) or on the server (`nfs`)."
    )
    server: str | None = Field(None, min_length=1, description="NFS server, for `nfs`.")
    claim: str | None = Field(
        None,
        pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$",
        description="Name of a PersistentVolumeClaim in every namespace of task pods, for `claim` and `local`.",
    )
    sub_path: str | None = Field(
        None, min_length=1, description="Directory of the volume that is topdir. Default: the volume's own."
    )
    mapped_ids: bool = Field(
        default=False,
        description="The file system of topdir can be mounted with mapped ids (ext4, xfs, btrfs, CephFS can; NFS cannot, on a "
        "node neither). Where it cannot, pods that mount topdir run without a user namespace, or they would not start.",
    )
    size: Size = Field(
        32 << 30,
        description="Size of a task's own volume (`dynamic`, or where `storage_class` is set). Default 32GiB.",
    )

    @field_validator("sub_path")
    @classmethod
    def _stays_inside(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith("/") or ".." in PurePosixPath(value).parts):
            message = f"{value!r} is no directory inside of a volume: write it without a leading / and without .."
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _fits_mode(self) -> Self:
        given = [name for name in ("path", "server", "claim", "sub_path") if getattr(self, name) is not None]
        lacking = [name for name in NEEDS.get(self.mode, ()) if name not in given]
        if lacking:
            message = f"mode {self.mode} needs {' and '.join(lacking)}"
            raise ValueError(message)
        useless = [name for name in given if name not in TAKES[self.mode]]
        if useless:
            message = f"mode {self.mode} has no use for {', '.join(useless)}: remove it or choose another mode"
            raise ValueError(message)
        return self
