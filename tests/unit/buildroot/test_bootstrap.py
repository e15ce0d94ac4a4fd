"""Tools of a repo's own: keys, what is installed, and the check of the root's rpm."""

from dataclasses import fields, replace

import pytest

from koji_adjutant.buildroot import bootstrap
from koji_adjutant.buildroot.bootstrap import RepoTools, ToolsKey
from koji_adjutant.buildroot.contents import InstalledRpm
from koji_adjutant.buildroot.dnf import DnfLayout, Flavour, PackageManager
from koji_adjutant.buildroot.rpmdb_check import mismatch

WANTED = RepoTools("sha256:aa", "x86_64", "dnf", "bb", "{}")
BASH = InstalledRpm("bash", None, "5", "1", "x86_64", 0, 1, "aa" * 16)
RPM = InstalledRpm("rpm", 1, "4", "1", "x86_64", 0, 1, "bb" * 16)


@pytest.mark.parametrize("name", [field.name for field in fields(RepoTools)])
def test_every_part_of_what_is_wanted_counts(name):
    """Another value of any field is asked for anew."""
    value = getattr(WANTED, name)
    assert replace(WANTED, **{name: value + 1 if isinstance(value, int) else f"{value}x"}).digest != WANTED.digest


def test_a_repo_made_anew_gives_the_same_tools():
    """The key does not see the repo's state, only what was installed of it, in whatever order rpm lists it."""
    regenerated = replace(WANTED, repomd_sha256="cc")
    key = ToolsKey.of(WANTED, [BASH, RPM], userns=True)
    assert ToolsKey.of(regenerated, [RPM, BASH], userns=True).reference == key.reference
    assert key.reference == f"localhost/koji-adjutant/tools:{key.digest}"
    assert key.labels("tag")[bootstrap.LABEL_TOOLS] == key.digest


def test_other_tools_have_another_name():
    """A package rebuilt under its version, another starter or user namespaces turned off: other tools."""
    key = ToolsKey.of(WANTED, [BASH, RPM], userns=True)
    others = [
        ToolsKey.of(WANTED, [BASH, replace(RPM, payloadhash="cc" * 16)], userns=True),
        ToolsKey.of(replace(WANTED, starter_digest="sha256:dd"), [BASH, RPM], userns=True),
        ToolsKey.of(WANTED, [BASH, RPM], userns=False),
    ]
    assert len({key.digest, *(other.digest for other in others)}) == 4


@pytest.mark.parametrize(
    ("flavour", "wanted", "lenient", "first"),
    [
        (Flavour.DNF4, "dnf", "--setopt=strict=0", "dnf"),
        (Flavour.DNF4, "dnf5", "--setopt=strict=0", "dnf5"),
        (Flavour.DNF5, "dnf", "--skip-unavailable", "dnf"),
    ],
)
def test_what_the_repo_lacks_is_left_out(settings_of, flavour, wanted, lenient, first):
    """The starter's dialect says so; the tag's package manager is what is installed."""
    settings = settings_of({"mock.package_manager": wanted})
    argv = bootstrap.install_command(settings, DnfLayout(), PackageManager(flavour, "/usr/bin/x"))
    packages = argv[argv.index("install") :]
    assert lenient in packages
    assert {first, "rpm", "rpm-build"} <= set(packages)
    assert argv[argv.index("--installroot") :][:2] == ["--installroot", "/buildroot"]


def test_a_database_that_the_root_cannot_read_is_told_with_both_rpms():
    """It is nobody's package's fault, and the remedy names the tag's setting."""
    fault = mismatch(
        {"bash-5-1.x86_64", "rpm-4-1.x86_64"},
        set(),
        "RPM version 4.18.0, sqlite at /var/lib/rpm",
        "RPM version 4.14.3, bdb at /var/lib/rpm",
        b"error: cannot open Packages database\n",
    )
    text = str(fault)
    for part in ("4.18.0, sqlite", "4.14.3, bdb", "0 of 2 packages", "cannot open Packages", "mock.use_bootstrap"):
        assert part in text
    assert (fault.reason, fault.retryable) == ("rpmdb", True)
    assert "4.14.3" in fault.final.brief
