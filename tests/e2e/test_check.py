"""`koji-adjutant check` on real Podman: its self-test transaction, and that it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.cli.checks.runtime import check_storage
from koji_adjutant.cli.checks.self_test import run_self_test
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.factory import create_container_manager
from tests.distro.cache import cache_dir, locked

pytestmark = [pytest.mark.podman, pytest.mark.distro]


@pytest.fixture
def alone() -> Iterator[None]:
    """Keep other checks away: their containers look like ours."""
    with locked(cache_dir() / "check.lock"):
        yield


@pytest.fixture
def config(alone: None, tmp_path: Path, podman_socket: Path, tools_image: str) -> AdjutantConfig:
    """A builder's configuration on this machine's Podman."""
    return AdjutantConfig.model_validate(
        {
            "state_dir": tmp_path / "state",
            "podman": {"socket": str(podman_socket)},
            "images": {"tools": tools_image},
        }
    )


def left_behind(config: AdjutantConfig) -> list[str]:
    """Names of containers of any check, and files in the state directory."""
    manager = create_container_manager(config)
    try:
        listed = [info.handle.name for info in manager.list_managed({"io.koji.adjutant.role": "check-task"})]
    finally:
        manager.close()
    return [*listed, *(path.name for path in Path(config.state_dir).iterdir())]


def test_self_test(config: AdjutantConfig) -> None:
    """A package is installed, verified, a step run; then all is gone."""
    assert run_self_test(config) == []
    assert left_behind(config) == []


def test_self_test_names_the_stage(config: AdjutantConfig, empty_image: str) -> None:
    """With an image that holds no rpm the stage and the setting are named, and all is gone as well."""
    images = config.images.model_copy(update={"tools": empty_image})
    broken = config.model_copy(update={"images": images})
    (finding,) = run_self_test(broken)
    assert finding.text.startswith("self-test, ")
    assert "images.tools" in finding.remedy
    assert left_behind(config) == []


def test_storage_is_found(config: AdjutantConfig) -> None:
    """Podman says where its images lie, and the disk there counts."""
    assert check_storage(lambda: create_container_manager(config), 0) == []
    assert "minspace" in check_storage(lambda: create_container_manager(config), 1 << 40)[0].text
