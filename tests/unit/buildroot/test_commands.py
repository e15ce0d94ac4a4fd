"""Command lines of a build are mock's, as its logs show them."""

import shlex
from dataclasses import replace

import pytest

from koji_adjutant.buildroot import commands

SPEC = "/builddir/build/SPECS/hello.spec"


def test_rpmbuild_is_called_as_mocks_log_shows(settings_of):
    """The words of the recorded build.log."""
    settings = settings_of()
    expected = {
        "-bs --noclean --target x86_64 --nodeps": commands.build_srpm(settings, SPEC),
        "-bb --noclean --target x86_64 --nodeps": commands.build(settings, SPEC, dynamic=False),
        "-br --noclean --target x86_64 --nodeps": commands.generate_buildrequires(settings, SPEC, first=True),
        "-br --noprep --noclean --target x86_64 --nodeps": commands.generate_buildrequires(settings, SPEC, first=False),
        "-ba --noprep --noclean --target x86_64": commands.build(settings, SPEC, dynamic=True),
        "-ba --noprep --noclean --target x86_64 --nodeps": commands.build(
            replace(settings, use_bootstrap=False), SPEC, dynamic=True
        ),
    }
    for words, argv in expected.items():
        assert argv == ["bash", "--login", "-c", f"/usr/bin/rpmbuild {words} {SPEC}"]


def test_a_noarch_task_builds_for_noarch(settings_of):
    """As --target kojid gives mock the task's arch, whatever the root's is."""
    argv = commands.build(replace(settings_of(), rpmbuild_target="noarch"), SPEC, dynamic=False)
    assert "--target noarch " in argv[3]


def test_a_hostile_spec_name_stays_one_word(settings_of):
    """The name comes out of a source package."""
    spec = commands.spec_path("x.tar\n$(touch /tmp/x) '.spec\n")
    argv = commands.build_srpm(settings_of(), spec)
    assert shlex.split(argv[3])[-1] == "/builddir/build/SPECS/x) '.spec"


@pytest.mark.parametrize(
    ("listing", "path"),
    [
        ("hello-1.0.tar.gz\nhello.spec\n", SPEC),
        ("a.spec\nb.spec\n", "/builddir/build/SPECS/a.spec"),
        ("../../etc/x.spec\n", "/builddir/build/SPECS/x.spec"),
        ("hello.tar\nspec\n", None),
        ("", None),
    ],
)
def test_the_spec_is_the_first_name_that_ends_so(listing, path):
    """As mock takes it, and never outside SPECS."""
    assert commands.spec_path(listing) == path


def test_the_source_package_is_unpacked_from_originals():
    """Only the file name counts."""
    assert commands.install_srpm("/x/../hello-1-1.src.rpm") == [
        "/bin/rpm",
        "-Uvh",
        "--nodeps",
        "/builddir/build/originals/hello-1-1.src.rpm",
    ]


def test_requires_are_told_apart():
    """Those on rpm itself say something about the spec, but nothing can install them."""
    requires = commands.parse_requires(
        "gcc >= 4\nrpmlib(DynamicBuildRequires) <= 4.15.0-1\n\nrpmlib(CompressedFileNames) <= 3\n"
    )
    assert commands.has_dynamic_requires(requires)
    assert commands.package_requires(requires) == {"gcc >= 4"}
    assert not commands.has_dynamic_requires({"rpmlib(DynamicBuildRequiresX)", "gcc"})


def test_lines_around_a_command_are_mocks():
    """People look for them in build.log."""
    line = commands.executing_line(["bash", "-c", "x"], {"A": "b"})
    assert line == "Executing command: ['bash', '-c', 'x'] with env {'A': 'b'} and shell False\n"
    assert commands.return_code_line(-9) == "Child return code was: -9\n"


def test_source_packages_are_written_as_kojid_has_them_written(settings_of):
    """An upload is unpacked and packed as it is, a checkout goes through mock's own `--buildsrpm` for noarch."""
    assert commands.unpack_srpm("cli-build/1/hello-1-2.src.rpm")[-1] == f"{commands.ORIGINALS}/hello-1-2.src.rpm"
    assert commands.write_srpm(SPEC) == ["rpmbuild", "-bs", "--nodeps", SPEC]
    noarch = commands.build_srpm(replace(settings_of(), rpmbuild_target="noarch"), SPEC)
    assert noarch[-1] == f"/usr/bin/rpmbuild -bs --noclean --target noarch --nodeps {SPEC}"


def test_sources_are_copied_without_a_word_of_their_names_in_the_script():
    """Names of a checkout are arguments, whatever they hold."""
    argv = commands.copy_sources("/b", "/src; x", "/src; x/$(y).spec")
    assert argv[3] == '"$0" cp -a "$1/." "$2/" && "$0" cp "$3" "$4/"'
    assert argv[4:] == ["/b", "/src; x", commands.SOURCES, "/src; x/$(y).spec", commands.SPECS]


@pytest.mark.parametrize(("name", "found"), [("a.spec", True), (".a.spec", False), ("a.spec.in", False)])
def test_names_of_specs(name, found):
    """Those that a shell's `*.spec` matches."""
    assert commands.is_spec(name) is found
