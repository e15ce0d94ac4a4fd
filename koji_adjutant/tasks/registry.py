"""Which class handles which task method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import koji.tasks

from koji_adjutant.tasks.base import HandlerTable
from koji_adjutant.tasks.library import LIBRARY


def handler_table(
    more: Iterable[type[koji.tasks.BaseTaskHandler]] = (), *, privileged_images: bool = False
) -> HandlerTable:
    """Return the table of all methods; a later class replaces an earlier one of the same method (contract 1.10).

    `privileged_images`: with those that work in a privileged container.
    """
    table: dict[str, Any] = {}
    own = [*_own_handlers(), *(_privileged_handlers() if privileged_images else ())]
    for handler in (*own, *more):
        for method in handler.Methods:
            table[method] = handler
    return table


def _own_handlers() -> list[Any]:
    # Late, so that the command line does not pay for the container clients.
    from koji_adjutant.tasks.build import BuildTask
    from koji_adjutant.tasks.build_arch import BuildArchTask
    from koji_adjutant.tasks.build_maven import BuildMavenTask
    from koji_adjutant.tasks.build_notification import BuildNotificationTask
    from koji_adjutant.tasks.build_srpm_from_scm import BuildSRPMFromSCMTask
    from koji_adjutant.tasks.chain_build import ChainBuildTask
    from koji_adjutant.tasks.chain_maven import ChainMavenTask
    from koji_adjutant.tasks.create_dist_repo import CreateDistRepoTask
    from koji_adjutant.tasks.create_repo import CreaterepoTask
    from koji_adjutant.tasks.dist_repo import NewDistRepoTask
    from koji_adjutant.tasks.maven import MavenTask
    from koji_adjutant.tasks.new_repo import NewRepoTask
    from koji_adjutant.tasks.rebuild_srpm import RebuildSRPM
    from koji_adjutant.tasks.run_root import RunRootTask
    from koji_adjutant.tasks.save_failed_tree import SaveFailedTreeTask
    from koji_adjutant.tasks.tag_build import TagBuildTask
    from koji_adjutant.tasks.tag_notification import TagNotificationTask
    from koji_adjutant.tasks.wait_repo import WaitrepoTask
    from koji_adjutant.tasks.wrapper_rpm import WrapperRPMTask

    return [
        *LIBRARY,
        BuildArchTask,
        BuildMavenTask,
        MavenTask,
        BuildNotificationTask,
        BuildSRPMFromSCMTask,
        BuildTask,
        ChainBuildTask,
        ChainMavenTask,
        CreateDistRepoTask,
        CreaterepoTask,
        NewDistRepoTask,
        NewRepoTask,
        RebuildSRPM,
        RunRootTask,
        SaveFailedTreeTask,
        TagBuildTask,
        TagNotificationTask,
        WaitrepoTask,
        WrapperRPMTask,
    ]


def _privileged_handlers() -> list[Any]:
    from koji_adjutant.tasks.create_kiwi_image import CreateKiwiImageTask
    from koji_adjutant.tasks.create_live_media import CreateLiveMediaTask
    from koji_adjutant.tasks.kiwi_build import KiwiBuildTask
    from koji_adjutant.tasks.live_media_build import LiveMediaBuildTask

    return [CreateKiwiImageTask, CreateLiveMediaTask, KiwiBuildTask, LiveMediaBuildTask]
