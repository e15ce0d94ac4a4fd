"""Kickstarts are changed line by line: includes put in, repositories replaced, sections left alone."""

import koji
import pytest

from koji_adjutant.tasks.kickstart import MAX_INCLUDES, koji_repos, read_kickstart

MAIN = """\
# a comment
repo --name=a --baseurl=http://a/
bootloader --append="quiet splash" --location=mbr
%include parts/more.ks
%include /tmp/made-by-pre
%packages
repo
%end
repo --name=b --baseurl=http://b/
"""
FILES = {
    "ks/main.ks": MAIN,
    "ks/parts/more.ks": "url --url=http://c/\n%include ../last.ks\n",
    "ks/last.ks": "timezone UTC\n",
}


def test_includes_are_put_in():
    """Relative to the file that names them; those of the root's own files stay."""
    assert read_kickstart("ks/main.ks", FILES.get).lines == (
        "# a comment",
        "repo --name=a --baseurl=http://a/",
        'bootloader --append="quiet splash" --location=mbr',
        "url --url=http://c/",
        "timezone UTC",
        "%include /tmp/made-by-pre",
        "%packages",
        "repo",
        "%end",
        "repo --name=b --baseurl=http://b/",
    )


def test_repositories_are_replaced():
    """Those of the commands, not what a section says."""
    kickstart = read_kickstart("ks/main.ks", FILES.get).without("repo", "url").with_first(["repo --name=koji"])
    assert kickstart.text.count("repo") == 2
    assert kickstart.lines[0] == "repo --name=koji"
    assert "%packages\nrepo\n%end\n" in kickstart.text


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('bootloader --append="a b"', "a b"),
        ("bootloader --append a", "a"),
        ("bootloader --location=mbr", ""),
        ("bootloader --append='unclosed", ""),
        ("%post\nbootloader --append=a\n%end", ""),
    ],
)
def test_boot_arguments(line, found):
    """What kojid gives to livemedia-creator as --extra-boot-args."""
    assert read_kickstart("k", {"k": line}.get).boot_arguments == found


def test_kickstart_that_is_not_there():
    """In kojid's words."""
    with pytest.raises(koji.BuildError, match=r"^Kickstart k does not exist\.$"):
        read_kickstart("k", {}.get)


@pytest.mark.parametrize(
    ("text", "why"), [("%include gone.ks", "not in the checkout"), ("%include k", f"{MAX_INCLUDES}")]
)
def test_include_that_ends_nowhere(text, why):
    """A file that is missing, or that includes itself."""
    with pytest.raises(koji.LiveCDError, match=why):
        read_kickstart("k", {"k": text}.get)


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        (None, ['repo --name="koji-t-5" --baseurl=http://repo/']),
        (
            "http://a/,http://b/",
            ['repo --name="koji-override-0" --baseurl=http://a/', 'repo --name="koji-override-1" --baseurl=http://b/'],
        ),
        (["http://a/", "http://a/"], ['repo --name="koji-override-0" --baseurl=http://a/']),
    ],
)
def test_repositories_to_install_from(asked, lines):
    """The build repo, or what was asked for, each once."""
    assert koji_repos(asked, "http://repo/", "koji-t-5") == lines
