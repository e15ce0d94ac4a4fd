"""Steps of the container that makes repodata: ends in kojid's words, merges that outlive their daemon, files that come out."""

import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import koji
import pytest
import structlog

from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.interface import ContainerRunResult, CopiedFile
from koji_adjutant.container.steps import StepEnd, StepStatus
from koji_adjutant.errors import ContainerLost, ImageError
from koji_adjutant.repos.commands import LocalRepo, Merge
from koji_adjutant.tasks import repo_container
from koji_adjutant.tasks.journal import Journal
from koji_adjutant.tasks.repo_container import RepoContainer, how_it_ended, in_attempts

MERGE = Merge("koji", "x86_64", ["file:///p/", "http://e/"], "/work/repo", "/b")


def status(exit_code=0, signal=None, end=StepEnd.EXITED):
    """The end of a step."""
    return StepStatus("run", end, exit_code, signal, 0.0, 1.0, 0)


class Container:
    """Ends steps as told; a step that ran is not run again."""

    def __init__(self, ends=(), files=()):
        self.handle = SimpleNamespace(name="c")
        self.ran = {}
        self.argv = {}
        self._ends = list(ends)
        self._files = files

    def run(self, step, argv, log, *, shown, env=None):
        if step not in self.ran:
            self.ran[step] = status(self._ends.pop(0) if self._ends else 0)
            self.argv[step] = (argv, shown, env)
        return self.ran[step]

    def ask(self, argv):
        return ContainerRunResult(0, b"Version: 0.17.3 (Features: )\n")

    def list_files(self, directory):
        return self._files

    def copy_from(self, path, stream, *, max_bytes):
        stream.write(path.encode())


@pytest.fixture
def context(tmp_path):
    """A task's context as far as it is used here."""
    return SimpleNamespace(
        journal=Journal.create(tmp_path / "journal"),
        log=structlog.get_logger(),
        config=SimpleNamespace(build=SimpleNamespace(result_max_bytes=100)),
        labels=lambda role: {"role": role},
        runtime=SimpleNamespace(list_managed=lambda labels: [], remove=None),
        interruption=SimpleNamespace(sleep=lambda seconds: None),
    )


@pytest.fixture
def proxied(context):
    """The context of a task that reaches repositories through the daemon's proxy; its directory has a short name."""
    with tempfile.TemporaryDirectory() as directory:
        context.directory = Path(directory)
        context.config.build = AdjutantConfig.model_validate({}).build
        context.options = SimpleNamespace(topdir="/mnt/koji", yum_proxy=None)
        context.shared = SimpleNamespace(package_cache=None)
        yield context


@pytest.mark.parametrize("failing", ["work_image", "WorkContainer.open"])
def test_a_container_that_does_not_start_leaves_no_proxy(proxied, monkeypatch, failing):
    """Its thread ends and its socket goes: each attempt has another."""
    sockets = []

    def fail(*_, **__):
        sockets.extend(proxied.directory.glob("proxy-1/*"))
        raise ImageError("no such image")

    monkeypatch.setattr(repo_container, "work_image", lambda *_, **__: SimpleNamespace(reference="i"))
    monkeypatch.setattr(f"koji_adjutant.tasks.repo_container.{failing}", fail)
    before = set(threading.enumerate())
    with pytest.raises(ImageError):
        RepoContainer.open(
            proxied, SimpleNamespace(steps=None), 1, tag_name="t", arch="x86_64", urls=["http://e.example.com/"]
        )
    assert len(sockets) == 1
    assert list(proxied.directory.glob("proxy-1/*")) == []
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (status(2), "/usr/bin/createrepo_c /d exited with status 2"),
        (status(None, 9), "/usr/bin/createrepo_c /d was killed by signal 9"),
        (
            status(127),
            "/usr/bin/createrepo_c /d exited with status 127 (the builder's tools image has no such program)",
        ),
        (status(None, 15, StepEnd.TIMEOUT), "/usr/bin/createrepo_c /d was ended: timeout"),
    ],
)
def test_how_a_command_ended(ended, words):
    """As koji puts it, and what koji has no words for by name."""
    assert how_it_ended(ended, ["/usr/bin/createrepo_c", "/d"]) == words


def test_createrepo_starts_from_old_repodata(context, tmp_path):
    """The copy is made in the same step; the log shows the command alone."""
    container = Container()
    repo = LocalRepo("/d", pkglist="/d/pkglist", output="/work/repo", update=True)
    RepoContainer(context, None, container, None).createrepo("createrepo", repo, tmp_path / "old", "createrepo.log")
    argv, shown, _ = container.argv["createrepo"]
    assert argv[4:] == ["sh", "/work/repo", str(tmp_path / "old"), *shown]
    assert "--update" in shown


def test_createrepo_without_update_starts_from_nothing(context, tmp_path):
    """Old repodata is not even copied."""
    container = Container()
    repo = LocalRepo("/work/repo")
    RepoContainer(context, None, container, None).createrepo("createrepo", repo, tmp_path / "old", "createrepo.log")
    assert container.argv["createrepo"][0][5:7] == ["/work/repo", ""]


def test_a_failed_createrepo(context):
    """The task fails in kojid's words."""
    repos = RepoContainer(context, None, Container([2]), None)
    with pytest.raises(koji.GenericError, match=r"^failed to create repo: (?s:.*)exited with status 2$"):
        repos.createrepo("createrepo", LocalRepo("/d"), None, "createrepo.log")


def test_a_failed_merge_is_final(context):
    """A merge that failed under this daemon is not repeated: the repository is away."""
    container = Container([1])
    repos = RepoContainer(context, None, container, object())
    with pytest.raises(koji.GenericError, match=r"^failed to merge repos: (?s:.*)exited with status 1$"):
        repos.mergerepo(MERGE, "mergerepos.log")
    assert list(container.ran) == ["mergerepo-1"]


@pytest.mark.parametrize(("ends", "steps"), [([1, 0], 2), ([0], 1)])
def test_a_merge_of_an_earlier_daemon(context, ends, steps):
    """One that failed when the proxy died with its daemon is begun anew, one that went well is not."""
    container = Container(ends)
    first = RepoContainer(context, None, container, object())
    if ends[0]:
        with pytest.raises(koji.GenericError):
            first.mergerepo(MERGE, "mergerepos.log")
    else:
        first.mergerepo(MERGE, "mergerepos.log")
    RepoContainer(context, None, container, object()).mergerepo(MERGE, "mergerepos.log")
    assert len(container.ran) == steps


def test_the_proxy_is_the_merges_only_way_out(context):
    """Both kinds of URL go through it; without one nothing is said of a proxy."""
    for proxy, names in ((object(), {"http_proxy", "https_proxy"}), (None, set())):
        container = Container()
        RepoContainer(context, None, container, proxy).mergerepo(MERGE, "mergerepos.log")
        env = container.argv["mergerepo-1"][2]
        assert {name for name in env if "proxy" in name} == names
        assert env["TMPDIR"] == "/work"
        context.journal = Journal.create(context.journal.path)


def test_files_come_out(context, tmp_path):
    """Each under its name."""
    files = [CopiedFile("repomd.xml", 3, is_regular=True), CopiedFile("a-primary.xml.zck", 3, is_regular=True)]
    RepoContainer(context, None, Container(files=files), None).fetch("/work/repo/repodata", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-primary.xml.zck", "repomd.xml"]


@pytest.mark.parametrize(
    "entry",
    [CopiedFile("link", 3, is_regular=False), CopiedFile(".x", 3, is_regular=True), CopiedFile("a\nb", 1, True)],
)
def test_what_is_no_metadata_is_refused(context, tmp_path, entry):
    """Links, and names that no repository has."""
    with pytest.raises(koji.GenericError, match="no metadata"):
        RepoContainer(context, None, Container(files=[entry]), None).fetch("/work/repo/repodata", tmp_path / "out")


def test_a_lost_container_is_tried_again(context):
    """With a number of its own; an adopted task goes on with the last one."""
    tried = []

    def work(attempt):
        tried.append(attempt)
        if attempt == 1:
            raise ContainerLost("gone")
        return "made"

    assert in_attempts(context, work) == "made"
    assert in_attempts(context, work) == "made"
    assert tried == [1, 2, 2]


def test_what_does_not_pass_is_not_tried_again(context):
    """An image that is not allowed stays so."""
    with pytest.raises(ImageError):
        in_attempts(context, lambda attempt: (_ for _ in ()).throw(ImageError("no", reason="not-allowed")))
