"""Tools made of the tag's own repo, with a daemon on real Podman: in the background, or waited for where the tag says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.buildroot.bootstrap import REPOSITORY
from tests.distro.cache import cache_dir, locked
from tests.distro.make import Distro
from tests.support.farm import Farm

pytestmark = [pytest.mark.podman, pytest.mark.distro]


@pytest.fixture
def alone() -> Iterator[None]:
    """Let no other farm make tools of the same packages: they have one name, and who is last to make them replaces it."""
    with locked(cache_dir() / "own-tools.lock"):
        yield


@pytest.fixture
def farm(
    request: pytest.FixtureRequest, alone: None, tmp_path: Path, distro: Distro, podman_socket: Path, tools_image: str
) -> Iterator[Farm]:
    """A farm whose tag has the extra settings of the test's parameter; its tools images go at the end."""
    images = {"tools": tools_image, "bootstrap": "auto"}
    with Farm(
        tmp_path, distro.repo, podman_socket, tools_image, config={"images": images}, extra=request.param
    ) as found:
        found.start()
        yield found
        for reference in {record["image"] for record in records(found) if "image" in record}:
            found.runtime.remove_image(f"{REPOSITORY}:{reference}")


def records(farm: Farm) -> list[dict[str, str]]:
    """What the daemon has noted about repos."""
    return [json.loads(path.read_text()) for path in farm.directory.glob("state/tools/*") if path.suffix != ".new"]


def environment(farm: Farm, task: int) -> Mapping[str, Any]:
    """The task's adjutant-env.json."""
    found: Mapping[str, Any] = json.loads(farm.output(task, "adjutant-env.json"))
    return found


def contents(farm: Farm, task: int) -> set[str]:
    """The packages of the task's buildroot, as the hub has them."""
    (root,) = farm.buildroots(task)
    return {rpm["nvr"] for rpm in farm.hub.call("listRPMs", componentBuildrootID=root["id"])}


@pytest.mark.parametrize("farm", [{}], indirect=True)
def test_in_the_background(farm: Farm, samples: Mapping[str, Path]) -> None:
    """The first task goes on with the named image and says so; a later one uses the repo's own, with the same root."""
    first = farm.build_arch(samples["noarch-data"])
    assert farm.ended(first) == "CLOSED", farm.log_tail()
    assert "made for later tasks" in farm.text(first, "root.log")
    assert environment(farm, first)["images"]["tools"]["reference"] == farm.tools_image
    farm.until(lambda: len(list(farm.directory.glob("state/prepared/*"))) == 2, "tools and the root they fill")
    second = farm.build_arch(samples["noarch-data"])
    assert farm.ended(second) == "CLOSED", farm.log_tail()
    used = environment(farm, second)
    assert used["images"]["tools"]["reference"].startswith(REPOSITORY)
    assert used["images"]["prepared"] is not None
    assert used["notes"] == ["tools of the tag's own repo"]
    assert contents(farm, second) == contents(farm, first)


@pytest.mark.parametrize("farm", [{"mock.use_bootstrap": True}], indirect=True)
def test_demanded(farm: Farm, samples: Mapping[str, Path]) -> None:
    """With mock.use_bootstrap the first task waits for the tools of its repo."""
    task = farm.build_arch(samples["noarch-data"])
    assert farm.ended(task) == "CLOSED", farm.log_tail()
    assert environment(farm, task)["images"]["tools"]["reference"].startswith(REPOSITORY)
