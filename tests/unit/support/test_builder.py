"""`make builder`: from lab.json to the two files of configuration, read back as the daemon reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from koji_adjutant.config.adjutant import load_adjutant_config
from koji_adjutant.config.kojid_cli import load_kojid_options
from tests.distro.images import Images
from tests.support.builder import adjutant_yaml, kojid_conf, read_lab

LAB = json.dumps(
    {
        "hub": "http://192.0.2.7:8642/kojihub",
        "topurl": "http://192.0.2.7:8642/kojifiles",
        "topdir": "/srv/koji",
        "hosts": [{"name": "builder2", "user": "builder2", "password": "secret"}],
    },
)


def test_kojid_reads_what_is_written(tmp_path: Path) -> None:
    """Hub, identity and scratch space arrive; SCM hosts are the hub's own."""
    path = tmp_path / "kojid.conf"
    path.write_text(kojid_conf(read_lab(LAB, "builder2"), tmp_path))
    options = load_kojid_options(["--config", str(path)])
    assert options.server == "http://192.0.2.7:8642/kojihub"
    assert (options.user, options.password) == ("builder2", "secret")
    assert options.workdir == str(tmp_path / "work")
    assert options.allowed_scms == "192.0.2.7*:/git/*:no:"


@pytest.mark.parametrize(
    ("runtime", "section"),
    [("podman", {"socket": "unix:///run/x.sock"}), ("kubernetes", {"runner_image": "localhost/r:1"})],
)
def test_adjutant_reads_what_is_written(tmp_path: Path, runtime: str, section: Mapping[str, str]) -> None:
    """The test images are the tools image; the runtime has what was started or loaded for it."""
    path = tmp_path / "adjutant.yaml"
    path.write_text(adjutant_yaml(runtime, Images("localhost/t:1", "localhost/e:1"), section, tmp_path))
    config = load_adjutant_config({"ADJUTANT_CONFIG": str(path)})
    assert config.runtime == runtime
    assert config.images.tools == "localhost/t:1"
    assert (config.podman.socket == "unix:///run/x.sock") == (runtime == "podman")
    assert (config.kubernetes.runner_image == "localhost/r:1") == (runtime == "kubernetes")


def test_unknown_host_is_named() -> None:
    """A wrong HOST= says which there are."""
    with pytest.raises(ValueError, match=r"no host builder9; there are builder2"):
        read_lab(LAB, "builder9")
