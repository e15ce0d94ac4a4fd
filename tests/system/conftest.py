"""One machine for all tests here, with the builder installed as a package would, and a hub outside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.distro.debian import DistroError
from tests.distro.make import Distro
from tests.system.machine import Machine
from tests.system.machine_image import HOME, ROOT, machine_image
from tests.system.service_farm import ServiceFarm


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as a wheel."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def machine(podman_host: None, tools_image: str, wheel: Path) -> Iterator[Machine]:
    """A machine that has booted, with the builder installed and not configured."""
    # Paths of sockets have 107 bytes at most, and systemd empties /tmp when it boots.
    shared = Path(tempfile.mkdtemp(prefix="adjutant-", dir="/var/tmp"))
    try:
        image = machine_image()
        with Machine(image, shared) as booted:
            booted.give(tools_image)
            shutil.copy(wheel, shared)
            pip = [f"{HOME}/bin/pip", "install", "--quiet", "--no-index", "--no-deps"]
            booted.run(*pip, str(shared / wheel.name))
            booted.run(f"{HOME}/share/koji-adjutant/install-files")
            yield booted
    except DistroError as error:
        pytest.skip(f"no machine with systemd: {error}")
    finally:
        shutil.rmtree(shared, ignore_errors=True)


@pytest.fixture
def farm(machine: Machine, distro: Distro, tools_image: str) -> Iterator[ServiceFarm]:
    """A hub, and the service configured for it and stopped; afterwards the machine is as it was."""
    with ServiceFarm(machine, distro.repo, tools_image) as made:
        yield made
