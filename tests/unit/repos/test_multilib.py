"""Multilib packages: the question to the container and what is believed of its answer."""

import json

import pytest

from koji_adjutant.repos.multilib import Answer, dnf_conf, is_multilib, parse_answer, partner, question

KNOWN = {"zlib-1-1.i686.rpm": {}}


def test_partners():
    """The 32-bit rpm has the name of the 64-bit one with the other arch."""
    assert partner("zlib-1-1.x86_64.rpm", "x86_64") == "zlib-1-1.i686.rpm"
    assert partner("zlib-doc-1-1.noarch.rpm", "x86_64") == "zlib-doc-1-1.noarch.rpm"
    assert is_multilib("s390x")
    assert not is_multilib("aarch64")


def test_the_question():
    """It holds paths and partners of all packages."""
    asked = question({"a.x86_64.rpm": "/t/a"}, arch="x86_64", config="/c", dnf_conf="/d", answer="/w")
    assert asked["partners"] == {"a.x86_64.rpm": "a.i686.rpm"}
    assert asked["packages"] == {"a.x86_64.rpm": "/t/a"}


def test_an_answer():
    """Missing and needed packages by file name."""
    data = json.dumps({"missing": ["a.rpm"], "needed": {"zlib-1-1.i686.rpm": "i686"}}).encode()
    assert parse_answer(data, KNOWN) == Answer(("a.rpm",), {"zlib-1-1.i686.rpm": "i686"})


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"missing": []}', b'{"missing": [], "needed": {"../x.rpm": "i686"}}', b'{"missing": 1}']
)
def test_a_bad_answer(data):
    """What the container made up is refused: other packages than those of the 32-bit repo, too."""
    with pytest.raises(ValueError, match="multilib"):
        parse_answer(data, KNOWN)


def test_dnf_sees_the_32_bit_repo_only():
    """The file that is uploaded names one repository."""
    text = dnf_conf(7, "/work/dnf", "/mnt/koji/repos-dist/t/1/i386")
    assert "[koji-7]\nname=koji multilib task\nbaseurl=file:///mnt/koji/repos-dist/t/1/i386\nenabled=1\n" in text
