"""From a root that has built to a task's result: packages, noarch hashes, and what tells how it was built (contract 4.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import koji

from koji_adjutant import __version__
from koji_adjutant.buildroot import environment_report, noarch_hash, reproduce
from koji_adjutant.buildroot.commands import RPMS, SRPMS
from koji_adjutant.buildroot.environment_report import ImageUsed, RootReport
from koji_adjutant.buildroot.per_task import per_task_files
from koji_adjutant.buildroot.reproduce import Recipe
from koji_adjutant.buildroot.root import Root
from koji_adjutant.buildroot.rpm_build import RpmBuild
from koji_adjutant.container.interface import ImageInfo
from koji_adjutant.hub.artifacts import ArtifactStore, TopdirStore, UploadStore
from koji_adjutant.tasks.collect import Collector, list_results
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.root_parts import RootPlan

HEADER_SECONDS = 120.0


class BuildResults:
    """Collects the results of one build. Every upload may be repeated: it replaces what is there."""

    def __init__(
        self,
        context: TaskContext,
        root: Root,
        plan: RootPlan,
        prepared: ImageInfo | None,
        build: RpmBuild,
        buildroot_id: int,
    ) -> None:
        self._context = context
        self._root = root
        self._plan = plan
        self._prepared = prepared
        self._build = build
        self._buildroot_id = buildroot_id
        self._store = artifact_store(context)
        self.extra_logs: list[str] = []
        """Paths of the files beside kojid's logs that belong to the result's `logs`."""

    def collect(self, *, keep_srpm: bool) -> dict[str, Any]:
        """Upload everything and return the result without its `logs`.

        Raises:
            koji.BuildError: kojid's texts about missing or several source packages, a file that is no rpm or too large.
        """
        files = list_results(self._root)
        if files.unexpected:
            self._context.log.warning("build.unexpected_files", files=list(files.unexpected[:20]))
        if files.noarch:
            self._hash_noarch(files.noarch)
        srpm = self._checked_srpm(files.srpms) if keep_srpm else None
        collector = Collector(
            self._root,
            self._store,
            self._context.directory / "results",
            self._context.config.build.result_max_bytes,
        )
        rpms = collector.take(RPMS, files.rpms)
        srpms = collector.take(SRPMS, [srpm]) if srpm else []
        self._describe()
        return {"rpms": rpms, "srpms": srpms, "brootid": self._buildroot_id}

    def _checked_srpm(self, names: tuple[str, ...]) -> str:
        if not names:
            raise koji.BuildError(f"no srpm files found for task {self._context.task_id}")
        if len(names) > 1:
            raise koji.BuildError(f"multiple srpm files found for task {self._context.task_id}: {list(names)}")
        query = ["rpm", "-qp", "--nosignature", "--qf", "%{PACKAGER}\\n%{VENDOR}\\n%{DISTRIBUTION}\\n"]
        _, output = self._root.ask_tools([*query, f"{self._root.layout.root}{SRPMS}/{names[0]}"])
        values = output.decode("utf-8", "replace").splitlines()
        for number, tag in enumerate(("packager", "vendor", "distribution")):
            if len(values) <= number or values[number] in {"", "(none)"}:
                raise koji.BuildError(f"The build system failed to set the {tag} tag")
        return names[0]

    def _hash_noarch(self, names: tuple[str, ...]) -> None:
        paths = [f"{self._root.layout.root}{RPMS}/{name}" for name in names]
        code, output = self._root.ask_tools(noarch_hash.hash_command(paths), timeout=3600.0)
        if code == noarch_hash.NO_RPM_MODULE:
            # The hub then compares the packages themselves (contract 7.3).
            self._context.log.warning("build.noarch_not_hashed", tools=self._plan.tools.reference)
            return
        hashes = noarch_hash.parse_hashes(output if code == 0 else b"", paths)
        self._put(noarch_hash.LOG_NAME, noarch_hash.noarch_rpmdiff(self._context.task_id, hashes))

    def _describe(self) -> None:
        self.extra_logs.append(
            put_environment(self._context, self._root, self._plan, self._prepared, self._buildroot_id)
        )
        machine_id = self._context.journal.result("machine-id")
        recipe = Recipe(
            task_id=self._context.task_id,
            settings=self._plan.settings,
            layout=self._root.layout,
            manager=self._root.facts.manager,
            tools=_used(self._plan.tools),
            files=per_task_files(self._plan.settings, machine_id=machine_id),
            srpm_name=self._build.srpm_name,
            spec=self._build.spec,
            dynamic=self._build.dynamic,
            memory_bytes=self._plan.limits.memory_bytes,
        )
        self._put(reproduce.LOG_NAME, reproduce.reproduce_script(recipe).encode())

    def _put(self, name: str, data: bytes) -> None:
        self.extra_logs.append(_put(self._context, self._store, name, data))


def put_environment(
    context: TaskContext, root: Root, plan: RootPlan, prepared: ImageInfo | None, buildroot_id: int
) -> str:
    """Upload what tells how a root was made and what ran in it; return its path below work/."""
    report = RootReport(
        task_id=context.task_id,
        buildroot_id=buildroot_id,
        host=context.identity.host_name,
        version=__version__,
        runtime=context.shared.runtime_version,
        settings=plan.settings,
        repo_id=plan.repo.repo_id,
        repomd_sha256=plan.repomd_sha256,
        tools=_used(plan.tools),
        prepared=_used(prepared) if prepared else None,
        limits=plan.limits,
        notes=plan.notes,
    )
    document = environment_report.environment_report(report, root.ended_steps())
    store = artifact_store(context)
    return _put(context, store, environment_report.LOG_NAME, environment_report.to_json(document))


def artifact_store(context: TaskContext) -> ArtifactStore:
    """Return the store that the configuration names."""
    if context.config.artifacts == "topdir":
        return TopdirStore(context.options.topdir, context.task_id)
    return UploadStore(context.session, context.task_id)


def _put(context: TaskContext, store: ArtifactStore, name: str, data: bytes) -> str:
    local = Path(context.directory) / name
    local.write_bytes(data)
    try:
        return store.put(local, name)
    finally:
        local.unlink(missing_ok=True)


def _used(image: ImageInfo) -> ImageUsed:
    return ImageUsed(image.reference, image.digest)
