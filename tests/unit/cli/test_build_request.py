"""`koji-adjutant build`: its arguments."""

import argparse
from pathlib import Path

import pytest

from koji_adjutant.cli.build_request import add_arguments, read_request
from koji_adjutant.errors import UsageError


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Return a function that reads a command line in a directory with a source package and a repository."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.src.rpm").write_bytes(b"x")
    (tmp_path / "repo" / "repodata").mkdir(parents=True)
    (tmp_path / "repo" / "repodata" / "repomd.xml").write_text("<repomd/>")
    (tmp_path / "groups").write_text("<comps/>")

    def read(*words):
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        return read_request(parser.parse_args(words))

    return read


def test_everything_given(read, tmp_path):
    """Paths become absolute, $arch is replaced, groups and comps files are told apart, macros split at the first space."""
    request = read(
        "a.src.rpm", "--repo", "repo", "--repo", "http://x.example/$arch/os", "--group", "build", "--group", "groups",
        "--define", "dist .el9", "--define", "opt  a b ", "--arch", "i686", "--result", "out", "--keep",
    )  # fmt: skip
    assert request.srpm == tmp_path / "a.src.rpm"
    assert request.repos == (str(tmp_path / "repo"), "http://x.example/i386/os")
    assert (request.groups, request.group_files) == (("build",), (tmp_path / "groups",))
    assert request.macros == {"dist": ".el9", "opt": "a b"}
    assert (request.arch, request.br_arch) == ("i686", "i386")
    assert request.result == tmp_path / "out"
    assert request.result.is_dir()
    assert request.keep


def test_file_url(read, tmp_path):
    """A file URL is the path; a repository named twice counts once."""
    assert read("a.src.rpm", "--repo", f"file://{tmp_path}/repo", "--repo", "repo").repos == (str(tmp_path / "repo"),)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.src.rpm", "--repo", "repo"], "none.src.rpm cannot be read"),
        ([".", "--repo", "repo"], "is a directory"),
        (["a.src.rpm"], "no repository"),
        (["a.src.rpm", "--repo", "nowhere"], "there is no"),
        (["a.src.rpm", "--repo", "ftp://x.example/"], "only http"),
        (["a.src.rpm", "--repo", "repo", "--group", "./none.xml"], "there is no such file"),
        (["a.src.rpm", "--repo", "repo", "--define", "dist"], "not a macro"),
        (["a.src.rpm", "--repo", "repo", "--define", "a-b c"], "not a macro"),
        (["a.src.rpm", "--repo", "repo", "--result", "a.src.rpm"], "--result a.src.rpm"),
    ],
)
def test_usage(read, words, says):
    """What cannot be is a usage error that names it."""
    with pytest.raises(UsageError, match=says) as caught:
        read(*words)
    assert caught.value.exit_code == 2


def test_links_are_followed(read, tmp_path):
    """A source package may be named by a link."""
    Path("link.src.rpm").symlink_to("a.src.rpm")
    assert read("link.src.rpm", "--repo", "repo").srpm == tmp_path / "a.src.rpm"
