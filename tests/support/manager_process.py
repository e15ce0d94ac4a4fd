"""A manager as a process of its own, for tests that kill it: `python -m tests.support.manager_process OPTIONS-AS-JSON`.

It runs koji's test methods over a real session, with an in-memory runtime and short pauses. Its ends are the daemon's.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.hub.identity import identify
from koji_adjutant.hub.login import connect, take_exclusive
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.manager.assembly import Supplies, assemble
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import Parts
from koji_adjutant.manager.readiness import Machine
from koji_adjutant.manager.signals import SignalThread
from koji_adjutant.manager.starter import Settings
from koji_adjutant.manager.stopping import stop, stop_mode
from koji_adjutant.tasks.library import LIBRARY
from tests.support.manager_fakes import FakeRuntime

POLL = {"tasks_min": 0.05, "host_tasks": 0.05, "check_in": 1.0}


def log_in(
    server: str, user: str, password: str, work: Path, *, force: bool = False
) -> tuple[AdjutantSession, KojidOptions]:
    """Log in as a host and take the lock."""
    options = KojidOptions(
        server=server,
        topurl=server,
        topurls=(server,),
        user=user,
        password=password,
        workdir=str(work / "work"),
        max_retries=1000,
        retry_interval=1,
        sleeptime=1,
    )
    session = connect(options, interrupt=threading.Event())
    take_exclusive(session, force)
    return session, options


def make(session: AdjutantSession, options: KojidOptions, work: Path, runtime: Any) -> tuple[HostManager, Parts]:
    """Put a manager together that asks often."""
    config = AdjutantConfig(state_dir=work / "state")
    config = config.model_copy(update={"poll": config.poll.model_copy(update=POLL)})
    return assemble(
        Supplies(
            session=session,
            identity=identify(session, options),
            settings=lambda: Settings(options, config),
            handlers={method: handler for handler in LIBRARY for method in handler.Methods},
            runtime=runtime,
            shared=None,  # type: ignore[arg-type] # no test method asks for it
            disk_paths=(),
            observe=Machine,
        )
    )


def main() -> int:
    """Run until a signal ends it."""
    given = json.loads(sys.argv[1])
    work = Path(given["work"])
    session, options = log_in(given["server"], given["user"], given["password"], work, force=True)
    manager, parts = make(session, options, work, FakeRuntime())
    signals = SignalThread({signal.SIGTERM: manager.request_stop, signal.SIGUSR1: manager.request_restart})
    signals.install()
    end = manager.run()
    stop(parts, stop_mode(end, given.get("stop", "keep")))
    signals.close()
    return 1 if end.error else 0


if __name__ == "__main__":
    sys.exit(main())
