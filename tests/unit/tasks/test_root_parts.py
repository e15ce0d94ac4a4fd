"""What tasks learn of a tools image together, and from whom."""

import math
from types import SimpleNamespace

from koji_adjutant.container.interface import ContainerRunResult
from koji_adjutant.tasks.root_parts import RootParts
from koji_adjutant.tasks.shared import Memo

PLAN = SimpleNamespace(
    tools=SimpleNamespace(digest="sha256:aa"), settings=SimpleNamespace(package_manager="dnf", forcearch=None)
)


class Runtime:
    """Tools that say where their package manager is; counts how often they are asked."""

    def __init__(self, program):
        self.program = program
        self.asked = 0

    def exec(self, handle, command, *, timeout):
        self.asked += 1
        text = "/var/lib/rpm\n" if command[0] == "rpm" else f"{self.program} /usr/bin/dnf-3\n"
        return ContainerRunResult(0, text.encode(), b"")


def facts(runtime, shared, *, adopted):
    """What a task on `runtime` takes its tools for."""
    context = SimpleNamespace(runtime=runtime, shared=shared, adopted=adopted)
    return RootParts(context)._facts(PLAN, SimpleNamespace(tools="tools"))


def test_what_tools_of_an_adopted_task_say_counts_for_it_alone():
    """Its packages may have changed them; new tools are asked once for all."""
    shared = SimpleNamespace(tools=Memo(math.inf))
    assert facts(Runtime("/usr/bin/yum"), shared, adopted=True).manager.program == "/usr/bin/yum"
    fresh = Runtime("/usr/bin/dnf")
    assert facts(fresh, shared, adopted=False).manager.program == "/usr/bin/dnf"
    asked = fresh.asked
    assert facts(fresh, shared, adopted=False).manager.program == "/usr/bin/dnf"
    assert fresh.asked == asked
