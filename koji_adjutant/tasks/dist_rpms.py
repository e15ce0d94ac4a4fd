"""The rpms of one arch of a dist repo: which, in which copy, at which path (contract 4.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import koji

from koji_adjutant.repos.multilib import COMPATIBLE
from koji_adjutant.repos.signed import Row, Selected, missing_files_log, missing_signatures_log, select, written_log
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.task_logs import TaskLogs

Packages = dict[str, Row]
"""File name to the hub's row, with `_pkgpath` and what else `kojipkgs` holds."""
WRITE_BATCH = 1000


class DistRpms:
    """Asks the hub, looks at topdir; used by the task's thread."""

    def __init__(self, task: ThreadedTask, logs: TaskLogs, keys: Sequence[str], opts: Mapping[str, Any]) -> None:
        self._task = task
        self._logs = logs
        self._keys = keys
        self._opts = opts
        self._paths = koji.PathInfo(task.options.topdir)

    def find(self, tag: int | str, arch: str) -> Packages:
        """Return the packages, having told in the logs which are missing.

        Raises:
            koji.BuildError: a draft build is among them.
            koji.GenericError: a file, or a wanted signature, is missing.
        """
        rows, directories = self._tagged(tag, arch)
        selected = select(rows, self._keys)
        if self._opts.get("write_signed_rpms"):
            self._write_signed(selected)
        unsigned = [rpm for rpm in selected if rpm.key is None]
        skip = bool(self._opts["skip_missing_signatures"])
        taken = [rpm for rpm in selected if rpm.key is not None or not skip]
        packages = self._located(taken, directories)
        if unsigned:
            self._report_unsigned(unsigned, skip=skip)
        return packages

    def _tagged(self, tag: int | str, arch: str) -> tuple[list[Row], dict[int, str]]:
        """Return the rpms, a row for each signature, and the directories of their builds."""
        if arch not in COMPATIBLE:
            raise koji.GenericError(f"no dist repo can be made for arch {arch}: known are {', '.join(COMPATIBLE)}")
        rows: list[Row] = []
        directories: dict[int, str] = {}
        for rpm_arch in COMPATIBLE[arch]:
            found, builds = self._task.session.listTaggedRPMS(
                tag,
                event=self._opts["event"],
                arch=rpm_arch,
                latest=self._opts["latest"],
                inherit=self._opts["inherit"],
                rpmsigs=True,
            )
            for build in builds:
                if build.get("draft"):
                    raise koji.BuildError(f"Draft build: {build['nvr']} is not allowed")
                directories[build["id"]] = self._paths.build(build)
            rows += found
        return rows, directories

    def _located(self, rpms: Sequence[Selected], directories: Mapping[int, str]) -> Packages:
        packages: Packages = {}
        missing: list[str] = []
        for rpm in rpms:
            relative = self._paths.signed(rpm.row, rpm.row["sigkey"]) if rpm.key else self._paths.rpm(rpm.row)
            path = Path(directories[rpm.row["build_id"]]) / relative
            if path.exists():
                packages[path.name] = {**rpm.row, "_pkgpath": str(path)}
            else:
                missing.append(str(path))
        if missing:
            self._logs.write("missing-files", "missing_files.log", lambda: missing_files_log(missing))
            raise koji.GenericError("Packages missing from the filesystem. See missing_files.log.")
        return packages

    def _report_unsigned(self, unsigned: Sequence[Selected], *, skip: bool) -> None:
        text = missing_signatures_log(unsigned, self._keys, skipped=skip)
        self._logs.write("missing-signatures", "missing_signatures.log", lambda: text)
        if not skip and not self._opts["allow_missing_signatures"]:
            raise koji.GenericError("Unsigned packages found. See missing_signatures.log")

    def _write_signed(self, selected: Sequence[Selected]) -> None:
        """Have the hub write the signed copies. Safe to repeat: it leaves alone what is there."""
        signed = [(rpm.row["id"], rpm.key) for rpm in selected if rpm.key]

        def write() -> list[str | None]:
            with self._task.session.multicall(batch=WRITE_BATCH) as calls:
                answers = [calls.host.writeSignedRPM(rpm_id, key) for rpm_id, key in signed]
            return [_error_of(answer) for answer in answers]

        errors = self._task.once("writeSignedRPM", write)
        if signed:
            text = written_log((*rpm, error) for rpm, error in zip(signed, errors, strict=True))
            self._logs.write("written", "written_signed_rpms.log", lambda: text)


def _error_of(answer: Any) -> str | None:
    """Return the hub's error to one call of many, None if there is none."""
    try:
        answer.result  # noqa: B018 - koji raises the call's fault here
    except koji.GenericError as error:
        return str(error)
    except Fault as fault:
        return str(fault.faultString)
    return None
