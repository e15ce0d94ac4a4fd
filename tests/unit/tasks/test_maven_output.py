"""What a Maven build left: a tree of any shape, and a pom that would grow."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import koji
import pytest
import structlog

from koji_adjutant.buildroot.host_files import HostFiles
from koji_adjutant.container.interface import CopiedFile
from koji_adjutant.errors import CopyError, Interrupted
from koji_adjutant.tasks import maven_output
from koji_adjutant.tasks.maven_output import Lister, harmless_pom, regular_files
from koji_adjutant.tasks.maven_root import FoundFile

LOG = structlog.get_logger()
POM = b"<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>"


def walked(listed: Lister, top: str = "/out") -> list[FoundFile]:
    """All files of a tree that is listed so."""
    return list(regular_files(top, listed, lambda: None, LOG))


def of_host(directory: Path) -> Lister:
    """Lists a directory of this machine."""
    files = HostFiles(directory, "/out")
    return lambda path: files.list(path, max_entries=9)


def test_files_of_a_tree(tmp_path: Path) -> None:
    """Regular files by name, those of a directory before those below it; links, pipes and sockets are passed over."""
    (tmp_path / "b/c").mkdir(parents=True)
    for name in ("z", "b/y", "b/c/x"):
        (tmp_path / name).write_text(name)
    (tmp_path / "a").symlink_to("/etc")
    os.mkfifo(tmp_path / "b/pipe")
    assert walked(of_host(tmp_path)) == [FoundFile("", "z", 1), FoundFile("b", "y", 3), FoundFile("b/c", "x", 5)]


@pytest.mark.parametrize("reason", ["too-large", "broken-stream", "unreadable", "copy"])
def test_directory_that_cannot_be_read(reason: str) -> None:
    """No result is lost in silence."""

    def listed(path: str) -> list[CopiedFile]:
        if path != "/out":
            raise CopyError("no", reason=reason)
        return [CopiedFile("d", 0, is_regular=False), CopiedFile("f", 1, is_regular=True)]

    with pytest.raises(CopyError):
        walked(listed)


def test_missing_tree(tmp_path: Path) -> None:
    """Other than an entry below it, the tree itself must be there."""
    with pytest.raises(CopyError):
        walked(of_host(tmp_path), "/out/none")


def test_daemon_without_descriptors(tmp_path: Path) -> None:
    """What the machine lacks does not pass for a link."""
    (tmp_path / "d").mkdir()
    files = HostFiles(tmp_path, "/out")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, limits[1]))
    try:
        with pytest.raises(CopyError) as caught:
            files.list("/out/d", max_entries=9)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (caught.value.reason, caught.value.retryable) == ("unreadable", True)


def test_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted over the whole tree, whatever they are."""
    monkeypatch.setattr(maven_output, "MAX_ENTRIES", 5)
    with pytest.raises(koji.BuildError, match="/out holds more than 5 entries"):
        walked(lambda _: [CopiedFile("a", 0, is_regular=False), CopiedFile("b", 0, is_regular=False)])


def test_too_deep() -> None:
    """A tree without an end costs no stack."""
    with pytest.raises(koji.BuildError, match="/out is deeper than 64 directories: a/a/"):
        walked(lambda _: [CopiedFile("a", 0, is_regular=False)])


def test_walk_of_a_cancelled_task() -> None:
    """Every directory is an occasion to stop."""

    def check() -> None:
        raise Interrupted("cancelled")

    with pytest.raises(Interrupted):
        next(regular_files("/out", lambda _: [CopiedFile("a", 0, is_regular=True)], check, LOG))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("keyword", ["<!ENTITY", "<!entity"])
def test_pom_with_entities(keyword: str, encoding: str) -> None:
    """Refused before anything expands, in every encoding that XML parsers know by themselves."""
    text = f'<!DOCTYPE p [{keyword} a "aaaa">]><p>&a;</p>'
    with pytest.raises(koji.BuildError, match=r"pom\.xml (defines entities|is not in an encoding)"):
        harmless_pom("pom.xml", text.encode(encoding))


def test_plain_pom() -> None:
    """Goes on to koji's parser as it is."""
    assert koji.parse_pom(contents=harmless_pom("pom.xml", POM))["artifactId"] == "a"
