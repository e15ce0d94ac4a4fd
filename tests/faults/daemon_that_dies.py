"""The daemon, which kills itself with SIGKILL at one point of a task: "WHEN ACT" in the file that `DIE_FILE` names.

The file is read at each point, so that a living daemon can be told; without it the daemon lives on.

WHEN is `before` an act, `between` the act and its record or reply, or `after` both; `within` a creation is
between Podman's answer and what the daemon does to the container then. ACT is `journal NAME` (an entry of the
task's journal), `create ROLE`, `start ROLE`, `remove ROLE` (a container), `step NAME` (a launch), `set-up`, `copy-in`,
`put NAME` (an upload; may be a pattern), `say CALL` (the hub call that ends the task) or `commit` (of a prepared image).
"""

from __future__ import annotations

import fnmatch
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from koji_adjutant import daemon
from koji_adjutant.buildroot.root import Root
from koji_adjutant.container.podman_create import PodmanCreate
from koji_adjutant.container.podman_manager import PodmanManager
from koji_adjutant.container.step_service import ContainerSteps
from koji_adjutant.hub.artifacts import UploadStore
from koji_adjutant.manager import reporting
from koji_adjutant.tasks.journal import Journal
from tests.support.idle_machine_daemon import no_load

ORDER = Path(os.environ["DIE_FILE"])


def _die() -> None:
    sys.stderr.write(f"dies {ORDER.read_text()}\n")
    ORDER.unlink()
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def _hits(act: str, when: str) -> bool:
    try:
        ordered, _, pattern = ORDER.read_text().partition(" ")
    except FileNotFoundError:
        return False
    return when == ordered and fnmatch.fnmatchcase(act, pattern)


def _around(owner: Any, method: str, name: Callable[..., str], before: str = "before") -> None:
    """Die around every call of `owner.method` whose act, told from its arguments, is the wanted one."""
    original = getattr(owner, method)

    def call(*args: Any, **kwargs: Any) -> Any:
        act = name(*args, **kwargs)
        if _hits(act, before):
            _die()
        result = original(*args, **kwargs)
        if before == "before" and _hits(act, "between"):
            _die()
        return result

    setattr(owner, method, call)


def _in_journal(method: str) -> None:
    """Die around an entry: before its intent, between act and result, after the result."""
    original = getattr(Journal, method)

    def call(self: Journal, name: str, act: Callable[[], Any], **kwargs: Any) -> Any:
        def dying() -> Any:
            result = act()
            if _hits(f"journal {name}", "between"):
                _die()
            return result

        if _hits(f"journal {name}", "before"):
            _die()
        result = original(self, name, dying, **kwargs)
        if _hits(f"journal {name}", "after"):
            _die()
        return result

    setattr(Journal, method, call)


def _role(name: str) -> str:
    role = name.rpartition("-")[2]
    return f"prepare-{role}" if "-prepare-" in name else role


def main() -> int:
    """Arm and run the daemon."""
    no_load()
    _in_journal("once")
    _in_journal("remember")
    _around(PodmanManager, "create", lambda _, spec, *__, **___: f"create {_role(spec.name)}")
    _around(PodmanCreate, "_prepare", lambda _, handle, *__, **___: f"create {_role(handle.name)}", before="within")
    _around(PodmanManager, "start", lambda _, handle, *__, **___: f"start {_role(handle.name)}")
    _around(PodmanManager, "remove", lambda _, handle, **__: f"remove {_role(handle.name)}")
    _around(PodmanManager, "copy_to", lambda *_, **__: "copy-in")
    _around(PodmanManager, "commit", lambda *_, **__: "commit")
    _around(ContainerSteps, "start", lambda _, __, spec, *___: f"step {spec.name}")
    _around(Root, "set_up", lambda *_: "set-up")
    _around(UploadStore, "put", lambda _, __, name, *___: f"put {name}")
    _around(reporting, "say", lambda _, __, call, ___: f"say {call.value}")
    return daemon.main()


if __name__ == "__main__":
    sys.exit(main())
