"""Fixtures around `Farm`, shared by tests/e2e and tests/faults: their conftest.py files import them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.distro.make import Distro
from tests.distro.rpmbuild import rpmbuild
from tests.support.farm import Farm

MakeFarm = Callable[..., Farm]
"""Makes a farm without a daemon; keywords are `Farm`'s `config` and `extra`."""
MakeSource = Callable[..., Path]
"""Makes a source package of a spec's text; `name` is the spec's file name without suffix."""


def _farms(distro: Distro, socket: Path, tools_image: str) -> Iterator[MakeFarm]:
    with ExitStack() as stack:

        def make(*, config: Mapping[str, Any] | None = None, extra: Mapping[str, Any] | None = None) -> Farm:
            # Not pytest's directory: paths of sockets have 107 bytes at most.
            directory = Path(tempfile.mkdtemp(prefix="adjutant-farm-"))
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
            return stack.enter_context(
                Farm(directory, distro.repo, socket, tools_image, config=config or {}, extra=extra or {})
            )

        yield make


@pytest.fixture
def make_farm(distro: Distro, podman_socket: Path, tools_image: str) -> Iterator[MakeFarm]:
    """Farms that end with the test."""
    yield from _farms(distro, podman_socket, tools_image)


@pytest.fixture(scope="module")
def farm(distro: Distro, podman_socket: Path, tools_image: str) -> Iterator[Farm]:
    """One farm for the tests of a module, its daemon running."""
    for make in _farms(distro, podman_socket, tools_image):
        farm = make()
        farm.start()
        yield farm


@pytest.fixture(scope="session")
def make_source(tmp_path_factory: pytest.TempPathFactory) -> MakeSource:
    """Source packages of the tests' own, beside the samples."""

    def make(name: str, text: str) -> Path:
        out = tmp_path_factory.mktemp(name)
        spec = out / f"{name}.spec"
        spec.write_text(text)
        rpmbuild("-bs", spec, out / "work", out, out)
        return next(out.glob("*.src.rpm"))

    return make


SPEC = """Name: {name}
Version: 1.0
Release: 1
Summary: Made by a test
License: MIT
BuildArch: noarch

%description
%{{summary}}.

%build
{build}

%files

%changelog
* Mon Jan 06 2025 Adjutant Tests <tests@example.com> - 1.0-1
- First build
"""


def spec_text(name: str, build: str) -> str:
    """Return the spec of a package whose %build is `build` and which holds nothing."""
    return SPEC.format(name=name, build=build)
