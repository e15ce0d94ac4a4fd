"""The 32-bit packages of a 64-bit dist repo, chosen in the task's container (contract 4.3)."""

from __future__ import annotations

import json
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import koji

from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.repos import multilib
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.dist_rpms import Packages
from koji_adjutant.tasks.repo_container import RepoContainer
from koji_adjutant.tasks.repo_upload import repo_store
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.work_container import WORK

LOG = "multilib.log"
QUESTION, ANSWER, INSTALLROOT = f"{WORK}/multilib.question", f"{WORK}/multilib.answer", f"{WORK}/dnf"
ANSWER_BYTES = 64 << 20


class DistMultilib:
    """Chooses for one attempt; used by the task's thread."""

    def __init__(self, task: ThreadedTask, container: RepoContainer, logs: TaskLogs, arch: str, top: Path) -> None:
        self._task = task
        self._repo = container
        self._container = container.container
        self._logs = logs
        self._arch = arch
        self._top = top

    def choose(self, packages: Packages, config: str) -> Packages:
        """Return the packages to add; `config` is the path below work/ of the method's configuration.

        Raises:
            koji.GenericError: the image cannot choose, or packages that must be there are missing.
        """
        if self._arch not in multilib.MULTILIB_ARCH:
            raise koji.GenericError(f"multilib is not known for arch {self._arch}")
        directory = self._top / koji.canonArch(multilib.MULTILIB_ARCH[self._arch])
        known = json.loads((directory / "kojipkgs").read_bytes())
        answer = self._ask(packages, directory, f"{self._task.options.topdir}/work/{config}", known)
        if answer.missing:
            self._fail(directory, answer.missing)
        # Noarch packages stand in both.
        return {
            name: {**known[name], "_pkgpath": str(place(directory, name)), "_multilib": True}
            for name in answer.needed
            if name not in packages
        }

    def _ask(self, packages: Packages, directory: Path, config: str, known: dict[str, Any]) -> multilib.Answer:
        name = f"dnf.conf-koji-{self._arch}"
        conf = multilib.dnf_conf(self._task.id, INSTALLROOT, str(directory))
        question = multilib.question(
            {package: row["_pkgpath"] for package, row in packages.items()},
            arch=self._arch,
            config=config,
            dnf_conf=f"{WORK}/{name}",
            answer=ANSWER,
        )
        self._put(name, conf.encode(), upload=True)
        self._put("multilib.question", json.dumps(question).encode())
        self._put("choose.py", multilib.SCRIPT.encode())
        argv = [f"{BIN_DIR}/busybox", "sh", "-c", f"exec python3 {WORK}/choose.py < {QUESTION}"]
        status = self._container.run("multilib", argv, LOG)
        if status.exit_code == multilib.NO_MODULES:
            raise koji.GenericError(
                "multilib is not possible on this builder: its tools image lacks a Python module (dnf and multilib are "
                f"needed; see {LOG}). Add python3-multilib to the image, or make the repo without --multilib"
            )
        if not status.ok:
            raise koji.GenericError(f"multilib depsolve failed. See {LOG}")
        data = BytesIO()
        self._container.copy_from(ANSWER, data, max_bytes=ANSWER_BYTES)
        try:
            return multilib.parse_answer(data.getvalue(), known)
        except ValueError as error:
            raise koji.GenericError(str(error)) from error

    def _put(self, name: str, data: bytes, *, upload: bool = False) -> None:
        with tempfile.TemporaryDirectory(dir=self._task.workdir) as directory:
            local = Path(directory) / name
            local.write_bytes(data)
            self._container.put(local, f"{WORK}/{name}")
            if upload:
                repo_store(self._task.context).put(local, name)

    def _fail(self, directory: Path, missing: tuple[str, ...]) -> None:
        text = "The following multilib files were missing:\n" + "".join(
            f"{place(directory, name)}\n" for name in missing
        )
        self._logs.write("missing-multilib", "missing_multilib.log", lambda: text)
        raise koji.GenericError("multilib packages missing. See missing_multilib.log")


def place(directory: Path, name: str) -> Path:
    """Return where the hub puts an rpm of a dist repo."""
    return directory / "Packages" / name[0].lower() / name
