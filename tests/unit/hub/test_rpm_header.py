"""The header of a source package, read without librpm."""

import struct

import pytest

from koji_adjutant.errors import HubError
from koji_adjutant.hub.rpm_header import read_srpm_header

MD5 = bytes(range(16))
LEAD = b"\xed\xab\xee\xdb\x03\x00\x00\x01" + b"\0" * 88


def header(entries, *, count=None):
    """Make a header of (tag, type, bytes); integers are 4 bytes, strings end in NUL."""
    index, data = b"", b""
    for tag, kind, value in entries:
        if kind == 4:
            data += b"\0" * (-len(data) % 4)
        number = len(value) if kind == 7 else 1
        index += struct.pack(">IIII", tag, kind, len(data), number if count is None else count)
        data += value
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", len(entries), len(data)) + index + data


def package(path, *, main=None, source=True, count=None):
    """Write a package file."""
    signature = header([(1004, 7, MD5)])
    entries = [
        (1000, 6, b"hello\0"),
        (1001, 6, b"1.0~rc1\0"),
        (1002, 6, b"3.fc40\0"),
        (1003, 4, struct.pack(">I", 2)),
        (1022, 6, b"x86_64\0"),
    ]
    entries.append((1106, 4, struct.pack(">I", 1)) if source else (1044, 6, b"hello-1.0-3.src.rpm\0"))
    body = header(entries if main is None else main, count=count)
    path.write_bytes(LEAD + signature + b"\0" * (-len(signature) % 8) + body + b"payload")
    return path


def test_identity_of_a_source_package(tmp_path):
    """Name, version, release, epoch, arch and MD5 are read."""
    found = read_srpm_header(package(tmp_path / "a.src.rpm"))
    assert (found.nvr, found.epoch, found.arch) == ("hello-1.0~rc1-3.fc40", 2, "x86_64")
    assert found.is_source
    assert found.sigmd5 == MD5.hex()


def listed(tag, *values, count=None):
    """A header with a list of strings beside the identity; `count` lies about their number."""
    entries = [
        (1000, 6, b"hello\0"),
        (1001, 6, b"1\0"),
        (1002, 6, b"3\0"),
        (1022, 6, b"x86_64\0"),
        (1106, 4, b"\0\0\0\1"),
    ]
    raw = bytearray(header([*entries, (tag, 8, b"".join(value + b"\0" for value in values))]))
    number = len(values) if count is None else count
    raw[16 + 16 * len(entries) + 12 : 16 + 16 * len(entries) + 16] = struct.pack(">I", number)
    return bytes(raw)


def written(path, main):
    signature = header([(1004, 7, MD5)])
    path.write_bytes(LEAD + signature + b"\0" * (-len(signature) % 8) + main + b"payload")
    return path


def test_arches_of_a_source_package(tmp_path):
    """BuildArch, ExclusiveArch and ExcludeArch are lists, taken as they are."""
    for tag, name in ((1089, "build_archs"), (1061, "exclusive_arch"), (1059, "exclude_arch")):
        found = read_srpm_header(written(tmp_path / "a.src.rpm", listed(tag, b"x86_64", b"%{odd}")))
        assert getattr(found, name) == ("x86_64", "%{odd}")
    assert read_srpm_header(package(tmp_path / "b.src.rpm")).build_archs == ()


@pytest.mark.parametrize(("values", "count"), [((b"x",), 1 << 31), ((b"x" * 300,), 1)])
def test_lists_are_bounded(tmp_path, values, count):
    """A list that says it has two thousand million entries, or a text of no arch's length, is refused."""
    with pytest.raises(HubError, match=r"a\.src\.rpm: tag 1089"):
        read_srpm_header(written(tmp_path / "a.src.rpm", listed(1089, *values, count=count)))


def test_binary_package_is_told_from_source(tmp_path):
    """A package that names its source package is none itself."""
    assert not read_srpm_header(package(tmp_path / "a.rpm", source=False)).is_source


def test_every_truncation_is_an_error(tmp_path):
    """A file cut anywhere before its payload is refused, never half read."""
    whole = package(tmp_path / "a.src.rpm").read_bytes()
    cut = tmp_path / "cut.src.rpm"
    for size in range(len(whole) - len(b"payload") + 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(HubError, match=r"cut\.src\.rpm: (truncated|not an rpm)"):
            read_srpm_header(cut)


@pytest.mark.parametrize("content", [b"<html>login</html>", b"", b"\x1f\x8b" * 100, LEAD + b"<html>" * 10])
def test_other_files_are_no_rpms(tmp_path, content):
    """Pages, archives and empty files are named as no rpm."""
    path = tmp_path / "x.src.rpm"
    path.write_bytes(content)
    with pytest.raises(HubError, match="not an rpm"):
        read_srpm_header(path)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (1000, b"../../etc\0"),
        (1000, b"a\nb\0"),
        (1001, b"1-2\0"),
        (1002, b"\xff\0"),
        (1000, b"x" * 300 + b"\0"),
        (1000, b"\0"),
    ],
)
def test_values_that_no_rpm_has_are_refused(tmp_path, tag, value):
    """Name, version and release become file names and log lines: they are checked."""
    main = [
        (1000, 6, b"a\0"),
        (1001, 6, b"1\0"),
        (1002, 6, b"1\0"),
        (1022, 6, b"noarch\0"),
        (1106, 4, struct.pack(">I", 1)),
    ]
    main = [(found, kind, value if found == tag else old) for found, kind, old in main]
    with pytest.raises(HubError, match=r"x\.src\.rpm: "):
        read_srpm_header(package(tmp_path / "x.src.rpm", main=main))


def test_missing_tag_is_refused(tmp_path):
    """A header without a name is no package."""
    with pytest.raises(HubError, match="its name is None"):
        read_srpm_header(package(tmp_path / "x.src.rpm", main=[(1001, 6, b"1\0")]))


def test_counts_of_the_file_are_not_believed(tmp_path):
    """A count of four billion ends in an error, not in a loop."""
    with pytest.raises(HubError, match="4294967295 values"):
        read_srpm_header(package(tmp_path / "x.src.rpm", count=0xFFFFFFFF))


def test_header_of_gigabytes_is_not_read(tmp_path):
    """Sizes are bounded before anything is read."""
    path = tmp_path / "x.src.rpm"
    path.write_bytes(LEAD + b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", 5, 0xF0000000) + b"\0" * 100)
    with pytest.raises(HubError, match="bytes"):
        read_srpm_header(path)


def test_link_is_not_followed(tmp_path):
    """The path may be written by a build."""
    (tmp_path / "link").symlink_to(package(tmp_path / "a.src.rpm"))
    with pytest.raises(OSError, match="symbolic"):
        read_srpm_header(tmp_path / "link")
