"""Maven builds: command, settings, local repository, archives of the sources."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import koji
import pytest

from koji_adjutant.config.kojid_options import MAVEN_REPO_IGNORE
from koji_adjutant.tasks.maven_archive import zip_tree
from koji_adjutant.tasks.maven_root import FoundFile, local_packages, mavenrc, mvn_command, pom_file, settings_xml


def test_command() -> None:
    """Options, profiles, properties, goals, in kojid's order."""
    opts = {
        "maven_options": ["-X"],
        "profiles": ["a", "b"],
        "properties": {"k": "v w", "flag": None},
        "goals": ["verify"],
    }
    assert mvn_command(opts) == ["/usr/bin/mvn", "-C", "-X", "-Pa,b", "-Dk=v w", "-Dflag", "verify", "deploy"]
    assert mvn_command({}) == ["/usr/bin/mvn", "-C", "deploy"]


@pytest.mark.parametrize(
    ("options", "pom"),
    [([], "pom.xml"), (["-f", "a/p.xml"], "a/p.xml"), (["--file=b.xml"], "b.xml"), (["-fc.xml"], "c.xml")],
)
def test_pom(options: list[str], pom: str) -> None:
    """All the ways to name it."""
    assert pom_file(options) == pom


def test_pom_option_without_a_file() -> None:
    """Kojid's words."""
    with pytest.raises(koji.BuildError, match="-f option requires a file path"):
        pom_file(["-f"])


def test_mavenrc() -> None:
    """Two gigabytes unless the build says otherwise; the environment beside it."""
    assert mavenrc([], {"A": "b"}) == 'export MAVEN_OPTS="-Xmx2048m"\nexport A="b"\n'
    assert mavenrc(["-Xmx9g", "-v"], {}) == 'export MAVEN_OPTS="-Xmx9g -v"\n'


def test_settings() -> None:
    """One mirror for everything but the dependencies, which are repositories of their own."""
    text = settings_xml("http://hub/files", 7, "tag<1>", 12345, [17, "g-a-1-2"])
    name = {"m": "http://maven.apache.org/POM/4.0.0"}
    root = ET.fromstring(text)
    assert root.findtext(".//m:mirror/m:url", namespaces=name) == "http://hub/files/repos/tag<1>/7/maven"
    assert root.findtext(".//m:mirrorOf", namespaces=name) == "*,!koji-task-17-repo,!koji-build-g-a-1-2-repo"
    urls = [node.text for node in root.findall(".//m:repository/m:url", name)]
    assert urls == ["http://hub/files/work/tasks/17/17", "http://hub/files/packages/g-a/1/2/maven"]
    assert root.findtext(".//m:activeProfile", namespaces=name) == "koji-task-12345"
    assert not ET.fromstring(settings_xml("http://hub", 7, "t", 1, [])).findall(".//m:repositories", name)


def test_local_packages() -> None:
    """By the directory's name; checksums and metadata are no part, nor the archives of the sources."""
    files = [
        FoundFile("org/lab/app/1.0", "app.jar", 3),
        FoundFile("org/lab/app/1.0", "app.jar.sha1", 3),
        FoundFile("org/lab/app", "maven-metadata-local.xml", 3),
        FoundFile("", "scm-sources.zip", 3),
    ]
    info = {"version": "1.0", "artifact_id": "app", "group_id": "org.lab"}
    row = {"path": "org/lab/app/1.0", "filename": "app.jar", "size": 3}
    assert local_packages(files, MAVEN_REPO_IGNORE) == [{"maven_info": info, "files": [row]}]
    with pytest.raises(
        koji.BuildrootError, match=r"unexpected path in local Maven repo, directory: org/x, files: a\.jar"
    ):
        local_packages([FoundFile("org/x", "a.jar", 1)], ())


def test_archive(tmp_path: Path) -> None:
    """Links stay links, and what an SCM keeps for itself is left out."""
    tree = tmp_path / "app"
    (tree / ".git").mkdir(parents=True)
    (tree / ".git/config").write_text("")
    (tree / "readme").write_text("text")
    (tree / "link").symlink_to("/etc/passwd")
    zip_tree(tree, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert packed.namelist() == ["app/link", "app/readme"]
        link = packed.getinfo("app/link")
        assert stat.S_ISLNK(link.external_attr >> 16)
        assert packed.read(link) == b"/etc/passwd"
