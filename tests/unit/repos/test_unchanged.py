"""When repodata of an old repo may be copied (`copy_old_repodata`)."""

import json

import pytest

from koji_adjutant.repos.unchanged import difference, same_arch


@pytest.fixture
def repos(tmp_path):
    """Two repos alike."""
    for name in ("old", "new"):
        (tmp_path / name / "groups").mkdir(parents=True)
        (tmp_path / name / "x86_64").mkdir()
        (tmp_path / name / "groups" / "comps.xml").write_text("<comps/>")
        (tmp_path / name / "repo.json").write_text(json.dumps({"with_src": True, "id": len(name)}))
        for part in ("pkglist", "blocklist"):
            (tmp_path / name / "x86_64" / part).write_text("toplink/a.rpm\n")
    return tmp_path / "old", tmp_path / "new"


def test_alike(repos):
    """Equal flags count even where they are set: kojid's comparison never sees that."""
    assert difference(*repos) == ""
    assert same_arch(*(repo / "x86_64" for repo in repos))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda old, new: (new / "repo.json").write_text("{}"), "with_src differs"),
        (lambda old, new: (new / "repo.json").write_text("{"), "repo.json cannot be read"),
        (lambda old, new: (old / "repo.json").unlink(), "repo.json cannot be read"),
        (lambda old, new: (new / "groups" / "comps.xml").write_text("<comps> </comps>"), "groups/comps.xml differs"),
        (lambda old, new: (new / "groups" / "comps.xml").unlink(), "groups/comps.xml differs"),
        (lambda old, new: old.rename(old.with_name("gone")), "there is no"),
    ],
)
def test_not_alike(repos, change, reason):
    """Each difference is named."""
    change(*repos)
    assert reason in difference(*repos)


@pytest.mark.parametrize("part", ["pkglist", "blocklist"])
def test_arches_not_alike(repos, part):
    """Other packages, other blocks, or a list that is not there."""
    old, new = (repo / "x86_64" for repo in repos)
    (new / part).write_text("toplink/b.rpm\n")
    assert not same_arch(old, new)
    (new / part).unlink()
    assert not same_arch(old, new)
