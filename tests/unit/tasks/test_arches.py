"""For which arches a package is built, and of which arch its subtasks are."""

import koji
import pytest

from koji_adjutant.tasks.arches import SourceArches, build_arches, task_arches

NOTHING = SourceArches()


def tag(arches="x86_64 aarch64 i686", **extra):
    return {"name": "t-build", "id": 5, "arches": arches, "extra": extra}


@pytest.mark.parametrize(
    ("source", "more", "expected"),
    [
        (NOTHING, {}, ["x86_64", "aarch64", "i686"]),
        (NOTHING, {"extra": "i386 s390x"}, ["x86_64", "aarch64", "i686", "i386"]),
        (SourceArches(build=("noarch",)), {}, ["noarch"]),
        (SourceArches(build=("noarch", "x86_64")), {}, ["noarch", "x86_64"]),
        (SourceArches(exclusive=("x86_64", "ppc64le")), {}, ["x86_64"]),
        (SourceArches(exclusive=("x86_64", "noarch")), {}, ["x86_64", "noarch"]),
        (SourceArches(exclude=("i686",)), {}, ["x86_64", "aarch64"]),
        (SourceArches(build=("noarch",), exclusive=("x86_64", "noarch")), {}, ["noarch"]),
        # The spec's own list of arches has replaced the package's extra arches.
        (SourceArches(build=("x86_64",)), {"extra": "i386"}, ["x86_64"]),
        (SourceArches(build=("noarch",), exclusive=("x86_64",)), {}, ["noarch"]),
        (NOTHING, {"override": "aarch64 noarch s390x"}, ["aarch64", "noarch"]),
        (SourceArches(build=("noarch",)), {"override": "x86_64"}, ["x86_64"]),
    ],
)
def test_arches_of_a_build(source, more, expected):
    """Tag, package, spec and user have their say, in that order; what the tag cannot build is left out."""
    assert build_arches(tag(), source, **more) == expected


@pytest.mark.parametrize(
    "source", [SourceArches(exclusive=("s390x",)), SourceArches(build=("noarch",), exclude=("noarch",))]
)
def test_no_arch_left(source):
    """A package for other machines fails before anything is built."""
    with pytest.raises(koji.BuildError, match=r"^No matching arches were found$"):
        build_arches(tag(), source)


def test_tag_without_arches():
    """A build tag must have arches; it is named with its id."""
    with pytest.raises(koji.BuildError, match=r"^No arches for tag t-build \[5\]$"):
        build_arches(tag(""), NOTHING)


@pytest.mark.parametrize(
    ("arch", "source", "extra", "expected"),
    [
        ("x86_64", NOTHING, {}, ("x86_64",)),
        ("i686", NOTHING, {}, ("i386",)),
        ("armv7hl", NOTHING, {}, ("armhfp",)),
        ("noarch", NOTHING, {}, ("noarch",)),
        ("noarch", SourceArches(exclusive=("x86_64", "noarch")), {}, ("x86_64",)),
        ("noarch", SourceArches(exclude=("i686",)), {}, ("x86_64", "aarch64")),
        ("noarch", SourceArches(exclude=("s390x",)), {}, ("noarch",)),
        ("noarch", NOTHING, {"noarch_arches": "aarch64 s390x"}, ("aarch64",)),
        ("noarch", NOTHING, {"noarch_arches": "x86_64 aarch64 i386"}, ("noarch",)),
    ],
)
def test_arch_of_a_subtask(arch, source, extra, expected):
    """Canonical; noarch goes anywhere unless package or tag keep it from an arch of the tag."""
    assert task_arches(arch, tag(**extra), source) == expected


def test_literal_task_arches():
    """Arches that kojid.conf names are passed on as they are."""
    assert task_arches("i686", tag(), NOTHING, literal=("i6*",)) == ("i686",)


def test_no_host_for_noarch():
    """A noarch package that no arch of the tag may build names all that was considered."""
    expected = (
        r"^No valid arches were found\. tag \['x86_64'\], extra None,exclusive \['s390x', 'noarch'\], exclude \[\]$"
    )
    with pytest.raises(koji.BuildError, match=expected):
        task_arches("noarch", tag("x86_64"), SourceArches(exclusive=("s390x", "noarch")))
