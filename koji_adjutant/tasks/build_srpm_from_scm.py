"""`buildSRPMFromSCM`: a checkout becomes a source package in the build tag's root (contract 4.1)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from koji_adjutant.buildroot import commands
from koji_adjutant.buildroot.root import ROOT_LOG
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.tasks.buildroot_record import BuildrootRecord
from koji_adjutant.tasks.checkout import Checkout, assert_source_allowed, checkout_source
from koji_adjutant.tasks.root_work import OpenRoot
from koji_adjutant.tasks.source_command import SourceCommand
from koji_adjutant.tasks.source_root import SourcePackageTask, SourceSteps, Written


class BuildSRPMFromSCMTask(SourcePackageTask):
    """Handles `buildSRPMFromSCM`."""

    Methods = ["buildSRPMFromSCM"]  # noqa: RUF012 - koji's class attribute

    def handler(self, url: str, build_tag: int | str, opts: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Check out and build; kojid's parameters, order of hub calls, result and errors."""
        opts = opts or {}
        scratch = opts.get("scratch")
        scm = assert_source_allowed(self, url, scratch=scratch)

        def write(opened: OpenRoot, steps: SourceSteps, record: BuildrootRecord) -> Written:
            tag = opened.plan.repo.config
            checkout = checkout_source(self, scm, steps.logs, build_tag=tag, scratch=scratch, buildroot=record)
            # Before the root is worked on: a checkout without a spec is known by now.
            checkout.check_spec()
            directory = self._copy(opened, checkout)
            steps.spec_runs()
            if checkout.source_command:
                SourceCommand(self.context, opened).run(checkout.source_command, directory)
            self._build(opened, steps, checkout, directory)
            return directory, checkout.source

        return self.write_package(build_tag, opts, write, network=True, online=bool(scm.source_cmd))

    def _copy(self, opened: OpenRoot, checkout: Checkout) -> str:
        """Bring the checkout into the root; return the source directory there."""
        path = posixpath.join(self.options.chroot_tmpdir, "scmroot")
        directory: str = self.context.journal.remember(
            f"copied-{opened.attempt}", lambda: checkout.copy_into(opened.root, path)
        )
        return directory

    def _build(self, opened: OpenRoot, steps: SourceSteps, checkout: Checkout, directory: str) -> None:
        spec = posixpath.join(commands.SPECS, posixpath.basename(checkout.spec))
        settings = replace(opened.plan.settings, rpmbuild_target="noarch")
        copies = commands.copy_sources(
            f"{BIN_DIR}/busybox", posixpath.join(directory, checkout.sources), posixpath.join(directory, checkout.spec)
        )
        with steps.state("buildsrpm"):
            steps.must("copy-sources", copies, Operation.BUILD_SRPM, log=ROOT_LOG)
            with steps.state("rpmbuild -bs"):
                steps.must("rpmbuild-bs", commands.build_srpm(settings, spec), Operation.BUILD_SRPM)
