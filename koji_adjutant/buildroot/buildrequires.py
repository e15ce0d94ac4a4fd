"""Installing BuildRequires until nothing is missing: two loops of mock as one pure state machine.

Static: `rpmbuild -bs`, install what the written source package requires, again while that changed the root, since macros
of a BuildRequires may ask for more (mock #1652). Dynamic: the same with `rpmbuild -br`, whose requires stand in
`*.buildreqs.nosrc.rpm` (mock #434, #1359). At most ten rounds each; then the build goes on and says itself what is missing.

mock asks the package manager in every round. Here a round whose requires are all among those already installed asks
nothing: it could install nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_ROUNDS = 10
MISSING_REQUIRES = 11
"""Status of rpmbuild when requires are missing; with --nodeps `-br` gives it every time."""


class Action(StrEnum):
    """What comes next."""

    GENERATE = "generate"
    """Run rpmbuild (`-bs` or `-br`) and report to `generated`."""
    INSTALL = "install"
    """Install the requires and report to `installed`."""
    BUILD = "build"
    """All there is to install is installed."""
    FAIL = "fail"
    """rpmbuild failed; `mock_status` says with which status mock would end."""


@dataclass(frozen=True)
class RequiresLoop:
    """Where a loop stands. Frozen: each report returns the next state."""

    dynamic: bool
    action: Action = Action.GENERATE
    rounds: int = 0
    """Times rpmbuild has run."""
    satisfied: frozenset[str] = frozenset()
    mock_status: int = 0

    def generated(self, exit_code: int, requires: Iterable[str]) -> RequiresLoop:
        """Tell how rpmbuild ended (death by signal N is 128 + N) and what the package it wrote requires."""
        rounds = self.rounds + 1
        failed = exit_code not in ({0, MISSING_REQUIRES} if self.dynamic else {0})
        if failed:
            # mock turns a failing -br into its BuildError, and passes the status of a failing -bs through.
            return replace(self, rounds=rounds, action=Action.FAIL, mock_status=10 if self.dynamic else exit_code)
        wanted = frozenset(requires)
        action = Action.BUILD if wanted <= self.satisfied else Action.INSTALL
        return replace(self, rounds=rounds, action=action, satisfied=self.satisfied | wanted)

    def installed(self, *, changed: bool) -> RequiresLoop:
        """Tell that the requires are installed, and whether the set of installed packages is another one now."""
        again = changed and self.rounds < MAX_ROUNDS
        return replace(self, action=Action.GENERATE if again else Action.BUILD)


def static_loop() -> RequiresLoop:
    """Return the start of the loop over `rpmbuild -bs`."""
    return RequiresLoop(dynamic=False)


def dynamic_loop(satisfied: Iterable[str] = ()) -> RequiresLoop:
    """Return the start of the loop over `rpmbuild -br`; `satisfied`: what the static loop has installed."""
    return RequiresLoop(dynamic=True, satisfied=frozenset(satisfied))
