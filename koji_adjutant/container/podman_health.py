"""How a Podman service is: what it can, and what an operator has to mend."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from koji_adjutant.container.interface import RuntimeHealth
from koji_adjutant.container.podman_id_ranges import pool_of

OLDEST = (4, 3)
NETAVARK_PLACES = ("/usr/libexec/podman/netavark", "/usr/lib/podman/netavark", "/usr/local/libexec/podman/netavark")
FIREWALLS = ("iptables", "nft")


def health(info: Mapping[str, Any], *, userns: bool, userns_size: int, bridge: bool) -> RuntimeHealth:
    """Judge Podman's `info`; `bridge` tells whether `Network.PRIVATE` has a bridge here."""
    host = info["host"]
    version = info["version"]["Version"]
    rootless = bool(host["security"]["rootless"])
    ids = max(map(len, pool_of(info)), default=0)
    capabilities = {"commit", "companion", "isolate"}
    problems = list(_problems(host, version))
    if info["store"]["graphDriverName"] != "overlay":
        capabilities.discard("companion")
        problems.append(
            f"Podman's storage driver is {info['store']['graphDriverName']}: buildroots cannot be filled from outside; set "
            'driver = "overlay" in storage.conf, then `podman system reset`'
        )
    if userns and ids >= userns_size:
        capabilities.add("userns")
    elif userns:
        problems.append(
            f"there are {ids} subordinate ids for user namespaces of {userns_size}: add a line such as "
            f"`{'<user of the service>' if rootless else 'containers'}:1000000:2000000` to /etc/subuid and /etc/subgid, "
            "or set podman.userns to false"
        )
    if not bridge and not rootless and not host.get("slirp4netns", {}).get("executable"):
        problems.append(
            "there is neither netavark with a firewall program nor slirp4netns: install netavark and iptables"
        )
    return RuntimeHealth("podman", version, rootless, frozenset(capabilities), tuple(problems))


def bridge_usable(info: Mapping[str, Any]) -> bool:
    """Whether rootful Podman can make its own bridge: netavark calls iptables or nft and fails without them."""
    host = info["host"]
    if host["security"]["rootless"]:
        return False
    if host.get("networkBackend") == "netavark" and not any(map(os.path.exists, NETAVARK_PLACES)):
        return False
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return any(shutil.which(program, path=search) for program in FIREWALLS)


def _problems(host: Mapping[str, Any], version: str) -> Iterable[str]:
    if tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:2]) < OLDEST:
        yield f"Podman {version} is older than {OLDEST[0]}.{OLDEST[1]}: install a newer one"
    runtime = host.get("ociRuntime") or {}
    if not runtime.get("name"):
        yield "Podman names no OCI runtime: install crun or runc"
    if not host["security"].get("seccompEnabled", True):
        yield "Podman runs without seccomp: builds could use every system call; enable it"
