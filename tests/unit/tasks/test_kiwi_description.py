"""kiwi descriptions: what they say, and how Koji rewrites them."""

import koji
import pytest

from koji_adjutant.tasks.kiwi_description import Facts, Wanted, read_facts, rewrite, target_name

TEXT = b"""<?xml version="1.0" encoding="utf-8"?>
<image schemaversion="7.4" name="disk">
  <profiles><profile name="a" image="true"/><profile name="b"/></profiles>
  <include from="this://parts/more.kiwi"/>
  <preferences><type image="oem"/></preferences>
  <preferences><version>1.2</version></preferences>
  <repository><source path="http://elsewhere/"/></repository>
</image>
"""
MORE = (
    b'<image><repository><source path="http://more/"/></repository><packages><package name="git"/></packages></image>'
)
WANTED = Wanted("disk-a", "3", "9", ["http://b/", "http://a/", "http://a/"])
PLAIN = b"<image><preferences><version>1</version><release-version>1</release-version></preferences></image>"


def test_facts():
    """Name, the last version, the profile that is an image."""
    assert read_facts("d/x.kiwi", TEXT) == Facts("disk", "1.2", "a")


def test_rewritten():
    """Includes are put in without their repositories, which are Koji's, each once and in order."""
    read = {"d/parts/more.kiwi": MORE}.get
    text = rewrite("d/x.kiwi", TEXT, WANTED, read).decode()
    assert 'name="disk-a"' in text
    assert "<version>3</version>" in text
    assert "<release-version>9</release-version>" in text
    assert '<package name="git" />' in text
    assert text.index("http://a/") < text.index("http://b/")
    assert text.count("<source ") == 2
    assert "include" not in text


def test_release_version_is_replaced():
    """There is one."""
    assert rewrite("x.kiwi", PLAIN, WANTED, {}.get).count(b"<release-version>9<") == 1


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("file:///etc/passwd", r"^Unhandled include protocol in include path: file:///etc/passwd\.$"),
        ("this://../../etc/passwd", "is not there"),
        ("this:///etc/passwd", "is not there"),
        ("this://gone", "is not there"),
        ("this://empty", r"^Included file needs to contain <image> tag\.$"),
    ],
)
def test_include_that_cannot_be(source, why):
    """Of another place, or no image: the plugin's texts where it has one."""
    text = f'<image><include from="{source}"/><preferences><version>1</version></preferences></image>'.encode()

    def read(path):
        assert ".." not in path
        return b"<x/>" if path == "empty" else None

    with pytest.raises(koji.GenericError, match=why):
        rewrite("x.kiwi", text, WANTED, read)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no xml", r"^Kiwi description x\.kiwi can't be parsed as XML\.$"),
        (b"<x/>", r"^Kiwi description x\.kiwi doesn't contain <image> tag\.$"),
        (b"<image/>", r"^Description file doesn't contain preferences/version$"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><image>&a;</image>', "defines entities"),
        (b"<image>" * 5000 + b"</image>" * 5000, "deeper than 100"),
    ],
)
def test_description_that_cannot_be_used(data, why):
    """In the plugin's words, or naming the trick."""
    with pytest.raises(koji.GenericError, match=why):
        read_facts("d/x.kiwi", data)


def test_name_of_the_new_description():
    """Beside the old one, with the arch in it."""
    assert target_name("d/x.kiwi", "x86_64") == "d/x.x86_64.kiwi"
