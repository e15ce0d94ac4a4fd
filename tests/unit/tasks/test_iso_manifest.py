"""The manifest of an ISO 9660 image, read without trust in a single number of it."""

import koji
import pytest

from koji_adjutant.tasks.iso_manifest import SECTOR, iso_manifest


def both(number, size):
    """A number as ISO 9660 has it: little endian, then big endian."""
    return number.to_bytes(size, "little") + number.to_bytes(size, "big")


def record(name, extent, size, *, directory=False, rock_ridge=b""):
    """A directory record."""
    body = b"\0" + both(extent, 4) + both(size, 4) + bytes(7) + bytes([2 if directory else 0]) + bytes(2) + both(1, 2)
    body += bytes([len(name)]) + name + bytes((len(name) + 1) % 2)
    if rock_ridge:
        body += b"NM" + bytes([5 + len(rock_ridge), 1, 0]) + rock_ridge
    return bytes([len(body) + 1]) + body


def image(path, *directories, volume=b"VOL"):
    """Write an image whose directories are these lists of records, the first one at sector 18 the root."""
    root = record(b"\0", 18, SECTOR, directory=True)
    primary = bytearray(SECTOR)
    primary[:7] = b"\1CD001\1"
    primary[40:72] = volume.ljust(32)
    primary[156 : 156 + len(root)] = root
    end = b"\xffCD001\1".ljust(SECTOR, b"\0")
    sectors = [b"".join(records).ljust(SECTOR, b"\0") for records in directories]
    path.write_bytes(bytes(16 * SECTOR) + bytes(primary) + end + b"".join(sectors))
    return path


def dots(extent):
    """The records of a directory itself and of the one above."""
    return [record(b"\0", extent, SECTOR, directory=True), record(b"\1", 18, SECTOR, directory=True)]


def test_manifest(tmp_path):
    """Volume id, sizes, directories with a slash, long names where there are some."""
    path = image(
        tmp_path / "x.iso",
        [*dots(18), record(b"SUB", 19, SECTOR, directory=True), record(b"A.;1", 30, 7, rock_ridge=b"long name.txt")],
        [*dots(19), record(b"B.;1", 31, 5)],
    )
    assert iso_manifest(path).decode() == (
        "Volume ID: VOL\n\nSize(bytes)  File Name\n"
        "2048         /\n2048         /SUB/\n5            /SUB/B.;1\n7            /long name.txt\n"
    )


def test_directory_in_itself(tmp_path):
    """It is listed once."""
    path = image(tmp_path / "x.iso", [*dots(18), record(b"LOOP", 18, SECTOR, directory=True)])
    assert iso_manifest(path).count(b"\n") == 4


def test_names_are_one_line_each(tmp_path):
    """A control character is shown as a question mark."""
    path = image(tmp_path / "x.iso", [*dots(18), record(b"A\nB", 30, 7)], volume=b"V\x1b[2J")
    text = iso_manifest(path)
    assert b"/A?B\n" in text
    assert b"V?[2J" in text


@pytest.mark.parametrize("broken", [b"\x10" + bytes(20), record(b"LONG", 30, 7)[:32] + b"\xff" + bytes(4)])
def test_broken_directory(tmp_path, broken):
    """A record that is shorter than it has to be, or a name longer than its record."""
    with pytest.raises(koji.GenericError, match="broken directory"):
        iso_manifest(image(tmp_path / "x.iso", [*dots(18), broken]))


@pytest.mark.parametrize("data", [b"", bytes(40 * SECTOR)])
def test_no_image(tmp_path, data):
    """In kojid's words."""
    (tmp_path / "x.iso").write_bytes(data)
    with pytest.raises(koji.GenericError, match=r"^Could not open x\.iso as an ISO-9660 image!$"):
        iso_manifest(tmp_path / "x.iso")
