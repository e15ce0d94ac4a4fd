"""What the in-memory runtime gives to tests beyond the promises of the contract (those: tests/conformance)."""

from __future__ import annotations

import pytest

from koji_adjutant.container.interface import ContainerSpec, ContainerStatus, VolumeMount
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.errors import ContainerNotFound, RuntimeUnavailable


@pytest.fixture
def manager():
    found = MemoryManager(clock=lambda: 1000.0)
    found.add_image("image", {"/etc/os-release": b"ID=test\n"})
    return found


def _running(manager, name="c", **options):
    handle = manager.create(ContainerSpec(name, "image", command=("sleep", "infinity"), **options))
    manager.start(handle)
    return handle


def test_programs_see_their_invocation(manager):
    """A program gets argv, environment, directory, user, stdin and the container's files; its end is the result."""
    seen = {}

    def rpmbuild(process):
        seen.update(vars(process))
        process.files.write("/builddir/out.rpm", process.files.read("/etc/os-release"))
        process.stdout(b"built\n")
        return 4

    manager.program("rpmbuild", rpmbuild)
    handle = _running(manager)
    result = manager.exec(
        handle, ["/usr/bin/rpmbuild", "-bb"], env={"A": "b"}, workdir="/builddir", user="1000:425", stdin=b"in"
    )
    assert (result.exit_code, result.stdout) == (4, b"built\n")
    assert (seen["argv"], seen["workdir"], seen["user"], seen["stdin"]) == (
        ["/usr/bin/rpmbuild", "-bb"],
        "/builddir",
        "1000:425",
        b"in",
    )
    assert seen["env"] == {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "A": "b"}
    assert [each.name for each in manager.list_files(handle, "/builddir")] == ["out.rpm"]


def test_volumes_are_shared(manager):
    """Bind mounts of one source show one tree, which the test sees as well."""
    mounts = [VolumeMount("/steps", "/state/steps")]
    first, second = _running(manager, "a", mounts=mounts), _running(manager, "b", mounts=mounts)
    manager.copy_to(first, b"shared", "/steps/file")
    assert manager.files(second).read("/steps/file") == b"shared"
    assert manager.volume("/state/steps").get("/file").data == b"shared"


def test_death_and_memory(manager):
    """Hooks let a container die or run out of memory."""
    first, second = _running(manager, "a"), _running(manager, "b")
    manager.die(first, 3)
    manager.run_out_of_memory(second)
    assert (manager.state(first).status, manager.state(first).exit_code) == (ContainerStatus.EXITED, 3)
    assert (manager.state(second).exit_code, manager.state(second).oom_killed) == (137, True)


def test_vanishing(manager):
    """A container can vanish as if somebody had removed it."""
    handle = _running(manager)
    manager.vanish(handle)
    assert manager.state(handle).status is ContainerStatus.MISSING
    with pytest.raises(ContainerNotFound):
        manager.exec(handle, ["true"])


def test_runtime_away(manager):
    """While the runtime is away every call says so; containers live on."""
    handle = _running(manager)
    manager.go_away("service stopped")
    for call in (lambda: manager.state(handle), manager.health_check, lambda: manager.remove(handle)):
        with pytest.raises(RuntimeUnavailable) as caught:
            call()
        assert caught.value.details == "service stopped"
    manager.come_back()
    assert manager.state(handle).status is ContainerStatus.RUNNING


def test_program_that_fails_to_be_found(manager):
    """A command without a program is known by that, and the pulls asked for are noted."""
    manager.images.add("remote", in_registry=True)
    manager.ensure_image_available("remote")
    manager.ensure_image_available("remote")
    assert manager.images.pulls == ["remote"]
