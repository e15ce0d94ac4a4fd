"""Tags and options of a site, and the golden files of tests/golden/buildroot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from koji_adjutant.buildroot.settings import RootSettings, root_settings
from koji_adjutant.container.steps import StepEnd, StepStatus

GOLDEN = Path(__file__).parents[2] / "golden" / "buildroot"


@pytest.fixture
def options() -> SimpleNamespace:
    """The options of kojid.conf that shape a root."""
    return SimpleNamespace(
        packager="Packager",
        vendor="Vendor",
        distribution="Distribution",
        mockhost="koji-linux-gnu",
        yum_proxy=None,
        rpmbuild_timeout=86400,
    )


@pytest.fixture
def settings_of(options: SimpleNamespace) -> Callable[..., RootSettings]:
    """Make settings from a tag's extra; keyword arguments as `root_settings` takes them."""

    def make(extra: dict[str, Any] | None = None, **more: Any) -> RootSettings:
        tag = {"name": "tag-build", "id": 7, "arches": "x86_64", "extra": extra or {}}
        arguments = {"arch": "x86_64", "repo_urls": ["http://hub/repos/tag-build/9/x86_64"], **more}
        return root_settings(tag, arguments.pop("options", options), **arguments)

    return make


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with a golden file; ADJUTANT_UPDATE_GOLDEN=1 writes it instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("ADJUTANT_UPDATE_GOLDEN") == "1":
            path.write_text(text)
        assert text == path.read_text()

    return compare


@pytest.fixture
def ended() -> Callable[..., StepStatus]:
    """Make the status of a step that ended."""

    def make(exit_code: int | None = 1, *, end: StepEnd = StepEnd.EXITED, **more: Any) -> StepStatus:
        return StepStatus("run", end, exit_code, more.pop("signal", None), 100.0, 160.0, 0, **more)

    return make
