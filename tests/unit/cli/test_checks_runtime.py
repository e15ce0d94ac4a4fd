"""Checks of the runtime and its images."""

from dataclasses import replace

import pytest

from koji_adjutant.cli.checks.check import Severity
from koji_adjutant.cli.checks.runtime import check_images, check_runtime, check_static_programs, check_storage
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.interface import RuntimeHealth
from koji_adjutant.errors import ConfigurationError, ImageError, RuntimeUnavailable

ALL = frozenset({"commit", "companion", "isolate", "userns"})


class Runtime:
    """The two calls a check makes, with answers given."""

    def __init__(self, capabilities=ALL, problems=(), images=()):
        self.health = RuntimeHealth("memory", "1", rootless=False, capabilities=capabilities, problems=problems)
        self.images = images
        self.asked = []
        self.closed = 0

    def health_check(self):
        return self.health

    def ensure_image_available(self, image, policy):
        self.asked.append((image, str(policy)))
        if image not in self.images:
            raise ImageError(f"{image} is missing", resolution="Pull it.", reason="missing")

    def close(self):
        self.closed += 1


def test_healthy():
    """Nothing to say of a runtime that can do all; its connections are given back."""
    runtime = Runtime()
    assert check_runtime(lambda: runtime, AdjutantConfig()) == []
    assert runtime.closed == 1


def test_lacks():
    """Each lack is a problem that says what it means; the runtime's own problems are told too."""
    runtime = Runtime(ALL - {"commit", "userns"}, problems=["cgroups v1: use v2"])
    texts = [finding.text for finding in check_runtime(lambda: runtime, AdjutantConfig())]
    assert texts[0] == "cgroups v1: use v2"
    assert "lacks `commit`: no prepared images" in texts[1]
    assert "lacks `userns`" in texts[2]


def test_user_namespaces_turned_off():
    """Turned off they are not missed, but noted."""
    config = AdjutantConfig.model_validate({"podman": {"userns": False}})
    findings = check_runtime(lambda: Runtime(ALL - {"userns"}), config)
    assert [finding.severity for finding in findings] == [Severity.NOTE]


@pytest.mark.parametrize(("rootless", "severity"), [(False, Severity.NOTE), (True, Severity.PROBLEM)])
def test_privileged_images(rootless, severity):
    """Noted, since it gives the machine away; of no use without root."""
    runtime = Runtime()
    runtime.health = replace(runtime.health, rootless=rootless)
    config = AdjutantConfig.model_validate({"privileged_images": "on"})
    findings = check_runtime(lambda: runtime, config)
    assert [(finding.severity, "privileged_images" in finding.text) for finding in findings] == [(severity, True)]


def test_unavailable():
    """A runtime that cannot be reached is its own error."""

    def away():
        raise RuntimeUnavailable("no socket")

    with pytest.raises(RuntimeUnavailable):
        check_runtime(away, AdjutantConfig())


def test_images():
    """Every image the file names is asked for by its policy; each one missing is a problem."""
    config = AdjutantConfig.model_validate(
        {
            "images": {
                "tools": "localhost/t",
                "rules": [{"image": "r.io/a"}, {"image": "r.io/b"}],
                "pull": {"default": "always"},
            }
        }
    )
    runtime = Runtime(images=("localhost/t", "r.io/b"))
    findings = check_images(lambda: runtime, config)
    assert runtime.asked == [("localhost/t", "never"), ("r.io/a", "always"), ("r.io/b", "always")]
    assert [(finding.text, finding.remedy) for finding in findings] == [("r.io/a is missing", "Pull it.")]
    assert runtime.closed == 1


def test_no_image():
    """No tools image at all is a problem."""
    assert "Set images.tools" in check_images(Runtime, AdjutantConfig())[0].remedy


class Disk(Runtime):
    """A runtime that keeps its images at `path`."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def storage_path(self):
        return self.path


def test_storage(tmp_path):
    """Less than minspace on the disk of images is a problem that names the disk; an unknown place is none."""
    assert check_storage(lambda: Disk(tmp_path), 0) == []
    assert check_storage(lambda: Disk(None), 1 << 40) == []
    assert check_storage(Runtime, 1 << 40) == []
    (finding,) = check_storage(lambda: Disk(tmp_path), 1 << 40)
    assert str(tmp_path) in finding.text
    assert "minspace" in finding.text


def test_root_service_is_noted():
    """Root's socket is root: said for Podman, and no problem."""
    runtime = Runtime()
    runtime.health = RuntimeHealth("podman", "5.0", rootless=False, capabilities=ALL)
    (finding,) = check_runtime(lambda: runtime, AdjutantConfig())
    assert finding.severity is Severity.NOTE
    assert "root of this machine" in finding.text


def test_static_programs(tmp_path):
    """A directory without the runner is an error of the configuration."""
    with pytest.raises(ConfigurationError) as caught:
        check_static_programs(tmp_path)
    assert "adjutant-runner" in str(caught.value)
