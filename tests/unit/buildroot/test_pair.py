"""What a pair asks of a runtime: companions announced as they are made later, files by the runtime's own word."""

import itertools
from dataclasses import replace

import pytest

from koji_adjutant.buildroot.pair import PROXY_DIR, PairRequest, create_pair
from koji_adjutant.container.interface import ContainerSpec, MountAccess
from koji_adjutant.container.memory_manager import MemoryManager


class Runtime(MemoryManager):
    """Keeps the specs it was given; its mounts are what a test says."""

    def __init__(self, access=MountAccess.COPIED):
        super().__init__()
        self.access = access
        self.specs = []
        self.program("adjutant-runner", lambda process: int(process.killed.wait()))
        for name in ("root", "tools"):
            self.add_image(name)

    def create(self, spec):
        self.specs.append(spec)
        return super().create(spec)

    def mount_access(self):
        return self.access


@pytest.fixture
def request_of(tmp_path):
    """A request for a pair, with what a test changes."""

    def make(**more):
        labels = itertools.count()
        wanted = PairRequest(
            "n", tmp_path, tmp_path, "root", "tools", lambda role: {"role": role, "number": str(next(labels))}
        )
        return replace(wanted, **more)

    return make


def made(runtime, request):
    """The specs of a pair's containers, by name."""
    pair = create_pair(runtime, request)
    pair.settle()
    pair.remove()
    return {spec.name: spec for spec in runtime.specs}, pair


def test_companions_are_announced_as_they_are_made(request_of):
    """`tools` is announced to the runtime as the very spec it is made by later, but for the container it joins."""
    online = ContainerSpec("n-online", "tools")
    specs, pair = made(Runtime(), request_of(companions=(online,)))
    assert specs["n-task"].companions == (replace(specs["n-tools"], companion_of=None), online)
    assert specs["n-tools"].companion_of == pair.task


@pytest.mark.parametrize("access", list(MountAccess))
def test_files_are_read_here_only_where_the_runtime_says_so(request_of, access):
    """A build's files are read as paths of this machine where they are all open to this process, and nowhere else."""
    _, pair = made(Runtime(access), request_of())
    assert (pair.files is not None) == (access is MountAccess.READABLE)


@pytest.mark.parametrize("relay", [True, False])
def test_proxy_is_mounted_for_its_relay_alone(request_of, *, relay):
    """Without a relay `tools` has no mount for the proxy's socket, and its first process waits for nothing."""
    specs, _ = made(Runtime(), request_of(relay=relay))
    assert (PROXY_DIR in {mount.target for mount in specs["n-tools"].mounts}) == relay
    assert (specs["n-tools"].command[1] == "relay") == relay
