"""Tasks that cannot be done here, whoever is to blame: one clear message, and nothing lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xmlrpc.client import Fault

import pytest

from tests.distro.make import Distro
from tests.support.farm import Farm

pytestmark = [pytest.mark.podman, pytest.mark.distro]

MISSING = "localhost/koji-adjutant-test-no-such-image:1"


@pytest.fixture
def farm(tmp_path: Path, distro: Distro, podman_socket: Path) -> Iterator[Farm]:
    """A farm whose configuration names a tools image that cannot be had."""
    with Farm(tmp_path, distro.repo, podman_socket, MISSING) as found:
        found.start()
        yield found


def test_image_that_cannot_be_had(farm: Farm, samples: Mapping[str, Path]) -> None:
    """The task is given back to the hub with the image's name, and the daemon goes on."""
    task = farm.build_arch(samples["noarch-data"])

    def refusals() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = farm.hub.call("scheduler.getTaskRefusals", [["task_id", "=", task]])
        return rows

    farm.until(refusals, "the refusal")
    (refusal,) = refusals()
    assert MISSING in str(refusal["msg"])
    assert refusal["soft"]
    farm.until(lambda: farm.state(task) == "FREE", "the task's freedom")
    assert farm.daemons[-1].poll() is None
    assert farm.containers() == []


def test_html_for_a_source_package(farm: Farm, samples: Mapping[str, Path]) -> None:
    """An error page in place of the SRPM fails the task with kojid's words; no buildroot is made for it."""
    task = farm.build_arch(samples["not-an-rpm"])
    assert farm.ended(task) == "FAILED"
    with pytest.raises(Fault, match=r"Downloaded rpm .* is corrupted"):
        farm.result(task)
    assert farm.buildroots(task) == []
