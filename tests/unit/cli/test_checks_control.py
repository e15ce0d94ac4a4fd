"""Check of the control socket."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from typing import Any

from koji_adjutant.cli.checks.check import Finding, Severity
from koji_adjutant.cli.checks.control import check_control
from koji_adjutant.config.model import AdjutantConfig


def found(**control: Any) -> list[Finding]:
    config = AdjutantConfig.model_validate({"state_dir": "/var/lib/koji-adjutant", "control": control})
    return list(check_control(config))


def test_defaults() -> None:
    """Nothing is wrong with them, whether state_dir is there yet or not."""
    assert found() == []


def test_off() -> None:
    """A note says what is lost."""
    (finding,) = found(socket="off")
    assert finding.severity is Severity.NOTE


def test_path(tmp_path: Path) -> None:
    """A directory that is not there and a path that no socket can have are problems."""
    assert found(socket=str(Path("/run") / "x.sock")) == []
    assert "does not exist" in found(socket=str(tmp_path / "none" / "x.sock"))[0].text
    assert "107 bytes" in found(socket="/run/" + "x" * 120)[0].text


def test_group() -> None:
    """A group that is none is a problem; one that cannot reach the socket is told."""
    group = grp.getgrgid(os.getegid()).gr_name
    assert found(socket="/run/x.sock", group=group) == []
    assert "is no group" in found(socket="/run/x.sock", group="no-such-group")[0].text
    assert "cannot reach" in found(group=group)[0].text
