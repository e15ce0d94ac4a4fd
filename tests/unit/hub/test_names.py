"""Names of files that may go to the hub."""

import pytest

from koji_adjutant.hub.names import valid_artifact_name, valid_log_name


@pytest.mark.parametrize(
    "name",
    [
        "foo-1-1.src.rpm",
        "lib++-1.2~rc1^git-3.x86_64.rpm",
        "build.log",
        "noarch_rpmdiff.json",
        "reproduce.sh",
        "ünï-1-1.noarch.rpm",
    ],
)
def test_names_that_tasks_make_are_valid(name):
    """Packages, logs and reports pass."""
    assert valid_artifact_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden.rpm",
        "a/b.rpm",
        "../x.rpm",
        "x\n.rpm",
        "x\0.rpm",
        " x.rpm",
        "x.exe",
        "rpm",
        "x" * 252 + ".rpm",
        "\udcff.rpm",
        "a\\b.rpm",
    ],
)
def test_other_names_are_refused(name):
    """What could leave the directory, hide, or was never made by a task is refused."""
    assert not valid_artifact_name(name)


def test_log_names():
    """Logs are plain ASCII names that end in .log."""
    assert valid_log_name("build.log")
    assert valid_log_name("dnf.librepo.log")
    assert valid_log_name("build.log-ts.log")
    assert not any(
        map(valid_log_name, ["build.txt", ".log", "a/b.log", "a b.log", "-x.log", "x.log\n", "x" * 300 + ".log"])
    )
