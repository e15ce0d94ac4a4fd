"""Reading the list of installed packages, which comes from a hostile place."""

import pytest

from koji_adjutant.buildroot import contents
from koji_adjutant.buildroot.contents import counted, installed_pkgs_log, package_set, parse_installed
from koji_adjutant.buildroot.dnf import DnfLayout
from koji_adjutant.buildroot.faults import BuildrootFault, RootFault

BASH = ["bash", "(none)", "5.2.15", "2+b13", "x86_64", "1795576498", "1293577", "4" * 32, "3" * 64, "d" * 40]
GCC = ["gcc", "4", "12.2.0", "3", "x86_64", "1795576506", "5000000000", "0" * 32, "6" * 64, "4" * 40]
KEY = ["gpg-pubkey", "(none)", "a15b79cc", "63d04c2c", "(none)", "1674595372", "0", "(none)", "(none)", "(none)"]


def output(*records):
    """The rpm command's output."""
    return b"".join("\x1f".join(record).encode() + b"\x1e" for record in records)


def changed(record, index, value):
    """One field of a record replaced."""
    return [*record[:index], value, *record[index + 1 :]]


def test_packages_are_read_under_the_hubs_names():
    """Epochs, sizes beyond 32 bit, order."""
    bash, gcc = parse_installed(output(BASH, GCC))
    assert (bash.name, bash.epoch, bash.payloadhash, bash.nvra) == ("bash", None, "4" * 32, "bash-5.2.15-2+b13.x86_64")
    assert (gcc.epoch, gcc.size, gcc.buildtime, gcc.nevra) == (4, 5000000000, 1795576506, "gcc-4:12.2.0-3.x86_64")


def test_keys_and_the_build_groups_package_do_not_count():
    """Kojid leaves them out; mock's own list has them."""
    everything = parse_installed(output(BASH, KEY, changed(BASH, 0, "buildsys-build")))
    assert [rpm.name for rpm in counted(everything)] == ["bash"]
    assert len(everything) == 3


def test_the_log_of_installed_packages_is_mocks():
    """Name with epoch, build time, size."""
    text = installed_pkgs_log(parse_installed(output(BASH, GCC)))
    assert text == (
        b"bash-5.2.15-2+b13.x86_64 1795576498 1293577 installed\ngcc-4:12.2.0-3.x86_64 1795576506 5000000000 installed\n"
    )


def test_an_rpm_without_md5_is_named_by_its_best_digest():
    """The labels of koji 1.36; an old rpm in tools knows no SHA3."""
    bare = changed(BASH, 7, "(none)")
    assert parse_installed(output([*bare, "a" * 64]))[0].payloadhash == "sha3-256::" + "a" * 64
    assert parse_installed(output(bare))[0].payloadhash == "sha256::" + "3" * 64
    assert parse_installed(output(changed(bare, 8, "(none)")))[0].payloadhash == "sha1::" + "d" * 40


def test_an_rpm_without_any_digest_is_refused():
    """Nothing identifies it."""
    record = changed(changed(changed(BASH, 7, "(none)"), 8, ""), 9, "")
    with pytest.raises(BuildrootFault, match="bash has no digest"):
        parse_installed(output(record))


def test_an_empty_rpmdb_is_kojids_error():
    """Rpm says nothing and exits 0 where there is no database."""
    with pytest.raises(RootFault, match=r"^Can't get list of installed rpms$"):
        parse_installed(b"")


@pytest.mark.parametrize(
    "damaged",
    [
        output(BASH)[:-1],
        output(BASH) + b"bash",
        output(BASH[:-1]),
        output([*BASH, "a", "b"]),
        output(changed(BASH, 0, "ba sh")),
        output(changed(BASH, 0, "../bash")),
        output(changed(BASH, 1, "-1")),
        output(changed(BASH, 2, "1\n2")),
        output(changed(BASH, 3, "")),
        output(changed(BASH, 5, "1e9")),
        output(changed(BASH, 6, "9" * 30)),
        output(changed(BASH, 4, "x" * 600)),
        b"\xff\xfe" + output(BASH),
        b"error: rpmdb open failed\n",
    ],
)
def test_anything_else_is_an_error(damaged):
    """Cut short, fields too many or too few, characters that no package has."""
    with pytest.raises(BuildrootFault):
        parse_installed(damaged)


def test_the_query_looks_at_the_roots_database_only():
    """By its path; a root without one ends the query before rpm makes one."""
    argv = contents.query_command(DnfLayout(root="/proc/7/root", dbpath="/usr/lib/sysimage/rpm"))
    assert argv[4] == "/proc/7/root/usr/lib/sysimage/rpm"
    assert argv[2].startswith('test -d "$1" || exit 3;')


def test_a_changed_root_is_noticed():
    """A new package and a new epoch both count."""
    before = package_set(parse_installed(output(BASH)))
    assert package_set(parse_installed(output(BASH))) == before
    assert package_set(parse_installed(output(BASH, GCC))) != before
    assert package_set(parse_installed(output(changed(BASH, 1, "1")))) != before
