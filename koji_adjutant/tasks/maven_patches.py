"""Patches of a Maven build: a checkout of their own, applied in the root by the build user (contract 4.4)."""

from __future__ import annotations

import posixpath
from typing import Any

import koji
from koji.daemon import SCM

from koji_adjutant.scm.source_url import hide_password
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.checkout import Checkout, assert_source_allowed, checkout_source
from koji_adjutant.tasks.maven_root import PATCHES
from koji_adjutant.tasks.root_work import OpenRoot
from koji_adjutant.tasks.task_logs import TaskLogs

LOG = "patches.log"
SECONDS = 600.0


def checkout_patches(
    task: ThreadedTask, logs: TaskLogs, url: str, *, build_tag: Any, scratch: Any, buildroot: Any
) -> tuple[Checkout, list[str]]:
    """Check the patches out; return the checkout and their names in order.

    Raises:
        koji.BuildError: there are none.
    """
    scm: SCM = assert_source_allowed(task, url, scratch=scratch)
    scm.use_common = False
    checkout = checkout_source(
        task, scm, logs, build_tag=build_tag, scratch=scratch, buildroot=buildroot, name="patches", log=LOG
    )
    names = sorted(
        path.name for path in checkout.directory.iterdir() if path.name.endswith(".patch") and path.is_file()
    )
    if not names:
        raise koji.BuildError(f"no patches found at {hide_password(url, url)}")
    return checkout, names


def apply_patches(opened: OpenRoot, names: list[str], inside: str, source: str, url: str) -> None:
    """Apply patches that lie in `inside` below `PATCHES` to `source`; each is a durable step.

    Raises:
        koji.BuildError: one does not apply, or the root has no patch program.
    """
    for number, name in enumerate(names):
        path = posixpath.join(PATCHES, inside, name)
        words = ["patch", "--verbose", "--no-backup-if-mismatch", "-d", source, "-p1", "-i", path]
        status = opened.root.build_step(
            f"patch-{number}", ["/bin/sh", "-c", 'exec "$0" "$@"', *words], timeout=SECONDS, log=LOG
        )
        if not status.ok:
            shown = hide_password(url, url)
            raise koji.BuildError(f"error applying patches from {shown}, see {LOG} for details")
