"""What a buildroot refuses, in kojid's words. `tasks.faults` maps each kind to the koji fault of that name."""

from __future__ import annotations

from koji_adjutant.errors import AdjutantError, ContainerError


class RootFault(AdjutantError):
    """Ends the task with a koji fault; `str(error)` is the text that users and tools match (contract 4 and 10)."""

    koji_class: str = "GenericError"
    """Name of the class in `koji`."""
    root_may_stay = True
    """Whether the root may be kept for `saveFailedTree`: not one that has filled the disk."""


class BuildFault(RootFault):
    """The package or its provenance is wrong: koji.BuildError, 1005."""

    koji_class = "BuildError"


class BuildrootFault(RootFault):
    """The buildroot is wrong: koji.BuildrootError, 1012."""

    koji_class = "BuildrootError"


class InfrastructureFault(ContainerError):
    """Not the package's fault: tried again, then given back with `brief` (design section 7).

    `final` is what the task fails with when another host has refused it for the same reason.
    """

    reason = "infrastructure"
    retryable = True

    def __init__(self, brief: str, *, reason: str, final: RootFault) -> None:
        super().__init__(brief, reason=reason)
        self.final = final


def root_fault(koji_class: str, text: str) -> RootFault:
    """Return the fault of that koji class (`GenericError`, `BuildError`, `BuildrootError`)."""
    for kind in (BuildFault, BuildrootFault):
        if kind.koji_class == koji_class:
            return kind(text)
    return RootFault(text)
