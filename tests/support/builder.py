"""`make builder`: the daemon in the foreground on a hub that a lab.json describes, with the test images.

lab.json names the hub (`hub`, `topurl`, `topdir`) and its hosts (`name`, `user`, `password`). What the daemon needs beside it
is written into a directory of its own, which is kept in the user's cache: a daemon that starts again there adopts its builds.
With `--runtime kubernetes` the tasks are pods of the cluster that KUBECONFIG names (tests/support/cluster.py says what else it
reads), in the namespace of ADJUTANT_K8S_NAMESPACE or of the kubeconfig; the hub must have an address that pods reach.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from tests.conformance import images as store
from tests.distro.cache import cache_dir
from tests.distro.debian import DistroError
from tests.distro.images import Images, the_images
from tests.distro.make import the_distro
from tests.support import cluster
from tests.support.podman_host import HostError, PodmanService, prepare_host


@dataclass(frozen=True)
class Lab:
    """A hub and one of its hosts, as lab.json has them."""

    hub: str
    topurl: str
    topdir: str
    host: str
    user: str
    password: str


def read_lab(text: str, host: str) -> Lab:
    """Pick `host` from the text of a lab.json.

    Raises:
        ValueError: it has no such host, naming those it has.
    """
    lab: dict[str, Any] = json.loads(text)
    hosts = {entry["name"]: entry for entry in lab["hosts"]}
    if host not in hosts:
        message = f"no host {host}; there are {', '.join(sorted(hosts))}"
        raise ValueError(message)
    entry = hosts[host]
    return Lab(lab["hub"], lab["topurl"], lab["topdir"], host, entry["user"], entry["password"])


def kojid_conf(lab: Lab, state: Path) -> str:
    """Write kojid.conf as the site's kojid would have it (pure)."""
    address = lab.hub.partition("://")[2].partition("/")[0].partition(":")[0]
    settings = {
        "server": lab.hub,
        "topurl": lab.topurl,
        "topdir": lab.topdir,
        "user": lab.user,
        "password": lab.password,
        "workdir": state / "work",
        "sleeptime": 2,
        "minspace": 512,
        "retry_interval": 5,
        "allowed_scms": f"{address}*:/git/*:no:",
        "log_level": "INFO",
    }
    return "\n".join(["[kojid]", *(f"{key} = {value}" for key, value in settings.items()), ""])


def adjutant_yaml(runtime: str, images: Images, section: Mapping[str, Any], state: Path) -> str:
    """Write adjutant.yaml with the test images; `section` is that of the runtime (pure)."""
    settings: dict[str, Any] = {
        "runtime": runtime,
        "state_dir": str(state / "state"),
        "images": {"tools": images.tools, "bootstrap": "off"},
        "monitoring": {"listen": "off"},
        runtime: dict(section),
    }
    return yaml.safe_dump(settings, sort_keys=False)


def podman_section() -> dict[str, Any]:
    """Start a Podman service, which is told by the kernel when this process ends, and name it. Containers outlive it."""
    service = PodmanService()
    service.start()
    return {"socket": service.url}


def kubernetes_section(images: Images) -> dict[str, Any]:
    """Bring the images to the nodes, and name the cluster.

    Raises:
        HostError: KUBECONFIG names no cluster. subprocess.CalledProcessError: an image cannot be brought there.
    """
    kubeconfig = cluster.kubeconfig()
    if kubeconfig is None:
        message = "KUBECONFIG names no cluster"
        raise HostError(message)
    static = cluster.runner_image(store.podman)
    cluster.load(store.podman, static, images.tools, images.empty)
    section = {
        "config": str(kubeconfig.resolve()),
        "runner_image": static,
        "runner_directory": cluster.RUNNER_DIRECTORY,
        "empty_image": images.empty,
    }
    profile = cluster.seccomp_profile()
    return section if profile is None else {**section, "seccomp_profile": profile}


def run(lab: Lab, runtime: str) -> NoReturn:
    """Become the daemon: its process id and signals are this process's own.

    Raises:
        DistroError, HostError, subprocess.CalledProcessError: this machine lacks something.
    """
    prepare_host()
    images = the_images(the_distro())
    # Another hub's host of the same name has a daemon of its own; what one runtime has started no other can adopt.
    hub = hashlib.sha256(f"{lab.hub}{'' if runtime == 'podman' else runtime}".encode()).hexdigest()[:8]
    state = cache_dir() / f"builder-{lab.host}-{hub}"
    for path in (state / "work", state / "state"):
        path.mkdir(parents=True, exist_ok=True)
    section = kubernetes_section(images) if runtime == "kubernetes" else podman_section()
    kojid, adjutant = state / "kojid.conf", state / "adjutant.yaml"
    kojid.touch(mode=0o600)
    kojid.write_text(kojid_conf(lab, state))
    adjutant.write_text(adjutant_yaml(runtime, images, section, state))
    # A daemon that was killed has left its exclusive session at the hub.
    command = [sys.executable, "-m", "koji_adjutant.daemon", "--fg", "--force-lock", "--config", str(kojid)]
    sys.stderr.write(f"daemon {os.getpid()}: {' '.join(command)}\n")
    sys.stderr.flush()
    os.execve(sys.executable, command, {**os.environ, "ADJUTANT_CONFIG": str(adjutant)})


def main() -> NoReturn:
    """Read the command line of `make builder`."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.builder", description=__doc__)
    parser.add_argument("--lab", type=Path, required=True, help="lab.json of the hub")
    parser.add_argument("--host", default="builder2", help="a host of lab.json")
    parser.add_argument("--runtime", default="podman", choices=["podman", "kubernetes"])
    arguments = parser.parse_args()
    try:
        lab = read_lab(arguments.lab.read_text(), arguments.host)
        run(lab, arguments.runtime)
    except (OSError, ValueError, KeyError, DistroError, HostError, subprocess.CalledProcessError) as error:
        parser.exit(1, f"make builder: {error}\n")


if __name__ == "__main__":
    main()
