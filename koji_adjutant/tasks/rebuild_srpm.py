"""`rebuildSRPM`: an uploaded source package written anew in the build tag's root, with its macros (contract 4.1)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import koji

from koji_adjutant.buildroot import commands
from koji_adjutant.buildroot.root import ROOT_LOG
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.tasks.buildroot_record import BuildrootRecord
from koji_adjutant.tasks.root_work import OpenRoot
from koji_adjutant.tasks.source_package import fetch_package
from koji_adjutant.tasks.source_root import SourcePackageTask, SourceSteps, Written


class RebuildSRPM(SourcePackageTask):
    """Handles `rebuildSRPM`."""

    Methods = ["rebuildSRPM"]  # noqa: RUF012 - koji's class attribute

    def handler(self, srpm: str, build_tag: int | str, opts: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Rebuild; kojid's parameters, result and errors."""

        def write(opened: OpenRoot, steps: SourceSteps, _: BuildrootRecord) -> Written:
            self._bring(opened, srpm)
            # Its status does not matter to kojid either: what counts is whether there is a spec.
            steps.run("unpack-srpm", commands.unpack_srpm(srpm), log=ROOT_LOG)
            spec = self._spec(opened)
            steps.spec_runs()
            steps.must("rpmbuild-bs", commands.write_srpm(spec), Operation.BUILD_SRPM)
            return commands.ORIGINALS, None

        return self.write_package(build_tag, opts or {}, write)

    def _bring(self, opened: OpenRoot, srpm: str) -> None:
        done = f"srpm-put-{opened.attempt}"
        if self.context.journal.done(done):
            return
        path, _ = fetch_package(self, srpm, missing="Input SRPM file missing")
        opened.root.put(path, commands.original(srpm))
        path.unlink()
        self.context.journal.remember(done, lambda: True)

    def _spec(self, opened: OpenRoot) -> str:
        entries = opened.root.list_files(commands.SPECS)
        specs = sorted(entry.name for entry in entries if commands.is_spec(entry.name))
        paths = [posixpath.join(commands.SPECS, name) for name in specs]
        if not paths:
            raise koji.BuildError("No spec file found")
        if len(paths) > 1:
            raise koji.BuildError(f"Multiple spec files found: {paths}")
        return paths[0]
