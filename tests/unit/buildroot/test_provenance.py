"""The list of a buildroot: internal, external, unknown and wrong packages (contract 4.0.5)."""

import pytest

from koji_adjutant.buildroot.contents import InstalledRpm
from koji_adjutant.buildroot.faults import BuildFault, BuildrootFault
from koji_adjutant.buildroot.provenance import Provenance, buildroot_list
from koji_adjutant.buildroot.repo_files import RepoRpm

BASH = InstalledRpm("bash", None, "5.2", "1", "x86_64", 1000, 2000, "aa")
KEY = InstalledRpm("gpg-pubkey", None, "1", "1", "noarch", 1000, 0, "")
EXTERNAL = {"external_repo_id": 3, "url": "http://ext/$arch/", "external_repo_name": "ext", "priority": 5}
MERGED = {"bash-5.2-1.x86_64": "http://ext/x86_64/"}


def test_an_internal_rpm_gets_its_id():
    """All eight fields with the types that the hub wants, and no location."""
    entries, warnings = buildroot_list([BASH, KEY], Provenance("x86_64", 7, {"bash-5.2-1.x86_64": RepoRpm(11, "aa")}))
    assert entries == [
        {
            "name": "bash",
            "version": "5.2",
            "release": "1",
            "epoch": None,
            "arch": "x86_64",
            "payloadhash": "aa",
            "size": 2000,
            "buildtime": 1000,
            "id": 11,
        }
    ]
    assert warnings == ()


def test_an_rpm_that_koji_does_not_list_is_a_warning():
    """The hub's own lookup decides; kojid's words."""
    entries, warnings = buildroot_list([BASH], Provenance("x86_64", 7, {}))
    assert "id" not in entries[0]
    assert warnings == ("bash-5.2-1.x86_64 not found in rpmlist.jsonl",)


def test_a_repository_without_a_list_warns_of_nothing():
    """Then only draft rpms are known."""
    assert buildroot_list([BASH], Provenance("x86_64", 7, {}, drafts_only=True))[1] == ()


def test_another_hash_than_kojis_is_refused():
    """In kojid's words."""
    with pytest.raises(BuildrootFault) as caught:
        buildroot_list([BASH], Provenance("x86_64", 7, {"bash-5.2-1.x86_64": RepoRpm(11, "bb")}))
    assert str(caught.value) == ("RPM: bash-5.2-1.x86_64: payloadhash: aa mismatch expected bb in rpmlist.jsonl")


def test_an_external_rpm_gets_its_repository():
    """The arch in the URL is that of the repository; no id, no warning."""
    entries, warnings = buildroot_list([BASH], Provenance("x86_64", 7, {}, [EXTERNAL], MERGED))
    assert entries[0]["external_repo"] == EXTERNAL
    assert entries[0]["location"] == 3
    assert "id" not in entries[0]
    assert warnings == ()


def test_a_premerge_origin_is_internal():
    """A merge starts from the hub's own repository."""
    provenance = Provenance(
        "x86_64",
        7,
        {"bash-5.2-1.x86_64": RepoRpm(11, "aa")},
        [EXTERNAL],
        {"bash-5.2-1.x86_64": "file:///work/tasks/5/5/repo_7_premerge/"},
    )
    assert buildroot_list([BASH], provenance)[0][0]["id"] == 11


@pytest.mark.parametrize(
    ("origins", "text"),
    [
        ({}, "No origin for bash-5.2-1.x86_64"),
        (None, "No origin for bash-5.2-1.x86_64"),
        ({"bash-5.2-1.x86_64": "http://other/"}, "Unknown origin for bash-5.2-1.x86_64: http://other/"),
        (
            {"bash-5.2-1.x86_64": "file:///w/repo_8_premerge/"},
            "Unknown origin for bash-5.2-1.x86_64: file:///w/repo_8_premerge/",
        ),
        (
            {"bash-5.2-1.x86_64": "http://x/repo_7_premerge/"},
            "Unknown origin for bash-5.2-1.x86_64: http://x/repo_7_premerge/",
        ),
    ],
)
def test_an_origin_that_is_not_known_is_refused(origins, text):
    """In kojid's words, as its BuildError."""
    with pytest.raises(BuildFault) as caught:
        buildroot_list([BASH], Provenance("x86_64", 7, {}, [EXTERNAL], origins))
    assert str(caught.value) == text


def test_origins_do_not_matter_without_external_repositories():
    """Kojid does not even read them."""
    assert buildroot_list([BASH], Provenance("x86_64", 7, {}, (), {}))[0][0]["name"] == "bash"
