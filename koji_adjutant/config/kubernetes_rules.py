"""Entries of the lists in section `kubernetes`: resource classes, namespaces by rule, tolerations."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from koji_adjutant.config.quantities import Size, format_size
from koji_adjutant.config.section import Integer, Number, Section

NAMESPACE = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""Name of a namespace, as Kubernetes wants it."""
Cpus = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(gt=0, le=1)]


class TaskGlobs(Section):
    """Globs over what a task is. All must match."""

    tag: str = Field(
        "*", min_length=1, description="Glob over the name of the build tag (empty for a task without one)."
    )
    arch: str = Field("*", min_length=1, description="Glob over the arch of the task.")
    method: str = Field("*", min_length=1, description="Glob over the task method.")

    def matches(self, *, tag: str, arch: str, method: str) -> bool:
        """Whether a task is meant."""
        pairs = ((tag, self.tag), (arch, self.arch), (method, self.method))
        return all(fnmatchcase(value, glob) for value, glob in pairs)


class NamespaceRule(TaskGlobs):
    """The namespace of the tasks that match."""

    namespace: str = Field(pattern=NAMESPACE, description="Namespace of their pods; the daemon's Role is needed in it.")


class ResourceClass(TaskGlobs):
    """What the containers that match may use, over what section `build` says."""

    name: str = Field(min_length=1, description="Name of the class, for messages.")
    role: str = Field(
        "*", min_length=1, description="Glob over the container's role: `task` (the build), `tools`, `work-*`."
    )
    memory: Size | None = Field(None, description="Memory limit. Default: that of section `build`, or none.")
    memory_request: Size | None = Field(None, description="Memory reserved on the node. Default: a share of the limit.")
    cpus: Cpus | None = Field(
        None, description="CPU limit (may be fractional). Default: that of section `build`, or none."
    )
    cpu_request: Cpus | None = Field(None, description="CPUs reserved on the node. Default: a share of the limit.")
    ephemeral_storage: Size | None = Field(
        None, description="Limit of what is written to the node's disk; a pod over it is evicted. Default: none."
    )
    request_share: Share | None = Field(
        None, description="Share of the limits that is reserved. Default: `request_share`."
    )

    def matches_role(self, role: str) -> bool:
        """Whether containers of this role are meant."""
        return fnmatchcase(role, self.role)

    @model_validator(mode="after")
    def _requests_fit(self) -> Self:
        if self.memory is not None and (self.memory_request or 0) > self.memory:
            message = (
                f"class {self.name!r}: memory_request ({format_size(self.memory_request or 0)}) is more than memory "
                f"({format_size(self.memory)}): Kubernetes refuses that"
            )
            raise ValueError(message)
        if self.cpus is not None and (self.cpu_request or 0) > self.cpus:
            message = f"class {self.name!r}: cpu_request ({self.cpu_request}) is more than cpus ({self.cpus})"
            raise ValueError(message)
        return self


class Toleration(Section):
    """A taint that task pods put up with."""

    key: str | None = Field(None, min_length=1, description="Key of the taint. Default: every taint, with `Exists`.")
    operator: Literal["Equal", "Exists"] = Field("Equal", description="`Equal` compares `value`, `Exists` does not.")
    value: str | None = Field(None, description="Value of the taint, with `Equal`.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint. Default: every effect."
    )
    seconds: Annotated[Integer, Field(ge=0)] | None = Field(
        None, description="How long a pod stays after such a taint appears, with `NoExecute`. Default: for good."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.operator == "Exists" and self.value is not None:
            message = "operator Exists compares no value: remove value, or write operator: Equal"
            raise ValueError(message)
        if self.operator == "Equal" and self.key is None:
            message = "operator Equal needs a key"
            raise ValueError(message)
        if self.seconds is not None and self.effect != "NoExecute":
            message = "seconds goes with effect: NoExecute only"
            raise ValueError(message)
        return self
