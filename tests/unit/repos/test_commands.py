"""Command lines of createrepo_c and mergerepo_c are kojid's."""

import pytest

from koji_adjutant.repos.commands import LocalRepo, Merge, createrepo_command, mergerepo_command, parse_version

CREATEREPO = ["/usr/bin/createrepo_c", "--error-exit-val", "-vd"]


@pytest.mark.parametrize(
    ("repo", "rest"),
    [
        (LocalRepo("/o", output="/o"), ["-o", "/o", "/o"]),
        (
            LocalRepo("/d", pkglist="/d/pkglist", output="/o", groups="/c.xml", update=True, skip_stat=True),
            ["-o", "/o", "-i", "/d/pkglist", "-g", "/c.xml", "--update", "--skip-stat", "/d"],
        ),
        (LocalRepo("/d", update=True), ["--update", "/d"]),
        (LocalRepo("/d", skip_stat=True), ["/d"]),
        (LocalRepo("/d", zck=True, zck_dict_dir="/z"), ["--zck", "--zck-dict-dir", "/z", "/d"]),
    ],
)
def test_createrepo(repo, rest):
    """Options in kojid's order; skip-stat only beside update."""
    assert createrepo_command(repo) == [*CREATEREPO, *rest]


def merge(mode, **more):
    """A merge of the tag's own repo and an external one."""
    return Merge(mode, "x86_64", ["file:///p/", "http://e/"], "/o", "/b", **more)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("koji", ["--koji", "-b", "/b"]),
        ("simple", ["--koji", "--simple", "-b", "/b"]),
        ("bare", ["--pkgorigins", "--all"]),
    ],
)
def test_mergerepo_modes(mode, options):
    """Each merge mode has its options; bare ones block nothing."""
    repos = ["-r", "file:///p/", "-r", "http://e/"]
    assert mergerepo_command(merge(mode), (0, 13, 0)) == [
        "/usr/bin/mergerepo_c",
        *options,
        *["-a", "x86_64", "-o", "/o", *repos],
    ]


def test_mergerepo_of_today():
    """Arches are expanded where mergerepo_c can, groups of the tag replace others."""
    command = mergerepo_command(merge("koji", groups="/g.xml"), (0, 15, 11))
    assert command[4:11] == ["-a", "x86_64", "-o", "/o", "--arch-expand", "-g", "/g.xml"]
    assert "--arch-expand" not in mergerepo_command(merge("koji"), (0, 15, 10))


@pytest.mark.parametrize(("version", "said"), [((0, 12, 9), "0.12.9"), (None, "None")])
def test_simple_needs_a_newer_mergerepo(version, said):
    """The error names version found and version needed, as kojid's does."""
    with pytest.raises(ValueError, match="low version") as caught:
        mergerepo_command(merge("simple"), version)
    assert str(caught.value) == (
        f"mergerepo_c is not installed or has low version: {said} (0.13.0 needed for --simple)"
    )


def test_version():
    """The version is read from what mergerepo_c says; anything else is no version."""
    assert parse_version(b"Version: 0.17.3 (Features: DeltaRPM LegacyWeakdeps )\n") == (0, 17, 3)
    assert parse_version(b"command not found\n") is None
