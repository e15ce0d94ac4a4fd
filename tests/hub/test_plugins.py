"""Plugins of kojid run in processes of their own: found out about, run, interrupted, refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji
import koji.plugin
import pytest

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.errors import ConfigurationError, TaskCancelled
from koji_adjutant.hub.login import connect
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.minihub import MiniHub
from koji_adjutant.tasks.context import Interruption
from koji_adjutant.tasks.plugin_task import plugin_handlers
from koji_adjutant.tasks.plugins import PluginSet, load_plugins

PLUGIN = """
import os, time
import koji
from __main__ import SCM, BaseBuildTask
from koji.plugin import callback
from koji.tasks import BaseTaskHandler, RefuseTask

os.chdir("/tmp")  # a plugin may do as it likes

class Greet(BaseTaskHandler):
    Methods = ["greet"]
    _taskWeight = 1.25
    def checkHost(self, hostdata):
        return self.params[0] != "elsewhere" and hostdata["name"] == "builder"
    def handler(self, how, name="nobody"):
        print("printed, not replied")
        assert os.path.isdir(self.workdir)
        if how == "refuse":
            raise RefuseTask("not today")
        if how == "fail":
            raise koji.BuildError("no greeting for %s" % name)
        if how == "die":
            os._exit(3)
        if how == "hang":
            open(name, "w").close()
            time.sleep(600)
        return {"text": "hello %s" % name, "topdir": koji.pathinfo.topdir, "task": self.id}

class Foreground(BaseTaskHandler):
    Methods = ["foreground"]
    Foreground = True

@callback("postSCMCheckout")
def look(kind, *args, **kwargs):
    if kwargs["scratch"]:
        raise koji.ActionNotAllowed("no scratch from here")
    with open(os.path.join(kwargs["srcdir"], "seen"), "w") as stream:
        stream.write("%s %s %s" % (kind, kwargs["buildroot"]["name"], kwargs["session"].echo("x")[0]))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pluginpath with one plugin that works and some that do not."""
    directory = tmp_path_factory.mktemp("plugins")
    (directory / "greet.py").write_text(PLUGIN)
    (directory / "broken.py").write_text("import nothing_of_that_name")
    (directory / "wants_root.py").write_text("from __main__ import BuildRoot\n")
    (directory / "guard.py").write_text("from __main__ import BuildRoot\n@callback('postSCMCheckout')\ndef f(): pass\n")
    (directory / "odd.py").write_text("def f(): pass\nf.callbacks = ['preNothing']\n")
    return directory


@pytest.fixture(scope="module")
def plugins(path: Path) -> PluginSet:
    """What the daemon knows of the plugin that works, and of two that are left out."""
    return load_plugins(["runroot", "greet", "wants_root"], f"/nowhere:{path}")


def test_description(plugins: PluginSet) -> None:
    """Methods, weights and callbacks are known without importing anything; what cannot run is left out."""
    assert plugins.names == ("greet",)
    assert [(handler.methods, handler.weight) for handler in plugins.handlers if "greet" in handler.methods] == [
        (("greet",), 1.25)
    ]
    assert not [handler for handler in plugins.handlers if "foreground" in handler.methods]
    assert plugins.callbacks == {"postSCMCheckout"}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("broken", "Loading plugin broken failed: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("gone", "Loading plugin gone failed: AttributeError"),
        ("guard", "Loading plugin guard failed: ImportError: cannot import name 'BuildRoot'"),
        ("odd", 'plugin odd: "preNothing" is not a valid callback type'),
    ],
)
def test_plugin_that_keeps_the_daemon_from_starting(path: Path, name: str, complaint: str) -> None:
    """One that is broken, and one whose callbacks would be missed."""
    with pytest.raises(ConfigurationError) as raised:
        load_plugins([name], str(path))
    assert complaint in str(raised.value)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniHub]:
    """A hub with one host."""
    hub = MiniHub(tmp_path_factory.mktemp("hub"))
    hub.start()
    hub.add_host("builder", "x86_64", password="of the builder")
    yield hub
    hub.stop()


@pytest.fixture
def options(hub: MiniHub, tmp_path: Path) -> KojidOptions:
    """Options of a builder."""
    return KojidOptions(
        server=hub.url,
        topurl=hub.topurl,
        topurls=(hub.topurl,),
        topdir="/the/topdir",
        user="builder",
        password="of the builder",
        workdir=str(tmp_path / "work"),
    )


@pytest.fixture
def session(options: KojidOptions) -> Iterator[AdjutantSession]:
    """A session of the host."""
    session = connect(options, interrupt=threading.Event())
    session.exclusiveSession(force=True)
    yield session
    session.close()


class Run:
    """Runs a task of the plugin as the daemon does."""

    def __init__(self, hub: MiniHub, plugins: PluginSet, options: KojidOptions, session: AdjutantSession) -> None:
        self.hub, self.plugins, self.options, self.session = hub, plugins, options, session
        self.interruption = Interruption()

    def __call__(self, *arguments: Any, adopted: bool = False, task: int = 0) -> Any:
        task = task or self.hub.make_task("greet", list(arguments))
        request = self.session.getTaskInfo(task, request=True)["request"]
        (kind,) = [each for each in plugin_handlers(self.plugins) if "greet" in each.Methods]
        handler = kind(task, "greet", request, self.session, self.options)
        handler.context = SimpleNamespace(
            adopted=adopted,
            new_session=self.session.subsession,
            interruption=self.interruption,
            wake=threading.Event(),
        )
        return handler.run()


@pytest.fixture
def run(hub: MiniHub, plugins: PluginSet, options: KojidOptions, session: AdjutantSession) -> Run:
    return Run(hub, plugins, options, session)


def test_task(run: Run) -> None:
    """Arguments, options and result pass; what the plugin prints and where it goes touches nobody."""
    before = Path.cwd()
    result = run("well", {"name": "world", "__starstar": True})
    assert (result["text"], result["topdir"]) == ("hello world", "/the/topdir")
    assert Path.cwd() == before


def test_failures(run: Run) -> None:
    """Koji's errors keep class and text; a refusal is one; a process that dies is said to have died."""
    with pytest.raises(koji.BuildError, match="no greeting for nobody"):
        run("fail")
    with pytest.raises(koji.tasks.RefuseTask, match="not today"):
        run("refuse")
    with pytest.raises(koji.GenericError, match="ended with status 3 and left no result"):
        run("die")


def test_host_check(run: Run, hub: MiniHub, session: AdjutantSession) -> None:
    """A plugin's own look at the host refuses hard."""
    task = hub.make_task("greet", ["elsewhere"])
    session.host.openTask(task)
    with pytest.raises(TaskCancelled, match="failed host check"):
        run("elsewhere", task=task)
    (row,) = hub.call("scheduler.getTaskRefusals", [["task_id", "=", task]])
    assert (row["soft"], row["msg"]) == (False, "failed host check")


def test_adopted_task(run: Run) -> None:
    """It begins anew, as after a restart of kojid."""
    with pytest.raises(koji.tasks.ServerRestart):
        run("well", adopted=True)


def test_cancelled_task(run: Run, tmp_path: Path) -> None:
    """The process goes at once."""
    ended: list[BaseException] = []

    def work() -> None:
        try:
            run("hang", str(tmp_path / "hangs"))
        except TaskCancelled as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not (tmp_path / "hangs").exists():
        assert thread.is_alive()
        thread.join(0.05)
    run.interruption.cancel("the user said so")
    thread.join(60)
    assert [str(error) for error in ended] == ["the user said so"]


def test_callbacks(
    plugins: PluginSet,
    options: KojidOptions,
    session: AdjutantSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Callbacks get what kojid gives them, with a session of their own; their refusal has kojid's class and text."""
    monkeypatch.setitem(koji.plugin.callbacks, "postSCMCheckout", [])
    plugins.register_callbacks(options)
    (call,) = koji.plugin.callbacks["postSCMCheckout"]
    known = {"taskinfo": {"id": 1}, "session": session, "srcdir": str(tmp_path)}
    call("postSCMCheckout", **known, scratch=False, buildroot=SimpleNamespace(name="root-1", runtime=object()))
    assert (tmp_path / "seen").read_text() == "postSCMCheckout root-1 x"
    with pytest.raises(koji.CallbackError, match=r"callback from _koji_plugin__greet(.|\n)*no scratch from here"):
        call("postSCMCheckout", **known, scratch=True, buildroot=None)
