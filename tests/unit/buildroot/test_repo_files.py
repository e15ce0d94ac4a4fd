"""Files of a repository, good, damaged and hostile."""

import bz2
import gzip
import lzma

import pytest

from koji_adjutant.buildroot.faults import BuildrootFault
from koji_adjutant.buildroot.repo_files import (
    RepomdRecord,
    RepoRpm,
    decompress,
    parse_pkgorigins,
    parse_repomd,
    parse_rpmlist,
)

REPOMD = """<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <!-- a comment -->
  <revision>1</revision>
  <data type="primary"><checksum type="sha256">aa</checksum><location href="repodata/aa-primary.xml.gz"/></data>
  <data type="origin"><checksum type="sha256">bb</checksum><location href="repodata/bb-pkgorigins.gz"/></data>
  <data type="bare"><location href="repodata/bare"/></data>
</repomd>
"""


def test_repomd_names_its_files():
    """By type, with checksum where there is one."""
    records = parse_repomd(REPOMD.encode())
    assert records["origin"] == RepomdRecord("repodata/bb-pkgorigins.gz", "sha256", "bb")
    assert records["bare"] == RepomdRecord("repodata/bare", "", "")
    assert set(records) == {"primary", "origin", "bare"}


@pytest.mark.parametrize(
    "href",
    ["/etc/passwd", "../../other", "repodata/../../x", "http://elsewhere/x", "//elsewhere/x", "", "file:///etc/passwd"],
)
def test_repomd_must_not_point_outside(href):
    """Only paths below the repository."""
    with pytest.raises(BuildrootFault, match="outside the repository"):
        parse_repomd(REPOMD.replace("repodata/bb-pkgorigins.gz", href).encode())


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><repomd>&a;</repomd>',
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><repomd>&a;</repomd>'.encode("utf-16"),
        b'<?xml version="1.0"?><<!--!DOCTYPE x><repomd/>',
        b"<html><body>Login</html>",
        b"<repomd>",
        b"",
        b"\xff\xfe",
    ],
)
def test_what_is_no_repomd_is_refused(data):
    """No document type is ever looked at, in no encoding."""
    with pytest.raises(BuildrootFault):
        parse_repomd(data)


@pytest.mark.parametrize(
    ("name", "pack"), [("x.gz", gzip.compress), ("x.xz", lzma.compress), ("x.bz2", bz2.compress), ("x.jsonl", bytes)]
)
def test_files_are_unpacked_by_their_names(name, pack):
    """Several members count as one file."""
    data = b"line\n" * 1000
    packed = pack(data) + (pack(b"more\n") if name != "x.jsonl" else b"more\n")
    assert decompress(name, packed) == data + b"more\n"


@pytest.mark.parametrize(("name", "pack"), [("x.gz", gzip.compress), ("x.xz", lzma.compress), ("x.bz2", bz2.compress)])
def test_a_bomb_is_refused_before_it_is_unpacked(name, pack):
    """One byte too many is too many."""
    with pytest.raises(BuildrootFault, match="more than 1000 bytes"):
        decompress(name, pack(bytes(10_000_000)), max_bytes=1000)
    assert len(decompress(name, pack(bytes(1000)), max_bytes=1000)) == 1000


@pytest.mark.parametrize(("name", "pack"), [("x.gz", gzip.compress), ("x.xz", lzma.compress), ("x.bz2", bz2.compress)])
def test_a_damaged_file_is_named(name, pack):
    """Cut short, or something else altogether."""
    with pytest.raises(BuildrootFault, match=name):
        decompress(name, pack(b"x" * 1000)[:-9])
    with pytest.raises(BuildrootFault, match=name):
        decompress(name, b"<html>")


def test_an_unknown_compression_is_named():
    """Koji does not write it."""
    with pytest.raises(BuildrootFault, match=r"pkgorigins\.zst .* not supported: \.zst"):
        decompress("repodata/pkgorigins.zst", b"")


def test_origins_are_found_by_nvra():
    """With epoch or without, names with dashes, short lines skipped."""
    lines = [
        "0:bash-5.2-1.x86_64\thttp://ext/",
        "gcc-c++-12-3.x86_64 file:///w/repo_7_premerge/ extra",
        "",
        "short",
        "1:a-1-1.src.rpm x",
    ]
    assert parse_pkgorigins("\n".join(lines).encode()) == {
        "bash-5.2-1.x86_64": "http://ext/",
        "gcc-c++-12-3.x86_64": "file:///w/repo_7_premerge/",
        "a-1-1.src": "x",
    }


@pytest.mark.parametrize("line", [b"bash http://x", b"a-b.c http://x", b"-1-1.noarch http://x", b"a-1-1. http://x"])
def test_an_origin_of_nothing_is_refused(line):
    """A line that names no package means that the file is damaged."""
    with pytest.raises(BuildrootFault, match="names no package"):
        parse_pkgorigins(line)


def test_rpmlist_maps_nvra_to_kojis_rpm():
    """One row a line, more fields than needed."""
    data = (
        b'{"id": 5, "name": "a", "version": "1", "release": "2", "arch": "noarch", "payloadhash": "ff", "x": null}\n\n'
    )
    assert parse_rpmlist(data) == {"a-1-2.noarch": RepoRpm(5, "ff")}


@pytest.mark.parametrize("data", [b"<html>", b"[1]", b'{"id": 1}', b'{"id": "x", "name": "a"}', b"null", b"5"])
def test_a_damaged_rpmlist_names_the_line(data):
    """The first bad line ends it."""
    with pytest.raises(BuildrootFault, match=r"rpmlist\.jsonl, line 1,"):
        parse_rpmlist(data)
