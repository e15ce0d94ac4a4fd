"""What the children of a build have made, as one."""

import koji
import pytest

from koji_adjutant.tasks.build_packages import merge


def result(number, *, srpm=False, logs=True):
    return {
        "rpms": [f"{number}/a.rpm", f"{number}/b.rpm"],
        "srpms": [f"{number}/a.src.rpm"] if srpm else [],
        "logs": [f"{number}/build.log"] if logs else [],
        "brootid": number,
    }


def test_merge():
    """Every package is known by its buildroot, every log by its arch."""
    merged = merge(1, {"x86_64": result(7, srpm=True), "noarch": result(8)})
    assert merged.srpm == "7/a.src.rpm"
    assert merged.rpms == ["7/a.rpm", "7/b.rpm", "8/a.rpm", "8/b.rpm"]
    assert merged.buildroots == {"7/a.rpm": 7, "7/b.rpm": 7, "7/a.src.rpm": 7, "8/a.rpm": 8, "8/b.rpm": 8}
    assert merged.logs == {"x86_64": ["7/build.log"], "noarch": ["8/build.log"]}


def test_arch_without_logs_has_no_entry():
    """As under kojid, whose hub makes a directory for each key."""
    assert merge(1, {"x86_64": result(7, srpm=True, logs=False)}).logs == {}


@pytest.mark.parametrize(
    ("srpms", "text"),
    [((True, True), "multiple builds returned a srpm.  task 1"), ((False, False), "could not find a built srpm")],
)
def test_one_source_package(srpms, text):
    """Exactly one child keeps its source package."""
    with pytest.raises(koji.BuildError, match=f"^{text}$"):
        merge(1, {"x86_64": result(7, srpm=srpms[0]), "aarch64": result(8, srpm=srpms[1])})
