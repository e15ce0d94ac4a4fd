"""wrapperRPM: what is wrapped, where the template is, how it is rendered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji
import pytest

from koji_adjutant.tasks.wrapper_artifacts import Artifact, find_wrapped
from koji_adjutant.tasks.wrapper_template import NO_ENGINE, PROGRAM, add_artifacts, find_template

IMAGE = {"id": 5, "state": koji.BUILD_STATES["COMPLETE"], "name": "n", "version": "1", "release": "2", "epoch": None}
IMAGE |= {"package_name": "n", "volume_name": "DEFAULT"}
MAVEN_FILE = {"group_id": "org.x", "artifact_id": "a", "version": "1", "filename": "a.jar", "build_name": "n"}


def hub(
    kind: str | None, archives: list[dict[str, Any]], output: dict[str, list[str]] | None = None, result: Any = None
):
    """A session that knows one build of a kind, or one task."""

    def info(of: str) -> Any:
        return lambda _, strict: {"build_id": 5} if of == kind else None

    return SimpleNamespace(
        getMavenBuild=info("maven"),
        getWinBuild=info("win"),
        getImageBuild=info("image"),
        listArchives=lambda **asked: archives if asked["type"] == kind else [],
        listTaskOutput=lambda _, all_volumes: output or {},
        getTaskResult=lambda _: result,
    )


def test_image_build() -> None:
    """Files with their place at the hub, listed as templates expect; logs are named and not fetched."""
    wrapped = find_wrapped(hub("image", [{"filename": "i.qcow2"}, {"filename": "i.log"}]), IMAGE, None)
    assert wrapped.artifacts == (Artifact("i.qcow2", "packages/n/1/2/images/i.qcow2", "i.qcow2"),)
    assert wrapped.values["artifacts"] == {".qcow2": ["i.qcow2"], ".log": ["i.log"]}
    assert wrapped.values["all_artifacts_with_path"] == ["i.qcow2"]
    assert wrapped.values["image_info"] == {"build_id": 5}
    assert {field: wrapped.values[field] for field in ("epoch", "name", "version", "release")} == {
        "epoch": None,
        "name": "n",
        "version": "1",
        "release": "2",
    }


def test_maven_build() -> None:
    """Templates see the path in the Maven repository."""
    (artifact,) = find_wrapped(hub("maven", [MAVEN_FILE]), IMAGE, None).artifacts
    assert artifact.shown == "org/x/a/1/a.jar"
    assert artifact.path == "packages/n/1/2/maven/org/x/a/1/a.jar"


def test_task() -> None:
    """Files of a task below work, on their volume, without its logs."""
    result = {"name": "i", "version": "1", "release": "1", "epoch": 0}
    session = hub(None, [], {"d/i.qcow2": ["DEFAULT"], "x.log": ["DEFAULT"]}, result)
    wrapped = find_wrapped(session, None, {"id": 12345, "method": "createImage"})
    assert [artifact.path for artifact in wrapped.artifacts] == ["work/tasks/2345/12345/d/i.qcow2"]
    assert wrapped.values["all_artifacts"] == ["i.qcow2"]
    assert wrapped.values["name"] == "i"


def test_scratch_maven_task() -> None:
    """Its release says so."""
    info = {"group_id": "org.x", "artifact_id": "a", "version": "1"}
    session = hub(None, [], {"a.jar": ["DEFAULT"]}, {"maven_info": info})
    values = find_wrapped(session, None, {"id": 1, "method": "buildMaven"}).values
    assert (values["release"], values["maven_info"]) == ("0.scratch", info)


@pytest.mark.parametrize(
    ("kind", "build", "task", "text"),
    [
        (None, None, None, "build and/or task must be specified"),
        (None, IMAGE, None, "unsupported build type"),
        ("image", {**IMAGE, "state": 3}, None, "cannot call wrapperRPM on a build that did not complete successfully"),
        ("image", IMAGE, None, "no output found for n-1-2"),
        (None, None, {"id": 1, "method": "sleep", "arch": "noarch", "request": [1]}, "no output found for sleep"),
    ],
)
def test_nothing_to_wrap(kind: str | None, build: Any, task: Any, text: str) -> None:
    """Kojid's texts."""
    with pytest.raises(koji.BuildError, match=text):
        find_wrapped(hub(kind, []), build, task)


def test_template_of_the_last_directory(tmp_path: Path) -> None:
    """The first by name of the last directory, as under kojid; a link is none."""
    (tmp_path / "src" / "inner").mkdir(parents=True)
    for name in ("src/b.spec.tmpl", "src/inner/z.spec.tmpl", "src/inner/c.spec.tmpl", "src/x.spec"):
        (tmp_path / name).write_text("")
    (tmp_path / "src/inner/a.spec.tmpl").symlink_to("/etc/passwd")
    assert find_template(tmp_path, "src") == "src/inner/c.spec.tmpl"
    assert find_template(tmp_path, "src/none") is None


def test_template_of_a_link_that_leads_out(tmp_path: Path) -> None:
    """A module that leads to this machine's files has no template; one that leads elsewhere in the checkout has."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.spec.tmpl").write_text("")
    (tmp_path / "top" / "inside").mkdir(parents=True)
    (tmp_path / "top" / "inside" / "b.spec.tmpl").write_text("")
    for name, target in {"far": "../outside", "absolute": str(tmp_path / "outside"), "near": "inside"}.items():
        (tmp_path / "top" / name).symlink_to(target)
    assert find_template(tmp_path / "top", "far") is None
    assert find_template(tmp_path / "top", "absolute/.") is None
    assert find_template(tmp_path / "top", "near") == "inside/b.spec.tmpl"


def test_artifacts_beside_the_template(tmp_path: Path) -> None:
    """Flat; a name that is taken, by a link even, gets the path before it."""
    local = tmp_path / "local"
    local.write_text("data")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "b.jar").symlink_to(tmp_path / "outside")
    files = [(Artifact("a.jar", "p/1/a.jar", ""), local), (Artifact("a.jar", "p/2/a.jar", ""), local)]
    add_artifacts(tree, [*files, (Artifact("b.jar", "p/b.jar", ""), local)])
    assert sorted(path.name for path in tree.iterdir()) == ["a.jar", "b.jar", "p-2-a.jar", "p-b.jar"]
    assert not (tmp_path / "outside").exists()


def rendered(tmp_path: Path, engine: str | None) -> tuple[int, bytes]:
    """Run the program of the container here, with an engine of the test's own; return its status and the spec."""
    program = PROGRAM.replace("/work/", f"{tmp_path}/")
    (tmp_path / "values.json").write_text(json.dumps({"name": "n\u00e4me"}))
    (tmp_path / "t.spec.tmpl").write_text("Name: NAME")
    (tmp_path / "Cheetah").mkdir()
    if engine is not None:
        (tmp_path / "Cheetah/__init__.py").write_text("")
        (tmp_path / "Cheetah/Template.py").write_text(engine)
    ended = subprocess.run(
        [sys.executable, "-S", "-c", program, str(tmp_path / "t.spec.tmpl")],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    out = tmp_path / "rendered"
    return ended.returncode, out.read_bytes() if out.exists() else b""


ENGINE = """
class Template:
    def __init__(self, file, searchList):
        self.text, self.names = open(file).read(), searchList[0]
    def respond(self):
        return self.text.replace("NAME", self.names["name"])
"""


def test_program(tmp_path: Path) -> None:
    """The template's text with the values, in UTF-8."""
    assert rendered(tmp_path, ENGINE) == (0, "Name: n\u00e4me".encode())


def test_program_without_an_engine(tmp_path: Path) -> None:
    """A status of its own."""
    assert rendered(tmp_path, None) == (NO_ENGINE, b"")
