"""Opens the root of a task: settings of the tag, tools image, prepared or cold root, provenance of its packages.

Everything before the spec runs; what goes wrong here belongs to the infrastructure or to the tag (design section 7).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from koji_adjutant.buildroot import verdicts
from koji_adjutant.buildroot.pair import ContainerPair, create_pair
from koji_adjutant.buildroot.prepared import PreparedKey
from koji_adjutant.buildroot.provenance import Provenance
from koji_adjutant.buildroot.repo_files import RepoRpm, decompress, parse_pkgorigins, parse_repomd, parse_rpmlist
from koji_adjutant.buildroot.repo_proxy import RepoProxy
from koji_adjutant.buildroot.root import ROOT_LOG, Root
from koji_adjutant.buildroot.rpmdb_check import check_rpmdb
from koji_adjutant.buildroot.verdicts import Phase
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.container.interface import ImageInfo
from koji_adjutant.errors import HubError
from koji_adjutant.metrics import PREPARED_IMAGES
from koji_adjutant.tasks.background import in_background
from koji_adjutant.tasks.buildroot_record import RepoTag
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.image_recipes import ImageRecipes
from koji_adjutant.tasks.root_parts import RootParts, RootPlan
from koji_adjutant.tasks.root_planner import RootPlanner
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.tools_choice import ToolsChoice, tools_line

METADATA_BYTES = 1 << 30


class RootOpener:
    """Makes the root of one task. Used by the task's thread only."""

    def __init__(self, context: TaskContext, logs: TaskLogs) -> None:
        self._context = context
        self._logs = logs
        self._proxy: RepoProxy | None = None
        self._pair: ContainerPair | None = None
        self._early: Future[Provenance] | None = None
        self._parts = RootParts(context)
        self._recipes = ImageRecipes(context, self._parts)
        self._planner = RootPlanner(context, ToolsChoice(context, self._parts, self._recipes))

    def plan(self, repo: RepoTag, arch: str, *, group: str, network: bool = False) -> RootPlan:
        """Decide what the root is made of.

        Raises:
            ImageError: no tools image, not allowed, or not to be had.
            HubError: the repository cannot be read.
        """
        return self._planner.plan(repo, arch, group=group, network=network)

    def open(
        self, plan: RootPlan, attempt: int, set_up: Callable[[Root], None] = lambda _: None
    ) -> tuple[Root, ImageInfo | None]:
        """Return the root, filled and `set_up`, and the prepared image it came from; an adopted one as it was left.

        Raises:
            InfrastructureFault, RootFault: the base install failed, judged.
        """
        self._early = in_background("provenance", lambda: self._read_provenance(plan))
        directory = self._context.directory / f"root-{attempt}"
        directory.mkdir(parents=True, exist_ok=True)
        prepared = self._prepared(self._parts.prepared_key(plan), attempt)
        self.close()
        self._proxy = self._parts.proxy(plan, directory / "proxy")
        name = f"adjutant-{self._context.identity.worker_label}-{self._context.task_id}-{self._random()}-{attempt}"
        image = prepared.reference if prepared else self._context.config.empty_image
        pair = create_pair(self._context.runtime, self._parts.request(plan, directory, name, image))
        self._pair = pair
        self._context.progress.in_container(pair.task.name)
        self._context.progress.from_image(
            plan.tools.reference, plan.tools.digest, prepared.reference if prepared else ""
        )
        root = self._parts.root(plan, pair, self._logs.steps, attempt)
        self._logs.write(f"tools-{attempt}", ROOT_LOG, lambda: tools_line(plan))
        if prepared is not None and not self._context.adopted:
            # An adopted root may hold more by now.
            root.knows(self._context.shared.contents.get(prepared.digest, root.installed))
        if prepared is None:
            self._fill(root, plan)
        self._finish_opening(root, set_up, check=prepared is None and not self._context.journal.done("spec-runs"))
        if prepared is None or plan.bootstrap is not None:
            self._recipes.request(plan)
        if prepared is not None:
            self._logs.write(
                f"prepared-{attempt}",
                ROOT_LOG,
                lambda: f"root from prepared image {prepared.reference} ({prepared.digest})\n",
            )
        return root, prepared

    def provenance(self, plan: RootPlan) -> Provenance:
        """Return what repository and hub say about the packages (contract 4.0.5); read already where there was time."""
        early, self._early = self._early, None
        if early is not None:
            try:
                return early.result()
            except (HubError, OSError) as error:
                self._context.log.info("provenance.asked_again", error=str(error))
        try:
            return self._read_provenance(plan)
        except HubError as error:
            if "HTTP status 404" not in str(error):
                raise
            return self._provenance(plan, self._drafts(plan), drafts_only=True)

    def _read_provenance(self, plan: RootPlan) -> Provenance:
        rpmlist = self._planner.fetch(f"{plan.repo.path(plan.settings.br_arch)}/rpmlist.jsonl", METADATA_BYTES)
        return self._provenance(plan, parse_rpmlist(rpmlist), drafts_only=False)

    def _provenance(self, plan: RootPlan, rpmlist: Mapping[str, RepoRpm], *, drafts_only: bool) -> Provenance:
        return Provenance(
            br_arch=plan.settings.br_arch,
            repo_id=plan.repo.repo_id,
            rpmlist=rpmlist,
            externals=plan.externals,
            origins=self._origins(plan, plan.repo.path(plan.settings.br_arch)) if plan.externals else None,
            drafts_only=drafts_only,
        )

    def close(self) -> None:
        """End the task's repository proxy; safe to repeat. No container of the task comes to life after this."""
        if self._pair is not None:
            self._pair.settle()
            self._pair = None
        if self._proxy is not None:
            self._proxy.stop()
            self._proxy = None

    def _fill(self, root: Root, plan: RootPlan) -> None:
        tool = f"installing minimal buildroot with {root.package_manager}"
        self._logs.state(f"Start: {tool}")
        status = root.fill()
        self._logs.state(f"Finish: {tool}")
        if not status.ok:
            raise verdicts.failure(
                verdicts.judge(
                    Phase.INIT,
                    status,
                    self._logs.tail(ROOT_LOG, 64 << 10),
                    operation=Operation.INIT,
                    arch=plan.settings.arch,
                )
            )

    @staticmethod
    def _finish_opening(root: Root, set_up: Callable[[Root], None], *, check: bool) -> None:
        """Set the root up, and meanwhile have it checked: neither touches what the other reads."""
        checking = in_background("rpmdb-check", lambda: check_rpmdb(root)) if check else None
        try:
            set_up(root)
        finally:
            if checking is not None:
                # What is wrong with the rpmdb explains a set-up that failed, not the other way round.
                checking.result()

    def _prepared(self, key: PreparedKey | None, attempt: int) -> ImageInfo | None:
        """Look the image up once; an adopted task keeps the answer it began with."""
        if key is None:
            return None
        found: list[ImageInfo] = []

        def look() -> bool:
            image = self._context.shared.prepared.find(key)
            PREPARED_IMAGES.labels("hit" if image else "miss").inc()
            found.extend([image] if image else [])
            return image is not None

        if not self._context.journal.remember(f"prepared-{attempt}", look):
            return None
        return found[0] if found else self._context.shared.prepared.find(key)

    def _random(self) -> str:
        return str(self._context.journal.remember("random", lambda: uuid.uuid4().hex[:8]))

    def _origins(self, plan: RootPlan, base: str) -> Mapping[str, str]:
        record = parse_repomd(plan.repomd).get("origin")
        if record is None:
            return {}
        return parse_pkgorigins(decompress(record.href, self._planner.fetch(f"{base}/{record.href}", METADATA_BYTES)))

    def _drafts(self, plan: RootPlan) -> Mapping[str, RepoRpm]:
        rows, _ = self._context.session.listTaggedRPMS(
            plan.repo.config["id"], event=plan.repo.event, latest=True, draft=True
        )
        # As the lines that the repository's own list would have.
        return parse_rpmlist("\n".join(json.dumps(row, default=str) for row in rows).encode())
