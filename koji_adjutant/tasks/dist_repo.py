"""`distRepo`: a repo of signed rpms for users, its arches made by children (contract 4.3).

The hub has made repo and directory before the task. Safe to start again at any place: children are found by label, and
an arch that has been moved has taken its `kojipkgs` with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import koji

from koji_adjutant.repos.multilib import is_multilib
from koji_adjutant.tasks.base import ThreadedTask

Options = dict[str, Any]


class NewDistRepoTask(ThreadedTask):
    """Handles `distRepo`."""

    Methods = ["distRepo"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.1  # noqa: N815 - koji's name

    def handler(self, tag: int | str, repo_id: int, keys: Sequence[str], task_opts: Options) -> str:
        """Make the repo; result: kojid's sentence."""
        refuse_deltas(task_opts)
        taginfo = self.session.getTag(tag, strict=True, event=task_opts["event"])
        opts = {**task_opts, "arch": task_opts["arch"] or (taginfo["arches"] or "").split()}
        if not opts["arch"]:
            raise koji.GenericError("No arches specified nor for the tag!")
        text = f"Dist repository #{repo_id} successfully generated"
        if self.session.repoInfo(repo_id, strict=True)["state"] == koji.REPO_READY:
            return text
        self._make(tag, repo_id, list(keys), opts)
        self.once(
            "repoDone",
            lambda: self.session.host.repoDone(repo_id, {}),
            recover=lambda _: (self.session.repoInfo(repo_id, strict=True)["state"] != koji.REPO_INIT, None),
        )
        return text

    def _make(self, tag: int | str, repo_id: int, keys: list[str], opts: Options) -> None:
        arches = sorted({koji.canonArch(arch) for arch in opts["arch"]})
        single = [arch for arch in arches if not is_multilib(arch)]

        def child(arch: str) -> int:
            return self._child(arch, [tag, repo_id, arch, keys, opts])

        children = {arch: child(arch) for arch in single}
        if children and opts["multilib"]:
            # The 64-bit arches take packages from these, so they must stand at their place first.
            self.wait(list(children.values()), all=True, failany=True)
            self._move(repo_id, children)
        children |= {arch: child(arch) for arch in arches if arch not in single}
        self.wait(list(children.values()), all=True, failany=True)
        self._move(repo_id, children)

    def _child(self, arch: str, arguments: list[Any]) -> int:
        def start() -> int:
            # Safe to repeat: the hub gives back the child of that label.
            return int(
                self.session.host.subtask(
                    method="createdistrepo", arglist=arguments, label=arch, parent=self.id, arch="noarch"
                )
            )

        return int(self.once(f"subtask-{arch}", start))

    def _move(self, repo_id: int, children: dict[str, int]) -> None:
        """Have the hub move what the children have uploaded; what is moved already is left alone."""
        for arch, task in children.items():
            self.once(f"move-{arch}", partial(self._move_arch, repo_id, arch, task))

    def _move_arch(self, repo_id: int, arch: str, task: int) -> None:
        uploads = koji.pathinfo.taskrelpath(task)
        # The child has ended well, so it has uploaded this; asked even without a journal, since this may be the second
        # host that has the task.
        if self.session.checkUpload(uploads, "kojipkgs") is not None:
            self.session.host.distRepoMove(repo_id, uploads, arch)


def refuse_deltas(opts: Options) -> None:
    """Fail a task that asks for what is not done here.

    Raises:
        koji.GenericError: delta rpms.
    """
    if opts.get("delta"):
        raise koji.GenericError(
            "delta rpms are not supported by this builder (koji-adjutant): make the dist repo without --delta-rpms; "
            "dnf has dropped delta rpms, too"
        )
