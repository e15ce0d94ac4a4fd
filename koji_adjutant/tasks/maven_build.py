"""The root's part of a buildMaven: packages, checkout, mvn, what it has used and made (contract 4.4)."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import koji
from koji.daemon import SCM

from koji_adjutant.buildroot import dnf, verdicts
from koji_adjutant.buildroot.faults import BuildrootFault
from koji_adjutant.buildroot.per_task import BUILD_GID, BUILD_UID, RootFile
from koji_adjutant.buildroot.root import ROOT_LOG, Root
from koji_adjutant.buildroot.verdicts import Phase
from koji_adjutant.buildroot.wording import Operation, end_of_mock, sentence
from koji_adjutant.container.steps import BIN_DIR, StepStatus
from koji_adjutant.errors import ContainerError, CopyError
from koji_adjutant.hub.names import plain_name
from koji_adjutant.hub.uploads import upload_file
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.build_results import put_environment
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag
from koji_adjutant.tasks.checkout import Checkout, checkout_source
from koji_adjutant.tasks.maven_archive import put_archive
from koji_adjutant.tasks.maven_output import harmless_pom, regular_files
from koji_adjutant.tasks.maven_patches import apply_patches, checkout_patches
from koji_adjutant.tasks.maven_root import (
    BUILD,
    LOCAL_REPO,
    M2,
    MVN,
    OUTPUT,
    PATCHES,
    PATCHES_ZIP,
    SOURCES_ZIP,
    TOP,
    FoundFile,
    local_packages,
    mavenrc,
    mvn_command,
    pom_file,
    settings_xml,
)
from koji_adjutant.tasks.root_work import OpenRoot, RootWork
from koji_adjutant.tasks.task_logs import TaskLogs

GROUP = "maven-build"
POM_BYTES = 4 << 20
SECONDS = 300.0


class MavenBuild:
    """One Maven build in its root. Used by the task's thread only."""

    def __init__(
        self,
        task: ThreadedTask,
        repo: RepoTag,
        record: BuildrootRecord,
        logs: TaskLogs,
        arch: str,
        scm: SCM,
        opts: Mapping[str, Any],
    ) -> None:
        self._task = task
        self._context = task.context
        self._repo = repo
        self._record = record
        self._logs = logs
        self._scm = scm
        self._opts = opts
        self._work = RootWork(task.context, repo, record, logs, arch)

    def run(self) -> dict[str, Any]:
        """Return kojid's result."""
        result = self._work.run(GROUP, self._do, network=True)
        # Only now: the package manager's own logs come last.
        logs = {posixpath.basename(path) for path in self._logs.finish()}
        return {**result, "logs": sorted(logs | set(result["logs"]))}

    def _do(self, opened: OpenRoot) -> dict[str, Any]:
        root, opts = opened.root, self._opts
        if opts.get("packages"):
            self._install(opened)
        if self._ask(root, "test -e /usr/bin/mvn || test -h /usr/bin/mvn"):
            raise koji.BuildError(f"{MVN} was not found in the buildroot")
        checkout = checkout_source(
            self._task,
            self._scm,
            self._logs,
            build_tag=self._repo.config,
            scratch=opts.get("scratch"),
            buildroot=self._record,
        )
        source = posixpath.join(BUILD, checkout.inside)
        pom = posixpath.normpath(posixpath.join(source, pom_file(opts.get("maven_options") or [])))
        self._prepare(opened, checkout)
        self._work.spec_runs()
        if opts.get("patches"):
            self._patch(opened, source)
        status = self._mvn(root, source)
        self._report(root, failed=not status.ok)
        if not status.ok:
            # mock hands the command's own status on, and kojid names root.log.
            code = verdicts.mock_status_of(Phase.BUILD, status)
            raise BuildrootFault(sentence(Operation.MAVEN, end_of_mock(code), ""))
        return self._results(opened, pom)

    def _install(self, opened: OpenRoot) -> None:
        root, packages = opened.root, list(self._opts["packages"])
        status = root.package_step("install", dnf.install(root.settings, root.layout, root.facts.manager, packages))
        if status.ok:
            self._work.update_list(opened)
            return
        self._work.list_what_failed(opened)
        verdict = verdicts.judge(
            Phase.BUILDDEP, status, self._logs.tail(ROOT_LOG, 64 << 10), operation=Operation.INIT, arch="noarch"
        )
        text = (
            f"error installing packages, mock exited with status {verdict.mock_status}; "
            "see mock_output.log for more information"
        )
        raise verdicts.failure(replace(verdict, text=text, koji_class="BuildrootError"))

    def _prepare(self, opened: OpenRoot, checkout: Checkout) -> None:
        """Bring checkout, settings and the sources' archive into the root; may be repeated before mvn runs."""
        done = f"maven-prepared-{opened.attempt}"
        if self._context.journal.done(done):
            return
        root, options = opened.root, self._context.options
        repo, task = self._repo, self._task.id
        rc = mavenrc(self._opts.get("jvm_options") or [], self._opts.get("envs") or {})
        xml = settings_xml(options.topurl, repo.repo_id, repo.tag_name, task, self._opts.get("deps") or [])
        owner = {"uid": BUILD_UID, "gid": BUILD_GID}
        files = [
            RootFile("/etc/mavenrc", rc.encode()),
            RootFile(f"{M2}/settings.xml", xml.encode(), **owner),
        ]
        root.set_up(files, [TOP, OUTPUT, M2, LOCAL_REPO])
        self._must(root, f"[ -h /maven ] || $b ln -s {TOP} /maven")
        checkout.copy_into(root, BUILD)
        put_archive(root, checkout.directory, self._context.directory / SOURCES_ZIP, f"{OUTPUT}/{SOURCES_ZIP}")
        self._context.journal.remember(done, lambda: True)

    def _patch(self, opened: OpenRoot, source: str) -> None:
        url = self._opts["patches"]
        patches, names = checkout_patches(
            self._task,
            self._logs,
            url,
            build_tag=self._repo.config,
            scratch=self._opts.get("scratch"),
            buildroot=self._record,
        )
        done = f"patches-put-{opened.attempt}"
        if not self._context.journal.done(done):
            patches.copy_into(opened.root, PATCHES)
            archive = self._context.directory / PATCHES_ZIP
            put_archive(opened.root, patches.directory, archive, f"{OUTPUT}/{PATCHES_ZIP}")
            self._context.journal.remember(done, lambda: True)
        apply_patches(opened, names, patches.inside, source, url)

    def _mvn(self, root: Root, source: str) -> StepStatus:
        argv = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', source, *mvn_command(self._opts)]
        self._logs.state(f"Start: chroot {argv[4:]}")
        status = root.build_step("mvn", argv, timeout=root.settings.rpmbuild_timeout)
        self._logs.state(f"Finish: chroot {argv[4:]}")
        return status

    def _report(self, root: Root, *, failed: bool) -> None:
        """Tell the hub what Maven has fetched; adding it twice adds nothing."""
        ignored = self._context.options.maven_repo_ignore
        used = local_packages(self._walk(root, LOCAL_REPO), ignored)
        made = local_packages(self._walk(root, OUTPUT), ignored)
        self._task.once(
            "updateMavenBuildRootList",
            lambda: self._task.session.host.updateMavenBuildRootList(
                self._record.id,
                self._task.id,
                used,
                ignore=made,
                project=True,
                ignore_unknown=failed,
                extra_deps=self._opts.get("deps"),
            ),
        )

    def _walk(self, root: Root, top: str) -> Iterator[FoundFile]:
        """Yield the regular files of a tree of the build; what is neither file nor directory is passed over."""
        return regular_files(top, root.list_files, self._context.interruption.check, self._context.log)

    def _results(self, opened: OpenRoot, pom: str) -> dict[str, Any]:
        root = opened.root
        info = self._maven_info(root, pom)
        prefix = f"{info['artifact_id']}-{info['version']}"
        names = {name: f"{prefix}-{name}" for name in (SOURCES_ZIP, PATCHES_ZIP)}
        logs: list[str] = []
        files: dict[str, list[str]] = {}
        for file in self._walk(root, OUTPUT):
            name = file.name if file.directory else names.get(file.name, file.name)
            if not all(plain_name(part) for part in (*file.directory.split("/"), name) if part):
                raise koji.BuildError(f"no name for a file at the hub: {posixpath.join(file.directory, name)!r}")
            self._upload(root, file, name)
            if name.endswith(".log"):
                logs.append(posixpath.join(file.directory, name))
            else:
                files.setdefault(file.directory, []).append(name)
        extra = put_environment(self._context, root, opened.plan, opened.prepared, self._record.id)
        logs.append(posixpath.basename(extra))
        return {"maven_info": info, "buildroot_id": self._record.id, "logs": logs, "files": files}

    def _maven_info(self, root: Root, pom: str) -> dict[str, str]:
        text = io.BytesIO()
        try:
            root.copy_from(pom, text, max_bytes=POM_BYTES)
        except CopyError as error:
            raise koji.BuildError(f"{posixpath.basename(pom)} does not exist") from error
        parsed = koji.parse_pom(contents=harmless_pom(posixpath.basename(pom), text.getvalue()))
        return dict(koji.pom_to_maven_info(parsed))

    def _upload(self, root: Root, file: FoundFile, name: str) -> None:
        local = self._context.directory / "upload"
        try:
            with local.open("wb") as stream:
                path = posixpath.join(OUTPUT, file.directory, file.name)
                root.copy_from(path, stream, max_bytes=self._context.config.build.result_max_bytes)
            directory = posixpath.join(self._context.upload_dir, file.directory).rstrip("/")
            upload_file(self._context.session, local, directory, name)
        finally:
            local.unlink(missing_ok=True)

    def _ask(self, root: Root, command: str) -> int:
        script = f"b={BIN_DIR}/busybox\n{command}\n".encode()
        busybox = [f"{BIN_DIR}/busybox", "sh", "-s"]
        return root.manager.exec(root.pair.task, busybox, stdin=script, timeout=SECONDS).exit_code

    def _must(self, root: Root, command: str) -> None:
        if self._ask(root, command):
            raise ContainerError(f"`{command}` failed in {root.pair.task.name}", reason="setup", retryable=True)
