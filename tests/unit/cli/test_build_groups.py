"""The one group `build` of a desk's repo."""

import pytest

from koji_adjutant.cli.desk_groups import Member, choose, group_of_file, parse_comps, render
from koji_adjutant.errors import UsageError

COMPS = b"""<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//X//EN" "comps.dtd">
<comps><group><id>buildsys-build</id><packagelist>
<packagereq type="mandatory">bash</packagereq><packagereq type="conditional" requires="x">gcc</packagereq>
</packagelist></group><group><id>games</id><packagelist><packagereq>chess</packagereq></packagelist></group></comps>"""
BASH = Member("bash", (("type", "mandatory"),))
GCC = Member("gcc", (("requires", "x"), ("type", "conditional")))


def test_round_trip():
    """What is written is read back as the group build, attributes and all."""
    groups = parse_comps(COMPS, "comps")
    assert groups["buildsys-build"] == (BASH, GCC)
    assert parse_comps(render(groups["buildsys-build"]), "again") == {"build": (BASH, GCC)}


def test_usual_names():
    """Without a name, build counts before buildsys-build, over all repositories."""
    other = {"build": (Member("make"),)}
    assert choose((), (), [parse_comps(COMPS, "c")]) == (BASH, GCC)
    assert choose((), (), [parse_comps(COMPS, "c"), other]) == (Member("make"),)


def test_union():
    """Files and named groups of all repositories together, each package once; a file alone needs no group."""
    repos = [{"a": (BASH, GCC)}, {"a": (Member("make"), Member("bash"))}]
    assert {member.name for member in choose(("a",), [(Member("vi"),)], repos)} == {"vi", "bash", "gcc", "make"}
    assert choose((), [(Member("vi"),)], repos) == (Member("vi"),)


def test_unknown_group():
    """A group nobody has is a usage error that lists those there are."""
    with pytest.raises(UsageError, match="no repository has a group nix") as caught:
        choose(("nix",), (), [parse_comps(COMPS, "c")])
    assert "buildsys-build, games" in caught.value.details


def test_group_of_a_file():
    """The usual group of a file, else its only one, else a usage error."""
    assert group_of_file(parse_comps(COMPS, "c"), "c") == (BASH, GCC)
    assert group_of_file({"x": (BASH,)}, "c") == (BASH,)
    with pytest.raises(UsageError, match="has no group build"):
        group_of_file({"x": (BASH,), "y": (GCC,)}, "c")


@pytest.mark.parametrize("data", [b"", b"<html><body>", b"<repomd/>"])
def test_no_comps(data):
    """Something else is named."""
    with pytest.raises(UsageError, match=r"c\.xml is no comps file"):
        parse_comps(data, "c.xml")
