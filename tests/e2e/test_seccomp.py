"""The shipped seccomp profile, on real Podman: what it refuses and how, and that builds work under it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.factory import SECCOMP_PROFILE, create_container_manager
from koji_adjutant.container.interface import ContainerHandle, ContainerSpec

pytestmark = [pytest.mark.podman, pytest.mark.distro]

SYSCALLS = """
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)

def outcome(*call):
    ctypes.set_errno(0)
    result = libc.syscall(*call)
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]

MOUNT, PERSONALITY, SWAPON = 165, 135, 167
answers = {
    "unknown": outcome(999),
    "mount": outcome(MOUNT, b"none", b"/mnt", b"tmpfs", 0, 0),
    "no randomization": outcome(PERSONALITY, 0x0040000),
    "swapon": outcome(SWAPON, b"/x", 0),
}
print(json.dumps(answers))
"""
SPEC = b"""Name: tiny
Version: 1
Release: 1
Summary: tiny
License: none
BuildArch: noarch
%description
%install
mkdir -p %{buildroot}/opt
echo content > %{buildroot}/opt/tiny
%files
/opt/tiny
"""


@pytest.fixture
def box(podman_socket: Path, tools_image: str) -> Iterator[tuple[Any, ContainerHandle]]:
    """A running container of the tools image as the daemon would make it."""
    manager = create_container_manager(AdjutantConfig.model_validate({"podman": {"socket": str(podman_socket)}}))
    name = f"adjutant-test-seccomp-{uuid.uuid4().hex[:8]}"
    handle = manager.create(ContainerSpec(name, tools_image, ("sleep", "600"), capabilities=("NET_ADMIN",)))
    try:
        manager.start(handle)
        yield manager, handle
    finally:
        manager.remove(handle)
        manager.close()


def test_answers(box: tuple[Any, ContainerHandle]) -> None:
    """An unknown call is told from a forbidden one; what a mock chroot allows is allowed."""
    manager, handle = box
    result = manager.exec(handle, ["python3", "-c", SYSCALLS])
    assert json.loads(result.stdout) == {
        "unknown": "ENOSYS",
        "mount": "EPERM",
        "no randomization": "ok",
        "swapon": "EPERM",
    }


def test_rpmbuild(box: tuple[Any, ContainerHandle]) -> None:
    """A package is built under the profile."""
    manager, handle = box
    script = "cat > /tmp/tiny.spec && rpmbuild -bb --define '_topdir /tmp/top' /tmp/tiny.spec"
    result = manager.exec(handle, ["sh", "-c", script], stdin=SPEC, timeout=120)
    assert result.exit_code == 0, result.stderr
    assert b"tiny-1-1.noarch.rpm" in result.stdout


def test_is_a_profile() -> None:
    """Unlisted calls answer ENOSYS; no call is both allowed and refused without a condition."""
    profile = json.loads(SECCOMP_PROFILE.read_text())
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    plain = [rule for rule in profile["syscalls"] if not rule.keys() & {"includes", "excludes", "args"}]
    allowed = {name for rule in plain if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    refused = {name for rule in plain if rule["action"] != "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert not allowed & refused
    assert {"clone3", "faccessat2", "openat2", "statx", "personality"} <= allowed
