"""The whole of adjutant.yaml as one immutable model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from koji_adjutant.config.build import BuildSection
from koji_adjutant.config.control import ControlSection
from koji_adjutant.config.hosts import HostEntry
from koji_adjutant.config.images import ImagesSection
from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.config.monitoring import MonitoringSection
from koji_adjutant.config.quantities import Duration, Size
from koji_adjutant.config.runtime import PodmanSection
from koji_adjutant.config.scm import ScmSection
from koji_adjutant.config.section import AbsolutePath, OffAsText, Section, SwitchAsText

STATE_DIR = "/var/lib/koji-adjutant"


class PollSection(Section):
    """How often the hub is asked."""

    tasks_min: Duration = Field(
        5,
        description="Seconds between two looks for new tasks while there is work; grows to kojid.conf's sleeptime when idle.",
    )
    host_tasks: Duration = Field(
        2, description="Seconds between two looks at our open tasks while some run: how soon a cancel acts."
    )
    check_in: Duration = Field(
        60, le=170, description="Seconds between two check-ins. The hub stops assigning tasks after 180 s without one."
    )


class SweepSection(Section):
    """Removal of containers that belong to no task any more."""

    interval: Duration = Field(300, description="Seconds between two sweeps.")
    min_age: Duration = Field(
        300,
        ge=60,
        description="Seconds a container must have lived before a sweep may remove it: never one just being made.",
    )


class AdjutantConfig(Section):
    """Everything that kojid.conf has no word for."""

    runtime: Literal["podman", "kubernetes", "memory"] = Field(
        "podman", description="Where tasks run. `memory` runs nothing and is for tests."
    )
    state_dir: AbsolutePath = Field(
        Path(STATE_DIR),
        description="Directory for journals, step volumes and caches. It must survive a restart of the "
        "daemon, or its tasks do not.",
    )
    static_dir: AbsolutePath | None = Field(
        None,
        description="Directory with the static adjutant-runner and busybox that are mounted into task containers. Default: the "
        "package's own.",
    )
    log_format: Literal["kojid", "console", "json"] = Field(
        "kojid",
        description="Form of the log on stderr: `kojid` as kojid wrote it, `console` with colours, `json` a line each.",
    )
    podman: PodmanSection = Field(default_factory=PodmanSection, description="The Podman service.")
    kubernetes: KubernetesSection = Field(default_factory=KubernetesSection, description="The Kubernetes cluster.")
    images: ImagesSection = Field(default_factory=ImagesSection, description="Images of tasks.")
    build: BuildSection = Field(default_factory=BuildSection, description="What one build may use.")
    scm: ScmSection = Field(default_factory=ScmSection, description="How much a checkout may be.")
    stop: Literal["keep", "drain", "free"] = Field(
        "keep",
        description="On SIGTERM: `keep` leaves builds running for the next daemon to adopt; `drain` takes no new task and "
        "waits for the open ones; `free` gives them back to the hub, as kojid does.",
    )
    artifacts: Literal["upload", "topdir"] = Field(
        "upload",
        description="How results reach the hub: `upload` by its API; `topdir` by a writable mount of kojid.conf's topdir.",
    )
    min_memory: Size | None = Field(
        None,
        description="Free memory (`MemAvailable`) below which this host takes no task (`2GiB`). Default: no check, as kojid; a "
        "swapping builder answers nobody.",
    )
    plugin_conf_dir: AbsolutePath = Field(
        Path("/etc/kojid/plugins"),
        description="Directory of the plugins' own configuration: `runroot.conf` and `save_failed_tree.conf` are read from it.",
    )
    self_assign: Annotated[Literal["off", "auto"], OffAsText] = Field(
        "off",
        description="`auto` opens free children of tasks that run here at once, instead of waiting for the hub's scheduler, "
        "where load, priority and arch allow. Its price: the hub keeps no run entry for them, so if this host dies for good "
        "they stay OPEN until an admin frees them.",
    )
    privileged_images: Annotated[Literal["off", "on"], SwitchAsText] = Field(
        "off",
        description="`on` runs the tasks of kiwi and livemedia-creator (`kiwiBuild`, `createKiwiImage`, `livemedia`, "
        "`createLiveMedia`) in a privileged container with the machine's devices, `/dev/loop` among them. Its price: who may "
        "ask for such a task, or change a package in its root, is root on this host, so give it a host that does nothing else. "
        "`off` refuses these tasks with the reason. Read at the start only. The tools image is chosen as for every task "
        "(`images.rules`, by method).",
    )
    poll: PollSection = Field(default_factory=PollSection, description="How often the hub is asked.")
    monitoring: MonitoringSection = Field(
        default_factory=MonitoringSection, description="Probes, metrics and status over HTTP."
    )
    control: ControlSection = Field(
        default_factory=ControlSection, description="The local socket by which `koji-adjutant` talks to the daemon."
    )
    sweep: SweepSection = Field(default_factory=SweepSection, description="Removal of leftovers.")
    hosts: tuple[HostEntry, ...] = Field(
        (), description="Host names this daemon may claim. Empty: the one identity of kojid.conf."
    )

    @model_validator(mode="after")
    def _privileged_needs_podman(self) -> Self:
        if self.privileged_images == "on" and self.runtime == "kubernetes":
            message = "privileged_images: on needs runtime: podman; no pod of this builder is privileged"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _host_names_differ(self) -> Self:
        names = [host.name for host in self.hosts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"hosts names {', '.join(twice)} more than once; each name once"
            raise ValueError(message)
        return self
