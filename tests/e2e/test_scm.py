"""Checkouts on real Podman from a real git server: what kojid checks out, and what a hostile repository cannot do."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji
import koji.plugin
import pytest

from koji_adjutant.buildroot.step_logs import StepLogs
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.interface import LABEL_WORKER
from koji_adjutant.container.podman_manager import PodmanManager
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.errors import Interrupted
from koji_adjutant.hub.identity import HostIdentity
from koji_adjutant.hub.log_spool import LogSpool
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.checkout import Checkout, checkout_source
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.journal import Journal
from tests.conftest import NOT_HERE
from tests.support.git_server import GitServer, git, reachable_address

SPEC = b"Name: x\nVersion: 1\n"
TAG = {"id": 1, "name": "dist-build"}


class Task(ThreadedTask):
    """A task of no hub."""

    Methods = ["buildSRPMFromSCM"]  # noqa: RUF012 - koji's class attribute


@dataclass
class Desk:
    """Runs checkouts of one host; `options` and `scm` are kojid.conf's and adjutant.yaml's."""

    directory: Path
    server: GitServer
    runtime: PodmanManager
    image: str
    options: dict[str, Any] = field(default_factory=dict)
    scm: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    @property
    def identity(self) -> HostIdentity:
        return HostIdentity(1, "builder", f"http://{self.server.host}/kojihub", 0.0)

    def task(self, number: int | None = None) -> Task:
        """A new task, or one adopted from an earlier daemon."""
        self.number = self.number + 1 if number is None else number
        directory = self.directory / str(self.number)
        adopted = (directory / "journal.jsonl").exists()
        path = directory / "journal.jsonl"
        hub = self.identity.hub_url
        settings = {"allowed_scms": "*:/*:no:", "workdir": str(self.directory / "work"), **self.options}
        options = KojidOptions(server=hub, topurl=hub, topurls=(hub,), **settings)
        session = SimpleNamespace(
            getChannel=lambda *_, **__: {"name": "default"}, getTaskInfo=lambda *_, **__: {"owner": 1, "channel_id": 1}
        )
        task = Task(self.number, "buildSRPMFromSCM", [], session, options)
        task.bind(
            TaskContext(
                task_id=self.number,
                method="buildSRPMFromSCM",
                start_ts=1.0,
                identity=self.identity,
                options=options,
                config=AdjutantConfig.model_validate({"images": {"tools": self.image}, "scm": self.scm}),
                session=session,
                new_session=lambda: session,
                runtime=self.runtime,
                journal=Journal.load(path) if adopted else Journal.create(path),
                directory=directory,
                shared=SimpleNamespace(static_dir=static_directory()),
                adopted=adopted,
            )
        )
        return task

    def checkout(self, url: str, task: Task | None = None, **options: Any) -> Checkout:
        """Check out `PATH?module#revision` of the server, or a whole URL."""
        task = task or self.task()
        context = task.context
        spool = LogSpool(context.directory / "logs", max_bytes_per_log=1 << 20)
        logs = SimpleNamespace(steps=StepLogs(spool, context.journal.remember, context.interruption.event))
        where = url if "://" in url else f"git+http://{self.server.host}/{url}"
        return checkout_source(task, where, logs, build_tag=TAG, scratch=False, **options)

    def log(self) -> str:
        return (self.directory / str(self.number) / "logs" / "checkout.log").read_text()

    def containers(self) -> list[Any]:
        return self.runtime.list_managed({LABEL_WORKER: self.identity.worker_label})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """A git server that containers reach."""
    address = reachable_address()
    if address is None:
        pytest.skip(f"{NOT_HERE}a machine without an address besides its loopback")
    with GitServer(tmp_path_factory.mktemp("git"), address) as server:
        server.repository("plain", {"plain.spec": SPEC, "data": b"one\n", "sub/inner.spec": SPEC})
        yield server


@pytest.fixture
def desk(tmp_path: Path, server: GitServer, podman_socket: Path, tools_image: str) -> Iterator[Desk]:
    runtime = PodmanManager(str(podman_socket))
    desk = Desk(tmp_path, server, runtime, tools_image)
    yield desk
    for info in desk.containers():
        runtime.remove(info.handle)
    runtime.close()


@pytest.fixture
def plugin() -> Iterator[list[Any]]:
    """A function to be called after each checkout, and what it was called with."""
    calls: list[Any] = []

    def record(name: str, *_: Any, **arguments: Any) -> None:
        for call in calls[:1]:
            call(name, arguments)
        calls.append((name, arguments))

    for name in ("preSCMCheckout", "postSCMCheckout"):
        koji.plugin.register_callback(name, record)
    yield calls
    for name in ("preSCMCheckout", "postSCMCheckout"):
        koji.plugin.callbacks[name].remove(record)


def test_commands_result_and_log_are_kojids(desk: Desk) -> None:
    """A tree at its commit, the commit recorded, the commands in the log as kojid writes them, no container left."""
    commit = git("rev-parse", "HEAD", cwd=desk.server.directory / "plain.git").strip()
    checkout = desk.checkout("plain.git#main")
    host = desk.server.host
    assert checkout.spec == "plain.spec"
    assert (checkout.directory / "data").read_text() == "one\n"
    assert checkout.source == {
        "url": f"git+http://{host}/plain.git#main",
        "source": f"git+http://{host}/plain.git#{commit}",
    }
    lines = [line for line in desk.log().splitlines() if line.startswith("$ ")]
    assert lines == [
        f"$ git clone -n http://{host}/plain.git /work/scmroot/plain",
        "$ git fetch origin main:KOJI_FETCH_HEAD",
        "$ git reset --hard KOJI_FETCH_HEAD",
    ]
    assert desk.containers() == []


def test_short_hash_and_subdirectory(desk: Desk) -> None:
    """What cannot be fetched is reset to, as kojid does; the module names a directory of the repository."""
    commit = git("rev-parse", "HEAD", cwd=desk.server.directory / "plain.git").strip()
    checkout = desk.checkout(f"plain.git?sub#{commit[:8]}")
    assert checkout.inside == "plain/sub"
    assert checkout.spec == "inner.spec"
    assert checkout.source["source"].endswith(f"/plain.git?sub#{commit}")
    assert f"$ git reset --hard {commit[:8]}\n" in desk.log()


def test_common_repository(desk: Desk) -> None:
    """The sibling named common is cloned too, and a link to it stands beside the sources."""
    desk.server.repository("common", {"Makefile.common": b"all:\n"})
    desk.options = {"allowed_scms": "*:/*"}
    checkout = desk.checkout("plain.git?sub#main")
    assert checkout.source_command == ["make", "sources"]
    assert (checkout.directory / ".." / "common" / "Makefile.common").exists()
    assert os.readlink(checkout.tree / "plain" / "common") == "../common"


def test_failing_commands_have_kojids_words(desk: Desk) -> None:
    """A repository that is not there, and a revision that is not."""
    host = desk.server.host
    with pytest.raises(koji.BuildError) as missing:
        desk.checkout("absent.git#main")
    assert str(missing.value) == (
        f'Error running GIT command "git clone -n http://{host}/absent.git /work/scmroot/absent", '
        "see checkout.log for details"
    )
    with pytest.raises(koji.BuildError, match=r'"git reset --hard nothing", see checkout\.log'):
        desk.checkout("plain.git#nothing")
    assert desk.containers() == []


def test_password_reaches_the_server_and_nothing_else(desk: Desk) -> None:
    """A password in the URL opens the repository, and stands in no log, clone, result or fault."""
    desk.server.repository("secret", {"secret.spec": SPEC})
    desk.server.private["/secret.git"] = base64.b64encode(b"me:s3cr:t").decode()
    desk.options = {"allow_password_in_scm_url": True}
    url = f"git+http://me:s3cr%3At@{desk.server.host}/secret.git#main"
    checkout = desk.checkout(url)
    assert checkout.spec == "secret.spec"
    texts = [desk.log(), str(checkout.source), (checkout.directory / ".git" / "config").read_text()]
    with pytest.raises(koji.BuildError) as wrong:
        desk.checkout(url.replace("s3cr", "wr0ng"))
    texts += [desk.log(), str(wrong.value)]
    assert "Authentication failed" in desk.log()
    assert [text for text in texts if "s3cr" in text or "wr0ng" in text] == []


def test_credentials_of_the_operator(desk: Desk) -> None:
    """Files of scm_credentials_dir, readable for root alone, open a private repository; the copy is gone afterwards."""
    desk.server.repository("private", {"private.spec": SPEC})
    desk.server.private["/private.git"] = base64.b64encode(b"builder:key").decode()
    given = desk.directory / "given"
    given.mkdir(mode=0o700)
    (given / ".netrc").write_text(f"machine {desk.server.host.partition(':')[0]} login builder password key\n")
    (given / ".netrc").chmod(0o600)
    desk.options = {"scm_credentials_dir": str(given)}
    assert desk.checkout("private.git#main").spec == "private.spec"
    assert list(desk.directory.glob("*/credentials-*")) == []


def test_plugins_get_a_copy_and_change_it(desk: Desk, plugin: list[Any]) -> None:
    """Callbacks get kojid's arguments and a clone that git works in; what they change is what will be built.

    A second daemon of the task finds it so, and calls no plugin again.
    """

    def change(name: str, arguments: dict[str, Any]) -> None:
        if name == "postSCMCheckout":
            done = subprocess.run(["git", "branch", "-r"], cwd=arguments["srcdir"], check=True, capture_output=True)
            Path(arguments["srcdir"], "plain.spec").write_bytes(SPEC + done.stdout)

    plugin.append(change)
    checkout = desk.checkout("plain.git#main", buildroot="root")
    (before, first), (after, second) = plugin[1:]
    assert (before, after) == ("preSCMCheckout", "postSCMCheckout")
    assert set(first) == {"taskinfo", "session", "scminfo", "build_tag", "scratch", "buildroot"}
    assert set(second) == {*first, "srcdir"}
    assert (first["build_tag"], first["scminfo"]["revision"]) == (TAG, "main")
    assert b"origin/main" in (checkout.directory / "plain.spec").read_bytes()

    assert desk.checkout("plain.git#main", desk.task(desk.number), buildroot="root") == checkout
    assert len(plugin) == 3
    assert desk.log().count("$ git clone") == 1


def test_a_checkout_goes_on_without_its_daemon(desk: Desk) -> None:
    """A daemon that stops in the middle of a clone leaves it running; the next one takes over what came of it."""
    task = desk.task()
    with ThreadPoolExecutor() as pool, desk.server.holding():
        first = pool.submit(desk.checkout, "plain.git#main", task)
        assert desk.server.asked.wait(60)
        task.context.interruption.stop()
        with pytest.raises(Interrupted):
            first.result(60)
    assert len(desk.containers()) == 1
    assert desk.checkout("plain.git#main", desk.task(desk.number)).spec == "plain.spec"
    assert desk.log().count("$ git clone") == 1
    assert desk.containers() == []


HOOK = b"#!/bin/sh\ntouch /tmp/owned /work/owned\n"


def hostile(desk: Desk, name: str, files: dict[str, bytes], links: dict[str, str]) -> None:
    """Make a repository with `files` and symbolic `links`."""
    desk.server.repository(name, files)
    work = desk.server.directory / f"{name}.work"
    for path, target in links.items():
        (work / path).symlink_to(target)
    git("add", "-A", cwd=work)
    git("commit", "-q", "--allow-empty", "-m", "links", cwd=work)
    desk.server.publish(name)


def misleading(desk: Desk) -> None:
    """Make a repository with a module that looks like one itself, with a file system monitor and hooks, and a submodule."""
    bare = {"HEAD": b"ref: refs/heads/main\n", "objects/x": b"", "refs/x": b"", "hooks/post-checkout": HOOK}
    bare["config"] = b'[core]\n\tbare = false\n\tworktree = ..\n\tfsmonitor = "touch /tmp/owned /work/owned"\n'
    modules = b'[submodule "s"]\n\tpath = s\n\turl = ext::sh -c "touch% /work/owned"\n'
    files = {f"mod/{path}": data for path, data in bare.items()}
    hostile(desk, "hooks", {"mod/mod.spec": SPEC, ".gitmodules": modules, **files}, {})


def test_settings_and_hooks_of_a_repository_run_nothing(desk: Desk) -> None:
    """Nothing of a repository is run, and the commit is that of the clone, not of what looks like a repository in it."""
    misleading(desk)
    checkout = desk.checkout("hooks.git?mod#main")
    assert checkout.spec == "mod.spec"
    assert not (checkout.tree.parent / "owned").exists()
    commit = git("rev-parse", "HEAD", cwd=desk.server.directory / "hooks.git").strip()
    assert checkout.source["source"].endswith(f"#{commit}")


def test_plugins_do_not_get_a_directory_that_misleads_git(desk: Desk, plugin: list[Any]) -> None:
    """A plugin's git would obey the settings in such a module, on this machine."""
    misleading(desk)
    ran: list[str] = []
    plugin.append(lambda name, _: ran.append(name))
    with pytest.raises(koji.BuildError, match="hooks/mod looks like a git repository itself"):
        desk.checkout("hooks.git?mod#main")
    assert ran == ["preSCMCheckout"]


def test_no_link_leads_out(desk: Desk) -> None:
    """Modules and specs that are links out of the checkout, or nothing, are refused by name; others are followed.

    Names with line feeds, escapes and bytes of no encoding are files like others.
    """
    links = {"outside": "/etc", "spec/evil.spec": "../../../../../../etc/passwd", "good/in.spec": "../fine.spec"}
    names = {"a\nb": b"1", "\x1b[31m": b"2", os.fsdecode(b"\xff\xfe"): b"3"}
    hostile(desk, "links", {"fine.spec": SPEC, "spec/keep": b"", "good/keep": b"", **names}, links)
    checkout = desk.checkout("links.git?good#main")
    assert checkout.spec == "in.spec"
    assert set(names) < set(os.listdir(checkout.tree / "links"))
    with pytest.raises(koji.BuildError, match=r"spec file evil\.spec is no file of the checkout"):
        assert replace(checkout, inside="links/spec").spec
    for inside in ("links/outside", "links/absent"):
        with pytest.raises(koji.BuildError, match=f"there is no directory {inside}"):
            assert replace(checkout, inside=inside).directory


def bomb(directory: Path) -> None:
    """Make a repository of a few kilobytes whose tree holds 10 ** 9 files."""
    git("init", "-q", "--bare", "-b", "main", str(directory), cwd=directory.parent)
    found = git("hash-object", "-w", "--stdin", cwd=directory, stdin=b"x").strip()
    kind, mode = "blob", "100644"
    for _ in range(9):
        entries = "".join(f"{mode} {kind} {found}\t{name}\n" for name in range(10))
        found = git("mktree", cwd=directory, stdin=entries.encode()).strip()
        kind, mode = "tree", "040000"
    commit = git("commit-tree", "-m", "bomb", found, cwd=directory).strip()
    git("update-ref", "refs/heads/main", commit, cwd=directory)


def test_a_tree_without_end_is_ended(desk: Desk) -> None:
    """A small repository of very many files ends with the limit named, in the fault and in the log."""
    bomb(desk.server.directory / "bomb.git")
    desk.scm = {"max_files": 5000}
    began = time.monotonic()
    with pytest.raises(koji.BuildError, match=r"bomb\.git is larger than 64GiB or 5000 files"):
        desk.checkout("bomb.git#main")
    assert time.monotonic() - began < 120, "all of them would take hours"
    assert "is larger than 64GiB or 5000 files" in desk.log()
    assert desk.containers() == []


def test_a_server_that_hangs_is_left(desk: Desk) -> None:
    """A command over its time is ended, and named."""
    desk.scm = {"timeout": 1}
    bomb(desk.server.directory / "slow.git")
    with pytest.raises(koji.BuildError, match=r"slow\.git took longer than 1 seconds"):
        desk.checkout("slow.git#main")
