"""The copy of SCM credentials goes with the container it was made for, also when there is none."""

import threading
from types import SimpleNamespace

import pytest
import structlog

from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.errors import ConfigurationError, DaemonStopping, ImageError, RuntimeUnavailable
from koji_adjutant.scm import credentials
from koji_adjutant.scm.bounded import CheckoutLimits
from koji_adjutant.scm.commands import plan_checkout
from koji_adjutant.scm.source_url import parse_source
from koji_adjutant.tasks import checkout_container, source_command
from koji_adjutant.tasks.checkout_container import CheckoutContainer, CheckoutJob
from koji_adjutant.tasks.source_command import SourceCommand


def raising(error):
    """Return a function that raises."""

    def raises(*_args, **_more):
        raise error

    return raises


@pytest.fixture
def context(tmp_path):
    """A task with credentials of the operator; its runtime cannot remove a container."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "key").write_text("secret")
    (tmp_path / "task").mkdir()
    return SimpleNamespace(
        directory=tmp_path / "task",
        options=SimpleNamespace(scm_credentials_dir=str(tmp_path / "given")),
        config=AdjutantConfig.model_validate({}),
        log=structlog.get_logger(),
        runtime=SimpleNamespace(remove=raising(RuntimeUnavailable("gone"))),
        interruption=SimpleNamespace(event=threading.Event()),
        journal=SimpleNamespace(done=lambda _: False),
    )


def copies(context):
    return [path.name for path in context.directory.iterdir()]


@pytest.fixture(params=["checkout", "source command"])
def run(request, context, monkeypatch):
    """Run one of those that make a copy; `opened` is what makes its container."""

    def runs(opened):
        if request.param == "checkout":
            monkeypatch.setattr(checkout_container.WorkContainer, "open", opened)
            scm = parse_source("git://h/a/repo#r")
            job = CheckoutJob(scm, plan_checkout(scm, "/work/scmroot"), CheckoutLimits(60.0, 9, 9), "image", "c")
            CheckoutContainer(context, None, job).run()
        else:
            monkeypatch.setattr(source_command, "running", opened)
            monkeypatch.setattr(SourceCommand, "_spec", lambda _: None)
            SourceCommand(context, SimpleNamespace(attempt=1)).run(["fetch"], "/directory")

    return runs


def test_container_that_does_not_open(context, run):
    """Its copy was for nobody."""
    with pytest.raises(ImageError):
        run(raising(ImageError("there is no image")))
    assert copies(context) == []


def test_copy_that_cannot_be_made(context, run, monkeypatch):
    """What was copied of it goes too."""
    monkeypatch.setattr(credentials, "_copy_open", raising(PermissionError("unreadable")))
    with pytest.raises(ConfigurationError):
        run(raising(AssertionError("a container was asked for")))
    assert copies(context) == []


def test_container_that_cannot_be_removed(context, run):
    """Its runtime is gone: the copy goes all the same."""
    unusable = SimpleNamespace(remove=context.runtime.remove, name="c")
    with pytest.raises(RuntimeUnavailable):
        run(lambda *_: unusable)
    assert copies(context) == []


def test_interrupted_run_leaves_it(context, run):
    """The container goes on and has it mounted."""
    context.interruption.event.set()
    with pytest.raises(DaemonStopping):
        run(raising(DaemonStopping("stopping")))
    assert len(copies(context)) == 1
