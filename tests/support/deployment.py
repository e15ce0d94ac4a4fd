"""The daemon in the cluster, as packaging/kubernetes ships it: an overlay of ours over its base, given to kubectl."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from koji_adjutant.container.interface import LABEL_MANAGED, LABEL_ROLE, LABEL_TASK

BASE = Path(__file__).parents[2] / "packaging/kubernetes/base"
NAME = "koji-adjutant"
SECRETS = "/etc/koji-adjutant/hosts"
DAEMONS = f"app.kubernetes.io/name={NAME}"
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Hub:
    """The hub as pods reach it, and its hosts with their passwords (user: the host's name)."""

    server: str
    topurl: str
    passwords: Mapping[str, str]


@dataclass(frozen=True)
class Site:
    """What a Deployment is made of. `state` is a directory of the node, on a volume that all replicas mount."""

    namespace: str
    hub: Hub
    daemon_image: str
    tools_image: str
    empty_image: str
    state: Path
    seccomp_profile: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """More of kojid.conf."""


def kubectl(*words: str, stdin: str | None = None, timeout: float = 300.0) -> str:
    """Run kubectl on the cluster of KUBECONFIG; return what it prints. Raises RuntimeError with its words."""
    found = subprocess.run(
        ["kubectl", *words], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )
    if found.returncode:
        message = f"kubectl {' '.join(words)}: {found.stderr.strip()}"
        raise RuntimeError(message)
    return found.stdout


def overlay(site: Site, replicas: int, directory: Path) -> None:
    """Write an overlay over the shipped base into an empty directory."""
    image, _, tag = site.daemon_image.rpartition(":")
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": site.namespace,
        "resources": [os.path.relpath(BASE, directory.resolve()), "volume.yaml"],
        "images": [{"name": NAME, "newName": image, "newTag": tag}],
        "replicas": [{"name": NAME, "count": replicas}],
        "patches": [{"path": "configuration.yaml"}, {"path": "claim.yaml"}],
    }
    files: dict[str, list[Mapping[str, Any]]] = {
        "kustomization.yaml": [kustomization],
        "configuration.yaml": _configuration(site),
        "volume.yaml": [_volume(site)],
        "claim.yaml": [_claim(site)],
    }
    for name, objects in files.items():
        (directory / name).write_text(yaml.safe_dump_all(objects, sort_keys=False))


def _configuration(site: Site) -> list[Mapping[str, Any]]:
    kojid = {
        "server": site.hub.server,
        "topurl": site.hub.topurl,
        "workdir": "/tmp/koji",
        "sleeptime": "2",
        "minspace": "512",
        **site.options,
    }
    section = {
        "service_account": "koji-adjutant-task",
        "runner_image": site.daemon_image,
        "empty_image": site.empty_image,
        **({"seccomp_profile": site.seccomp_profile} if site.seccomp_profile else {}),
    }
    adjutant = {
        "runtime": "kubernetes",
        "state_dir": "/var/lib/koji-adjutant",
        "static_dir": "/usr/lib/koji-adjutant/static",
        "kubernetes": section,
        "images": {"tools": site.tools_image, "bootstrap": "off"},
        "control": {"socket": "/tmp/control.sock"},
        "monitoring": {"listen": "0.0.0.0:9745", "token_file": f"{SECRETS}/monitoring-token"},
        "hosts": [{"name": name, "user": name, "password_file": f"{SECRETS}/{name}"} for name in site.hub.passwords],
    }
    conf = "\n".join(["[kojid]", *(f"{key} = {value}" for key, value in kojid.items()), ""])
    data = {"kojid.conf": conf, "adjutant.yaml": yaml.safe_dump(adjutant, sort_keys=False)}
    secret = {"monitoring-token": "0123456789abcdef" * 4, **site.hub.passwords}
    metadata = {"namespace": NAME}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, **metadata}, "data": data},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{NAME}-hosts", **metadata}, "stringData": secret},
    ]


def _volume(site: Site) -> Mapping[str, Any]:
    """One node: a directory of it is as good as any ReadWriteMany volume."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{site.namespace}-state"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "capacity": {"storage": "50Gi"},
            "hostPath": {"path": str(site.state), "type": "Directory"},
            "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
        },
    }


def _claim(site: Site) -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{NAME}-state", "namespace": NAME},
        "spec": {"storageClassName": "", "volumeName": f"{site.namespace}-state"},
    }


def rendered(directory: Path, minor: int) -> list[dict[str, Any]]:
    """The objects of an overlay, for a server of that minor version."""
    found = [entry for entry in yaml.safe_load_all(kubectl("kustomize", str(directory))) if entry]
    for entry in found:
        if entry["kind"] == "PodDisruptionBudget" and minor < 21:
            entry["apiVersion"] = "policy/v1beta1"
    return found


@dataclass
class Deployment:
    """A Deployment that was applied. `kubectl` is called as its administrator."""

    namespace: str

    def apply(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Make or change the objects."""
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects, sort_keys=False))

    def delete(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Take everything away again; returns when it is gone."""
        text = yaml.safe_dump_all(objects, sort_keys=False)
        kubectl("delete", "--ignore-not-found", "--wait=true", "-f", "-", stdin=text)

    def scale(self, replicas: int) -> None:
        """Change the number of replicas; returns at once."""
        kubectl("-n", self.namespace, "scale", f"deployment/{NAME}", f"--replicas={replicas}")

    def restart(self) -> None:
        """As `kubectl rollout restart`; returns at once."""
        kubectl("-n", self.namespace, "rollout", "restart", f"deployment/{NAME}")

    def settled(self, seconds: float) -> None:
        """Wait until all replicas of the newest template are Ready."""
        words = ("rollout", "status", f"deployment/{NAME}", f"--timeout={seconds:.0f}s")
        kubectl("-n", self.namespace, *words, timeout=seconds + 30)

    def replicas(self) -> dict[str, Any]:
        """The daemons' pods by name."""
        return {pod["metadata"]["name"]: pod for pod in self.pods(DAEMONS)}

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """Pods of the namespace with these labels."""
        text = kubectl("-n", self.namespace, "get", "pods", "-l", selector, "-o", "json")
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def logs(self) -> str:
        """What the replicas that are there have said, for the text of a failure."""
        parts = []
        for name in self.replicas():
            parts += [f"--- {name}", kubectl("-n", self.namespace, "logs", name, "--tail=200")]
        return "\n".join(parts)


class PodDiary:
    """Which pods each task has had, looked at twice a second. Use as a context manager."""

    def __init__(self, look: Callable[[str], list[dict[str, Any]]]) -> None:
        self._look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.failures = 0
        """Looks that failed: what lived between two others may be missing."""
        self.pods: dict[int, dict[str, str]] = {}
        """Role by pod uid, by task."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def of(self, task: int) -> list[str]:
        """Roles of the pods that a task has had."""
        return sorted(self.pods.get(task, {}).values())

    def most(self) -> int:
        """The most pods that any task has had."""
        return max((len(found) for found in self.pods.values()), default=0)

    def _write(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                pods = self._look(f"{LABEL_MANAGED}=true,{LABEL_TASK}")
            except RuntimeError:
                self.failures += 1
                continue
            for pod in pods:
                labels = pod["metadata"]["labels"]
                seen = self.pods.setdefault(int(labels[LABEL_TASK]), {})
                seen[pod["metadata"]["uid"]] = labels.get(LABEL_ROLE, "")
