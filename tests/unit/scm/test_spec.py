"""The spec of a checkout, in kojid's words."""

import os

import koji
import pytest

from koji_adjutant.scm.spec import check_spec, find_spec, sources_directory


def tree(top, *paths):
    for path in paths:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text("Name: x\n")


@pytest.mark.parametrize(
    ("paths", "rpm_layout", "found"),
    [
        (["repo/a.spec"], False, "a.spec"),
        (["repo/a.spec", "repo/repo.spec"], False, "repo.spec"),
        (["repo/a.spec", "repo/.b.spec"], False, "a.spec"),
        (["repo/SPECS/a.spec"], True, "SPECS/a.spec"),
        (["repo/a.spec", "repo/SPECS/b.spec"], True, "a.spec"),
        (["repo/SPECS/a.spec", "repo/SPECS/repo.spec"], True, "SPECS/repo.spec"),
    ],
)
def test_the_one_spec(tmp_path, paths, rpm_layout, found):
    """By itself, by the directory's name, or below SPECS where the site allows that."""
    tree(tmp_path, *paths)
    assert find_spec(tmp_path, "repo", rpm_layout=rpm_layout) == found


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        (["repo/x"], "No spec file found"),
        (["repo/SPECS/a.spec"], "No spec file found"),
        (["repo/sub/a.spec"], "No spec file found"),
        (
            ["repo/b.spec", "repo/a.spec"],
            "Multiple spec files found but none is matching SCM checkout dir name: ['a.spec', 'b.spec']",
        ),
        (["repo/a\x1b.spec"], "the name of spec file 'a\\x1b.spec' holds control characters"),
    ],
)
def test_no_spec(tmp_path, paths, text):
    """Kojid's faults."""
    tree(tmp_path, *paths)
    with pytest.raises(koji.BuildError) as error:
        find_spec(tmp_path, "repo", rpm_layout=False)
    assert str(error.value) == text


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "absent", "dir"])
def test_a_spec_that_is_no_file_of_the_tree(tmp_path, target):
    """A link that leads out, to nothing, or to a directory."""
    tree(tmp_path, "outside")
    (tmp_path / "top" / "repo" / "dir").mkdir(parents=True)
    (tmp_path / "top" / "repo" / "a.spec").symlink_to(target)
    with pytest.raises(koji.BuildError, match=r"spec file a\.spec is no file of the checkout"):
        find_spec(tmp_path / "top", "repo", rpm_layout=False)


def test_a_link_within_the_tree_is_a_spec(tmp_path):
    """Packages share a spec that way."""
    tree(tmp_path, "repo/shared/x.spec", "repo/mod/keep")
    os.symlink("../shared/x.spec", tmp_path / "repo" / "mod" / "x.spec")
    assert find_spec(tmp_path, "repo/mod", rpm_layout=False) == "x.spec"


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Packager: me\n", "Packager is not allowed to be set in spec file"),
        ("Vendor: me\n", "Vendor is not allowed to be set in spec file"),
        ("%define distribution  me\n", "distribution is not allowed to be defined in spec file"),
        ("Name: x\nPackager: me\n", None),
    ],
)
def test_forbidden_tags(tmp_path, text, refused):
    """Exactly what kojid's own check finds: koji's code, on the same texts, decides the same."""
    tree(tmp_path, "repo/a.spec")
    (tmp_path / "repo" / "a.spec").write_text(text)
    if refused is None:
        check_spec(tmp_path, "repo", "a.spec")
        return
    with pytest.raises(koji.BuildError) as error:
        check_spec(tmp_path, "repo", "a.spec")
    assert str(error.value) == refused


def test_sources_directory(tmp_path):
    """SOURCES where the site allows it and it is a directory."""
    tree(tmp_path, "repo/SOURCES/x", "other/SOURCES")
    assert sources_directory(tmp_path, "repo", rpm_layout=True) == "SOURCES"
    assert sources_directory(tmp_path, "repo", rpm_layout=False) == ""
    assert sources_directory(tmp_path, "other", rpm_layout=True) == ""
