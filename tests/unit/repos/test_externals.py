"""External repos: one merge mode, URLs of the arch, and which of them a container can see."""

import pytest

from koji_adjutant.repos.externals import external_urls, merge_mode, outside, remote_urls


def row(url="http://e/$arch/", **more):
    """A row of getExternalRepoList."""
    return {"url": url, "arches": None, "merge_mode": "koji", **more}


def test_one_mode_for_all():
    """The mode is koji unless the rows say otherwise; two modes are kojid's error."""
    assert merge_mode([row(), row()]) == "koji"
    assert merge_mode([{"url": "http://old-hub/"}]) == "koji"
    assert merge_mode([row(merge_mode="bare")]) == "bare"
    with pytest.raises(ValueError, match="multiple") as caught:
        merge_mode([row(), row(merge_mode="simple")])
    assert str(caught.value) == "Found multiple merge modes for external repos: dict_keys(['koji', 'simple'])\n"


def test_urls_of_an_arch():
    """$arch is replaced; a repo for other arches only is left out."""
    rows = [row(), row("http://f/", arches="i386 ppc64le"), row("http://g/$arch/$arch", arches="x86_64")]
    assert external_urls(rows, "x86_64") == ["http://e/x86_64/", "http://g/x86_64/x86_64"]


def test_what_comes_over_a_network():
    """Paths and file URLs do not."""
    assert remote_urls(["http://e/", "file:///t/r", "/t/r", "https://f"]) == ["http://e/", "https://f"]


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://e/", True),
        ("file:///mnt/koji/repos-dist/t/1", True),
        ("/mnt/koji/x", True),
        ("file:///mnt/kojix", False),
        ("file:///mnt/koji/../secret", False),
        ("file:///mnt/koji/%2e%2e/secret", False),
        ("file:///srv/mirror", False),
    ],
)
def test_only_topdir_is_seen(url, seen):
    """A local repo elsewhere on the builder is found before mergerepo_c fails on it."""
    assert outside([url], "/mnt/koji") == ([] if seen else [url])
