"""The root's part of a createKiwiImage: description, kiwi's two runs, what they have made (contract 4.7)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import koji
from koji.daemon import SCM

from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag
from koji_adjutant.tasks.checkout import Checkout, checkout_source
from koji_adjutant.tasks.image_packages import packages_of_image
from koji_adjutant.tasks.image_root import ImageRoot, privileged
from koji_adjutant.tasks.kiwi_description import Wanted, rewrite, target_name
from koji_adjutant.tasks.root_work import OpenRoot, RootWork
from koji_adjutant.tasks.task_logs import TaskLogs

GROUP = "kiwi-build"
KIWI = "kiwi-ng"
IMAGE, BUNDLE = "/builddir/result/image", "/builddir/result/bundle"
CACHE = "/var/cache/kiwi/dnf"
"""Where kiwi keeps the packages of its image."""
FAILED = "Kiwi failed"


@dataclass(frozen=True)
class ImageRequest:
    """What to make: the parameters of the task."""

    name: str
    version: str
    release: str
    arch: str
    scm: SCM
    desc_path: str
    opts: Mapping[str, Any]


class KiwiImage:
    """One kiwi image in its root. Used by the task's thread only."""

    def __init__(
        self, task: ThreadedTask, repo: RepoTag, record: BuildrootRecord, logs: TaskLogs, request: ImageRequest
    ) -> None:
        self._task = task
        self._context = task.context
        self._repo = repo
        self._record = record
        self._logs = logs
        self._request = request
        self._work = RootWork(task.context, repo, record, logs, request.arch)

    def run(self) -> dict[str, Any]:
        """Return the plugin's result and, beside it, the buildroot's id."""
        image = self._work.run(GROUP, self._do, network=True, adjust=privileged)
        self._logs.finish()
        return {"brootid": self._record.id, "image": image}

    def _do(self, opened: OpenRoot) -> dict[str, Any]:
        request, root = self._request, ImageRoot(self._context, self._logs, opened)
        if not root.has(KIWI):
            tag = opened.plan.repo.tag_name
            raise koji.GenericError(f"{KIWI} was not found in the buildroot: group {GROUP} of tag {tag} must bring it")
        checkout = checkout_source(
            self._task,
            request.scm,
            self._logs,
            build_tag=opened.plan.repo.config,
            scratch=request.opts.get("scratch", False),
            log=f"checkout-{request.arch}.log",
        )
        self._work.spec_runs()
        description = self._description(root, checkout)
        self._kiwi(root, "kiwi-build", self._build_command(description), f"image-root.{request.arch}.log")
        self._kiwi(root, "kiwi-bundle", self._bundle_command(), f"kiwi-result-bundle.{request.arch}.log")
        files = self._upload_bundle(root)
        scratch = request.opts.get("scratch")
        rpmlist = [] if scratch else packages_of_image(opened, CACHE, self._work.provenance(opened))
        return {
            "arch": request.arch,
            "task_id": self._task.id,
            "logs": [posixpath.basename(description)],
            "name": request.name,
            "version": request.version,
            "release": request.release,
            "rpmlist": rpmlist,
            "files": files,
        }

    def _description(self, root: ImageRoot, checkout: Checkout) -> str:
        """Bring the checkout into the root and rewrite the description there, once; return the new one's path."""
        inside = root.copy_checkout(checkout, "scmroot")
        path = posixpath.normpath(posixpath.join(inside, self._request.desc_path))
        if self._request.opts.get("make_prep"):
            status = root.run("make-prep", ["make", "prep"], workdir=posixpath.dirname(path))
            if not status.ok:
                raise koji.GenericError("Preparation step failed")
        done = f"description-{root.opened.attempt}"
        target = str(self._context.journal.remember(done, lambda: self._rewritten(root, path)))
        # kiwi takes the one it is told, but a second description beside it would puzzle who looks.
        root.remove(path)
        return target

    def _rewritten(self, root: ImageRoot, path: str) -> str:
        request = self._request
        data = root.read(path)
        if data is None:
            raise koji.GenericError(f"Kiwi description {request.desc_path} is not in the checkout.")
        wanted = Wanted(request.name, request.version, self._releasever, self._repos)
        target = target_name(path, request.arch)
        text = rewrite(path, data, wanted, root.read)
        root.put_text(text, posixpath.basename(target))
        root.write(text, target)
        return target

    @property
    def _releasever(self) -> str:
        return str(self._request.opts.get("repo_releasever", self._request.version))

    @property
    def _repos(self) -> list[str]:
        repos = [str(url) for url in self._request.opts.get("repos") or ()]
        if self._request.opts.get("use_buildroot_repo"):
            repos.append(f"{self._context.options.topurl}/{self._repo.path(self._request.arch)}")
        return repos

    def _build_command(self, description: str) -> list[str]:
        opts = self._request.opts
        command = [KIWI]
        if opts.get("profile"):
            command += ["--profile", opts["profile"]]
        if opts.get("type"):
            command += ["--type", opts["type"]]
        command += ["--kiwi-file", posixpath.basename(description), "--debug"]
        command += ["--logfile", f"/tmp/image-root.{self._request.arch}.log", "system", "build"]  # noqa: S108 - in the root
        command += ["--description", posixpath.dirname(description), "--target-dir", IMAGE]
        for attribute in opts.get("type_attr") or ():
            command += ["--set-type-attr", attribute]
        return command

    def _bundle_command(self) -> list[str]:
        log = f"/tmp/kiwi-result-bundle.{self._request.arch}.log"  # noqa: S108 - in the root
        command = [KIWI, "--debug", "--logfile", log, "result", "bundle"]
        command += ["--target-dir", IMAGE, "--bundle-dir", BUNDLE, "--id", self._request.release]
        if self._request.opts.get("result_bundle_name_format"):
            command += ["--bundle-format", self._request.opts["result_bundle_name_format"]]
        return command

    def _kiwi(self, root: ImageRoot, step: str, command: list[str], log: str) -> None:
        """Run kiwi; its log is uploaded whatever comes of it."""
        status = root.run(step, command)
        content = root.files("/tmp").get(log)  # noqa: S108 - in the root
        if content is not None:
            root.upload(f"/tmp/{log}", log)  # noqa: S108 - in the root
        if not status.ok:
            raise koji.GenericError(FAILED)

    def _upload_bundle(self, root: ImageRoot) -> list[str]:
        names = list(root.files(BUNDLE))
        if not names:
            raise koji.GenericError(f"{FAILED}: nothing is in {BUNDLE}")
        for name in names:
            root.upload(posixpath.join(BUNDLE, name), name)
        return names
