"""The root's part of a createLiveMedia: kickstart, livemedia-creator, its logs and its image (contract 4.6)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import koji
from koji.daemon import SCM

from koji_adjutant.container.steps import StepStatus
from koji_adjutant.scm.tree import read_text
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag
from koji_adjutant.tasks.checkout import Checkout, checkout_source
from koji_adjutant.tasks.image_root import TEXT_BYTES, ImageRoot, privileged, said
from koji_adjutant.tasks.iso_manifest import iso_manifest
from koji_adjutant.tasks.kickstart import Kickstart, koji_repos, read_kickstart
from koji_adjutant.tasks.live_media_command import (
    CREATOR,
    LOGS,
    OUT_LOG,
    RESULT,
    Paths,
    iso_name,
    media_command,
)
from koji_adjutant.tasks.root_work import OpenRoot, RootWork
from koji_adjutant.tasks.task_logs import TaskLogs

GROUP = "livemedia-build"
MANIFEST = "manifest.log"


@dataclass(frozen=True)
class MediaRequest:
    """What to make: the parameters of the task. `scm` of the kickstart, `lorax` of the templates, where there are some."""

    name: str
    version: str
    release: str
    arch: str
    ksfile: str
    opts: Mapping[str, Any]
    scm: SCM | None
    lorax: SCM | None


class LiveMedia:
    """One live image in its root. Used by the task's thread only."""

    def __init__(
        self, task: ThreadedTask, repo: RepoTag, record: BuildrootRecord, logs: TaskLogs, request: MediaRequest
    ) -> None:
        self._task = task
        self._context = task.context
        self._repo = repo
        self._record = record
        self._logs = logs
        self._request = request
        self._work = RootWork(task.context, repo, record, logs, request.arch)

    def run(self) -> dict[str, Any]:
        """Return kojid's result and, beside it, the buildroot's id."""
        image = self._work.run(GROUP, self._do, network=True, adjust=privileged)
        # Only now: the package manager's own logs come last.
        logs = [posixpath.basename(path) for path in self._logs.finish()]
        return {"brootid": self._record.id, "image": {**image, "logs": [*image["logs"], *sorted(logs)]}}

    def _do(self, opened: OpenRoot) -> dict[str, Any]:
        request, root = self._request, ImageRoot(self._context, self._logs, opened)
        if not root.has(CREATOR):
            tag = opened.plan.repo.tag_name
            raise koji.LiveMediaError(
                f"{CREATOR} was not found in the buildroot: group {GROUP} of tag {tag} must bring it"
            )
        original, kickstart, boot_arguments = self._kickstart(root)
        templates = self._templates(root)
        self._work.spec_runs()
        paths = Paths(root.tmp, posixpath.join(root.tmp, kickstart), templates)
        status = root.run("livemedia", media_command(self._facts, paths, request.opts, boot_arguments))
        uploaded = self._upload_logs(root, status)
        iso = self._find_iso(root)
        name = iso_name(self._facts)
        local = root.fetch(posixpath.join(root.tmp, RESULT, iso))
        manifest = iso_manifest(local)
        root.put(local, name)
        root.put_text(manifest, MANIFEST)
        image: dict[str, Any] = {
            "arch": request.arch,
            "files": [name],
            "rootdev": None,
            "task_id": self._task.id,
            "logs": [*uploaded, original, kickstart],
            "name": request.name,
            "version": request.version,
            "release": request.release,
        }
        if not request.opts.get("scratch"):
            # kojid names no packages either.
            image["rpmlist"] = []
        return image

    @property
    def _facts(self) -> tuple[str, str, str, str]:
        request = self._request
        return request.name, request.version, request.release, request.arch

    def _kickstart(self, root: ImageRoot) -> tuple[str, str, str]:
        """Upload the kickstart as given and as used, bring it into the root; return both names and the boot arguments."""
        request = self._request
        given, kickstart = self._read_kickstart(root)
        opts = request.opts
        if not opts.get("ksrepo"):
            url = f"{self._context.options.topurl}/{self._repo.path(request.arch)}"
            name = f"koji-{self._repo.tag_name}-{self._repo.repo_id}"
            kickstart = kickstart.without("repo").with_first(koji_repos(opts.get("repo"), url, name))
        if opts.get("install_tree_url"):
            kickstart = kickstart.without("url").with_first([f'url --url="{opts["install_tree_url"]}"'])
        original, name = posixpath.basename(request.ksfile), f"koji-image-{self._repo.tag_name}-{self._task.id}.ks"
        root.put_text(given, original)
        root.put_text(kickstart.text.encode(), name)
        done = f"kickstart-put-{root.opened.attempt}"
        if not self._context.journal.done(done):
            root.write(kickstart.text.encode(), posixpath.join(root.tmp, name))
            self._context.journal.remember(done, lambda: True)
        return original, name, kickstart.boot_arguments

    def _read_kickstart(self, root: ImageRoot) -> tuple[bytes, Kickstart]:
        request = self._request
        if request.scm is None:
            path = Path(self._task.localPath(f"work/{request.ksfile}"))
            with path.open("rb") as stream:
                given = stream.read(TEXT_BYTES)
            text = given.decode("utf-8", "replace")
            # What it includes was not uploaded along, under kojid either.
            return given, read_kickstart(path.name, lambda name: text if name == path.name else None)
        checkout = self._checkout(request.scm, "checkout", "checkout.log")
        root.copy_checkout(checkout, "scmroot")

        def read(name: str) -> str | None:
            return read_text(checkout.tree, posixpath.join(checkout.inside, name), max_bytes=TEXT_BYTES)

        kickstart = read_kickstart(request.ksfile, read)
        return (read(request.ksfile) or "").encode(), kickstart

    def _templates(self, root: ImageRoot) -> str | None:
        """Bring the templates of lorax into the root; return where they are there."""
        if self._request.lorax is None:
            return None
        checkout = self._checkout(self._request.lorax, "lorax", "lorax-templates-checkout.log")
        inside = root.copy_checkout(checkout, "lorax")
        return posixpath.normpath(posixpath.join(inside, self._request.opts.get("lorax_dir") or ""))

    def _checkout(self, scm: SCM, name: str, log: str) -> Checkout:
        return checkout_source(
            self._task,
            scm,
            self._logs,
            build_tag=self._repo.tag_name,
            scratch=self._request.opts.get("scratch"),
            buildroot=self._record,
            name=name,
            log=log,
        )

    def _upload_logs(self, root: ImageRoot, status: StepStatus) -> list[str]:
        """Upload what livemedia-creator and anaconda wrote, also of a failure; return the names that the result has.

        Raises:
            koji.LiveMediaError: it failed; kojid's text.
        """
        uploaded = []
        for directory, prefix in ((LOGS, ""), (f"{LOGS}/anaconda", "anaconda-")):
            for name, size in root.files(posixpath.join(root.tmp, directory)).items():
                if name.endswith(".log") and size:
                    root.upload(posixpath.join(root.tmp, directory, name), prefix + name)
                    uploaded.append(prefix + name)
        if not status.ok:
            raise koji.LiveMediaError(
                f"Could not create LiveMedia: {said('livemedia-creator', status)}; "
                "see root.log or livemedia-out.log for more information"
            )
        return [name for name in uploaded if name == OUT_LOG]

    @staticmethod
    def _find_iso(root: ImageRoot) -> str:
        found = [name for name in root.files(posixpath.join(root.tmp, RESULT)) if name.endswith(".iso")]
        if len(found) > 1:
            raise koji.LiveMediaError(f"multiple .iso files found: {found[0]} and {found[1]}")
        if not found:
            raise koji.LiveMediaError("could not find iso file in chroot")
        return found[0]
