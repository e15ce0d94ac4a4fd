"""The buildroot that callbacks of a checkout get, under kojid's names."""

from types import SimpleNamespace

import pytest

from koji_adjutant.tasks import build_srpm_from_scm
from koji_adjutant.tasks.build_srpm_from_scm import BuildSRPMFromSCMTask
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag
from koji_adjutant.tasks.plugins import _plain
from tests.support.task_scene import TASK, Scene

REPO = RepoTag({"id": 5, "create_event": 50}, {"id": 2, "name": "f-build"})


@pytest.fixture
def task(tmp_path):
    hub = SimpleNamespace(host_newBuildRoot=lambda *_, **__: 7)
    return Scene(tmp_path, BuildSRPMFromSCMTask, hub, "git://h/r#1", 2, {"repo_id": 5}).task()


def test_plain_attributes(task):
    """What names the root, its name included, which is made of the rest."""
    record = BuildrootRecord(task, REPO, "x86_64")
    record.create()
    assert _plain(record) == {
        "id": 7,
        "name": "f-build-7-5",
        "tag_id": 2,
        "tag_name": "f-build",
        "repoid": 5,
        "event_id": 50,
        "task_id": TASK,
        "br_arch": "x86_64",
    }


class Stop(Exception):
    """Ends the handler where the checkout begins."""


def test_source_package_from_scm(task, monkeypatch):
    """Its callbacks get the root that the package is built in, as under kojid."""
    asked = {}
    record = BuildrootRecord(task, REPO, "x86_64")

    def checkout(*_, **more):
        asked.update(more)
        raise Stop

    def write_package(build_tag, opts, write, *, network, online):
        opened = SimpleNamespace(plan=SimpleNamespace(repo=REPO))
        return write(opened, SimpleNamespace(logs=None), record)

    monkeypatch.setattr(build_srpm_from_scm, "assert_source_allowed", lambda *_, **__: SimpleNamespace(source_cmd=None))
    monkeypatch.setattr(build_srpm_from_scm, "checkout_source", checkout)
    monkeypatch.setattr(task, "write_package", write_package)
    with pytest.raises(Stop):
        task.handler("git://h/r#1", 2, {"repo_id": 5})
    assert asked["buildroot"] is record
